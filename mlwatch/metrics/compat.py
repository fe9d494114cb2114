"""Drift numbers and decisions as Evidently 0.7 and NannyML 0.13 give them, from raw columns.

For comparison with what a team has already; mlwatch's own drift is in `drift`. Both peers drop missing
values first, so neither sees a feature go missing. Written after their published code (Apache-2.0), checked
against recorded outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlwatch.metrics import raw_distances as raw
from mlwatch.metrics.distances import chi_square, hellinger, jensen_shannon
from mlwatch.metrics.scipy_special import special

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlwatch.metrics.bins import Kind

Column = NDArray[Any]
FloatArray = NDArray[np.float64]

SMALL_REFERENCE = 1000
"""Evidently tests up to this many reference rows and measures distances beyond."""
P_LIMIT = 0.05
DISTANCE_LIMIT = 0.1
DATASET_SHARE = 0.5
CHUNKS = 10
DEVIATIONS = 3.0


@dataclass(frozen=True, slots=True)
class CompatDrift:
    """One column's drift as a peer reports it."""

    method: str
    score: float
    """A p-value for "ks", "chisquare" and "z" of Evidently, else a distance."""
    threshold: float | None
    drifted: bool


def evidently(reference: Column, current: Column, kind: Kind, method: str | None = None) -> CompatDrift:
    """Return Evidently's drift of one column.

    Args:
        reference: Raw values, shape (n,); numbers for a numeric column, any labels for a categorical one.
        current: Raw values, shape (m,).
        kind: Evidently's column type.
        method: "ks", "chisquare", "z", "wasserstein", "jensenshannon" or "psi"; else its own choice.

    Raises:
        ValueError: If a side holds no value, as Evidently does.
    """
    before, after = _clean(reference, kind), _clean(current, kind)
    if not len(before) or not len(after):
        raise ValueError("drift needs values on both sides")
    name = method or evidently_method(before, after, kind)
    score = _EVIDENTLY[name](before, after, kind)
    if name in {"chisquare", "z"}:
        return CompatDrift(name, score, P_LIMIT, score < P_LIMIT)
    if name == "ks":
        return CompatDrift(name, score, P_LIMIT, score <= P_LIMIT)
    return CompatDrift(name, score, DISTANCE_LIMIT, score >= DISTANCE_LIMIT)


def evidently_dataset(drifted: Sequence[bool]) -> bool | None:
    """Tell whether Evidently calls the data set drifted: at least half of its columns are; None without columns."""
    return sum(drifted) / len(drifted) >= DATASET_SHARE if drifted else None


def evidently_method(reference: Column, current: Column, kind: Kind) -> str:
    """Return the method that Evidently takes for columns without missing values."""
    few = len(np.unique(np.concatenate([reference, current])))
    if len(reference) <= SMALL_REFERENCE:
        if kind == "numeric" and few > 5:
            return "ks"
        return "chisquare" if few > 2 else "z"
    return "wasserstein" if kind == "numeric" and few > 5 else "jensenshannon"


def _evidently_shares(before: Column, after: Column, kind: Kind) -> tuple[FloatArray, FloatArray]:
    """Return shares over equal bins of both sides together (Sturges), or by value up to 20 of them."""
    if kind == "numeric" and len(np.unique(before)) > 20:
        edges = np.histogram_bin_edges(np.concatenate([before, after]), bins="sturges")
        counts = [np.histogram(side, edges)[0] for side in (before, after)]
    else:
        counts = list(_by_value(before, after))
    return counts[0] / len(before), counts[1] / len(after)


def _evidently_psi(before: Column, after: Column, kind: Kind) -> float:
    p, q = (_fill(share) for share in _evidently_shares(before, after, kind))
    return float(((p - q) * np.log(p / q)).sum())


def _fill(share: FloatArray) -> FloatArray:
    """Replace empty shares as Evidently does.

    By 1e-4, or by a millionth of the least share if that is no more than 1e-4.
    """
    least = float(share[share > 0].min())
    return np.where(share == 0, least / 1e6 if least <= 1e-4 else 1e-4, share)


def _evidently_js(before: Column, after: Column, kind: Kind) -> float:
    """Return the Jensen-Shannon distance with the natural logarithm."""
    return float(jensen_shannon(*_evidently_shares(before, after, kind)) * np.sqrt(np.log(2)))


def _evidently_wasserstein(before: Column, after: Column, _: Kind) -> float:
    return raw.wasserstein(before, after) / max(float(np.std(before)), 0.001)


def _evidently_ks(before: Column, after: Column, _: Kind) -> float:
    return raw.kolmogorov_smirnov(before, after)[1]


def _evidently_chi_square(before: Column, after: Column, _: Kind) -> float:
    """Return the p-value of a goodness of fit; a value that the reference lacks makes it 0."""
    reference, observed = _by_value(before, after)
    expected = reference * len(after) / len(before)
    if np.any(expected == 0):
        return 0.0
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return float(special.chdtrc(len(observed) - 1, statistic))


def _evidently_z(before: Column, after: Column, _: Kind) -> float:
    """Return the two-sided p-value of the difference of two proportions."""
    values = np.unique(np.concatenate([before, after]))
    if len(values) == 1:
        return 1.0
    n, m = len(before), len(after)
    one, two = float(np.mean(before != values[0])), float(np.mean(after != values[0]))
    pooled = (one * n + two * m) / (n + m)
    z = (one - two) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return float(2 * special.ndtr(-abs(z)))


