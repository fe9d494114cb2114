"""Rules with `for`: they speak of now, so they are judged by the newest stretch of time in steps that are short enough.

A range is cut into a bounded number of windows. Those of days last for hours: one of them meets any `for` at once,
whether a few minutes of failure in it are over or have only begun. So a rule that asks for minutes is asked about an
hour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.rules import Ruling, named, rulings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlwatch.config import RuleSettings
    from mlwatch.snapshot.types import Snapshot

Look = Callable[[timedelta, datetime | None], "Snapshot | None"]
"""Returns a snapshot of a length of time up to a moment, None for the end of all; None where there is no such one."""

SPAN = timedelta(hours=1)
"""Least stretch over which a rule with `for` is evaluated, and over which alerts evaluate one without."""


def span_of(rule: RuleSettings) -> timedelta:
    """Return the stretch over which a rule is evaluated: so long that what lasts for `for` can be told from it."""
    return max(SPAN, 2 * rule.for_)


def rulings_of(snapshot: Snapshot, rules: Iterable[RuleSettings], look: Look) -> list[Ruling]:
    """Evaluate rules over the range of a snapshot, those with `for` over the newest stretch of it.

    What is not followed window by window, or gets no requests any more, is said of the whole range.

    Args:
        snapshot: Of the whole range.
        rules: Of the configuration.
        look: Gives the shorter ranges.

    Raises:
        ConfigError: when a condition or a metric cannot be understood.
    """
    looks = _Looks(snapshot, look)
    return [ruling for rule in named(rules) for ruling in _of_rule(rule, snapshot, looks)]


def _of_rule(rule: RuleSettings, snapshot: Snapshot, looks: _Looks) -> Iterator[Ruling]:
    for ruling in rulings(snapshot, [rule]):
        yield _closer(rule, ruling, looks) or ruling


def _closer(rule: RuleSettings, coarse: Ruling, looks: _Looks) -> Ruling | None:
    """Return what a rule says of the same version in the stretch before the newest value; None for nothing else.

    Values may end long before the range, as accuracy does where labels come late, and anywhere in a long window: that
    window is looked at first.
    """
    if not rule.for_ or coarse.through is None:
        return None
    found = looks.at(span_of(rule), coarse.through, rule, coarse)
    if found is not None and found.through is None and coarse.width is not None:
        within = looks.at(coarse.width, coarse.through, rule, coarse)
        if within is not None and within.through is not None:
            found = looks.at(span_of(rule), within.through, rule, coarse)
    return found if found is not None and found.through is not None else None


class _Looks:
    """Shorter ranges of a snapshot, each asked for once.

    Args:
        whole: Snapshot of the whole range.
        look: Gives them.
    """

    def __init__(self, whole: Snapshot, look: Look) -> None:
        self._range, self._look = whole.range, look
        self._known: dict[tuple[timedelta, datetime], Snapshot | None] = {}

    def at(self, span: timedelta, end: datetime, rule: RuleSettings, like: Ruling) -> Ruling | None:
        """Return what a rule says of the same version up to a moment; None where the whole range is as short."""
        if self._range is None or self._range.end - self._range.start <= span:
            return None
        span = min(span, end - self._range.start)
        if (span, end) not in self._known:
            self._known[span, end] = self._look(span, end if end < self._range.end else None)
        snapshot = self._known[span, end]
        found = rulings(snapshot, [rule]) if snapshot is not None else ()
        return next(
            (each for each in found if (each.model, each.version) == (like.model, like.version)), None
        )
