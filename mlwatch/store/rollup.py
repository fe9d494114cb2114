"""What a rollup is: a family of tables of additive statistics, one a bucket width."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86400

RESIDUAL = "TRY_CAST(prediction AS DOUBLE) - TRY_CAST(label AS DOUBLE)"
"""How far a predicted number is above its label, as SQL over records; NULL where either is no number."""

Merge = Literal["SUM", "MIN", "MAX"]


@dataclass(frozen=True, slots=True)
class Rollup:
    """A family of tables, one a bucket width, that hold the same statistics."""

    name: str
    levels: tuple[int, ...]
    """Bucket widths in seconds, finest first; each divides the next."""
    keys: Mapping[str, str]
    """Further key columns and their types, behind bucket, model and version."""
    measures: Mapping[str, str]
    """Measure columns and their types."""
    merge: Mapping[str, Merge] = field(default_factory=dict)
    """How a measure merges where it is not a sum."""

    def table(self, level: int) -> str:
        """Return the table name of a bucket width."""
        return f"{self.name}_{level}"

    @property
    def key_names(self) -> tuple[str, ...]:
        """All key columns."""
        return ("bucket", "model", "version", *self.keys)

    def ddl(self, level: int) -> str:
        """Return the statement that creates a table."""
        columns = {
            "bucket": "TIMESTAMP",
            "model": "VARCHAR",
            "version": "VARCHAR",
            **self.keys,
            **self.measures,
        }
        return f"CREATE TABLE {self.table(level)} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"

    def merged(self, relation: str, bucket: str = "bucket", where: str = "") -> str:
        """Return a SELECT that merges rows of equal key, with the bucket widened by an expression."""
        keys = ", ".join(("model", "version", *self.keys))
        measures = ", ".join(f"{self.merge.get(name, 'SUM')}({name}) AS {name}" for name in self.measures)
        positions = ", ".join(str(i + 1) for i in range(len(self.key_names)))
        return f"SELECT {bucket} AS bucket, {keys}, {measures} FROM {relation} {where} GROUP BY {positions}"


def bucket(level: int, column: str = "ts") -> str:
    """Return the expression for the start of the bucket that a time falls into."""
    return f"time_bucket(INTERVAL '{level} seconds', {column})"
