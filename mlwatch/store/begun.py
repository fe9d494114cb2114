"""A store whose making was cut short, by a full disk or a kill: it holds nothing, and is begun anew where it lies.

The engine writes three headers into a new file, and opens none that has fewer.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

from mlwatch.sources.pathnames import engine_name
from mlwatch.store.locks import lock
from mlwatch.store.places import log_of

HEADERS = 3 * 4096
MARK = b"DUCK"
"""What stands in every file of the engine."""
_MARK_AT = 8


def is_marked(head: bytes) -> bool:
    """Tell whether the first bytes of a file are those of the engine's files."""
    return head[_MARK_AT : _MARK_AT + len(MARK)] == MARK


def holds_nothing(path: Path) -> bool:
    """Tell whether a file is a database that was only begun; one that cannot be read is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _is_begun(file)
    except OSError:
        return False


def begin_anew(path: Path) -> bool:
    """Make an empty database of one that was only begun; return whether no other process holds it.

    It is written into the file itself: whoever opened it meanwhile finds what we made, or locks us out.

    Raises:
        OSError: when it cannot be written.
    """
    with path.open("r+b") as file:
        try:
            lock(file, as_engine=True)
        except OSError:
            return False
        if _is_begun(file):  # nobody was faster
            log_of(path).unlink(missing_ok=True)  # of a database that is gone: the engine removes it as well
            file.seek(0)
            file.write(_empty(path.parent))
    return True


def _is_begun(file: IO[bytes]) -> bool:
    head = file.read(HEADERS)
    return len(head) < HEADERS and (not head or is_marked(head))


def _empty(beside: Path) -> bytes:
    """Return what the engine makes of a database without tables; made on the store's disk, which may be full."""
    import duckdb  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="mlwatch-empty-", dir=beside) as directory:
        path = Path(directory) / "empty.duckdb"
        duckdb.connect(engine_name(path)).close()
        return path.read_bytes()
