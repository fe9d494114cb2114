"""`mlwatch calibrate PATH`: how noisy two equal versions are here, so that verdicts can be trusted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import called, chosen_range, need_versions, taken_in
from mlwatch.errors import InputError, one_line
from mlwatch.faces.tables import table
from mlwatch.words import percent

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.snapshot.rollout_split import Calibrated

MOST_SPLITS = 1000


def run(arguments: Namespace) -> int:
    """Split the baseline's past at random, print the overdispersion and keep it for the verdicts to come."""
    from mlwatch.snapshot.build import Question  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.clocks import end_now  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.rollout_history import subjects  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.rollout_split import calibrate_baseline  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.span import whole_minute  # noqa: PLC0415
    from mlwatch.store.lake import lakes_in  # noqa: PLC0415  pulls the engine

    if not 1 <= arguments.splits <= MOST_SPLITS:
        raise InputError("--splits is out of range", "command line", f"give 1 to {MOST_SPLITS}")
    at = whole_minute(chosen_range(arguments).at)
    if lakes_in(arguments.path):
        raise InputError("rollups have no records", str(arguments.path), "give the directory of the logs")
    with taken_in(arguments) as session:
        session.need_model()
        question = Question(None, None, arguments.model, arguments.baseline, arguments.candidate)
        until = at or end_now(session.connection)
        known = list(subjects(session.connection, session.config, question, until))
        need_versions(session, known)
        found = [
            calibrate_baseline(session.connection, subject, session.config, arguments.splits)
            for subject in known
        ]
        kept = session.store_path is not None
    if not found:
        raise InputError("no predictions", called(session.options), "nothing to calibrate with")
    if arguments.format == "json":
        sys.stdout.write(json.dumps([_document(each) for each in found], indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_text(each, kept=kept) for each in found))
    return 0


def _text(found: Calibrated, *, kept: bool) -> str:
    from mlwatch.metrics.rollout_words import cap_note  # noqa: PLC0415  pulls numpy

    result = found.result
    unknown = [name.replace("_", " ") for name, each in result.overdispersion.items() if each.ratio is None]
    but = f", but for {', '.join(unknown)}" if unknown else ""
    cuts = (note for spec in found.settings.metrics if (note := cap_note(spec, found.settings)))
    rows = [
        [
            name.replace("_", " "),
            f"{each.ratio:.2f}" if each.ratio is not None else "n/a, because there is too little data",
            f"{each.inflation:.2f}",
        ]
        for name, each in result.overdispersion.items()
    ]
    end = (
        f"kept: verdicts on this baseline are calibrated from now on{but}"
        if kept
        else "not kept, because the store is in memory: verdicts stay uncalibrated"
    )
    where = "before the candidate" if found.before_candidate else "of its whole time"
    rates = [
        f"{alarms} ({percent(alarms / result.splits, 0)})"
        for alarms in (result.false_alarms, result.alarms_left)
    ]
    return (
        f"{one_line(found.model)}: {found.requests:,} requests of {one_line(found.baseline)} {where}, "
        f"split {result.splits} times\n\n"
        + table(["metric", "variance over assumed", "inflation"], rows)
        + "".join(f"- {one_line(note)}\n" for note in cuts)
        + f"\nof {result.splits} splits {rates[0]} would have been rolled back though nothing differs, "
        f"with the inflation {rates[1]}\n{end}\n"
    )


def _document(found: Calibrated) -> dict[str, Any]:
    caps = {spec.name: spec.cap for spec in found.settings.metrics}
    return {
        "model": found.model,
        "baseline": found.baseline,
        "requests": found.requests,
        "before_candidate": found.before_candidate,
        "splits": found.result.splits,
        "false_alarms": found.result.false_alarms,
        "false_alarms_left": found.result.alarms_left,
        "metrics": {
            name: {
                "ratio": each.ratio,
                "inflation": each.inflation,
                "blocks": each.blocks,
                "winsorised_at": caps[name],
            }
            for name, each in found.result.overdispersion.items()
        },
    }