_EVIDENTLY: dict[str, Callable[[Column, Column, Kind], float]] = {
    "ks": _evidently_ks,
    "chisquare": _evidently_chi_square,
    "z": _evidently_z,
    "wasserstein": _evidently_wasserstein,
    "jensenshannon": _evidently_js,
    "psi": _evidently_psi,
}

NANNYML_NUMERIC = ("jensen_shannon", "kolmogorov_smirnov", "wasserstein", "hellinger")
NANNYML_CATEGORICAL = ("jensen_shannon", "chi2", "l_infinity", "hellinger")


class NannyML:
    """One of NannyML's univariate methods, fitted to a reference column and its chunks."""

    def __init__(self, method: str, reference: Column, kind: Kind, chunk_size: int | None = None) -> None:
        """Fit.

        Args:
            method: One of `NANNYML_NUMERIC` or `NANNYML_CATEGORICAL`, to match `kind`.
            reference: Raw values in order of time, shape (n,).
            kind: "numeric" is NannyML's continuous.
            chunk_size: Rows of a reference chunk; a tenth of the reference when not given.

        Raises:
            ValueError: If the method does not go with the kind.
        """
        if method not in (NANNYML_NUMERIC if kind == "numeric" else NANNYML_CATEGORICAL):
            raise ValueError(f"no method {method} for {kind} columns")
        self.method = method
        self._kind: Kind = kind
        self._reference = _clean(reference, kind)
        size = chunk_size or max(1, len(reference) // CHUNKS)
        chunks = [reference[start : start + size] for start in range(0, len(reference), size)]
        self.threshold = self._limit([self.distance(chunk) for chunk in chunks])

    def distance(self, current: Column) -> float:
        """Return the distance (for "chi2" the statistic) of a chunk, shape (m,); NaN for an empty one."""
        after = _clean(current, self._kind)
        if not len(after):
            return float("nan")
        if self.method == "kolmogorov_smirnov":
            return raw.nannyml_kolmogorov_smirnov(self._reference, after)
        if self.method == "wasserstein":
            return raw.nannyml_wasserstein(self._reference, after)
        if self.method == "chi2":
            return self._chi_square(after)[0]
        p, q = self._shares(after)
        if self.method == "l_infinity":
            return float(np.abs(p - q).max())
        return float((jensen_shannon if self.method == "jensen_shannon" else hellinger)(p, q))

    def drift(self, current: Column) -> CompatDrift:
        """Return distance and alert of one chunk."""
        distance = self.distance(current)
        if self.method == "chi2":
            after = _clean(current, self._kind)
            alarm = bool(len(after)) and self._chi_square(after)[1] < P_LIMIT
            return CompatDrift(self.method, distance, None, alarm)
        limit = self.threshold
        return CompatDrift(self.method, distance, limit, limit is not None and distance > limit)

    def _shares(self, after: Column) -> tuple[FloatArray, FloatArray]:
        """Return shares over the reference's bins and one more for what falls outside them."""
        if self._kind == "numeric":
            edges = np.histogram_bin_edges(self._reference.astype(float), bins="doane")
            p = np.histogram(self._reference, edges)[0] / len(self._reference)
            q = np.histogram(after, edges)[0] / len(after)
        else:
            before, current = _by_value(self._reference, after)
            p, q = before[before > 0] / len(self._reference), current[before > 0] / len(after)
        outside = max(0.0, 1 - float(q.sum()))
        return np.append(p, 0.0), np.append(q, outside)

    def _chi_square(self, after: Column) -> tuple[float, float]:
        """Return statistic and p, with Yates' correction for two values as scipy's default has it."""
        before, current = _by_value(self._reference, after)
        if len(before) == 1:
            return 0.0, 1.0
        if len(before) == 2:
            return raw.yates(before, current)
        statistic, p = chi_square(before, current)
        return float(statistic), float(p)

    @staticmethod
    def _limit(distances: Sequence[float]) -> float | None:
        """Return mean + 3·sd (population) of the reference chunks' distances."""
        finite = np.array([distance for distance in distances if np.isfinite(distance)])
        return float(finite.mean() + DEVIATIONS * finite.std()) if len(finite) else None


def _clean(values: Column, kind: Kind) -> Column:
    """Drop missing values; numbers that are infinite count as missing."""
    column: Column = np.asarray(values)
    if kind == "numeric":
        number = column.astype(float)
        return np.asarray(number[np.isfinite(number)])
    if column.dtype.kind == "f":
        return np.asarray(column[~np.isnan(column)])
    if column.dtype.kind != "O":
        return np.asarray(column)
    return np.array([str(value) for value in column if value is not None and value == value])  # noqa: PLR0124  NaN


def _by_value(before: Column, after: Column) -> tuple[FloatArray, FloatArray]:
    """Return counts by distinct value of both sides together."""
    values, place = np.unique(np.concatenate([before, after]), return_inverse=True)
    first, second = place.ravel()[: len(before)], place.ravel()[len(before) :]
    return (
        np.bincount(first, minlength=len(values)).astype(np.float64),
        np.bincount(second, minlength=len(values)).astype(np.float64),
    )
