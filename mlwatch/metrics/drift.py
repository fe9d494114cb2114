"""How far one distribution moved from another, from counts over the same bins.

Missing, invalid and unseen values are bins like any other (negative codes, see `bins`), because a feature
that goes missing has drifted. Kolmogorov-Smirnov and Wasserstein need an order and use the codes from 0 up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlwatch.metrics.distances import (
    bin_values,
    chi_square,
    divergence_parts,
    guard,
    hellinger,
    jensen_shannon_of,
    kolmogorov_smirnov,
    psi,
    total_variation,
    wasserstein,
)
from mlwatch.metrics.drift_types import DEFAULT_METHOD, THRESHOLDS, Contribution, Drift, Policy
from mlwatch.metrics.fresh import towards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlwatch.metrics.bins import Kind
    from mlwatch.metrics.drift_types import State

__all__ = [
    "DEFAULT_METHOD",
    "THRESHOLDS",
    "Contribution",
    "Drift",
    "Policy",
    "Sides",
    "align",
    "benjamini_hochberg",
    "bin_values",
    "chance_of",
    "compare",
    "compare_all",
    "decide",
    "decide_together",
    "threshold_from_windows",
]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def align(
    reference: tuple[ArrayLike, ArrayLike], current: tuple[ArrayLike, ArrayLike]
) -> tuple[IntArray, IntArray, IntArray]:
    """Bring two (codes, counts) histograms onto the same ascending codes.

    Returns:
        Codes, reference counts and current counts, shape (m,) each; repeated codes are summed.
    """
    pairs = [(np.asarray(c, dtype=np.int64), np.asarray(n, dtype=np.int64)) for c, n in (reference, current)]
    (codes, before), (others, after) = pairs
    if np.array_equal(codes, others) and (codes[1:] > codes[:-1]).all():
        return codes, before, after
    codes = np.union1d(codes, others)
    counts = [np.zeros(len(codes), dtype=np.int64) for _ in pairs]
    for target, (code, count) in zip(counts, pairs, strict=True):
        np.add.at(target, np.searchsorted(codes, code), count)
    return codes, counts[0], counts[1]


Histogram = tuple[ArrayLike, ArrayLike]
"""Distinct bin codes and the rows of each, shape (m,) both."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Two histograms of one feature, and how they are compared."""

    kind: Kind
    """"numeric" features have an order, "categorical" ones none."""
    reference: Histogram
    current: Histogram
    policy: Policy
    """How to decide."""
    values: FloatArray | None = None
    """What stands for the codes 0 … k + 1, for Wasserstein; see `bin_values`."""
    scale: float | None = None
    """Standard deviation of the reference, the unit of Wasserstein."""
    fresh: Histogram | None = None
    """What as many other rows of the reference's distribution would have; see `metrics.fresh`."""


def compare(
    codes: ArrayLike,
    reference: ArrayLike,
    current: ArrayLike,
    kind: Kind,
    *,
    values: ArrayLike | None = None,
    scale: float | None = None,
    policy: Policy | None = None,
) -> Drift:
    """Compare two aligned histograms; see `compare_all`.

    Args:
        codes: Bin codes, shape (m,), distinct.
        reference: Reference rows by bin, shape (m,).
        current: Current rows by bin, shape (m,).
        kind: See `Sides`, as for the next two.
        values: Shape (k + 2,).
        scale: In the unit of the values.
        policy: How to decide; the default is Jensen-Shannon of at least 0.1.

    Returns:
        All distances over the bins as given.
    """
    stand = None if values is None else np.asarray(values, dtype=float)
    (found,) = compare_all(
        [Sides(kind, (codes, reference), (codes, current), policy or Policy(), stand, scale)]
    )
    return found


TOGETHER = 64
"""Features that are compared at once: the arrays stay small, and a feature costs little more than its own numbers."""


def compare_all(features: Sequence[Sides]) -> list[Drift]:
    """Compare the histograms of each of several features in every way, and decide by one.

    The size of the effect decides. Significance only guards against chance, and below the policy's floor
    nothing is said: so a million rows do not alarm about a trifle, nor fifty about noise. Where categories were listed
    after the reference's own rows, what that alone makes of other rows counts as chance: the score is of what remains.
    """
    starts = range(0, len(features), TOGETHER)
    return [drift for start in starts for drift in _compared(features[start : start + TOGETHER])]


def _compared(features: Sequence[Sides]) -> list[Drift]:
    codes, before, after, fresh = _laid(features)
    n_before, n_after = (np.rint(side.sum(axis=1)) for side in (before, after))
    filled = np.flatnonzero((n_before > 0) & (n_after > 0)).tolist()
    found = [
        Drift(int(n), int(m), method=each.policy.method, threshold=each.policy.limit)
        for each, n, m in zip(features, n_before, n_after, strict=True)
    ]
    if filled:
        chosen = [features[at] for at in filled]
        expected = None if fresh is None else fresh[filled]
        measured = _measured(chosen, codes, before[filled], after[filled], expected)
        for at, drift in zip(filled, measured, strict=True):
            found[at] = drift
    return found


