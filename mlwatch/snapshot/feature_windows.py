"""Features window by window: what is missing, and how far each moved from the reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.bins import MISSING, UNSEEN
from mlwatch.metrics.drift import chance_of
from mlwatch.metrics.scipy_special import special
from mlwatch.snapshot.remembering import remembered, remembered_each

EXPECTED = 10
"""Rows of a window that each group of bins expects at least: of bins with fewer, the empty ones look like drift."""
FIRST = 40
"""Features of a version that are followed window by window; of more, the first ones,"""
FARTHEST = 20
"""and so many others that drifted over the whole range, the farthest."""

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mlwatch.metrics.drift import Policy
    from mlwatch.metrics.fresh import Fresh
    from mlwatch.snapshot.feature_cells import Cells
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reference import Counts, Reference
    from mlwatch.snapshot.types import FeatureQuality


def missing_by_window(cells: Cells, expected: set[int]) -> dict[int, float]:
    """Return missing cells over all cells of each window, of the features that a version is expected to carry, if any.

    Args:
        cells: Feature rows of the version.
        expected: See `expected_features`; without any, all of them count.
    """
    named = {number for number in expected if number >= 0}
    real = cells.marked(named) if named else cells.numbers >= 0
    window, n = cells.rows["w"], cells.rows["n"]
    counted = np.bincount(window, n * real.take(cells.feature))
    absent = np.flatnonzero(cells.rows["bin"] == MISSING)
    absent = absent[real.take(cells.feature.take(absent))]
    missing = np.bincount(window.take(absent), n.take(absent), len(counted))
    return {int(at): float(missing[at] / counted[at]) for at in np.flatnonzero(counted > 0)}


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
    cells: Cells,
    infos: Mapping[int, FeatureInfo],
    reference: Reference | None,
    features: Sequence[int],
    windows: int,
    policy: Policy,
) -> dict[int, tuple[float | None, ...]]:
    """Return the Jensen-Shannon scores of some features in each of `windows` windows.

    A score is 0 where chance explains it at the policy's significance, and None below the policy's floor. Of categories
    it is the lesser of those against the reference and against what other rows like it would be; see `metrics.fresh`.
    """
    if reference is None or not len(cells.rows):
        return {}
    binned = [number for number in features if number in reference.counts and infos[number].binned]
    if not binned:
        return {}
    ascending = sorted(binned)
    counts = {number: reference.counts[number] for number in ascending}
    expected = {number: each.fresh for number, each in counts.items() if each.fresh is not None}
    numeric = {number for number in ascending if infos[number].kind == "numeric"}
    by_feature = _scored(cells, counts, numeric, windows, policy)
    for number, scores in _scored(cells, expected, numeric, windows, policy).items() if expected else ():
        pairs = zip(by_feature[number], scores, strict=True)
        by_feature[number] = tuple(None if a is None or b is None else min(a, b) for a, b in pairs)
    return {number: by_feature[number] for number in binned}


def _scored(
    cells: Cells, counts: Mapping[int, Counts | Fresh], numeric: set[int], windows: int, policy: Policy
) -> dict[int, tuple[float | None, ...]]:
    """Return the scores against some counts, which are by ascending number of the features."""
    lowest = min(UNSEEN, cells.lowest)
    highest = max(cells.highest, *(int(each.codes.max(initial=0)) for each in counts.values()))
    ordered = tuple(number in numeric for number in counts)
    known = _references(tuple(counts.values()), ordered, lowest, highest)
    over = _by_window(cells, list(counts), windows, lowest, highest)
    scores = _scores_of((known, policy.floor, policy.alpha), [each.tobytes() for each in over])
    return dict(zip(counts, zip(*scores, strict=True), strict=True))


def _by_window(
    cells: Cells, numbers: Sequence[int], windows: int, lowest: int, highest: int
) -> NDArray[np.float64]:
    """Return the rows of some features by bin in each window, shape (windows, features, bins)."""
    width, rows = highest + 1 - lowest, cells.rows
    # all other features share a place behind them
    order = {number: at for at, number in enumerate(numbers)}
    at = np.array([order.get(number, len(numbers)) for number in cells.numbers.tolist()])
    place = np.clip(rows["w"], 0, windows - 1) * ((len(numbers) + 1) * width) + (rows["bin"] - lowest)
    place = place + (at * width).take(cells.feature)
    n = np.maximum(rows["n"], 0)
    found = np.bincount(place, n, windows * (len(numbers) + 1) * width).astype(float, copy=False)
    return found.reshape(windows, len(numbers) + 1, width)[:, :-1]


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


def standing_still(cells: Cells) -> set[int]:
    """Return the features whose values fall into one bin in the last windows, though they used to fill several.

    Args:
        cells: Feature rows of one version, by window.
    """
    rows, first = cells.rows, int(np.searchsorted(cells.numbers, 0))
    whole = cells.n[first:, -cells.lowest :]
    features = np.count_nonzero((whole > 0).any(axis=1))
    if not features:
        return set()
    values = rows["n"] * ((rows["feature"] >= 0) & (rows["bin"] >= 0))
    per_window = np.trim_zeros(np.bincount(rows["w"].clip(0), values), "b") / features
    enough = np.flatnonzero(np.cumsum(per_window[::-1]) >= FEWEST)
    late = rows["w"] >= len(per_window) - max(LATEST, 1 + enough.min(initial=len(per_window)))
    latest = np.flatnonzero(late)
    now = cells.summed(rows["n"].take(latest), latest)[first:, -cells.lowest :]
    before = whole - now
    filled, earlier = (now > 0).sum(axis=1, keepdims=True), before.sum(axis=1, keepdims=True)
    only = (now >= FEWEST) & (filled == 1) & (earlier >= FEWEST)
    share = np.clip(before / np.maximum(earlier, 1), 1e-12, 1.0)
    unlikely = now * np.log(share) < np.log(CHANCE)
    return set(cells.numbers[first:][(only & unlikely).any(axis=1)].tolist())


class _References:
    """Shares of the reference's bins, shape (features, bins), missing, invalid and unseen ones first.

    Args:
        counts: Those of each feature.
        numeric: Which of them are numeric.
        lowest: Code of the first bin, at most that of unseen values.
        highest: Code of the last one.
    """

    def __init__(
        self, counts: tuple[Counts | Fresh, ...], numeric: tuple[bool, ...], lowest: int, highest: int
    ) -> None:
        self.lowest = lowest
        self.shares = np.zeros((len(counts), highest + 1 - lowest))
        for row, each in zip(self.shares, counts, strict=True):
            np.add.at(row, each.codes - lowest, each.n)
        self.rows = self.shares.sum(axis=1)
        self.shares /= np.maximum(self.rows, 1)[:, None]
        self._numeric = np.array(numeric)

    def groups(self, rows: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Merge bins for windows of so many rows.

        Neighbours merge for a numeric feature, the rarest for a categorical one; missing, invalid and unseen stay
        alone, as for `distances.guard`.

        Returns:
            The group of each bin, shape (features, bins), and the shares of the groups, of the same shape.
        """
        alone = -self.lowest
        shares = self.shares[:, alone:]
        order = np.argsort(np.where(self._numeric[:, None], 0.0, -shares), axis=1, kind="stable")
        share = np.take_along_axis(shares, order, axis=1)
        total = share.sum(axis=1, keepdims=True)
        middle = (np.cumsum(share, axis=1) - share / 2) / np.where(total > 0, total, 1.0)
        most = np.maximum(np.floor(total * rows / EXPECTED), 1.0)
        group = np.minimum(np.floor(middle * most), most - 1)
        number = np.cumsum(np.diff(group, axis=1, prepend=group[:, :1]) != 0, axis=1)
        found = np.empty(self.shares.shape, dtype=np.int64)
        found[:, :alone] = np.arange(alone)
        np.put_along_axis(found[:, alone:], order, alone + number, axis=1)
        offset = np.arange(len(found))[:, None] * found.shape[1]
        merged = np.bincount((found + offset).ravel(), self.shares.ravel(), found.size).astype(float)
        return found, merged.reshape(found.shape)


