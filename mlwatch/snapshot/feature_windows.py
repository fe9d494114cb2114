"""Features window by window: what is missing, and how far each moved from the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from mlwatch.metrics.bins import MISSING, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Counts, Reference


def missing_by_window(rows: Table) -> dict[int, float]:
    """Return missing cells over all cells of each window."""
    found = {}
    for window, part in rows.windows().items():
        real = part.where(part["feature"] >= 0)
        cells = real.whole("n")
        if cells:
            found[window] = real.where(real["bin"] == MISSING).whole("n") / cells
    return found


def drift_by_window(
    rows: Table,
    infos: Mapping[int, FeatureInfo],
    reference: Reference | None,
    features: Sequence[int],
    windows: int,
) -> dict[int, tuple[float | None, ...]]:
    """Return the Jensen-Shannon scores of some features in each of `windows` windows; None where unknown."""
    if reference is None or not len(rows):
        return {}
    found = {}
    for number in features:
        if number in reference.counts and infos[number].binned:
            own = rows.where(rows["feature"] == number)
            score = _window_scores(own, windows, reference.counts[number])
            found[number] = tuple(value if np.isfinite(value) else None for value in score.tolist())
    return found


def mean_by_window(scores: Mapping[int, Sequence[float | None]], windows: int) -> list[float | None]:
    """Return the mean score over the features in each window; None where there is none."""
    means: list[float | None] = []
    for window in range(windows):
        known = [value for each in scores.values() if (value := each[window]) is not None]
        means.append(sum(known) / len(known) if known else None)
    return means


LATEST = 2
"""Fewest windows at the end of the range that a value has to stand still in; they also hold enough values."""
FEWEST = 50
CHANCE = 1e-6
"""Of seeing nothing but one bin, as often as it was seen before, below which a feature stands still."""


def standing_still(rows: Table) -> set[int]:
    """Return the features whose values fall into one bin in the last windows, though they used to fill several.

    Args:
        rows: Feature rows of one version, by window.
    """
    real = rows.where((rows["feature"] >= 0) & (rows["bin"] >= 0) & (rows["n"] > 0))
    if not len(real):
        return set()
    per_window = np.bincount(real["w"].clip(0), weights=real["n"]) / len(np.unique(real["feature"]))
    enough = np.flatnonzero(np.cumsum(per_window[::-1]) >= FEWEST)
    late = real["w"] >= len(per_window) - max(LATEST, 1 + enough.min(initial=len(per_window)))
    cells, cell = np.unique(np.stack([real["feature"], real["bin"]]), axis=1, return_inverse=True)
    now, before = (np.bincount(cell.ravel(), weights=real["n"] * side) for side in (late, ~late))
    features, feature = np.unique(cells[0], return_inverse=True)
    filled = np.bincount(feature, weights=now > 0)
    earlier = np.bincount(feature, weights=before)
    only = (now >= FEWEST) & (filled[feature] == 1) & (earlier[feature] >= FEWEST)
    share = np.clip(before[only] / earlier[feature[only]], 1e-12, 1.0)
    unlikely = now[only] * np.log(share) < np.log(CHANCE)
    return {int(number) for number in features[feature[only][unlikely]]}


def _window_scores(rows: Table, windows: int, reference: Counts) -> NDArray[np.float64]:
    """Return the Jensen-Shannon distance (base 2, less what chance gives) of each window; NaN below 50 rows."""
    lowest = UNSEEN
    width = int(max(reference.codes.max(initial=0), rows["bin"].max(initial=0))) - lowest + 1
    p = np.bincount(reference.codes - lowest, weights=reference.n, minlength=width)
    place = np.clip(rows["w"], 0, windows - 1).astype(np.int64) * width + rows["bin"] - lowest
    counts = np.bincount(place, weights=rows["n"], minlength=windows * width).reshape(windows, width)
    n = counts.sum(axis=1)
    p = p / p.sum()
    q = counts / np.maximum(n, 1)[:, None]
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum(axis=1) / (2 * np.log(2))
    filled = np.maximum((counts > 0).sum(axis=1), 1)
    chance = (filled - 1) / (8 * np.log(2) * np.maximum(n, 1))
    score = np.sqrt(np.maximum(divergence - chance, 0.0))
    return np.where(n >= 50, score, np.nan)
