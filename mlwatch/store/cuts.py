"""Cut the bins of numeric features after the quantiles of some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.asking import row
from mlwatch.metrics.edges import FEW_VALUES, QUANTILES, edges_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

ENOUGH_ROWS = 1000
"""Without a reference, bins are cut once a model has this many rows."""
STEPS = ", ".join(repr(step / QUANTILES) for step in range(QUANTILES + 1))
TOGETHER = 50
"""Columns looked at in one statement."""
DISTINCT_TOGETHER = 15
"""Columns whose different values are listed in one: each has a hash table of some megabytes, however few they are."""


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
        about = _each(connection, relation, group, "approx_count_distinct({0})")
        few = [column for column in group if 0 < about[column] <= 2 * FEW_VALUES]
        values: dict[str, Any] = {}
        for at in range(0, len(few), DISTINCT_TOGETHER):
            some = few[at : at + DISTINCT_TOGETHER]
            values.update(_each(connection, relation, some, "list(DISTINCT {0})"))
        values = {column: listed for column, listed in values.items() if len(listed) <= FEW_VALUES}
        many = [column for column in group if about[column] and column not in values]
        values.update(_each(connection, relation, many, f"quantile_disc({{0}}, [{STEPS}])"))
        found.update((column, edges_of(values[column])) for column in group if column in values)
    return found


def _each(
    connection: DuckDBPyConnection, relation: str, columns: Sequence[str], aggregate: str
) -> dict[str, Any]:
    """Aggregate the finite values of each column, all in one statement."""
    if not columns:
        return {}
    items = ", ".join(
        f"{aggregate.format(column)} FILTER ({column} IS NOT NULL AND isfinite({column}))"
        for column in columns
    )
    return dict(zip(columns, row(connection, f"SELECT {items} FROM {relation}"), strict=True))
