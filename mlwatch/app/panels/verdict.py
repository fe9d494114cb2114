"""The banner that answers the question of the night: promote, hold or roll back, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from mlwatch.app.drawing import capital, clean, line, short, wrapped
from mlwatch.app.panels.base import TALL, Panel
from mlwatch.app.units import show_duration, show_moment
from mlwatch.app.waiting import reading

if TYPE_CHECKING:
    from textual.content import Content
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Rollout

TONES = {"promote": "good", "hold": "unclear", "rollback": "bad", "": "none"}
WORDS = {"promote": "PROMOTE", "hold": "HOLD", "rollback": "ROLL BACK"}
LONGEST_NAME = 24
"""Cells that a version's name takes within a sentence."""
LIMIT = ", the limit is "
"""Where a reason ends in the margin that it is compared with."""
STATES = {"inconclusive": "not decided", "non_inferior": "within the limit", "better": "better"}
"""By its status: how the sentence about a metric says what it means; that of a worse one says nothing more."""
MODES = {"canary": "canary", "ab": "A/B test", "shadow": "shadow"}


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence of the verdict in its forms, from the whole one to the shortest."""

    forms: tuple[str, ...]
    """Each of them says whether the metric that it is about is decided."""

    @property
    def whole(self) -> str:
        """All that there is to say."""
        return self.forms[0]


@dataclass(frozen=True, slots=True)
class VerdictState:
    """What the banner says."""

    verdict: str
    """Empty where there is none."""
    subject: str
    """Which version against which, or why there is no verdict."""
    reasons: tuple[Reason, ...]
    glyphs: Glyphs
    graver: str = ""
    """What is said of another candidate that is to be rolled back; empty without one."""


class VerdictBanner(Panel[VerdictState]):
    """Show the verdict as a word with its first reasons."""

    HELP_TEXT = (
        "Promote: every guardrail is shown harmless. Hold: the data do not decide yet. "
        "Roll back: a guardrail is shown worse than its margin allows."
    )
    can_focus = True

    def digest(self, view: View) -> VerdictState:
        """Return the verdict of the chosen model, or a sentence why there is none."""
        rollout = view.rollout
        if rollout is None:
            return VerdictState("", _why_none(view), (), view.glyphs)
        subject, reasons = _subject(rollout, view), _reasons(rollout)
        return VerdictState(rollout.verdict, subject, reasons, view.glyphs, _graver(view.graver, view.glyphs))

    def show(self, state: VerdictState | None) -> None:
        """Colour the banner by the verdict."""
        tone = TONES["rollback" if state.graver else state.verdict] if state else "none"
        for name in TONES.values():
            self.set_class(name == tone, f"-{name}")

    def lines(self, state: VerdictState, size: Size) -> list[Content]:
        """Draw the word, the subject and as many reasons as fit in three lines."""
        width, height = size
        glyphs = state.glyphs
        if not state.verdict:
            return [line([(text, "$quiet")], width, glyphs) for text in wrapped(state.subject, width, 2)]
        word = f" {mark(state.verdict, glyphs)} {WORDS[state.verdict]} "
        tone = TONES[state.verdict]
        subject = _fitting(state.subject, width - cell_len(word) - 2, glyphs)
        first = line([(word, f"bold $background on ${tone}"), ("  " + subject, "$quiet")], width, glyphs)
        room = 2 if height == TALL else max(2, height - 1)
        graver = _reason_lines((Reason((state.graver,)),), width, 1) if state.graver else []
        texts = _reason_lines(state.reasons, width, room - len(graver))
        return [
            first,
            *(line([(text, f"bold ${TONES['rollback']}")], width, glyphs) for text, _ in graver),
            *(line([(text, f"bold ${tone}" if leads else "")], width, glyphs) for text, leads in texts),
        ]


def _reasons(rollout: Rollout) -> tuple[Reason, ...]:
    names = (rollout.candidate, rollout.baseline)
    states = {metric.reason: STATES.get(metric.status, "") for metric in rollout.metrics.values()}
    found = []
    for reason in rollout.reasons:
        forms = _forms(clean(_named(reason, names), 400), states.get(reason, ""))
        found.append(Reason(tuple(_begun(form, names) for form in forms)))
    return tuple(found)


def _forms(reason: str, state: str) -> list[str]:
    """Return a sentence as it is, without what comes after its state, and without its limit, the state first."""
    told, mark, _ = reason.rpartition(f": {state}") if state else (reason, "", "")
    if not mark:
        return [reason, reason.partition(LIMIT)[0]]
    return [reason, told + mark, f"{state}: {told.partition(LIMIT)[0]}"]


def _graver(rollout: Rollout | None, glyphs: Glyphs) -> str:
    """Name another candidate that is to be rolled back, and why."""
    if rollout is None:
        return ""
    why = "".join(f": {reason.whole}" for reason in _reasons(rollout)[:1])
    word = f"{mark(rollout.verdict, glyphs)} {WORDS[rollout.verdict]}"
    return f"{word} {short(rollout.candidate, LONGEST_NAME)}{why}"


def _named(reason: str, names: tuple[str, ...]) -> str:
    """Shorten the names of versions, so that what is said of them finds room."""
    for name in names:
        if len(name) > LONGEST_NAME:
            reason = reason.replace(name, short(name, LONGEST_NAME))
    return reason


def _begun(reason: str, names: tuple[str, ...]) -> str:
    """Begin a sentence with a capital, unless it begins with the name of a version."""
    return reason if reason.startswith(names) else capital(reason)


def _fitting(subject: str, width: int, glyphs: Glyphs) -> str:
    """Return the parts of a subject that find room, whole ones; the first in any case."""
    parts = subject.split(glyphs.dot)
    while len(parts) > 1 and cell_len(glyphs.dot.join(parts)) > width:
        parts.pop()
    return glyphs.dot.join(parts)


def _reason_lines(reasons: tuple[Reason, ...], width: int, room: int) -> list[tuple[str, bool]]:
    """Return the lines of the reasons that find room, and whether each belongs to the first reason."""
    lines: list[tuple[str, bool]] = []
    for at, reason in enumerate(reasons):
        most = min(2, room - len(lines))
        fitting = (form for form in reason.forms if len(wrapped(form, width, most + 1)) <= most)
        # rather without its limit than half a sentence
        said = next(fitting, reason.forms[-1])
        lines += [(text, not at) for text in wrapped(said, width, most)]
    return lines


def mark(verdict: str, glyphs: Glyphs) -> str:
    """Return the shape of a verdict."""
    return {"promote": glyphs.up, "hold": glyphs.flat, "rollback": glyphs.down}[verdict]


def _subject(rollout: Rollout, view: View) -> str:
    parts = [f"{short(rollout.candidate, 40)} against {short(rollout.baseline, 40)}, {MODES[rollout.mode]}"]
    parts += [f"{short(name, 40)} silent for {show_duration(s)}" for name, s in rollout.silent_s.items()]
    if rollout.since is not None:
        began = "began" if rollout.silent_s else "running since"
        parts.append(f"{began} {show_moment(rollout.since, view.zone)}")
    if rollout.candidate in rollout.traffic_observed and rollout.mode != "shadow":
        parts.append(_split(rollout, view))
    if not rollout.calibrated:
        parts.append("variance not calibrated")
    return view.glyphs.dot.join(parts)


def _split(rollout: Rollout, view: View) -> str:
    """Say what the candidate gets of the traffic: now, or so far where a share is configured."""
    share, lately = rollout.traffic_observed[rollout.candidate], rollout.traffic_lately
    if rollout.traffic_expected or lately is None:
        of = clean(rollout.unit, 24) if rollout.units and rollout.traffic_expected else "traffic"
        so_far = " so far" if lately is not None and lately.since != rollout.since else ""
        return f"{100 * share:.1f} % of {of}{so_far}{_expected(rollout)}"
    when = " now" if lately.since != rollout.since else ""
    if rollout.candidate in rollout.silent_s:
        when = f" until {show_moment(lately.until, view.zone)}"
    return f"{100 * lately.shares[rollout.candidate]:.1f} % of traffic{when}"


def _expected(rollout: Rollout) -> str:
    expected = rollout.traffic_expected.get(rollout.candidate)
    mismatch = rollout.srm_p is not None and rollout.srm_p < 0.001
    wanted = f" of {100 * expected:.0f} % configured" if expected is not None else ""
    return wanted + (" (MISMATCH)" if mismatch else "")


def _why_none(view: View) -> str:
    if not view.snapshot.ingest.predictions:
        if now := reading(view):
            return f"No verdict yet. {now}"
        return f"No verdict: no predictions yet. mlwatch watches {clean(view.title, 60)} for new files."
    if view.model is None:
        return "No verdict: no predictions in this time range. Press ] for a longer one."
    name = clean(view.model_name or "", 40)
    if view.choice.alone and view.baseline is not None:
        return f"No verdict: only {short(view.baseline.name, 40)} is shown. Press v to compare it with another version."
    if view.candidate is None:
        return f"No verdict: {name} has only one version in this time range, and nothing to compare it with."
    return f"No verdict: {name} has no rollout to judge. Name the versions with --baseline and --candidate."
