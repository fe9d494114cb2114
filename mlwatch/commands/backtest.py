"""`mlwatch backtest PATH`: what the verdict would have been at each moment of a rollout."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import called, chosen_range, need_versions, taken_in
from mlwatch.errors import InputError, one_line
from mlwatch.faces.check import WORDS
from mlwatch.faces.tables import table

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.metrics.rollout import RolloutTimeline
    from mlwatch.snapshot.rollout_history import History

MOST_LINES = 40
"""Changes of the verdict that are shown."""


def run(arguments: Namespace) -> int:
    """Print when each verdict began, and when each metric would have alarmed."""
    from mlwatch.snapshot.build import Question  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.clocks import end_now  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.rollout_history import histories, subjects  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.span import whole_minute  # noqa: PLC0415

    at = chosen_range(arguments).at
    with taken_in(arguments) as session:
        session.need_model()
        question = Question(None, at, arguments.model, arguments.baseline, arguments.candidate)
        until = whole_minute(at) or end_now(session.connection)
        found = histories(session.connection, session.config, question, until)
        known = list(subjects(session.connection, session.config, question, until))
    need_versions(session, known)
    if not found:
        raise InputError("no rollout", called(session.options), "two versions of one model must have traffic")
    if arguments.format == "json":
        sys.stdout.write(json.dumps([_document(each) for each in found], indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_text(each) for each in found))
    return 0


def _moment(minute: int | None) -> str | None:
    return None if minute is None else f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%d %H:%M}"


def changes(timeline: RolloutTimeline) -> list[tuple[int, str, str]]:
    """Return (minute, verdict, state) wherever the verdict or its state becomes another one."""
    found: list[tuple[int, str, str]] = []
    for index, minute in enumerate(timeline.minute.tolist()):
        now = (timeline.verdict_at(index), timeline.state_at(index).value)
        if not found or found[-1][1:] != now:
            found.append((minute, *now))
    return found


def _text(history: History) -> str:
    pairing, timeline = history.pairing, history.timeline
    title = f"{pairing.model}: {pairing.candidate} against {pairing.baseline}, {history.settings.mode}"
    moves = [
        [_moment(at), WORDS[verdict], state.replace("_", " ")] for at, verdict, state in changes(timeline)
    ]
    left_out = len(moves) - MOST_LINES
    alarms = [
        [history.labels[name], _moment(metric.alarm) or "never", _moment(metric.clear) or "never"]
        for name, metric in timeline.metrics.items()
    ]
    decided = _moment(timeline.decided)
    parts = [
        f"{one_line(title)}\n",
        f"decided at {decided} UTC\n" if decided else "never decided\n",
        f"judged every {timeline.width} minutes: there is little traffic, or much time\n"
        if timeline.width > 1
        else "",
        "\n" + table(["time (UTC)", "verdict", "state"], moves[:MOST_LINES]),
        f"and {left_out} more changes\n" if left_out > 0 else "",
        "\n" + table(["metric", "first alarm (UTC)", "first shown harmless (UTC)"], alarms),
        *(f"- {one_line(remark)}\n" for remark in history.remarks),
    ]
    return "".join(parts)


def _document(history: History) -> dict[str, Any]:
    pairing, timeline = history.pairing, history.timeline
    return {
        "model": pairing.model,
        "baseline": pairing.baseline,
        "candidate": pairing.candidate,
        "mode": history.settings.mode,
        "decided": _moment(timeline.decided),
        "every_minutes": timeline.width,
        "verdicts": [
            {"time": _moment(at), "verdict": verdict, "state": state}
            for at, verdict, state in changes(timeline)
        ],
        "metrics": {
            name: {"alarm": _moment(metric.alarm), "harmless": _moment(metric.clear)}
            for name, metric in timeline.metrics.items()
        },
        "remarks": list(history.remarks),
    }
