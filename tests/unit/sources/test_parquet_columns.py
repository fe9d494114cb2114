"""Columns of Parquet files: what is read of nested ones, and of those that are empty in the first rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

ROWS = "TIMESTAMP '2026-11-20 10:00:00' + INTERVAL 1 SECOND * i AS timestamp, 'r' || i AS request_id, 'v1' AS version"


def write(path: Path, select: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")


@pytest.mark.parametrize(
    "column",
    [
        "MAP {'a': 0.5} AS features",
        "MAP {'a': {'b': 1}} AS tags",
        "{'tags': MAP {'a': 1}} AS features",
        "CAST('{\"a\": 1}' AS JSON) AS tags",
    ],
)
def test_a_column_that_is_not_read_does_not_stop_the_others(tmp_path: Path, column: str) -> None:
    select = f"SELECT {ROWS}, i % 2 AS prediction, {{'age': 1.5 * i}} AS inputs, {column} FROM range(10) t(i)"
    write(tmp_path / "log.parquet", select)

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, rows = opened.query("SELECT count(*), sum(CAST(prediction AS INTEGER)) FROM predictions")
        _, features = opened.query("SELECT name FROM features")
        alerts = opened.snapshot().alerts

    assert (rows, features, alerts) == ([(10, 5)], [("age",)], ())


def test_a_map_in_the_reference_does_not_stop_it(tmp_path: Path) -> None:
    write(tmp_path / "log.parquet", f"SELECT {ROWS}, i % 2 AS prediction, i AS age FROM range(10) t(i)")
    write(tmp_path / "reference.parquet", "SELECT MAP {'a': 1} AS tags, i AS age FROM range(50) t(i)")

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, counts = opened.query("SELECT DISTINCT name FROM features")

    assert counts == [("age",)]