_references = remembered(_References)
"""The same shares are the same object, so that groups and scores can be remembered by them."""


@remembered
def _groups(reference: _References, rows: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return reference.groups(rows)


@remembered_each
def _scores_of(
    given: tuple[_References, int, float], windows: Sequence[bytes]
) -> list[tuple[float | None, ...]]:
    """Return the score of each feature in each of several windows, whose rows are given as bytes: see `_scores`."""
    reference, floor, alpha = given
    cells = np.frombuffer(b"".join(windows)).reshape(len(windows), *reference.shares.shape)
    return [
        tuple(value if math.isfinite(value) else None for value in score)
        for score in _scores(cells, reference, floor, alpha).tolist()
    ]


def _scores(
    cells: NDArray[np.float64], reference: _References, floor: int, alpha: float
) -> NDArray[np.float64]:
    """Return Jensen-Shannon distances by window and feature, base 2, less what chance gives; NaN below the floor.

    Only groups of bins with rows are looked at: one with none adds half of the reference's share, times ln 2.

    Args:
        cells: Rows of each window by feature and bin, shape (windows, features, bins).
        reference: What they are compared with.
        floor: Fewest rows of either.
        alpha: The significance below which a score is 0.
    """
    windows, features, width = cells.shape
    present = cells.sum(axis=2).ravel()
    n = np.maximum(present, 1)
    # merged as for the power of two below the rows of each, so that a few groupings do for all windows
    lengths, length = np.unique(np.floor(np.log2(n)), return_inverse=True)
    merging = [_groups(reference, rows) for rows in (2.0**lengths).tolist()]
    groups, shares = (np.array(side) for side in zip(*merging, strict=True))
    window, feature, code = np.nonzero(cells)
    cell = window * features + feature
    merged = np.bincount(
        cell * width + groups[length[cell], feature, code], cells[window, feature, code], cells.size
    )
    filled = np.flatnonzero(merged)
    cell, group = filled // width, filled % width
    p, q = shares[length[cell], cell % features, group], merged[filled] / n[cell]

    def total(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(cell, weights, windows * features).astype(float)

    middle = (p + q) / 2
    parts = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    divergence = (total(parts) + np.log(2) * (1 - total(p))) / (2 * np.log(2))
    before = np.tile(np.maximum(reference.rows, 1), windows)
    known = (shares > 0).sum(axis=2)[length, np.tile(np.arange(features), windows)]
    freedom = np.maximum(known + total((p == 0).astype(float)) - 1, 1)
    by_chance = special.chdtrc(freedom, divergence / chance_of(1, before, n)) > alpha
    score = np.where(by_chance, 0.0, np.sqrt(np.maximum(divergence - chance_of(freedom, before, n), 0.0)))
    enough = (present > 0) & (np.minimum(before, n) >= floor)
    return np.where(enough, score, np.nan).reshape(windows, features)
