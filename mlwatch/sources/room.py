"""Let the engine use more memory where a file needs it, and forget what it has read long ago."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlwatch.asking import number, row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HEADROOM = 256 << 20
"""Bytes for everything else than the row groups that are being read."""
LARGEST_SHARE = 0.6
"""Of the machine's memory, that the engine may be let use."""
CACHE = 128_000_000
"""Bytes that are left to the engine when it is asked to forget."""
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def make_room(connection: DuckDBPyConnection, name: str) -> None:
    """Raise the engine's memory limit as far as a file's row groups ask for: each of two threads decodes one.

    Args:
        connection: Any of the store's.
        name: The file's path as a quoted literal.
    """
    largest = number(
        connection,
        f"""SELECT MAX(size) FROM (
            SELECT SUM(total_uncompressed_size) AS size FROM parquet_metadata({name}) GROUP BY row_group_id)""",
    )
    needed = HEADROOM + 3 * largest
    if _limit(connection) < needed < _physical() * LARGEST_SHARE:
        _set(connection, needed)


def enlarge(connection: DuckDBPyConnection) -> bool:
    """Quadruple the engine's memory limit; return whether that made a difference."""
    limit = _limit(connection)
    larger = min(4 * limit, _physical() * LARGEST_SHARE)
    if larger < 1.1 * limit:
        return False
    _set(connection, larger)
    return True


def forget(connection: DuckDBPyConnection) -> None:
    """Let the engine forget the rows that were read longest ago, down to `CACHE`.

    It keeps all that it has read, up to its limit, so that a process would grow for hours with the store. The limit
    itself stays: a lower one would be missing where much is needed at once.
    """
    import duckdb  # noqa: PLC0415

    limit = _limit(connection)
    if limit <= CACHE:
        return
    try:
        connection.execute(f"SET memory_limit = '{CACHE}B'")
    except duckdb.OutOfMemoryException:
        return  # more is in use just now; the limit has stayed
    _set(connection, limit)


def _limit(connection: DuckDBPyConnection) -> float:
    (text,) = row(connection, "SELECT current_setting('memory_limit')")
    return _bytes(text)


def _set(connection: DuckDBPyConnection, size: float) -> None:
    connection.execute(f"SET memory_limit = '{int(size) // 1_000_000 + 1}MB'")


def _bytes(text: str) -> float:
    size, _, unit = text.partition(" ")
    return float(size) * 1024.0 ** _UNITS.index(unit)


def _physical() -> int:
    """Return the bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
