"""`mlwatch rollup PATH -o LAKE`: write the rollups as Parquet files by day, which open like logs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.commands.common import need_records, taken_in
from mlwatch.errors import InputError, one_line
from mlwatch.rights import public

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from mlwatch.store.lake import Written

_NAMED = 5
"""How many days a line names."""


def run(arguments: Namespace) -> int:
    """Read what is there, and write its rollups."""
    from mlwatch.store import lake  # noqa: PLC0415  pulls the engine
    from mlwatch.store.deciding import settings_of  # noqa: PLC0415

    if arguments.output is None:
        raise InputError("nowhere to write to", "command line", "name a directory with -o")
    if arguments.engine == "spark":
        return _on_spark(arguments)
    if arguments.master is not None:
        raise InputError("--master is for Spark", "command line", "add --engine spark")
    if lake.lakes_in(arguments.path):
        raise InputError("these are rollups already", str(arguments.path), "give the directory of the logs")
    with taken_in(arguments, arguments.output) as session:
        need_records(session, session.snapshot())
        with public():
            settings = {"settings": settings_of(session.config)}
            written = lake.write(session.connection, arguments.output, settings)
        _warn(written, arguments.output)
        _say(written.files, arguments.output, *lake.size(arguments.output, session.connection))
    return 0


_STAY = (
    "these days stay as they were, with more answers, labels or events than the logs that are left hold of them"
    " (to count what is left instead, delete {}/r_*/DAY.parquet and write again)"
)
_LEFT = "these days are counted from the logs that are left, without some of what was counted before"
_LOST = "these days stay as they were, without what has come since, as some of their logs are gone"
_DROPPED = "these files were missing, and logs of their days are gone: the rollups go on without them"


def _warn(written: Written, output: Path) -> None:
    """Say which days are not what the logs of all times make of them."""
    _tell(_STAY.format(one_line(str(output))), written.kept)
    _tell(_LEFT, written.fewer)
    _tell(_DROPPED, written.dropped)


def _tell(said: str, names: Sequence[str]) -> None:
    """Say something of days or files, if there are any, and name a few."""
    if names:
        rest = len(names) - _NAMED
        more = f" and {rest:,} more" if rest > 0 else ""
        sys.stderr.write(f"mlwatch: {said}: {', '.join(names[:_NAMED])}{more}\n")


def _say(days: int, output: Path, rows: int, size: int) -> None:
    where = one_line(str(output))
    sys.stderr.write(
        f"mlwatch: wrote {days:,} files of days to {where}: {rows:,} rows in all, {size / 1e6:.1f} MB\n"
    )


def _on_spark(arguments: Namespace) -> int:
    import duckdb  # noqa: PLC0415

    from mlwatch.config import discover, load  # noqa: PLC0415
    from mlwatch.spark.cluster import session  # noqa: PLC0415
    from mlwatch.store import lake, reference  # noqa: PLC0415

    source = arguments.address
    root = Path(source)
    here = "://" not in source
    if here and lake.lakes_in(root):
        raise InputError("these are rollups already", source, "give the directory of the logs")
    config = load(arguments.config or (discover(root) if here and root.is_dir() else None))
    given = reference.find(root, config, arguments.reference)
    with session(arguments.master) as spark:
        from mlwatch.spark.rolling import roll  # noqa: PLC0415  pulls sqlglot

        rolled = roll(spark, source, config, arguments.output, given)
    _tell(_LOST, rolled.lost)
    _tell(_DROPPED, rolled.dropped)
    with duckdb.connect() as connection:
        _say(rolled.days, arguments.output, *lake.size(arguments.output, connection))
    return 0
