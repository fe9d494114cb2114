"""The engine can write its log into the database while a session watches: nobody holds an old state of it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import duckdb

from mlwatch.asking import first_row
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

DEADLINE_S = 60.0
IN_A_ROW = 10


def checkpoints(connection: DuckDBPyConnection) -> bool:
    """Change a value and checkpoint: the engine refuses as long as anybody may still ask for the former value."""
    connection.execute("UPDATE meta SET value = value || ' ' WHERE key = 'a mark'")
    try:
        connection.execute("CHECKPOINT")
    except duckdb.TransactionException:
        return False
    return True


def test_what_watches_a_log_leaves_no_transaction_open(tmp_path: Path) -> None:
    line = '{"timestamp": 1762164000, "prediction": 1, "model": "m", "version": "1"}\n'
    (tmp_path / "a.jsonl").write_text(line * 500)
    with Session(Options(tmp_path, db=tmp_path / "s.duckdb")) as session:
        told, tell = threading.Event(), session._keeper._tell

        def listen() -> None:
            tell()
            told.set()

        session._keeper._tell = listen  # type: ignore[method-assign]
        session.start()
        assert told.wait(DEADLINE_S)
        session.snapshot()
        mine = session.connect()
        mine.execute("INSERT INTO meta VALUES ('a mark', '')")
        succeeded, until = 0, time.monotonic() + DEADLINE_S
        while succeeded < IN_A_ROW and time.monotonic() < until:
            succeeded = succeeded + 1 if checkpoints(mine) else 0  # now and then the session itself writes
        assert succeeded == IN_A_ROW


def test_a_first_row_leaves_none_open(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "s.duckdb")) as connection:
        connection.execute("CREATE TABLE meta AS SELECT 'a mark' AS key, '' AS value")
        asking, changing = connection.cursor(), connection.cursor()

        assert first_row(asking, "SELECT key FROM meta") == ("a mark",)
        assert checkpoints(changing)

        asking.execute("SELECT key FROM meta").fetchone()  # what it is there for
        assert not checkpoints(changing)
        assert first_row(asking, "SELECT key FROM meta WHERE key = 'none'") is None
        asking.close()
        changing.close()
