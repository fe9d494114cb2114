"""Rates and quantiles as PromQL computes them, without extrapolation.

`increase` and `rate` of PromQL stretch what was seen to the ends of their window, which makes two requests 2.4; here
the increase between the first and the last look counts, divided by the time between these two.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Bucket = tuple[float, float]
"""Upper bound, and how many observations are not above it."""
TOLERANCE = 1e-12
"""Relative: less is an error of rounding, not a bucket that has shrunk."""


def increase(values: Sequence[float]) -> float:
    """Return by how much a counter grew: a value below the one before it means that it began again from 0."""
    return total(after - before if after >= before else after for before, after in pairwise(values))


def total(values: Iterable[float]) -> float:
    """Return the exact sum of finite numbers; infinity where it is beyond all of them."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def histogram_quantile(q: float, buckets: Iterable[Bucket]) -> float:
    """Estimate a quantile from the cumulative buckets of a classic histogram.

    Within a bucket observations are taken to lie evenly; the lowest begins at 0 where its bound is positive; what is
    in the bucket of +Inf is reported as the highest finite bound (`bucketQuantile` of Prometheus, promql/quantile.go).

    Args:
        q: 0 to 1; below is -Inf, above is +Inf.
        buckets: In any order; of equal bounds, counts are added.

    Returns:
        The quantile; NaN without a bucket of +Inf, without another one, or without observations.
    """
    if math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return math.copysign(math.inf, q)
    known = _sound(buckets)
    if len(known) < 2 or known[-1][0] != math.inf or not known[-1][1] > 0:
        return math.nan
    rank = q * known[-1][1]
    at = next((i for i, (_, count) in enumerate(known[:-1]) if count >= rank), len(known) - 1)
    if at == len(known) - 1:
        return known[-2][0]
    bound, count = known[at]
    if at == 0 and bound <= 0:
        return bound
    start, before = known[at - 1] if at else (0.0, 0.0)
    return start + (bound - start) * ((rank - before) / (count - before)) if count > before else start


def _sound(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Return buckets in order, one for each bound, with counts that never fall."""
    counts: dict[float, float] = {}
    for bound, count in buckets:
        counts[bound] = counts.get(bound, 0.0) + count
    known: list[Bucket] = []
    for bound, count in sorted(counts.items()):
        before = known[-1][1] if known else -math.inf
        known.append(
            (bound, before if count < before or math.isclose(count, before, rel_tol=TOLERANCE) else count)
        )
    return known