def _laid(features: Sequence[Sides]) -> tuple[IntArray, FloatArray, FloatArray, FloatArray | None]:
    """Lay the rows of several features over all of their codes.

    Returns:
        The codes, ascending, shape (m,), and the rows of the references, the current ones, and those that are to be
        expected, shape (features, m); None for these where nothing else is expected than the references.
    """
    pairs: list[tuple[Histogram, ...]] = [(each.reference, each.current) for each in features]
    others = any(each.fresh is not None for each in features)
    if others:
        pairs = [(*pair, each.fresh or each.reference) for pair, each in zip(pairs, features, strict=True)]
    sides = [
        [(np.asarray(code, dtype=np.int64), np.asarray(n, dtype=float)) for code, n in side]
        for side in zip(*pairs, strict=True)
    ]
    codes = np.unique(np.concatenate([code for side in sides for code, _ in side]))

    def laid(side: Sequence[tuple[IntArray, FloatArray]]) -> FloatArray:
        row = np.repeat(np.arange(len(side)), [len(code) for code, _ in side])
        place = row * len(codes) + np.searchsorted(codes, np.concatenate([code for code, _ in side]))
        summed = np.bincount(place, np.concatenate([n for _, n in side]), len(side) * len(codes))
        return summed.astype(float).reshape(len(side), len(codes))

    return codes, laid(sides[0]), laid(sides[1]), laid(sides[2]) if others else None


def _measured(
    features: Sequence[Sides],
    codes: IntArray,
    before: FloatArray,
    after: FloatArray,
    fresh: FloatArray | None,
) -> list[Drift]:
    """Return the drift of features that have rows on both sides; see `_laid`."""
    n_before, n_after = (np.rint(side.sum(axis=1)) for side in (before, after))
    p, q = before / n_before[:, None], after / n_after[:, None]
    parts = divergence_parts(p, q)
    numeric = np.array([each.kind == "numeric" for each in features])
    chi2, chi2_p = chi_square(before, after)
    ks, ks_p, distance = _ordered(features, codes, before, after)
    distances = _distances(p, q, parts)
    scores, p_value = _scored(distances, p, after, (n_before, n_after)), guard(codes, before, after, numeric)
    if fresh is not None:
        near = towards(p, fresh / n_before[:, None], q)
        lesser = _scored(_distances(near, q, divergence_parts(near, q)), near, after, (n_before, n_after))
        scores = {name: np.minimum(score, lesser[name]) for name, score in scores.items()}
        p_value = np.fmax(p_value, guard(codes, near * n_before[:, None], after, numeric))
    measures = {
        **distances,
        "chi2": chi2,
        "chi2_p": chi2_p,
        "ks": ks,
        "ks_p": ks_p,
        "wasserstein": distance,
        "p": p_value,
    }
    told, decisive = _rows_of(measures), _rows_of({**measures, **scores})
    return [
        _drift(each.policy, int(n), int(m), row, score[each.policy.method], largest)
        for each, n, m, row, score, largest in zip(
            *(features, n_before, n_after, told, decisive, _contributions(codes, p, q, parts)),
            strict=True,
        )
    ]


def _scored(
    distances: Mapping[str, FloatArray], p: FloatArray, after: FloatArray, rows: tuple[FloatArray, FloatArray]
) -> dict[str, FloatArray]:
    """Return what distances from some shares are worth: Jensen-Shannon's without what chance makes of it."""
    freedom = ((p > 0) | (after > 0)).sum(axis=1) - 1
    return {**distances, "js": np.sqrt(np.maximum(distances["js"] ** 2 - chance_of(freedom, *rows), 0.0))}


def _distances(p: FloatArray, q: FloatArray, parts: FloatArray) -> dict[str, FloatArray]:
    """Return the distances that need no order, of shares; for the parts see `divergence_parts`."""
    return {
        "psi": psi(p, q),
        "js": jensen_shannon_of(parts),
        "hellinger": hellinger(p, q),
        "total_variation": total_variation(p, q),
        "l_infinity": np.abs(p - q).max(axis=1),
    }


def _rows_of(measures: Mapping[str, FloatArray]) -> list[dict[str, float | None]]:
    """Return what is measured of each feature, None for what cannot be told."""
    return [
        {name: None if math.isnan(value) else value for name, value in zip(measures, row, strict=True)}
        for row in np.array(list(measures.values())).T.tolist()
    ]


def _drift(
    policy: Policy,
    n_reference: int,
    n_current: int,
    measures: Mapping[str, float | None],
    score: float | None,
    contributions: tuple[Contribution, ...],
) -> Drift:
    state = _state(n_reference, n_current, score, measures["p"], policy.limit, policy)
    return Drift(
        n_reference,
        n_current,
        **measures,
        score=score,
        method=policy.method,
        threshold=policy.limit,
        drifted=state == "drifted",
        state=state,
        contributions=contributions,
    )


