"""Drift of all features together: the reconstruction error of principal components that the reference taught.

It sees relations between features break while each by itself looks as before. Source: the method that NannyML
documents as data reconstruction with PCA; components keep 65 % of the variance, and mean errors alarm beyond the mean
± 3 standard deviations of the reference's own tenths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

KEPT = 0.65
"""Share of the variance that the components keep."""
PARTS = 10
DEVIATIONS = 3.0
LEAST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """What the errors of the current rows are worth."""

    error: float
    """Mean Euclidean distance of a row to its reconstruction, in standard deviations of the features."""
    reference: float
    """The same of the reference."""
    low: float
    high: float
    """Between these the reference's own tenths lie."""
    components: int
    n_reference: int
    n_current: int

    @property
    def drifted(self) -> bool:
        """Tell whether the rows lie apart from the reference's, on either side."""
        return not self.low <= self.error <= self.high


def reconstruction(reference: FloatArray, current: FloatArray) -> Reconstruction | None:
    """Compare rows by how well the reference's components reconstruct them.

    Args:
        reference: Rows in order of time, shape (n, d); NaN is taken as the reference's mean.
        current: Shape (m, d).

    Returns:
        None below 200 rows on either side, or where fewer than two features vary.
    """
    if min(len(reference), len(current)) < LEAST_ROWS:
        return None
    known = np.isfinite(reference).any(axis=0)
    before, after = reference[:, known], current[:, known]
    mean = np.nanmean(np.where(np.isfinite(before), before, np.nan), axis=0)
    before, after = (np.where(np.isfinite(side), side, mean) for side in (before, after))
    scale = before.std(axis=0)
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(mean))
    if varies.sum() < 2:
        return None
    before, after = ((side[:, varies] - mean[varies]) / scale[varies] for side in (before, after))
    _, size, axes = np.linalg.svd(before, full_matrices=False)
    share = np.cumsum(size**2) / (size**2).sum()
    count = int(np.searchsorted(share, KEPT) + 1)
    kept = axes[:count]
    errors, mine = (np.linalg.norm(side - side @ kept.T @ kept, axis=1) for side in (before, after))
    parts = np.array([part.mean() for part in np.array_split(errors, PARTS)])
    spread = DEVIATIONS * float(parts.std())
    middle = float(parts.mean())
    return Reconstruction(
        float(mine.mean()),
        float(errors.mean()),
        middle - spread,
        middle + spread,
        count,
        len(before),
        len(after),
    )


def frequencies(
    reference: NDArray[np.object_], current: NDArray[np.object_]
) -> tuple[FloatArray, FloatArray]:
    """Encode categories by how frequent they are in the reference; new ones are 0, missing ones NaN.

    Args:
        reference: Any labels or None, shape (n,).
        current: Shape (m,).
    """
    named = [str(value) for value in reference if value is not None]
    values, counts = np.unique(np.array(named, dtype=str), return_counts=True)
    share = dict(zip(values.tolist(), (counts / max(1, len(named))).tolist(), strict=True))

    def encoded(column: NDArray[np.object_]) -> FloatArray:
        return np.array([np.nan if value is None else share.get(str(value), 0.0) for value in column])

    return encoded(reference), encoded(current)
