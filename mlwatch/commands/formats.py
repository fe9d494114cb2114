"""`mlwatch formats`: the log formats of serving products that are read at sight."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mlwatch.sources.formats import LISTED

if TYPE_CHECKING:
    from argparse import Namespace


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
        sys.stdout.write(f"{one['name']}: {one['title']}\n")
        sys.stdout.write(f"  recognised by  {one['recognised']}\n  roles          {one['roles']}\n\n")
    sys.stdout.write(
        "Any other JSON lines, JSON, CSV or Parquet: roles are inferred from names and values.\n"
    )
    return 0
