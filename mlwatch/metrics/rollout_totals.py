"""Additive totals of a rollout: everything a verdict needs, as sums over strata.

Totals add up and can be taken back, so a minute that changed (late labels, late events) is corrected by
subtracting its old tally and adding the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlwatch.metrics.rollout_types import FloatArray

Columns: TypeAlias = "dict[str, FloatArray]"

TRAFFIC = ""
"""Key of the columns that belong to no metric."""


@dataclass(frozen=True)
class RolloutTotals:
    """Additive totals of a rollout; a leading axis, where there is one, is time."""

    sums: dict[str, Columns]
    """Columns by metric name; traffic under `TRAFFIC`."""
    peaks: dict[str, Columns]
    """Columns that combine by maximum: last minutes, and negated first minutes."""

    def __add__(self, other: RolloutTotals) -> RolloutTotals:
        """Put two disjoint sets of strata together."""
        return RolloutTotals(
            _merge(self.sums, other.sums, np.add), _merge(self.peaks, other.peaks, np.maximum)
        )

    def __sub__(self, other: RolloutTotals) -> RolloutTotals:
        """Take back strata counted before; first and last minutes stay."""
        taken = {key: {name: -values for name, values in part.items()} for key, part in other.sums.items()}
        return RolloutTotals(_merge(self.sums, taken, np.add), self.peaks)

    def at(self, index: int | NDArray[np.bool_]) -> RolloutTotals:
        """Return one moment, or the flagged moments, of running totals."""
        return RolloutTotals(
            *(
                {k: {c: v[index] for c, v in columns.items()} for k, columns in part.items()}
                for part in (self.sums, self.peaks)
            )
        )


def _merge(left: dict[str, Columns], right: dict[str, Columns], together: np.ufunc) -> dict[str, Columns]:
    """Put columns of the same name together; what only one side has stays as it is."""
    merged = left | right
    for key in left.keys() & right.keys():
        theirs = right[key]
        merged[key] = {name: together(values, theirs[name]) for name, values in left[key].items()}
    return merged
