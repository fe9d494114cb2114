"""When performance fell, and which parts of the traffic carry the fall.

The change of a rate between two periods is split over the parts of a column into what the parts' own rates did and what
their shares of the traffic did: Kitagawa 1955, "Components of a difference between two rates",
doi:10.1080/01621459.1955.10501299. The parts' contributions add up to the whole change exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mlwatch.metrics.segments import LEAST, Losses, contrast

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

SURE = 0.01
"""Chance of naming a fall where there is none, over all moments that are looked at."""

KeyT = TypeVar("KeyT", bound="Hashable")


@dataclass(frozen=True, slots=True)
class Carried:
    """What one part of a column contributes to the change of the mean loss."""

    before: Losses
    after: Losses
    rate: float
    """By its own loss having changed."""
    mix: float
    """By its share of the traffic having changed."""
    others_before: Losses
    """All that is left of its column."""
    others_after: Losses

    @property
    def beyond(self) -> float:
        """How much more it contributes than its share of the traffic would: what it carries, and not all others too."""
        return self.total - self._share * self._change

    @property
    def _share(self) -> float:
        """Mean of its shares of the traffic in both periods."""
        sizes = ((self.before.n, self.others_before.n), (self.after.n, self.others_after.n))
        return sum(here / (here + elsewhere) for here, elsewhere in sizes) / 2

    @property
    def _change(self) -> float:
        return _sum((self.after, self.others_after)).mean - _sum((self.before, self.others_before)).mean

    @property
    def total(self) -> float:
        """Both together, in units of the loss; over all parts of a column they add up to the whole change."""
        return self.rate + self.mix


def fall(n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> int | None:
    """Return the step from which on losses are higher than before, by the most standard errors; None without a fall.

    A scan for one change in the mean, with the chance of each moment corrected for their number (Bonferroni).

    Args:
        n: Labelled predictions by step of time, oldest first, shape (k,).
        total: Σ loss of each step, shape (k,).
        squares: Σ loss² of each step, shape (k,).

    Returns:
        Index of the first step after the fall, 1 to k − 1.
    """
    counts, losses, squared = (np.cumsum(np.asarray(each, dtype=float)) for each in (n, total, squares))
    if counts.size < 2:
        return None
    before, whole = counts[:-1], counts[-1]
    after = whole - before
    known = (before >= LEAST) & (after >= LEAST)
    if not known.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = (losses[-1] - losses[:-1]) / after - losses[:-1] / before
        inside = _within(before, losses[:-1], squared[:-1])
        inside += _within(after, losses[-1] - losses[:-1], squared[-1] - squared[:-1])
        z = change / np.sqrt(np.maximum(inside, 0.0) / (whole - 2) * (1 / before + 1 / after))
    z = np.where(known & np.isfinite(z), z, -math.inf)
    best = int(np.argmax(z))
    chance = math.erfc(z[best] / math.sqrt(2)) / 2 * int(known.sum()) if z[best] > 0 else 1.0
    return best + 1 if chance <= SURE else None


def _within(
    n: NDArray[np.float64], total: NDArray[np.float64], squares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums of squares around the mean."""
    inside: NDArray[np.float64] = squares - total * total / n
    return inside


def attribute(before: Mapping[KeyT, Losses], after: Mapping[KeyT, Losses]) -> dict[KeyT, Carried]:
    """Split the change of the mean loss over the parts of one column.

    Args:
        before: Losses of each part in the earlier period; a part that is not there had no predictions.
        after: The same of the later period.

    Returns:
        Contributions by part; empty where either period has no labelled predictions.
    """
    whole_before, whole_after = _sum(before.values()), _sum(after.values())
    if not whole_before.n or not whole_after.n:
        return {}
    middle = (whole_before.mean + whole_after.mean) / 2
    nothing = Losses()
    found = {}
    for key in {**before, **after}:
        then, now = before.get(key, nothing), after.get(key, nothing)
        if not then.n and not now.n:
            continue
        share_then, share_now = then.n / whole_before.n, now.n / whole_after.n
        rate_then = then.mean if then.n else now.mean
        rate_now = now.mean if now.n else then.mean
        found[key] = Carried(
            then,
            now,
            rate=(share_then + share_now) / 2 * (rate_now - rate_then),
            mix=(share_now - share_then) * ((rate_then + rate_now) / 2 - middle),
            others_before=whole_before - then,
            others_after=whole_after - now,
        )
    return found


def _sum(parts: Iterable[Losses]) -> Losses:
    listed = list(parts)
    return Losses(
        sum(each.n for each in listed),
        math.fsum(each.total for each in listed),
        math.fsum(each.squares for each in listed),
        all(each.proportion for each in listed),
    )


def sure(carried: Sequence[Carried]) -> list[bool]:
    """Tell of which parts the own loss rose beyond chance, and by more than that of all others.

    The former allows for how many are looked at (Bonferroni). A part whose loss rose as that of all others did carries
    nothing, though most of the rise lies in it where most of the traffic does.
    """
    contrasts = [contrast(each.after, each.before) for each in carried]
    return [
        found is not None
        and found.difference > 0
        and each.beyond > 0  # it may have shrunk by more than its loss rose
        and found.p * len(carried) <= SURE
        and _chance(each) <= SURE
        for each, found in zip(carried, contrasts, strict=True)
    ]


def _chance(carried: Carried) -> float:
    """Return the chance, one-sided, that a part's loss rises so much more than that of the others; 1 for no more.

    A z test of the difference of two differences, with separate variances (Welch).
    """
    sides = (carried.after, carried.before, carried.others_after, carried.others_before)
    if any(side.n < LEAST for side in sides):
        return 1.0
    means, errors = zip(*map(_estimate, sides), strict=True)
    more = means[0] - means[1] - (means[2] - means[3])
    error = math.sqrt(sum(errors))
    if more <= 0:
        return 1.0
    return math.erfc(more / error / math.sqrt(2)) / 2 if error > 0 else 0.0


def _estimate(losses: Losses) -> tuple[float, float]:
    """Return the mean loss and its squared standard error."""
    inside = losses.squares - losses.total * losses.total / losses.n
    return losses.mean, max(inside, 0.0) / (losses.n - 1) / losses.n
