"""Even cells over the bins of a number: the bin of a value is looked up by its cell, without comparing edge after edge.

A cell that no edge lies in has one bin; in any other, the value is compared with the edges there. What leads to a cell
never falls as the value rises, so that this is exact for whatever numbers. The SQL is DuckDB's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlwatch.metrics.bin_sql import MISSING, sql_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CELLS = 4096
"""Between the second and the last but one edge: what lies beyond, however far, gets one more on either side."""
DEPTH = 2
"""Edges in one cell at most: a value that is frequent has two, so near that no cell parts them."""
LEAST_EDGES = 16
"""Fewer are compared as quickly."""
NO_EDGE = math.nan
"""No number is at or above it, to DuckDB."""


class Run(NamedTuple):
    """Cells beside each other whose bin is the same, or one cell that edges lie in."""

    first: int
    stop: int
    """The one behind its last."""
    code: int
    """Bin of what lies below the edges."""
    edges: tuple[float, ...]
    """`DEPTH` of them; a value at or above n of them lies n bins higher."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the cells lie, and the bins in them."""

    low: float
    """Middle of the cell 0."""
    scale: float
    """Cells in a unit."""
    runs: tuple[Run, ...]

    def cell_sql(self, column: str) -> str:
        """Return the cell of a column of type DOUBLE; any will do for a value that is missing."""
        place = f"({column} - {sql_number(self.low)}) * {sql_number(self.scale)}"
        return f"CAST(LEAST(GREATEST({place}, -1e0), {CELLS + 1}e0) AS INTEGER)"

    def bin_sql(self, column: str, code: str, edges: Sequence[str]) -> str:
        """Return what `bin_sql.numeric_bin_sql` does, from the columns with the code and the edges of the cell."""
        used = max(sum(not math.isnan(edge) for edge in run.edges) for run in self.runs)
        higher = [f"WHEN {column} >= {edges[n - 1]} THEN {code} + {n}" for n in range(used, 0, -1)]
        return (
            f"CASE WHEN {column} IS NULL OR isnan({column}) THEN {MISSING} {' '.join(higher)} ELSE {code} END"
        )


def cells_of(edges: Sequence[float]) -> Cells | None:
    """Return cells for the bins between some edges, as from `bins.edges_from_quantiles`.

    None where edges are few, or crowd so much in one place that even cells do not part them.
    """
    if len(edges) < LEAST_EDGES:
        return None
    low = edges[1]
    width = edges[-2] - low
    scale = CELLS / width if 0 < width < math.inf else math.inf
    if math.isinf(scale):
        return None
    # the last bin is closed
    inside = _by_cell((*edges[:-1], math.nextafter(edges[-1], math.inf)), low, scale)
    if max(map(len, inside.values())) > DEPTH:
        return None
    return Cells(low, scale, tuple(_runs(inside)))


def _by_cell(edges: Iterable[float], low: float, scale: float) -> Mapping[int, list[float]]:
    """Return the edges in each cell that has any, in ascending order."""
    found: dict[int, list[float]] = {}
    for edge in edges:
        cell = round(min(max((edge - low) * scale, -1.0), CELLS + 1.0))
        found.setdefault(cell, []).append(edge)
    return found


def _runs(inside: Mapping[int, list[float]]) -> Iterator[Run]:
    """Yield the runs that are all cells, in ascending order."""
    none = (NO_EDGE,) * DEPTH
    at, code = -1, 0
    for cell, edges in inside.items():
        if at < cell:
            yield Run(at, cell, code, none)
        yield Run(cell, cell + 1, code, (*edges, *none)[:DEPTH])
        at, code = cell + 1, code + len(edges)
    if at < CELLS + 2:
        yield Run(at, CELLS + 2, code, none)
