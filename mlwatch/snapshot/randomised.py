"""What a rollout splits traffic by: requests, values of a column of theirs, or the queries of a ranking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.sources.sql import identifier
from mlwatch.store.meanings import query_of
from mlwatch.store.registry import FeatureRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config, RolloutSettings
    from mlwatch.snapshot.reader import Reader

REQUESTS = frozenset({None, "request", "id"})
"""What `[rollout] unit` says where requests are randomised."""


def settled(reader: Reader, model: str, config: Config) -> RolloutSettings:
    """Return the `[rollout]` of a model; unless it says what is randomised, a ranking's items come by query.

    Items of one query are answered, fail and are paid for together: as independent requests, equal versions would
    differ more often than is allowed for.
    """
    rollout = config.rollout
    if rollout.unit is not None:
        return rollout
    return replace(rollout, unit=query_of(list(known_features(reader, model)), config.outputs))


def known_features(reader: Reader, model: str) -> tuple[FeatureRow, ...]:
    """Return the features of a model, read once for as long as no other comes."""
    return reader.fact(("rows of features", model), lambda: tuple(features_of(reader.connection, model)))


def unit_sql(connection: DuckDBPyConnection, model: str, unit: str) -> str:
    """Return a unit of the row `p` of the records, as SQL.

    Rows that were read before the configuration named the unit hold it as a feature, and maybe another as their unit.

    Args:
        connection: A cursor of this thread.
        model: Of the rows.
        unit: A column of the logs.
    """
    kept = next((row for row in features_of(connection, model) if row.name == unit), None)
    if kept is None or kept.column not in _columns(connection):
        return "p.unit"
    column = f"p.{identifier(kept.column)}"
    if kept.kind == "numeric":  # 17 is written as a unit is, not as 17.0
        whole = f"ABS({column}) < 9e15 AND {column} = TRUNC({column})"
        column = f"CASE WHEN {whole} THEN CAST(CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
    return f"COALESCE({column}, p.unit)"


def _columns(connection: DuckDBPyConnection) -> list[str]:
    """Return what the records have; of rollups alone there are none with features."""
    return [name for name, *_ in connection.execute("SELECT * FROM predictions LIMIT 0").description or ()]


def features_of(connection: DuckDBPyConnection, model: str) -> Iterator[FeatureRow]:
    """Yield the features of a model."""
    rows = connection.execute(
        """SELECT feature, name, column_name, kind FROM features JOIN model_features USING (feature)
        WHERE model = ? ORDER BY feature""",
        [model],
    ).fetchall()
    return (FeatureRow(*row) for row in rows)
