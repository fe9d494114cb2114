"""`mlwatch export PATH --to SYSTEM`: the numbers in another system's form."""

from __future__ import annotations

import json
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
    snapshot = _snapshot(arguments)
    from mlwatch.systems.openmetrics import openmetrics  # noqa: PLC0415

    write(openmetrics(snapshot), arguments.output)
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
