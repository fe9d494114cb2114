"""How a reference moves by itself: its counts by tenths, in order of time."""

from __future__ import annotations

from mlwatch.store import rollups

WINDOWS = 10
"""Windows of equal size that a reference is parted into, to know how much it moves by itself."""


def parted_sql(condition: str) -> str:
    """Return the statement that reads a period of the logs by tenths of its time.

    Args:
        condition: On the buckets of the period.

    Returns:
        A SELECT of `feature`, `part`, `bin`, `n`.
    """
    second = "epoch(bucket)"
    part = f"CAST(FLOOR({WINDOWS} * (second - low) / (high - low + {rollups.QUARTER})) AS INTEGER)"
    return f"""
        SELECT feature, {part} AS part, bin, CAST(SUM(n) AS BIGINT) AS n
        FROM (SELECT *, {second} AS second, MIN({second}) OVER () AS low, MAX({second}) OVER () AS high
            FROM {rollups.FEATURES.table(rollups.QUARTER)} WHERE {condition})
        GROUP BY 1, 2, 3"""
