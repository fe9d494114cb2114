"""`mlwatch calibrate PATH`: how noisy two equal versions are here, so that verdicts can be trusted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import called, chosen_range, taken_in
from mlwatch.errors import InputError, one_line
from mlwatch.faces.tables import table

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.snapshot.rollout_split import Calibrated

MOST_SPLITS = 1000


def run(arguments: Namespace) -> int:
    """Split the baseline's past at random, print the overdispersion and keep it for the verdicts to come."""
    from mlwatch.snapshot.build import Question  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.rollout_history import subjects  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.rollout_split import calibrate_baseline  # noqa: PLC0415  pulls numpy
    from mlwatch.snapshot.span import naive  # noqa: PLC0415

    if not 1 <= arguments.splits <= MOST_SPLITS:
        raise InputError("--splits is out of range", "command line", f"give 1 to {MOST_SPLITS}")
    at = naive(chosen_range(arguments).at)
    with taken_in(arguments) as session:
        question = Question(None, None, arguments.model, arguments.baseline, arguments.candidate)
        found = [
            calibrate_baseline(session.connection, subject, session.config.rollout, arguments.splits)
            for subject in subjects(session.connection, session.config, question, at)
        ]
    if not found:
        raise InputError("no predictions", called(arguments), "nothing to calibrate with")
    if arguments.format == "json":
        sys.stdout.write(json.dumps([_document(each) for each in found], indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(_text(each) for each in found))
    return 0


def _text(found: Calibrated) -> str:
    result = found.result
    rows = [
        [
            name.replace("_", " "),
            f"{each.ratio:.2f}" if each.ratio is not None else "n/a, because there is too little data",
            f"{each.inflation:.2f}",
        ]
        for name, each in result.overdispersion.items()
    ]
    where = "before the candidate" if found.before_candidate else "of its whole time"
    rate = result.false_alarms / result.splits
    return (
        f"{one_line(found.model)}: {found.requests:,} requests of {one_line(found.baseline)} {where}, "
        f"split {result.splits} times\n\n"
        + table(["metric", "variance over assumed", "inflation"], rows)
        + f"\n{result.false_alarms} of {result.splits} splits ({rate:.0%}) would have been rolled back "
        "though nothing differs\nkept: verdicts on this baseline are calibrated from now on\n"
    )


def _document(found: Calibrated) -> dict[str, Any]:
    return {
        "model": found.model,
        "baseline": found.baseline,
        "requests": found.requests,
        "before_candidate": found.before_candidate,
        "splits": found.result.splits,
        "false_alarms": found.result.false_alarms,
        "metrics": {
            name: {"ratio": each.ratio, "inflation": each.inflation, "blocks": each.blocks}
            for name, each in found.result.overdispersion.items()
        },
    }
