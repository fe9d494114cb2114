"""How the traffic of a rollout is split, whether that is as configured, and what is needed to decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from mlwatch.app.drawing import Piece, cell, clean, line, short, wrapped
from mlwatch.app.judging import label_of
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import show_about, show_count, show_duration

if TYPE_CHECKING:
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.units import Zone
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Rollout, RolloutMetric

MISMATCH = 0.001
"""The split is not as configured below this anytime-valid p-value."""


MANY = 1.5
"""Design effect from which it is said."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One version's part of the traffic."""

    name: str
    observed: float | None
    expected: float | None
    style: str


@dataclass(frozen=True, slots=True)
class TrafficState:
    """What the panel says."""

    arms: tuple[Arm, ...]
    check: tuple[str, str]
    """Whether the split is as configured, and the style of that."""
    units: str
    """Users, where these are randomised, and what their requests tell."""
    ramp: str
    needed: tuple[str, ...]
    glyphs: Glyphs


class TrafficPanel(Panel[TrafficState]):
    """Show the split of the traffic with the sample-ratio check, and what is needed to decide."""

    HELP_TEXT = (
        "The share of the traffic that each version gets now, in the last hour; where a share is configured, over the "
        "whole rollout. If it is not the configured share, requests are lost or "
        "counted twice somewhere, and no comparison can be trusted."
    )
    BORDER_TITLE = "Traffic; what is missing"
    can_focus = True

    def digest(self, view: View) -> TrafficState:
        """Return the split of the rollout and what is needed."""
        rollout = view.rollout
        if rollout is None:
            return TrafficState((), ("", ""), "", "", (), view.glyphs)
        arms = tuple(
            Arm(clean(name, 40), _share(view, name, rollout), rollout.traffic_expected.get(name), style)
            for name, style in ((rollout.baseline, "$baseline"), (rollout.candidate, "$candidate"))
        )
        missing = (*_silent(rollout), *needed(view, rollout))
        ramp = _ramp(rollout, view.zone)
        return TrafficState(arms, _check(rollout), _units(rollout), ramp, missing, view.glyphs)

    def lines(self, state: TrafficState, size: Size) -> list[Content]:
        """Draw a bar a version, the check, the ramp and what is missing."""
        width, glyphs = size.width, state.glyphs
        if not state.arms:
            text = "There is no rollout: two versions of a model must have traffic."
            return [Content.styled(part, "$quiet") for part in wrapped(text, width, 3)]
        name = min(max(cell_len(arm.name) for arm in state.arms), max(8, width // 3)) + 1
        drawn = [line(_bar(arm, name, width, glyphs), width, glyphs) for arm in state.arms]
        for text, style in (state.check, (state.units, "$quiet"), (state.ramp, "$quiet")):
            drawn += [line([(part, style)], width, glyphs) for part in wrapped(text, width, 3)]
        for text in state.needed:
            drawn += [line([(part, "")], width, glyphs) for part in wrapped(text, width, 3)]
        hidden = len(drawn) - size.height
        if hidden > 0 and size.height > 2:
            drawn[size.height - 1 :] = [Content.styled(f"{hidden + 1} more lines: z shows all", "$quiet")]
        return drawn


def _bar(arm: Arm, name: int, width: int, glyphs: Glyphs) -> list[Piece]:
    text = "n/a" if arm.observed is None else f"{100 * arm.observed:.1f} %"
    if arm.expected is not None:
        text += f" of {100 * arm.expected:.0f} %"
    room = max(width - name - len(text) - 1, 4)
    full = round((arm.observed or 0.0) * room)
    block, rest = ("#", ".") if glyphs.ascii else ("■", "·")
    return [
        cell(short(arm.name, name - 1), name, f"bold {arm.style}"),
        (block * full, arm.style),
        (rest * (room - full), "$hairline"),
        (" " + text, "bold"),
    ]


def _share(view: View, name: str, rollout: Rollout) -> float | None:
    if rollout.traffic_lately is not None and not rollout.traffic_expected:
        return rollout.traffic_lately.shares[name]
    if name in rollout.traffic_observed:
        return rollout.traffic_observed[name]
    counts = {v.name: v.predictions for v in (view.baseline, view.candidate) if v is not None}
    total = sum(counts.values())
    return counts[name] / total if name in counts and total else None


def _check(rollout: Rollout) -> tuple[str, str]:
    if rollout.mode == "shadow":
        return "A shadow answers the same requests: there is no split to check.", "$quiet"
    if rollout.srm_p is None:
        return "The split is not checked, because [rollout] share is not configured.", "$quiet"
    by = f"by {clean(rollout.unit, 24)}, " if rollout.units else ""
    p = f"{by}p {rollout.srm_p:.2g}, valid at every look"
    if rollout.srm_p < MISMATCH:
        return f"MISMATCH: not the configured split ({p}).", "bold $bad"
    return f"Split as configured ({p}).", "$good"


def _units(rollout: Rollout) -> str:
    if not rollout.units:
        return ""
    counts = " and ".join(f"{show_count(n)} of {clean(name, 20)}" for name, n in rollout.units.items())
    most = max((metric.design_effect for metric in rollout.metrics.values()), default=1.0)
    worth = f"; up to {most:.0f} requests of one tell as much as one alone" if most >= MANY else ""
    return f"By {clean(rollout.unit, 24)}: {counts}{worth}."


def _silent(rollout: Rollout) -> tuple[str, ...]:
    """Say which version gets no traffic any more: the shares are those of the time before."""
    return tuple(
        f"{clean(name, 40)} has had no requests for {show_duration(seconds)}."
        for name, seconds in rollout.silent_s.items()
    )


def _ramp(rollout: Rollout, zone: Zone) -> str:
    if len(rollout.steps) < 2:
        return ""
    steps = ", ".join(
        f"{step.start.astimezone(zone):%H:%M} {100 * step.share:.0f} %" for step in rollout.steps
    )
    return f"Ramp of the candidate: {steps}"


def needed(view: View, rollout: Rollout) -> tuple[str, ...]:
    """Return in sentences what is needed to decide, at the present rate of requests."""
    if rollout.verdict != "hold":
        return ("Nothing is missing: the verdict is decided.",)
    open_ones = [(key, m) for key, m in rollout.metrics.items() if m.status == "inconclusive"]
    known = [(m.samples_left, label_of(key, m), m) for key, m in open_ones if m.samples_left]
    if not known:
        return ("Nothing decides yet, and the data do not tell how much more would.",) if open_ones else ()
    most, label, slowest = max(known, key=lambda one: one[0])
    seconds = _seconds(view, most, slowest)
    takes = f", {show_duration(seconds)} at the present rate" if seconds is not None else ""
    return (f"About {show_about(most)} more requests decide{takes}; {clean(label.lower(), 40)} needs most.",)


def _seconds(view: View, most: int, metric: RolloutMetric) -> float | None:
    """Return how long further requests take at the rate of the last minutes; None where they do not come.

    They are needed in the parts that both versions had so far: the one that gets fewer now decides.
    """
    counts = (metric.n_baseline, metric.n_candidate)
    times = []
    for version, n in zip((view.baseline, view.candidate), counts, strict=True):
        rate = version.throughput.five_minutes if version is not None else None
        if not rate:
            return None
        times.append(most * n / sum(counts) / rate if any(counts) else most / 2 / rate)
    return max(times)
