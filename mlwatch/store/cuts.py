"""Cut the bins of numeric features after the quantiles of some rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

ENOUGH_ROWS = 1000
"""Without a reference, bins are cut once a model has this many rows."""
FEW_VALUES = 30
"""So few different values get a bin each."""
QUANTILES = 50
STEPS = ", ".join(repr(step / QUANTILES) for step in range(QUANTILES + 1))
TOGETHER = 50
"""Columns looked at in one statement."""


def edges(
    connection: DuckDBPyConnection, relation: str, columns: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    """Return the bin edges of numeric columns; a column without a finite value is left out.

    Args:
        connection: Any.
        relation: Has the columns.
        columns: Quoted names, or expressions that the caller has made safe.
    """
    found: dict[str, tuple[float, ...]] = {}
    for start in range(0, len(columns), TOGETHER):
        group = columns[start : start + TOGETHER]
        items = ", ".join(
            f"approx_count_distinct({column}) FILTER ({_finite(column)}), "
            f"quantile_disc({column}, [{STEPS}]) FILTER ({_finite(column)})"
            for column in group
        )
        row = connection.execute(f"SELECT {items} FROM {relation}").fetchone() or ()
        for column, distinct, quantiles in zip(group, row[::2], row[1::2], strict=True):
            if distinct:
                found[column] = _cut(_few(connection, relation, column, distinct) or quantiles)
    return found


def _finite(column: str) -> str:
    return f"{column} IS NOT NULL AND isfinite({column})"


def _few(connection: DuckDBPyConnection, relation: str, column: str, distinct: int) -> list[float]:
    """Return all values of a column that has few, otherwise nothing; `distinct` is about how many."""
    if distinct > 2 * FEW_VALUES:
        return []
    values = connection.execute(
        f"SELECT DISTINCT {column} FROM {relation} WHERE {_finite(column)} ORDER BY 1 LIMIT {FEW_VALUES + 1}"
    ).fetchall()
    return [value for (value,) in values] if len(values) <= FEW_VALUES else []


def _cut(values: Sequence[float]) -> tuple[float, ...]:
    from mlwatch.metrics.bins import edges_from_quantiles  # noqa: PLC0415  pulls numpy

    finite = [value for value in values if math.isfinite(value)]
    return tuple(float(edge) for edge in edges_from_quantiles(finite))
