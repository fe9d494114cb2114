"""`mlwatch export PATH --to SYSTEM`: the numbers in another system's form."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.commands.common import chosen_range, need_records, options, refuse_range, taken_in
from mlwatch.commands.writing import write
from mlwatch.errors import InputError
from mlwatch.options import config_of
from mlwatch.systems.exporter import SPAN

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import timedelta

    from mlwatch.snapshot.types import Snapshot


MISSING = InputError("PATH is missing", "command line", "name the directory of prediction logs")


def run(arguments: Namespace) -> int:
    """Print or write what the other system takes."""
    if arguments.to in {"grafana", "flink"}:
        refuse_range(arguments, "it is the same of all time")
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
    if arguments.to == "otlp":
        return _send(arguments)
    snapshot = _snapshot(arguments, SPAN)  # as the exporter serves it
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


def _send(arguments: Namespace) -> int:
    """Send the metrics to a collector, and say so."""
    from mlwatch.systems.otlp import Collector, OtlpError, load, request_of  # noqa: PLC0415

    messages = load()  # what is missing is said before the logs are read
    if arguments.path is None:
        raise MISSING
    config = config_of(options(arguments))
    settings = replace(config.otlp, url=arguments.collector or config.otlp.url)
    where = "--to otlp"
    try:
        collector = Collector(settings, config.resolve)
        where = collector.name
        asyncio.run(collector.send(messages, request_of(messages, _snapshot(arguments, SPAN))))
    except OtlpError as error:
        raise InputError("no metrics are sent", where, str(error)) from None
    sys.stdout.write(f"The metrics are sent to {where}.\n")
    return 0


def _snapshot(arguments: Namespace, usual: timedelta | None = None) -> Snapshot:
    """Return the numbers of the range.

    Args:
        arguments: Of the command line.
        usual: The length of the range where none is named; None for everything.
    """
    if arguments.path is None:
        raise MISSING
    wanted = chosen_range(arguments)
    if not (arguments.since or arguments.window):
        wanted = replace(wanted, span=usual)
    with taken_in(arguments) as session:
        snapshot = wanted.asked(session)
        need_records(session, snapshot)
        session.need_model()
    return snapshot
