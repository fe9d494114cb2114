"""How far one distribution moved from another, from counts over the same bins.

Missing, invalid and unseen values are bins like any other (negative codes, see `bins`), because a feature
that goes missing has drifted. Kolmogorov-Smirnov and Wasserstein need an order and use the codes from 0 up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlwatch.metrics.bins import Kind

__all__ = [
    "Contribution",
    "Drift",
    "Policy",
    "align",
    "benjamini_hochberg",
    "bin_values",
    "chance_of",
    "compare",
    "decide",
    "decide_together",
    "guard",
    "threshold_from_windows",
]

State = Literal["ok", "drifted", "too_few"]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

FLOOR = 100
"""Fewest rows on either side for a statement."""
ALPHA = 0.001
"""Significance that the guard asks for."""
THRESHOLDS: Mapping[str, float] = {
    "js": 0.1,
    "psi": 0.1,
    "ks": 0.1,
    "wasserstein": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "l_infinity": 0.1,
}
DEFAULT_METHOD = "js"
ORDERED = frozenset({"ks", "wasserstein"})
"""Methods that need an order."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One bin's part in a drift."""

    code: int
    reference_share: float
    current_share: float

    @property
    def change(self) -> float:
        """Current share minus reference share."""
        return self.current_share - self.reference_share


@dataclass(frozen=True, slots=True)
class Drift:
    """One feature against its reference. Distances are None where there is nothing to compare."""

    n_reference: int = 0
    n_current: int = 0
    psi: float | None = None
    """Population stability index, natural log; empty bins are taken as a share of 1e-4."""
    js: float | None = None
    """Jensen-Shannon distance, base 2, in [0, 1]."""
    hellinger: float | None = None
    total_variation: float | None = None
    l_infinity: float | None = None
    """Largest change of any bin's share."""
    chi2: float | None = None
    chi2_p: float | None = None
    ks: float | None = None
    """Kolmogorov-Smirnov statistic over the bins, numeric features only."""
    ks_p: float | None = None
    wasserstein: float | None = None
    """In standard deviations of the reference, numeric features only."""
    score: float | None = None
    """What is compared with the threshold: the method's distance, for "js" less what chance would give."""
    method: str = DEFAULT_METHOD
    threshold: float = THRESHOLDS[DEFAULT_METHOD]
    p: float | None = None
    """The guard: chance of such a difference without drift, over bins merged to about five rows or more."""
    drifted: bool = False
    state: State = "too_few"
    contributions: tuple[Contribution, ...] = ()
    """Bins with the largest part in the drift, largest first."""

    @property
    def told(self) -> float | None:
        """The score, where there are rows enough on both sides for it to say something."""
        return None if self.state == "too_few" else self.score

    def to_dict(self) -> dict[str, float | int | str | bool | None]:
        """Return the numbers for the JSON document: every field but the contributions."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "contributions"
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """When a difference counts as drift."""

    method: str = DEFAULT_METHOD
    threshold: float | None = None
    """Least score that counts; None takes the method's own from `THRESHOLDS`."""
    floor: int = FLOOR
    alpha: float = ALPHA

    @property
    def limit(self) -> float:
        """The threshold in force."""
        return THRESHOLDS[self.method] if self.threshold is None else self.threshold

    @property
    def without_order(self) -> Policy:
        """The policy for categories: they have no order, so that KS and Wasserstein cannot decide there."""
        return replace(self, method=DEFAULT_METHOD) if self.method in ORDERED else self

    def raised(self, limit: float | None) -> Policy:
        """Return the policy with at least such a threshold; None raises nothing."""
        return self if limit is None else replace(self, threshold=max(self.limit, limit))


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
    """Compare two aligned histograms in every way, and decide by one.

    The size of the effect decides. Significance only guards against chance, and below the policy's floor
    nothing is said: so a million rows do not alarm about a trifle, nor fifty about noise.

    Args:
        codes: Bin codes, shape (m,), ascending and distinct.
        reference: Reference rows by bin, shape (m,).
        current: Current rows by bin, shape (m,).
        kind: "numeric" features have an order, "categorical" ones none.
        values: What stands for the codes 0 … k + 1, for Wasserstein; see `bin_values`.
        scale: Standard deviation of the reference, the unit of Wasserstein.
        policy: How to decide; the default is Jensen-Shannon of at least 0.1.

    Returns:
        All distances over the bins as given.
    """
    policy = policy or Policy()
    code = np.asarray(codes, dtype=np.int64)
    before, after = np.asarray(reference, dtype=float), np.asarray(current, dtype=float)
    n_before, n_after = round(before.sum()), round(after.sum())
    if n_before == 0 or n_after == 0:
        return Drift(n_before, n_after, method=policy.method, threshold=policy.limit)
    p, q = before / n_before, after / n_after
    chi2, chi2_p = chi_square(before, after)
    ks, ks_p, distance = (None, None, None)
    if kind == "numeric":
        ks, ks_p, distance = _ordered(code, before, after, values=values, scale=scale)
    parts = divergence_parts(p, q)
    distances: dict[str, float | None] = {
        "psi": psi(p, q),
        "js": jensen_shannon_of(parts),
        "hellinger": hellinger(p, q),
        "total_variation": total_variation(p, q),
        "l_infinity": float(np.abs(p - q).max()),
        "ks": ks,
        "wasserstein": distance,
    }
    chance, score = guard(code, before, after, kind), distances[policy.method]
    if policy.method == "js" and score is not None:
        score = _beyond_chance(score, before, after)
    state = _state(n_before, n_after, score, chance, policy.limit, policy)
    return Drift(
        n_before,
        n_after,
        **distances,
        chi2=chi2,
        chi2_p=chi2_p,
        ks_p=ks_p,
        score=score,
        method=policy.method,
        threshold=policy.limit,
        p=chance,
        drifted=state == "drifted",
        state=state,
        contributions=_contributions(code, p, q, parts),
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
    codes: IntArray,
    before: FloatArray,
    after: FloatArray,
    *,
    values: ArrayLike | None,
    scale: float | None,
) -> tuple[float | None, float | None, float | None]:
    """Return the distances that need an order, over the codes from 0 up: KS, its p, and Wasserstein."""
    real = codes >= 0
    if not real.any():
        return None, None, None
    ks, ks_p = kolmogorov_smirnov(before[real], after[real]) or (None, None)
    if values is None or scale is None or scale <= 0:
        return ks, ks_p, None
    distance = wasserstein(np.asarray(values, dtype=float)[codes[real]], before[real], after[real])
    return ks, ks_p, None if distance is None else distance / scale


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


def _beyond_chance(distance: float, before: FloatArray, after: FloatArray) -> float:
    """Return a Jensen-Shannon distance with the part removed that chance alone explains."""
    freedom = int(np.count_nonzero((before > 0) | (after > 0))) - 1
    chance = float(chance_of(freedom, round(before.sum()), round(after.sum())))
    return math.sqrt(max(0.0, distance * distance - chance))


def _contributions(
    codes: IntArray, p: FloatArray, q: FloatArray, parts: FloatArray, top: int = 5
) -> tuple[Contribution, ...]:
    """Return the bins with the largest parts in the divergence, largest first."""
    order = [i for i in np.argsort(-parts, kind="stable")[:top].tolist() if parts[i] > 0]
    return tuple(Contribution(int(codes[i]), float(p[i]), float(q[i])) for i in order)
