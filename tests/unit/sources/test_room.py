"""The engine forgets what it has read when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from mlwatch.sources import room

if TYPE_CHECKING:
    from pathlib import Path


def used(connection: duckdb.DuckDBPyConnection) -> int:
    (found,) = connection.execute("SELECT SUM(memory_usage_bytes) FROM duckdb_memory()").fetchall()
    return int(found[0])


def limit(connection: duckdb.DuckDBPyConnection) -> str:
    (found,) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    return str(found[0])


@pytest.fixture
def read(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A database of some 32 MB, all of which was just read."""
    path = str(tmp_path / "store.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT hash(i) AS h FROM range(4_000_000) AS r(i)")
    connection = duckdb.connect(path)
    connection.execute("SET memory_limit = '256MB'")
    connection.execute("SELECT SUM(h) FROM t").fetchall()
    return connection


def test_it_keeps_no_more_than_it_is_left(
    read: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CACHE", 8_000_000)
    before = limit(read)
    assert used(read) > 20_000_000
    room.forget(read)
    assert used(read) <= 8_000_000
    assert limit(read) == before
    assert read.execute("SELECT COUNT(DISTINCT h) FROM t").fetchall() == [(4_000_000,)]


def test_where_more_is_in_use_all_stays(
    read: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CACHE", 1000)
    before = limit(read)
    read.execute("CREATE TEMP TABLE held AS FROM range(1000)")
    room.forget(read)
    assert limit(read) == before
