"""Over which stretch of time rules with `for` are evaluated: they speak of now, whatever range they are asked about.

A range is cut into a bounded number of windows. Those of days last for hours: one of them meets any `for` at once,
whether a few minutes of failure in it are over or have only begun. So a check also looks at the windows of the newest
hour, by which alerts are told. These may hold few requests each, and break or keep a rule by chance: they change what
the range says only where they leave no doubt.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.rules import COUNTS, Ruling, named, rulings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlwatch.config import RuleSettings
    from mlwatch.rules import Run
    from mlwatch.snapshot.types import Model, Snapshot

SPAN = timedelta(hours=1)
"""Least stretch over which rules with `for` are evaluated, and over which alerts evaluate those without."""
SOME = 50
"""Requests in broken windows from which on these hold a check."""
BROKEN = ((5, 50), (3, 100), (1, 1000))
"""Windows, and requests in them, from which on a broken run that lasted is more than chance."""
KEPT = (10, 100)
"""The same of windows that keep a rule, from which on what the range says is over."""
MOVING = ("drift", "text_drift")
"""Metrics of distributions: those of short windows differ from the reference's by chance."""


def stretch_of(rule: RuleSettings) -> timedelta:
    """Return a stretch that is long enough to tell whether a rule has been broken for as long as it asks."""
    return max(SPAN, 2 * rule.for_)


def lasting_rulings(
    snapshot: Snapshot, rules: Iterable[RuleSettings], look: Callable[[timedelta], Snapshot]
) -> list[Ruling]:
    """Evaluate rules over the range of a snapshot, those with `for` by the newest stretch of it too.

    Args:
        snapshot: Of the whole range.
        rules: Of the configuration.
        look: Returns a snapshot of a length of time with the same end; asked once for each length.

    Raises:
        ConfigError: when a condition or a metric cannot be understood.
    """
    length = snapshot.range.end - snapshot.range.start if snapshot.range is not None else timedelta(0)
    newest: dict[timedelta, Snapshot] = {}
    found = []
    for rule in named(rules):
        said = rulings(snapshot, [rule])
        span = stretch_of(rule)
        if rule.for_ and span < length and rule.metric.partition(".")[0] not in MOVING:
            if span not in newest:
                newest[span] = look(span)
            near = {(one.model, one.version): one for one in rulings(newest[span], [rule])}
            said = [
                _closer(rule, one, near.get((one.model, one.version)), snapshot, newest[span]) for one in said
            ]
        found += said
    return found


def _closer(
    rule: RuleSettings, far: Ruling, near: Ruling | None, whole: Snapshot, newest: Snapshot
) -> Ruling:
    """Return what a rule says of a version by the whole range and by its newest stretch."""
    if near is None or far.run is None:
        return far
    if near.silent:
        return near if _is_gone(whole.models[far.model], newest.models[far.model], far.version) else far
    if near.run is None:
        return far
    if not near.run.broken:
        told = far.state == "ok" or rule.metric in COUNTS or _is_over(rule, near.run)
        return near if told else far
    return _broken(rule, far, near, near.run)


def _broken(rule: RuleSettings, far: Ruling, near: Ruling, run: Run) -> Ruling:
    """Return what counts where the newest windows break a rule."""
    if far.state == "breach" and rule.metric not in COUNTS:
        return near if near.state == "breach" else far
    sure = any(run.windows >= windows and run.requests >= requests for windows, requests in BROKEN)
    if near.state == "breach" and (sure or rule.metric in COUNTS):
        return near
    return replace(near, state="pending") if run.windows > 1 and run.requests >= SOME else far


def _is_over(rule: RuleSettings, run: Run) -> bool:
    """Tell whether what the range says is over: not by chance, nor for a moment."""
    windows, requests = KEPT
    return run.windows >= windows and run.requests >= requests and run.lasted >= rule.for_


def _is_gone(whole: Model, newest: Model, version: str) -> bool:
    """Tell whether chance would have given a version one of the requests of the newest stretch."""
    from mlwatch.metrics.rollout_silence import is_passed_over  # noqa: PLC0415  pulls numpy

    one = whole.versions[version]
    if one.first is None or newest.versions[version].last is not None:
        return False
    windows = [
        window for each in whole.versions.values() for window in each.windows if window.end > one.first
    ]
    every = sum(window.predictions for window in windows)
    since = sum(each.predictions for each in newest.versions.values())
    return since > 0 and bool(is_passed_over(one.predictions, since, max(every, since + 1)))
