"""The overdispersion that an A/A calibration found, kept in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.asking import meta_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection


def _key(model: str, baseline: str) -> str:
    return "calibration " + json.dumps([model, baseline])


def store_inflation(
    connection: DuckDBPyConnection, model: str, baseline: str, inflation: Mapping[str, float]
) -> None:
    """Keep the factors by which the variance of each metric is inflated."""
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)", [_key(model, baseline), json.dumps(dict(inflation))]
    )


def stored_inflation(connection: DuckDBPyConnection, model: str, baseline: str) -> dict[str, float] | None:
    """Return the factors by metric; None where the baseline was never calibrated."""
    said = meta_value(connection, _key(model, baseline))
    return {name: float(value) for name, value in json.loads(said).items()} if said is not None else None
