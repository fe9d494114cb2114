"""`mlwatch query PATH SQL`: read-only SQL over the store."""

from __future__ import annotations

import csv
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from mlwatch.commands.common import taken_in
from mlwatch.errors import one_line

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

MAX_WIDTH = 60
"""Characters of a cell that a table shows; csv and json show all."""


def run(arguments: Namespace) -> int:
    """Print the rows."""
    with taken_in(arguments) as session:
        names, rows = session.query(arguments.sql)
    if arguments.format == "json":
        records = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
        sys.stdout.write(json.dumps(records, indent=2, default=str) + "\n")
    elif arguments.format == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows([_plain(value) for value in row] for row in rows)
    else:
        sys.stdout.write(table(names, rows))
    return 0


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out in columns; text is made fit for a terminal, numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    heads = [one_line(name) for name in names]
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(heads)]
    right = [
        all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(heads))
    ]

    def line(parts: Sequence[str]) -> str:
        padded = (
            part.rjust(width) if to_right else part.ljust(width)
            for part, width, to_right in zip(parts, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip() + "\n"

    body = "".join(line(row) for row in cells)
    return line(heads) + line(["-" * width for width in widths]) + body


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
