"""`mlwatch query PATH SQL`: read-only SQL over the store."""

from __future__ import annotations

import csv
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from mlwatch.commands.common import taken_in
from mlwatch.faces.tables import table

if TYPE_CHECKING:
    from argparse import Namespace


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


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
