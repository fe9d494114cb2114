"""`mlwatch formats`: the log formats of serving products that are read at sight."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING

from mlwatch.sources.formats import LISTED

if TYPE_CHECKING:
    from argparse import Namespace

WIDTH = 100
REST = """Any other JSON lines, JSON, CSV or Parquet: roles are inferred from names and values.
JSON records and key=value pairs inside the lines of loggers and containers are found there.
"""


def run(arguments: Namespace) -> int:
    """Print each format, how it is recognised, and where the roles come from."""
    known = [
        {"name": one.name, "title": one.title, "recognised": one.recognised, "roles": one.roles}
        for one in LISTED
    ]
    if arguments.format == "json":
        sys.stdout.write(json.dumps(known, indent=2) + "\n")
        return 0
    for one in known:
        recognised, roles = _wrapped("recognised by", one["recognised"]), _wrapped("roles", one["roles"])
        sys.stdout.write(f"{one['name']}: {one['title']}\n{recognised}\n{roles}\n\n")
    sys.stdout.write(REST)
    return 0


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=f"  {head:<15}", subsequent_indent=" " * 17)
