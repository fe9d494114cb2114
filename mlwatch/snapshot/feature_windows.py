"""Features window by window: what is missing, and how far each moved from the reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.bins import MISSING, UNSEEN
from mlwatch.metrics.scipy_special import special

LEAST_ROWS = 50
"""With fewer in a window nothing is said."""
FIRST = 40
"""Features of a version that are followed window by window; of more, the first ones,"""
FARTHEST = 20
"""and so many others that drifted over the whole range, the farthest."""

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Counts, Reference
    from mlwatch.snapshot.types import FeatureQuality


def missing_by_window(rows: Table, expected: set[int]) -> dict[int, float]:
    """Return missing cells over all cells of each window, of the features that a version is expected to carry, if any.

    Args:
        rows: Feature rows of the version.
        expected: See `expected_features`; without any, all of them count.
    """
    named = [number for number in expected if number >= 0]
    real = np.isin(rows["feature"], named) if named else rows["feature"] >= 0
    window, n = rows["w"][real], rows["n"][real]
    cells = np.bincount(window, weights=n)
    missing = np.bincount(window, weights=n * (rows["bin"][real] == MISSING))
    return {int(at): float(missing[at] / cells[at]) for at in np.flatnonzero(cells > 0)}


def followed(
    infos: Mapping[int, FeatureInfo], features: Mapping[str, FeatureQuality]
) -> tuple[list[int], list[int]]:
    """Return the features to follow window by window: the first ones, and of the others the farthest that drifted.

    Args:
        infos: Those of the store.
        features: What is known of those of a version over the whole range.
    """
    known = {number: features.get(infos[number].name) for number in sorted(infos) if number >= 0}
    drifts = {
        number: each.drift for number, each in known.items() if each is not None and each.drift is not None
    }
    first, others = list(drifts)[:FIRST], list(drifts)[FIRST:]
    drifted = [number for number in others if drifts[number].drifted]
    return first, sorted(drifted, key=lambda number: -(drifts[number].score or 0.0))[:FARTHEST]


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
    binned = [number for number in features if number in reference.counts and infos[number].binned]
    if not binned:
        return {}
    scores = _scores(rows, windows, {number: reference.counts[number] for number in sorted(binned)})
    by_feature = {
        number: tuple(value if math.isfinite(value) else None for value in score)
        for number, score in zip(sorted(binned), scores.tolist(), strict=True)
    }
    return {number: by_feature[number] for number in binned}


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
    numbers, lowest = np.unique(real["feature"]), int(real["bin"].min())
    width = int(real["bin"].max()) - lowest + 1
    cell = np.searchsorted(numbers, real["feature"]) * width + (real["bin"] - lowest)
    now, before = (
        np.bincount(cell, real["n"] * side, len(numbers) * width).reshape(len(numbers), width)
        for side in (late, ~late)
    )
    filled, earlier = (now > 0).sum(axis=1, keepdims=True), before.sum(axis=1, keepdims=True)
    only = (now >= FEWEST) & (filled == 1) & (earlier >= FEWEST)
    share = np.clip(before / np.maximum(earlier, 1), 1e-12, 1.0)
    unlikely = now * np.log(share) < np.log(CHANCE)
    return {int(number) for number in numbers[(only & unlikely).any(axis=1)]}


def _scores(rows: Table, windows: int, reference: Mapping[int, Counts]) -> NDArray[np.float64]:
    """Return Jensen-Shannon distances by feature and window, base 2, less what chance gives; NaN below 50 rows.

    Only bins with rows are looked at: one with none adds half of the reference's share, times ln 2.

    Args:
        rows: Feature rows of one version.
        windows: Their number.
        reference: By feature, ascending.
    """
    numbers = np.array(list(reference))
    lowest = min(UNSEEN, int(rows["bin"].min(initial=0)))
    width = (
        max(int(max(each.codes.max(initial=0) for each in reference.values())), int(rows["bin"].max())) + 1
    )
    shares = np.zeros((len(numbers), width - lowest))
    for row, each in zip(shares, reference.values(), strict=True):
        np.add.at(row, each.codes - lowest, each.n)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    at = np.minimum(np.searchsorted(numbers, rows["feature"]), len(numbers) - 1)
    own = np.flatnonzero((numbers[at] == rows["feature"]) & (rows["n"] > 0))
    own = own[np.argsort(rows["bin"][own], kind="stable")]  # the store's own order differs from run to run
    code = at[own] * (width - lowest) + rows["bin"][own] - lowest
    cell = at[own] * windows + np.clip(rows["w"][own], 0, windows - 1)

    def total(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(cell, weights=weights, minlength=len(numbers) * windows).astype(float)

    counts = rows["n"][own].astype(float)
    n = total(counts)
    p, q = shares.ravel()[code], counts / n[cell]
    middle = (p + q) / 2
    parts = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    divergence = (total(parts) + np.log(2) * (1 - total(p))) / (2 * np.log(2))
    chance = (np.maximum(total(np.ones_like(p)), 1) - 1) / (8 * np.log(2) * np.maximum(n, 1))
    score = np.where(n >= LEAST_ROWS, np.sqrt(np.maximum(divergence - chance, 0.0)), np.nan)
    return score.reshape(len(numbers), windows)
