"""`mlwatch export PATH --to SYSTEM`: the numbers in another system's form."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.commands.common import chosen_range, need_model, need_records, taken_in, write
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.snapshot.types import Snapshot


def run(arguments: Namespace) -> int:
    """Print or write what the other system takes."""
    if arguments.to == "grafana":  # a dashboard is the same for all logs
        from mlwatch.systems.grafana import dashboard  # noqa: PLC0415

        write(json.dumps(dashboard(), indent=2) + "\n", arguments.output)
        return 0
    if arguments.to == "flink":
        from mlwatch.systems.flink import job  # noqa: PLC0415

        write(job(), arguments.output)
        return 0
    if arguments.to == "wandb":
        return _runs(arguments)
    snapshot = _snapshot(arguments)
    from mlwatch.systems.openmetrics import openmetrics  # noqa: PLC0415

    write(openmetrics(snapshot), arguments.output)
    return 0


def _runs(arguments: Namespace) -> int:
    """Write offline runs, and say how they are sent."""
    from mlwatch.systems.wandb_runs import load, write_runs  # noqa: PLC0415

    wandb = load()  # what is missing is said before the logs are read
    runs = write_runs(wandb, _snapshot(arguments), arguments.output or Path())
    found = shlex.join(map(str, runs))
    sys.stdout.write(
        f"{len(runs)} offline runs are written; nothing is sent. To send them:\nwandb sync {found}\n"
    )
    return 0


def _snapshot(arguments: Namespace) -> Snapshot:
    if arguments.path is None:
        raise InputError("PATH is missing", "command line", "name the directory of prediction logs")
    wanted = chosen_range(arguments)
    with taken_in(arguments) as session:
        snapshot = session.snapshot(wanted.span, wanted.at)
        need_records(snapshot, arguments)
        need_model(session)
    return snapshot
