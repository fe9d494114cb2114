"""When the verdict of a rollout changed, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from mlwatch.app.catalogue import metric_name
from mlwatch.app.drawing import Piece, clean, line, wrapped
from mlwatch.app.panels.base import Panel
from mlwatch.app.panels.coursechart import PUT_OFF
from mlwatch.app.panels.verdict import TONES, WORDS, mark
from mlwatch.app.units import show_moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.units import Zone
    from mlwatch.app.view import View
    from mlwatch.snapshot.rollout_course import Course, VerdictChange

STATES = {
    "no_data": "no data yet",
    "roles_unknown": "which version is the baseline is not known",
    "one_arm_silent": "one version has no traffic",
    "hard_limit": "an absolute limit is broken",
    "started_apart": "hardly any time with both versions",
    "sample_ratio_mismatch": "traffic not split as configured",
    "few_units": "too few users, or what else is split",
    "stale_labels": "labels missing or too old",
    "missing_metric": "a guardrail has no data",
    "minimum_time": "all fine, but too early",
    "undecided": "the data do not decide yet",
    "decided": "every guardrail shown harmless",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    time: datetime
    verdict: str
    """Empty where a metric was decided, not the rollout."""
    why: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class LogState:
    """The log, newest first."""

    entries: tuple[Entry, ...]
    empty: str
    zone: Zone
    glyphs: Glyphs


class VerdictLog(Panel[LogState]):
    """List the changes of the verdict, and when each metric was decided, newest first."""

    HELP_TEXT = (
        "What the verdict was at each moment, from the same data as the verdict of now, and when each metric was "
        "first shown worse or fine; newest first."
    )
    BORDER_TITLE = "Log of verdicts"
    can_focus = True

    def digest(self, view: View) -> LogState:
        """Return the changes as lines."""
        rollout = view.rollout
        course = rollout.course if rollout else None
        if course is None or not course.changes:
            put_off = rollout is not None and rollout.metrics and course is None
            text = PUT_OFF if put_off else "No verdict yet: both versions need traffic at the same time."
            return LogState((), text, view.zone, view.glyphs)
        entries = sorted(_entries(course), key=lambda entry: entry.time, reverse=True)
        return LogState(tuple(entries), "", view.zone, view.glyphs)

    def lines(self, state: LogState, size: Size) -> list[Content]:
        """Draw a line a change, without the date where it is narrow."""
        if not state.entries:
            return [Content.styled(part, "$quiet") for part in wrapped(state.empty, size.width, 3)]
        return [
            line(_pieces(entry, size.width, state), size.width, state.glyphs)
            for entry in state.entries[: max(size.height, 1)]
        ]


def _entries(course: Course) -> Iterator[Entry]:
    for change in course.changes:
        yield Entry(change.time, change.verdict, why(change))
    for key, metric in course.metrics.items():
        label = clean(metric_name(key) or key, 30)
        if metric.alarm is not None:
            yield Entry(metric.alarm, "", f"{label} shown worse", "$bad")
        if metric.clear is not None:
            yield Entry(metric.clear, "", f"{label} shown fine", "$good")


def _pieces(entry: Entry, width: int, state: LogState) -> list[Piece]:
    full = show_moment(entry.time, state.zone)
    time = full if width >= 50 else full[5:] if width >= 40 else full[11:]
    if not entry.verdict:
        indent = "  " if width >= 40 else ""
        return [(f"{time} ", "$quiet"), (indent + entry.why, entry.style)]
    word = f"{mark(entry.verdict, state.glyphs)} {WORDS[entry.verdict]}"
    return [(f"{time} ", "$quiet"), (f"{word} ", f"bold ${TONES[entry.verdict]}"), (entry.why, "")]


def why(change: VerdictChange) -> str:
    """Return why the verdict became so, in a few words."""
    if change.verdict == "rollback" and change.worse:
        return "worse: " + ", ".join(clean(metric_name(key) or key, 30) for key in change.worse)
    return STATES.get(change.state, clean(change.state, 40))
