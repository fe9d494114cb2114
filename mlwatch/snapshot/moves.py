"""How a feature moved from its reference, in names of its own values: what a drift is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.metrics.bins import INVALID, MISSING, UNSEEN
from mlwatch.metrics.movement import Center, center
from mlwatch.snapshot.remembering import remembered
from mlwatch.words import percent

if TYPE_CHECKING:
    from mlwatch.metrics.drift import Drift
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reference import Counts

SAID = 3
"""Parts that a sentence names."""
OWN = {MISSING: "missing", INVALID: "invalid", UNSEEN: "new values"}
REST = "other categories"


@dataclass(frozen=True, slots=True)
class Part:
    """Values whose share changed."""

    values: str
    """A range, a category, or what the values have in common; as hostile as any text of a log."""
    reference: float
    """Share of all rows, as is the next."""
    current: float


@dataclass(frozen=True, slots=True)
class Move:
    """How one feature moved."""

    parts: tuple[Part, ...]
    """The values that contribute most to the drift, most first."""
    reference: Center
    """Of numbers, as is the next."""
    current: Center

    @property
    def sentence(self) -> str:
        """Say it: where the middle went, then the largest parts."""
        sides = (self.reference, self.current)
        said = []
        for name, words in (
            ("median", [_median(side) for side in sides]),
            ("mean", [_value(side.mean) for side in sides]),
        ):
            if all(words):
                said.append(f"{name} {' → '.join(words)}")
        said += [
            f"{part.values} ({_percent(part.reference)} → {_percent(part.current)})"
            for part in self.parts[:SAID]
        ]
        return ", ".join(said)


def move(info: FeatureInfo, reference: Counts, current: Counts, drift: Drift) -> Move:
    """Return how a feature moved.

    Args:
        info: The feature.
        reference: Its counts there.
        current: Its counts now.
        drift: Of the one against the other.
    """
    parts = tuple(
        Part(_named(info, each.code), each.reference_share, each.current_share)
        for each in drift.contributions
    )
    if info.kind != "numeric":
        return Move(parts, Center(None, None), Center(None, None))
    return Move(parts, _reference_center(reference, info.edges), _center(current, info.edges))


def _center(counts: Counts, edges: tuple[float, ...]) -> Center:
    return center(counts.codes, counts.n, counts.total, edges)


_reference_center = remembered(_center)


def _median(center: Center) -> str:
    """Return a median in words, or what it is known to be beyond; nothing where it is unknown."""
    if center.above is not None:
        return f"> {_number(center.above)}"
    if center.below is not None:
        return f"< {_number(center.below)}"
    return _value(center.median)


def _value(value: float | None) -> str:
    return "" if value is None else _number(value)


def _named(info: FeatureInfo, code: int) -> str:
    """Return what the values of a bin are called."""
    if code < 0:
        return OWN.get(code, "?")
    if info.kind != "numeric":
        return info.categories.get(code) or REST
    return _range(info.edges, code)


@remembered
def _range(edges: tuple[float, ...], code: int) -> str:
    """Return what the numbers of a bin are called."""
    if not edges or code == 0:
        return f"below {_number(edges[0])}" if edges else "values"
    if code >= len(edges):
        return f"above {_number(edges[-1])}"
    low, high = edges[code - 1], edges[code]
    if high == math.nextafter(low, math.inf):  # a frequent value has a bin of its own
        high = low
    elif code > 1 and low == math.nextafter(edges[code - 2], math.inf):
        low = edges[code - 2]
    shown = _number(low), _number(high)
    return shown[0] if shown[0] == shown[1] else " to ".join(shown)


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _percent(share: float) -> str:
    return percent(share) if share >= 0.001 or share == 0 else "< 0.1 %"
