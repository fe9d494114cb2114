"""Where the bins of a number meet, without NumPy: whoever takes logs in does not wait for its import."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FEW_VALUES = 30
"""So few different values get a bin each."""
QUANTILES = 50
"""Equal parts of the values that bins are cut after, where they are more."""


def edges_of(values: Iterable[float]) -> tuple[float, ...]:
    """Return bin edges from quantiles; see `bins.edges_from_quantiles`."""
    repeats = Counter(sorted(value for value in values if math.isfinite(value)))
    distinct = list(repeats)
    if len(distinct) <= 1:
        return (*distinct, *distinct)
    if len(distinct) <= FEW_VALUES:
        middles = (low / 2 + high / 2 for low, high in pairwise(distinct))
        return (distinct[0], *middles, distinct[-1])
    spikes = (value for value in distinct[:-1] if repeats[value] > 1)
    return tuple(sorted({*distinct, *(math.nextafter(value, math.inf) for value in spikes)}))


def merged(several: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the edges of the bins that tell apart what any of several sets of bins does.

    Args:
        several: Edges as of `edges_of`, empty where there was no value.
    """
    given = [edges for edges in several if edges]
    if len(set(given)) <= 1:
        return given[0] if given else ()
    single = {edges[0] for edges in given if edges[0] == edges[-1]}  # a bin for its only value
    together = {edge for edges in given for edge in edges} | {math.nextafter(one, math.inf) for one in single}
    return tuple(sorted(together))
