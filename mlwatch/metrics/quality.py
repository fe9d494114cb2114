"""What is missing or wrong in a feature, from counts by bin code (see `bins`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.metrics import intervals
from mlwatch.metrics.bins import (
    INVALID,
    MISSING,
    UNSEEN,
    Kind,
    edges_from_quantiles,
    numeric_bin,
    numeric_bin_sql,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mlwatch.metrics.estimate import Estimate

__all__ = [
    "FeatureCounts",
    "RateChange",
    "edges_from_quantiles",
    "feature_counts",
    "numeric_bin",
    "numeric_bin_sql",
    "rate_change",
    "stuck",
]

STUCK_ROWS = 50
"""Values that must all fall into one bin before a feature counts as stuck."""


@dataclass(frozen=True, slots=True)
class FeatureCounts:
    """What one feature's cells held."""

    n: int
    missing: int
    missing_rate: Estimate
    invalid: int = 0
    unseen: int = 0
    out_of_range: int = 0
    stuck: bool = False
    """All values in one bin, though the reference fills several."""


def feature_counts(
    kind: Kind,
    codes: ArrayLike,
    counts: ArrayLike,
    *,
    inner_bins: int = 0,
    reference_codes: ArrayLike | None = None,
) -> FeatureCounts:
    """Sum up one feature.

    Args:
        kind: "numeric" or "categorical".
        codes: Bin codes, shape (m,), in any order and with repeats.
        counts: Rows of each code, shape (m,).
        inner_bins: For a numeric feature k, the number of bins between the reference's smallest and largest
            value.
        reference_codes: Codes that the reference fills; None without a reference.
    """
    code, count = np.asarray(codes, dtype=np.int64), np.asarray(counts, dtype=np.int64)

    def total(mask: NDArray[np.bool_]) -> int:
        return int(count.dot(mask))

    n, missing = int(count.sum()), total(code == MISSING)
    outside = total((code == 0) | (code == inner_bins + 1)) if kind == "numeric" and inner_bins else 0
    return FeatureCounts(
        n,
        missing,
        intervals.proportion(missing, n, "no rows yet"),
        total(code == INVALID),
        total(code == UNSEEN),
        outside,
        reference_codes is not None and stuck(code, count, reference_codes),
    )


def stuck(codes: ArrayLike, counts: ArrayLike, reference_codes: ArrayLike) -> bool:
    """Tell whether all values share one bin, though the reference's values fill at least two."""
    code, count = np.asarray(codes), np.asarray(counts)
    filled = code[(code >= 0) & (count > 0)]
    if not _alike(filled) or int(count[code >= 0].sum()) < STUCK_ROWS:
        return False
    reference = np.asarray(reference_codes)
    reference = reference[reference >= 0]
    return bool(len(reference)) and not _alike(reference)


def _alike(values: NDArray[Any]) -> bool:
    return bool((values == values[:1]).all())


@dataclass(frozen=True, slots=True)
class RateChange:
    """How a rate differs from the reference's."""

    difference: float
    """Current minus reference."""
    low: float
    high: float

    def beyond(self, margin: float) -> bool:
        """Tell whether the change is at least `margin` in size and certain in its direction."""
        return abs(self.difference) >= margin and (self.low > 0 or self.high < 0)


def rate_change(reference: tuple[int, int], current: tuple[int, int]) -> RateChange | None:
    """Compare two rates given as (count, n), for example of missing cells in training and in serving.

    Source: Newcombe 1998, method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    before, after = intervals.wilson(*reference), intervals.wilson(*current)
    if before is None or after is None:
        return None
    old, new = reference[0] / reference[1], current[0] / current[1]
    down = math.hypot(new - after[0], before[1] - old)
    up = math.hypot(after[1] - new, old - before[0])
    return RateChange(new - old, new - old - down, new - old + up)