def decide(drift: Drift, policy: Policy, q_value: float | None = None) -> Drift:
    """Set state and verdict from the score, the guard (or its corrected q-value) and the sample sizes."""
    return _decided(drift, policy.limit, policy, q_value)


def _decided(drift: Drift, limit: float, policy: Policy, q_value: float | None) -> Drift:
    chance = drift.p if q_value is None else q_value
    state = _state(drift.n_reference, drift.n_current, drift.score, chance, limit, policy)
    drifted = state == "drifted"
    unchanged = drift.state == state and drift.drifted == drifted
    return drift if unchanged else replace(drift, drifted=drifted, state=state)


def _state(
    n_reference: int,
    n_current: int,
    score: float | None,
    chance: float | None,
    limit: float,
    policy: Policy,
) -> State:
    if score is None or min(n_reference, n_current) < policy.floor:
        return "too_few"
    return "drifted" if score >= limit and chance is not None and chance <= policy.alpha else "ok"


def decide_together(drifts: Mapping[str, Drift], policy: Policy | None = None) -> dict[str, Drift]:
    """Decide about many features at once with the Benjamini-Hochberg correction across them."""
    policy = policy or Policy()
    tested = [name for name, drift in drifts.items() if drift.p is not None]
    corrected = benjamini_hochberg([drifts[name].p or 0.0 for name in tested])
    q_values = dict(zip(tested, corrected.tolist(), strict=True))
    return {
        name: _decided(drift, drift.threshold, policy, q_values.get(name)) for name, drift in drifts.items()
    }


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """Return adjusted p-values, shape (m,): reject where ≤ α to keep the false discovery rate at α.

    Source: Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def threshold_from_windows(scores: ArrayLike, deviations: float = 3.0) -> float | None:
    """Return mean + k·sd (population) of the scores that the reference's own windows have; None below two.

    Seasonality that the reference knows then does not alarm. Pass it as a policy's threshold.
    """
    score = np.asarray(scores, dtype=float)
    score = score[np.isfinite(score)]
    return float(score.mean() + deviations * score.std()) if len(score) > 1 else None


LEAST_WINDOWS = 3
"""Fewer windows of the reference do not tell how much it moves."""


def own_limit(found: Iterable[Drift], deviations: float) -> float | None:
    """Return the threshold that a reference's windows give, each compared with all of it; None for too few of them."""
    scores = [drift.score for drift in found if drift.score is not None]
    return threshold_from_windows(scores, deviations) if len(scores) >= LEAST_WINDOWS else None


def _ordered(
    features: Sequence[Sides], codes: IntArray, before: FloatArray, after: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the distances that need an order, over the codes from 0 up: KS, its p, and Wasserstein.

    Shape (features,) each; NaN where a feature has no order, or nothing is known that it needs.
    """
    ks, ks_p, distance = (np.full(len(features), np.nan) for _ in range(3))
    first = int(np.searchsorted(codes, 0))
    real, before, after = codes[first:], before[:, first:], after[:, first:]
    numeric = [at for at, each in enumerate(features) if each.kind == "numeric"]
    if not numeric or not len(real):
        return ks, ks_p, distance
    ks[numeric], ks_p[numeric] = kolmogorov_smirnov(before[numeric], after[numeric])
    rulers = {at: ruler for at in numeric if (ruler := _ruler(features[at], real)) is not None}
    if rulers:
        measured = list(rulers)
        distance[measured] = wasserstein(
            np.array(list(rulers.values())), before[measured], after[measured]
        ) / np.array([features[at].scale for at in measured])
    return ks, ks_p, distance


def _ruler(feature: Sides, codes: IntArray) -> FloatArray | None:
    """Return what stands for each code; those beyond a feature's own, which it has no rows of, stand at its last."""
    values, scale = feature.values, feature.scale
    if values is None or scale is None or scale <= 0:
        return None
    return values[np.minimum(codes, len(values) - 1)]


def chance_of(freedom: ArrayLike, before: ArrayLike, after: ArrayLike) -> FloatArray:
    """Return the squared Jensen-Shannon distance, base 2, that chance alone gives on average where nothing moved.

    It is about χ²/(8 ln 2 · N), N = nm/(n + m): a hundred bins and a thousand rows show a distance of 0.13.

    Args:
        freedom: Degrees of freedom, one less than bins.
        before: Rows on one side,
        after: and on the other.
    """
    unit = (1 / np.asarray(before, dtype=float) + 1 / np.asarray(after, dtype=float)) / (8 * math.log(2))
    return np.asarray(freedom, dtype=float) * unit


def _contributions(
    codes: IntArray, p: FloatArray, q: FloatArray, parts: FloatArray, top: int = 5
) -> list[tuple[Contribution, ...]]:
    """Return the bins with the largest parts in each feature's divergence, largest first."""
    order = np.argsort(-parts, axis=1, kind="stable")[:, :top]
    columns = (codes[order], *(np.take_along_axis(each, order, axis=1) for each in (p, q, parts)))
    return [
        tuple(Contribution(code, old, new) for code, old, new, part in zip(*row, strict=True) if part > 0)
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
