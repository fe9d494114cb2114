"""How far features moved from a reference, from counts by bin: all of a version's are compared at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import drift as drifting
from mlwatch.snapshot.reference import Counts
from mlwatch.snapshot.remembering import remembered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlwatch.metrics.bins import Kind
    from mlwatch.metrics.drift import Drift, Policy

    FloatArray = NDArray[np.float64]
    Key = tuple[bytes, bytes, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """One feature beside its reference."""

    kind: Kind
    edges: tuple[float, ...]
    reference: Counts
    current: Counts
    policy: Policy
    """When a difference counts as drift."""

    @property
    def sides(self) -> drifting.Sides:
        """What is compared."""
        before, after = ((side.codes, side.n) for side in (self.reference, self.current))
        if self.kind != "numeric" or not self.edges:
            fresh = self.reference.fresh
            expected = None if fresh is None else (fresh.codes, fresh.n)
            return drifting.Sides(self.kind, before, after, self.policy, fresh=expected)
        ruler = _ruler(self.edges, self.reference)
        values = _reaching(ruler, self.current)
        return drifting.Sides(self.kind, before, after, self.policy, values, ruler.deviation)


def drifts_of(features: Sequence[Moved]) -> list[Drift]:
    """Compare the counts of each of several features with the reference's."""
    return drifting.compare_all([each.sides for each in features])


def raised(
    policy: Policy,
    kind: Kind,
    edges: tuple[float, ...],
    reference: Counts,
    windows: Sequence[Counts],
    sigmas: float,
) -> Policy:
    """Raise the threshold to what the reference's own windows reach, so that seasons it knows are no drift."""
    key = (_key(reference), *map(_key, windows))
    return policy.raised(_own_limit(kind, edges, key, policy.method, policy.floor, sigmas))


def _key(counts: Counts) -> Key:
    """Return the counts in a form that can be remembered by."""
    return counts.codes.tobytes(), counts.n.tobytes(), counts.total.tobytes()


def _counts(key: Key) -> Counts:
    codes, n, total = key
    return Counts(np.frombuffer(codes, np.int64), np.frombuffer(n, np.int64), np.frombuffer(total, float))


@remembered
def _own_limit(
    kind: Kind, edges: tuple[float, ...], key: tuple[Key, ...], method: str, floor: int, sigmas: float
) -> float | None:
    reference, *windows = map(_counts, key)
    policy = drifting.Policy(method)
    enough = [window for window in windows if window.n.sum() >= floor]
    found = drifts_of([Moved(kind, edges, reference, window, policy) for window in enough])
    return drifting.own_limit(found, sigmas)


@dataclass(frozen=True, slots=True, eq=False)
class _Ruler:
    """What distances of a numeric feature are measured by."""

    values: FloatArray
    """What stands for the codes 0 … k + 1."""
    deviation: float | None
    """The reference's standard deviation."""
    ends: tuple[tuple[int, float], tuple[int, float]]
    """Rows of the reference below and above the edges, with the sum of their values."""


@remembered
def _ruler(edges: tuple[float, ...], reference: Counts) -> _Ruler:
    values = drifting.bin_values(edges, _means(reference, len(edges) - 1))
    return _Ruler(values, _deviation(values, reference), (reference.at(0), reference.at(len(values) - 1)))


def _reaching(ruler: _Ruler, current: Counts) -> FloatArray:
    """Put what is beyond the outer edges where it lies on average: how far a shift goes does not end at the edge."""
    found, last = ruler.values, len(ruler.values) - 1
    for code, farther, (n_before, before) in zip((0, last), (min, max), ruler.ends, strict=True):
        n_after, after = current.at(code)
        total = before + after
        if n_before + n_after and np.isfinite(total):
            found = found.copy()
            found[code] = farther(float(ruler.values[code]), total / (n_before + n_after))
    return found


def _means(reference: Counts, inner: int) -> FloatArray:
    """Return the reference's mean within each inner bin; NaN where a bin is empty."""
    inside = (reference.codes >= 1) & (reference.codes <= inner)
    place = reference.codes[inside] - 1
    n = np.bincount(place, weights=reference.n[inside], minlength=inner)
    total = np.bincount(place, weights=reference.total[inside], minlength=inner)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _deviation(values: FloatArray, reference: Counts) -> float | None:
    """Return the reference's standard deviation, from its bins."""
    inside = (reference.codes >= 0) & (reference.codes < len(values))
    n, x = reference.n[inside].astype(float), values[reference.codes[inside]]
    if n.sum() == 0:
        return None
    mean = float(n @ x) / n.sum()
    return float(np.sqrt(n @ (x - mean) ** 2 / n.sum()))
