"""`mlwatch query PATH SQL`: read-only SQL over the store."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import need_records, taken_in
from mlwatch.errors import one_line
from mlwatch.faces.tables import table
from mlwatch.output import print_document
from mlwatch.store import console

if TYPE_CHECKING:
    from argparse import Namespace

Row = tuple[Any, ...]


def run(arguments: Namespace) -> int:
    """Print the rows."""
    sql = os.fsencode(arguments.sql).decode("utf-8", "surrogateescape")  # whatever the locale took it for
    with taken_in(arguments) as session:
        need_records(session, session.snapshot())
        names, rows = console.run(session.connection, sql)  # nothing is read afterwards
    text = FORMATS[arguments.format](names, rows)
    if arguments.format == "table":
        sys.stdout.write(text)
    else:
        print_document(text)
    return 0


def _json(names: Sequence[str], rows: Sequence[Row]) -> str:
    keys = _unique(names)
    records = [dict(zip(keys, map(_plain, row), strict=True)) for row in rows]
    return json.dumps(records, indent=2, default=str, allow_nan=False) + "\n"


def _csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    show = _visible if sys.stdout.isatty() else _plain
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([show(name) for name in names])
    writer.writerows([show(value) for value in row] for row in rows)
    return text.getvalue()


FORMATS: Mapping[str, Callable[[Sequence[str], Sequence[Row]], str]] = {
    "table": table,
    "csv": _csv,
    "json": _json,
}


def _unique(names: Sequence[str]) -> list[str]:
    """Number the names that come again: SQL allows two columns of one name, a JSON object does not."""
    taken: list[str] = []
    for name in names:
        number, key = 1, name
        while key in taken:
            number += 1
            key = f"{name}_{number}"
        taken.append(key)
    return taken


def _plain(value: object) -> object:
    """Make a value one that JSON and CSV have: times in ISO 8601, nothing for what is not a finite number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _visible(value: object) -> object:
    """Make a value fit for a terminal as well."""
    return one_line(value) if isinstance(value, str) else _plain(value)
