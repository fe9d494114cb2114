"""Open the DuckDB file of a log directory, safely: versions, other holders, limits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import StoreError, reason_of, tells_of_full_disk
from mlwatch.rights import private
from mlwatch.sources.pathnames import engine_name, is_utf8
from mlwatch.store import begun, schema
from mlwatch.store.holding import hold
from mlwatch.store.places import default_path, log_of
from mlwatch.store.spool import Spill

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.holding import Hold

MEMORY_LIMIT = "256MB"
"""DuckDB spills to disk beyond this; Python, buffers and the screen come on top."""
HELD = "another mlwatch holds this store, so this run reads the logs again into memory"
BACKFILL_WAL = "256MB"
STEADY_WAL = "16MB"
"""The engine checkpoints by itself at this much: until then it holds new rows uncompressed in memory."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database and what one should know about it."""

    connection: DuckDBPyConnection
    path: Path | None
    """None for a store in memory."""
    note: str | None = None
    """One sentence when the store is not the one that was asked for."""
    spill: Spill | None = None
    """Where a store in memory puts what memory is too small for."""
    hold: Hold | None = None
    """Keeps other sessions of this process from the file."""

    def keep_private(self) -> None:
        """Let nobody else read the write-ahead log: the engine makes it anew after a checkpoint, by the umask.

        The umask is one for the whole process, which may not be ours: it cannot be held for as long as a store is open.
        """
        if self.path is not None:
            with suppress(OSError):  # there is none before the next change
                log_of(self.path).chmod(0o600)

    def close(self) -> None:
        """Close the database, leave its file to others, and remove what it spilled.

        Raises:
            duckdb.ResourceInUseException: while another thread's query runs.
        """
        self.connection.close()
        if self.hold is not None:
            self.hold.release()
        if self.spill is not None:
            self.spill.cleanup()


def open_store(
    log_directory: Path, where: Path | Literal[":memory:"] | None = None, usual: Path | None = None
) -> Opened:
    """Open, create or migrate the store of a log directory.

    Args:
        log_directory: What is watched.
        where: A database file, `:memory:`, or None for the default file in the state directory.
        usual: The default file, where it is not the directory's.

    Raises:
        StoreError: when the file is of a newer schema, is not a store, or cannot be written.
    """
    if where == ":memory:":
        return _memory(None)
    path = where or usual or default_path(log_directory)
    if path is None:
        return _memory(_unwritable("there is no home directory"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if where is None:
            return _memory(_unwritable(str(error.strerror)))
        raise StoreError(
            "cannot create the store's directory", str(path.parent), error.strerror or ""
        ) from error
    return _open_file(path, named=where is not None)


def _unwritable(reason: str) -> str:
    return f"the state directory cannot be written ({reason}), so this run keeps its store in memory"


def _open_file(path: Path, *, named: bool) -> Opened:
    todo = (
        "give another file with --db" if named else "mlwatch store reset deletes it, and logs are read again"
    )
    try:
        existed = path.exists()
    except OSError as error:
        raise StoreError(f"cannot open the store ({error.strerror})", str(path), todo) from error
    mine = hold(path)
    if mine is None:  # leave the file alone: as we close it, the system drops the first session's lock
        return _memory(
            "another session of this process holds this store, so this one reads the logs again into memory"
        )
    try:
        if existed:
            _check_database(path, todo)
        return _connect(path, mine, named=named, todo=todo)
    except BaseException:
        mine.release()
        raise


def _connect(path: Path, mine: Hold, *, named: bool, todo: str) -> Opened:
    import duckdb  # noqa: PLC0415

    if not is_utf8(path):
        what = "the path of the store is not UTF-8, and the engine opens no such file"
        raise StoreError(what, str(path), "give another file with --db")
    try:
        with private():
            if begun.holds_nothing(path) and not begun.begin_anew(path):
                return _memory(HELD)
            connection = duckdb.connect(engine_name(path))
    except (duckdb.Error, OSError) as error:
        return _instead(error, path, named=named, todo=todo)
    _configure(connection)
    with private():
        _check_version(connection, path)
    return Opened(connection, path, hold=mine)


def _instead(error: Exception, path: Path, *, named: bool, todo: str) -> Opened:
    """Open a store in memory where the file is another's, or the usual one cannot be written.

    Raises:
        StoreError: for every other error.
    """
    text = str(error).replace(engine_name(path), "")  # whose words are not the engine's
    if "Could not set lock" in text:
        return _memory(HELD)
    if not named and ("read-only" in text.lower() or "permission" in text.lower()):
        return _memory("the store cannot be written, so this run keeps its store in memory")
    what = "cannot open the store"
    if tells_of_full_disk(text):
        what, todo = "the disk of the store is full", "free some, or give another file with --db"
    elif "orrupt" in text:
        what = "the store is damaged"
    raise StoreError(f"{what} ({reason_of(error)})", str(path), todo) from error


def _check_database(path: Path, todo: str) -> None:
    """Make sure that a file is empty, or begins as the engine's do; one that cannot be read is left to it.

    The engine would show a table that it can read, and keep nothing in it.

    Raises:
        StoreError: when it is anything else.
    """
    ours = path.is_file()  # a pipe would be waited for
    if ours:
        with suppress(OSError), path.open("rb") as file:
            head = file.read(12)
            ours = not head or begun.is_marked(head)
    if not ours:
        raise StoreError("not a store of mlwatch", str(path), todo)


def _check_version(connection: DuckDBPyConnection, path: Path) -> None:
    version = schema.version_of(connection)
    if version is None:
        schema.create(connection)
    elif version == 0:
        connection.close()
        raise StoreError("not a store of mlwatch", str(path), "give another file with --db")
    elif version > schema.VERSION:
        connection.close()
        raise StoreError(
            f"the store has schema {version}, this mlwatch knows {schema.VERSION}",
            str(path),
            "upgrade mlwatch, or give another file with --db",
        )
    elif version < schema.VERSION:
        schema.migrate(connection, version)


def open_without_logs() -> Opened:
    """Open a store in memory that takes no logs in, and has no rollups."""
    return _memory(None, rolled_up=False)


def _memory(note: str | None, *, rolled_up: bool = True) -> Opened:
    import duckdb  # noqa: PLC0415

    connection = duckdb.connect(":memory:")
    spill = Spill()
    connection.execute("SET temp_directory = ?", [spill.name])
    _configure(connection)
    schema.create(connection, rolled_up=rolled_up)
    return Opened(connection, None, note, spill)


def _configure(connection: DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"SET checkpoint_threshold = '{BACKFILL_WAL}'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(
        "SET write_buffer_row_group_count = 1"
    )  # what is inserted is compressed by every thread
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")


def cursor(connection: DuckDBPyConnection) -> DuckDBPyConnection:
    """Return a cursor for one thread; settings that belong to a session are made on it again."""
    mine = connection.cursor()
    mine.execute("SET TimeZone = 'UTC'")
    return mine
