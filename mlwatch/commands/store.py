"""`mlwatch store info|vacuum|reset PATH`: the store of a log directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing
from mlwatch.commands.common import options
from mlwatch.errors import InputError, StoreError, one_line
from mlwatch.faces.tables import table
from mlwatch.paths import check_path
from mlwatch.store import begun, database, places, schema
from mlwatch.store.upkeep import compact

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Do what was asked."""
    check_path(arguments.path)
    where = options(arguments).db
    if where == ":memory:":
        raise InputError("a store in memory is gone when mlwatch ends", "--db :memory:", "name a file")
    path = where if isinstance(where, Path) else _usual(arguments)
    if path is None:
        raise InputError("no store without a home directory", "HOME", "set it, or name a file with --db")
    if not path.exists():
        raise InputError("no store yet", str(path), "mlwatch watch or report makes one")
    actions = {"info": _info, "vacuum": _vacuum, "reset": _reset}
    return actions[arguments.action](arguments, path)


def _usual(arguments: Namespace) -> Path | None:
    """Return the store that there is when no other is named; None without a home."""
    topics = arguments.topics
    return places.default_path(arguments.path) if topics is None else places.usual_store(topics)


def _info(arguments: Namespace, path: Path) -> int:
    opened = _open(arguments, path)
    query = opened.connection.execute
    sys.stdout.write(f"store   {one_line(str(path))}\n")
    sys.stdout.write(f"size    {path.stat().st_size / 1e6:,.1f} MB\nschema  {schema.VERSION}\n\n")
    tables = query(
        """SELECT table_name, estimated_size FROM duckdb_tables()
        WHERE NOT internal AND NOT temporary ORDER BY table_name"""
    ).fetchall()
    sys.stdout.write(table(["table", "rows"], tables) + "\n")
    files = query(
        """SELECT path, format, state, records, rejected, offset_bytes, reason FROM files
        WHERE state <> 'replaced' ORDER BY path"""
    ).fetchall()
    sys.stdout.write(table(["file", "format", "state", "records", "rejected", "offset", "reason"], files))
    opened.close()
    return 0


def _vacuum(arguments: Namespace, path: Path) -> int:
    before = path.stat().st_size
    opened = _open(arguments, path)
    with all_or_nothing(opened.connection):
        compact(opened.connection)
    opened.connection.execute("CHECKPOINT")
    opened.close()
    sys.stdout.write(f"{before / 1e6:,.1f} MB before, {path.stat().st_size / 1e6:,.1f} MB after\n")
    return 0


def _reset(arguments: Namespace, path: Path) -> int:
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise InputError("a reset wants to be confirmed", str(path), "add --yes")
        sys.stderr.write(f"Delete {one_line(str(path))}? Logs are not touched. [y/N] ")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            return 0
    _check_ours(arguments, path)
    for file in (path, places.log_of(path)):
        file.unlink(missing_ok=True)
    sys.stdout.write(f"deleted {one_line(str(path))}\n")
    return 0


def _check_ours(arguments: Namespace, path: Path) -> None:
    """Make sure that nobody else holds the file, and that it is a store: broken ones only where nobody named the file.

    One that was only begun, on a full disk, holds nothing that could be somebody's.

    Raises:
        InputError: when another mlwatch holds it.
        StoreError: when the file that was named is something else.
    """
    import duckdb  # noqa: PLC0415

    try:
        _open(arguments, path).close()
    except (StoreError, duckdb.Error):  # the engine finds some damage as it reads
        if arguments.db is not None and not (begun.holds_nothing(path) or _is_store(path)):
            raise


def _is_store(path: Path) -> bool:
    """Tell whether a database is a store of any schema, such as that of a newer mlwatch."""
    import duckdb  # noqa: PLC0415

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return bool(schema.version_of(connection))
    except duckdb.Error:
        return False


def _open(arguments: Namespace, path: Path) -> database.Opened:
    opened = database.open_store(arguments.path, path)
    if opened.path is None:
        opened.close()
        raise InputError("the store is held by another mlwatch", str(path), "quit that one first")
    return opened
