"""Distributions of a feature and of its reference, on bins that read well in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.bins import INVALID, MISSING, UNSEEN
from mlwatch.snapshot.remembering import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reference import Counts

SHOWN_BINS = 32
WIDE = 4.0
"""A range so many times that between the outer bins is cut to these: a few extreme values hide all others."""
MOST_CATEGORIES = 30
OWN_LABELS = {MISSING: "missing", UNSEEN: "unseen"}
REST_LABEL = "other categories"


@dataclass(frozen=True, slots=True)
class Shape:
    """Two distributions of one feature: shares of all its values, missing and invalid ones left out of numbers."""

    edges: tuple[float, ...] = ()
    """Of numbers: increasing, one more than there are shares; the outer bins hold everything beyond."""
    labels: tuple[str, ...] = ()
    """Of categories: the most frequent of the reference first."""
    reference: tuple[float, ...] = ()
    """Values a bin or category."""
    current: tuple[float, ...] = ()


def shape(info: FeatureInfo, reference: Counts, current: Counts, names: Mapping[int, str]) -> Shape | None:
    """Return both distributions; None for a number without bins.

    Args:
        info: The feature.
        reference: Its reference's counts.
        current: The counts of the version.
        names: Categories by code.
    """
    if info.kind == "categorical":
        return _categories(reference, current, names)
    if len(info.edges) < 2:
        return None
    shown, parts = _plan(info.edges)
    return Shape(shown, reference=_spread_reference(reference, info.edges), current=_spread(current, parts))


@remembered
def _plan(edges: tuple[float, ...]) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """Return the shown edges, and which part of each code falls into each shown bin: shape (codes, bins)."""
    own = np.array(edges)
    shown = _shown_edges(own)
    last = len(own)
    ends = [(own[max(code - 1, 0)], own[min(code, last - 1)]) for code in range(last + 1)]
    return tuple(shown.tolist()), np.array([_parts(float(low), float(high), shown) for low, high in ends])


def _shown_edges(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return edges of equal width over the range that matters, reckoned in halves: the largest do not overflow."""
    halves: list[float] = (edges / 2).tolist()
    low, high = halves[0], halves[-1]
    if len(halves) > 4 and high - low > WIDE * (halves[-2] - halves[1]) > 0:
        low, high = halves[1], halves[-2]
    if high <= low:
        low, high = low - 0.25, high + 0.25
    return 2 * np.linspace(low, high, SHOWN_BINS + 1)


def _spread(counts: Counts, parts: NDArray[np.float64]) -> tuple[float, ...]:
    """Lay counts by the feature's own bins over the shown ones, evenly within each."""
    known = (counts.codes >= 0) & (counts.codes < len(parts))
    by_code = np.bincount(counts.codes[known], weights=counts.n[known], minlength=len(parts))
    return tuple((by_code @ parts).tolist())


@remembered
def _spread_reference(counts: Counts, edges: tuple[float, ...]) -> tuple[float, ...]:
    return _spread(counts, _plan(edges)[1])


def _parts(low: float, high: float, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which part of an interval falls into each shown bin; what lies beyond goes to the outer ones."""
    low, high, halves = low / 2, high / 2, shown / 2  # they do not overflow
    if high - low <= 1e-9 * (halves[-1] - halves[0]):
        parts = np.zeros(len(shown) - 1)
        parts[int(np.clip(np.searchsorted(halves, low, side="right") - 1, 0, len(parts) - 1))] = 1.0
        return parts
    below = np.clip((halves - low) / (high - low), 0.0, 1.0)
    below[0], below[-1] = 0.0, 1.0
    return np.diff(below)


def _categories(reference: Counts, current: Counts, names: Mapping[int, str]) -> Shape:
    found: dict[str, list[float]] = {}
    for side, counts in enumerate((reference, current)):
        for code, n in zip(counts.codes.tolist(), counts.n.tolist(), strict=True):
            if code != INVALID and n:
                label = (OWN_LABELS if code < 0 else names).get(code) or REST_LABEL
                found.setdefault(label, [0.0, 0.0])[side] += n
    order = sorted((-before, -after, label) for label, (before, after) in found.items())
    kept, rest = order[:MOST_CATEGORIES], order[MOST_CATEGORIES:]
    labels = [label for _, _, label in kept]
    sides = [-before for before, _, _ in kept], [-after for _, after, _ in kept]
    if rest:
        labels.append(f"{len(rest)} more")
        sides[0].append(sum(-before for before, _, _ in rest))
        sides[1].append(sum(-after for _, after, _ in rest))
    return Shape(labels=tuple(labels), reference=tuple(sides[0]), current=tuple(sides[1]))
