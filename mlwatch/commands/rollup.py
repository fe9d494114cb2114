"""`mlwatch rollup PATH -o LAKE`: write the rollups as Parquet files by day, which open like logs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlwatch.commands.common import need_records, taken_in
from mlwatch.errors import InputError, one_line
from mlwatch.rights import public

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Read what is there, and write its rollups."""
    from mlwatch.store import lake  # noqa: PLC0415  pulls the engine

    if arguments.output is None:
        raise InputError("nowhere to write to", "command line", "name a directory with -o")
    if lake.lakes_in(arguments.path):
        raise InputError("these are rollups already", str(arguments.path), "give the directory of the logs")
    with taken_in(arguments) as session:
        need_records(session.snapshot(), arguments.path)
        with public():
            days = lake.write(session.connection, arguments.output)
        rows, size = lake.size(arguments.output, session.connection)
    where = one_line(str(arguments.output))
    sys.stderr.write(
        f"mlwatch: wrote {days:,} files of days to {where}: {rows:,} rows in all, {size / 1e6:.1f} MB\n"
    )
    return 0
