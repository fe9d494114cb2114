"""Over which stretch of time rules with `for` are evaluated: they speak of now, whatever range they are asked about.

A range is cut into a bounded number of windows. Those of days last for hours: one of them meets any `for` at once,
whether a few minutes of failure in it are over or have only begun. So such rules are asked about the newest hour, as
alerts are. Where few requests come, a minute of them breaks a rule or keeps it by chance: then a longer stretch is
asked about, whose windows hold enough of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.rules import COUNTS, ENOUGH, Ruling, named, rulings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlwatch.config import RuleSettings
    from mlwatch.snapshot.types import Snapshot

SPAN = timedelta(hours=1)
"""Least stretch over which rules with `for` are evaluated, and over which alerts evaluate those without."""
LONGER = (timedelta(hours=5), timedelta(hours=15))
"""Stretches with windows of five minutes and of a quarter of an hour."""
MANY = 1000
"""Requests in a window whose distribution is compared: that of fewer differs from the reference's by chance alone."""
LEAST_BROKEN = 2
"""Windows of a longer stretch that must break a rule: one may do so by a few requests of a moment."""


def stretch_of(rule: RuleSettings) -> timedelta:
    """Return a stretch that is long enough to tell whether a rule has been broken for as long as it asks."""
    return max(SPAN, 2 * rule.for_)


def lasting_rulings(
    snapshot: Snapshot, rules: Iterable[RuleSettings], look: Callable[[timedelta], Snapshot]
) -> list[Ruling]:
    """Evaluate rules over the range of a snapshot, those with `for` over the newest stretch of it.

    Where that says nothing, for labels come later or a model ran earlier, the windows of the whole range do.

    Args:
        snapshot: Of the whole range.
        rules: Of the configuration.
        look: Returns a snapshot of a length of time with the same end.

    Raises:
        ConfigError: when a condition or a metric cannot be understood.
    """
    looks = _Looks(snapshot, look)
    return [
        (looks.closer(rule, ruling) if ruling.run is not None else None) or ruling
        for rule in named(rules)
        for ruling in rulings(snapshot, [rule])
    ]


def _enough(metric: str) -> int:
    return MANY if metric.partition(".")[0] in {"drift", "text_drift"} else ENOUGH


class _Looks:
    """Shorter ranges of a snapshot, each asked for once.

    Args:
        whole: Snapshot of the whole range.
        look: Gives them.
    """

    def __init__(self, whole: Snapshot, look: Callable[[timedelta], Snapshot]) -> None:
        self._length = whole.range.end - whole.range.start if whole.range is not None else timedelta(0)
        self._look = look
        self._known: dict[timedelta, Snapshot] = {}

    def closer(self, rule: RuleSettings, coarse: Ruling) -> Ruling | None:
        """Return what a rule says of the same version by shorter windows; None where these say too little."""
        for span in self._spans(rule):
            found = self._at(span, rule, coarse)
            if found is None or found.run is None:
                continue
            if rule.metric in COUNTS or found.run.requests >= _enough(rule.metric):
                few = span in LONGER and found.run.broken < LEAST_BROKEN
                return replace(found, state="pending") if found.state == "breach" and few else found
        return None

    def _spans(self, rule: RuleSettings) -> Iterator[timedelta]:
        least = stretch_of(rule)
        return (span for span in (least, *LONGER) if least <= span < self._length)

    def _at(self, span: timedelta, rule: RuleSettings, like: Ruling) -> Ruling | None:
        if span not in self._known:
            self._known[span] = self._look(span)
        found = rulings(self._known[span], [rule])
        return next(
            (each for each in found if (each.model, each.version) == (like.model, like.version)), None
        )
