"""How a reference moves by itself: its counts by tenths, in order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.store import rollups

if TYPE_CHECKING:
    from mlwatch.store.rollup import Rollup

WINDOWS = 10
"""Windows of equal size that a reference is parted into, to know how much it moves by itself."""


def parted_sql(condition: str, rollup: Rollup = rollups.FEATURES, keys: str = "feature, bin") -> str:
    """Return the statement that reads a period of the logs by tenths of its time.

    Args:
        condition: On the buckets of the period.
        rollup: What is counted.
        keys: Its columns that are told apart.

    Returns:
        A SELECT of `part`, the keys and `n`.
    """
    width = rollup.levels[0]
    part = f"CAST(FLOOR({WINDOWS} * (second - low) / (high - low + {width})) AS INTEGER)"
    second = "epoch(bucket)"
    return f"""
        SELECT {part} AS part, {keys}, CAST(SUM(n) AS BIGINT) AS n
        FROM (SELECT *, {second} AS second, MIN({second}) OVER () AS low, MAX({second}) OVER () AS high
            FROM {rollup.table(width)} WHERE {condition})
        GROUP BY part, {keys}"""
