"""Requests without an id that repeat an earlier one in every column: of those with one, the ingest counts just one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.snapshot.read import fetch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.span import Grid

FEW = "ts, prediction, score, latency_ms"
"""What mostly tells all requests apart already: only where it does not are all columns read."""
TIMED = 0.9
"""Least share of the requests with a time of their own for those that repeat to mean a log that came twice."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of one version's records that are kept."""

    looked_at: int
    """Requests without an id."""
    repeated: int
    """Those of them that equal an earlier one in every column that is kept, its time included."""
    times: int
    """Different times among them."""

    @property
    def are_told_apart(self) -> bool:
        """Tell whether requests that do not repeat have times of their own: in whole days all of a batch are alike."""
        return self.times >= TIMED * (self.looked_at - self.repeated)

    @property
    def share(self) -> float:
        """Share of the requests that were looked at."""
        return self.repeated / self.looked_at if self.looked_at else 0.0


def repeats_of(connection: DuckDBPyConnection, model: str, lattice: Grid) -> Mapping[str, Repeats]:
    """Return how many requests without an id repeat another one, by version; of a version without such there is none.

    Rows are told apart by a hash of 64 bits: of a million, two are taken for equal with a chance below 1 in 30 million.

    Args:
        connection: A cursor of this thread.
        model: Its name.
        lattice: Range.
    """
    given = {"model": model, "start": lattice.start, "end": lattice.end}
    asked = "FROM predictions WHERE model = $model AND id IS NULL AND ts >= $start AND ts < $end"
    for columns in (FEW, "*COLUMNS(* EXCLUDE (h))"):
        rows = fetch(
            connection,
            f"""SELECT version, COUNT(*) AS n, COUNT(*) - COUNT(DISTINCT hash({columns})) AS repeated,
                COUNT(DISTINCT ts) AS times
            {asked} GROUP BY version""",
            given,
        )
        if not rows["repeated"].any():
            break
    counts = zip(*(rows[name] for name in ("version", "n", "repeated", "times")), strict=True)
    return {str(version): Repeats(*map(int, numbers)) for version, *numbers in counts}
