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


@pytest.mark.usual(1)
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
        said = {alert.rule for alert in opened.snapshot().alerts}

    assert (rows, features) == ([(10, 5)], [("age",)])
    assert said <= {"ingest: meaning of features"}  # that it is left out


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["given", "t", "p"])
def test_columns_may_be_called_as_a_statement_calls_its_rows(tmp_path: Path, name: str) -> None:
    select = f"SELECT {ROWS}, i % 2 AS prediction, 1.5 * i AS {name} FROM range(10) AS numbers(i)"
    write(tmp_path / "log.parquet", select)

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, rows = opened.query(f"SELECT count(*), sum({name}) FROM predictions")
        alerts = opened.snapshot().alerts

    assert (rows, alerts) == ([(10, 67.5)], ())


def test_a_map_in_the_reference_does_not_stop_it(tmp_path: Path) -> None:
    write(tmp_path / "log.parquet", f"SELECT {ROWS}, i % 2 AS prediction, i AS age FROM range(10) t(i)")
    write(tmp_path / "reference.parquet", "SELECT MAP {'a': 1} AS tags, i AS age FROM range(50) t(i)")

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, counts = opened.query("SELECT DISTINCT name FROM features")

    assert counts == [("age",)]


def test_columns_that_begin_late_are_read(tmp_path: Path) -> None:
    """They begin within a group of rows and at later ones, inside and outside of structs, or never."""
    write(
        tmp_path / "log.parquet",
        f"""SELECT {ROWS}, i % 2 AS prediction, CASE WHEN i >= 1500 THEN i % 2 END AS label,
            CASE WHEN i >= 5000 THEN 3.5 END AS latency_ms, CASE WHEN i = 7999 THEN 'NO' END AS country,
            {{'age': CASE WHEN i >= 4500 THEN 30 + i % 9 END}} AS features, CAST(NULL AS DOUBLE) AS never,
            {{'[1]': CASE WHEN i > 5000 THEN 1 END, 'x': 1}} AS odd
        FROM range(8000) t(i)""",
    )

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, counts = opened.query(
            "SELECT count(prediction), count(label), count(latency_ms), count(country), count(age) FROM predictions"
        )
        _, features = opened.query("SELECT name FROM features ORDER BY name")

    assert counts == [(8000, 6500, 3000, 1, 3500)]
    assert features == [("age",), ("country",)]


def test_predictions_behind_their_outcomes_are_read(tmp_path: Path) -> None:
    outcomes = f"SELECT {ROWS}, i % 2 AS label FROM range(4000) t(i)"
    predictions = f"SELECT {ROWS}, i % 2 AS prediction, i / 4000 AS score, i AS age FROM range(4000) t(i)"
    write(tmp_path / "log.parquet", f"{outcomes} UNION ALL BY NAME {predictions}")

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        ingest = opened.snapshot().to_dict()["ingest"]

    assert {name: ingest[name] for name in ("predictions", "outcomes", "rejected", "outcomes_unmatched")} == {
        "predictions": 4000,
        "outcomes": 4000,
        "rejected": 0,
        "outcomes_unmatched": 0,
    }


def test_a_column_that_begins_in_a_later_file_is_read(tmp_path: Path) -> None:
    first = f"SELECT {ROWS}, i % 2 AS prediction, CAST(NULL AS INTEGER) AS age FROM range(4000) t(i)"
    write(tmp_path / "log-1.parquet", first)
    later = "range(4000, 8000) t(i)"
    write(
        tmp_path / "log-2.parquet",
        f"SELECT {ROWS}, i % 2 AS prediction, CASE WHEN i >= 6000 THEN i END AS age FROM {later}",
    )

    with mlwatch.open(tmp_path, db=":memory:") as opened:
        _, counts = opened.query("SELECT count(*), count(age) FROM predictions")

    assert counts == [(8000, 2000)]
