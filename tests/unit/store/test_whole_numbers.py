"""Predictions and labels of which the first ones are whole numbers, and later ones are not."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 2**53 + 1
"""No double is so large and odd."""


def labels(first: int, last: int) -> list[dict[str, Any]]:
    """Return what was true of some requests: whole numbers of the first fifty, halves of the others."""
    return [
        {
            "request_id": f"r{i}",
            "label": i if i < 50 else i + 0.5,
            "timestamp": f"2026-11-03T09:{i // 60:02d}:00Z",
        }
        for i in range(first, last)
    ]


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def delimited(records: list[dict[str, Any]], *, header: bool = True) -> str:
    rows = [",".join(map(str, record.values())) for record in records]
    return "\n".join([*([",".join(records[0])] if header else []), *rows, ""])


def requests(logs: Path) -> None:
    """Log two hundred predictions, of which each is half above a whole number."""
    logs.mkdir()
    records = [
        {"timestamp": f"2026-11-03T08:{i // 60:02d}:00Z", "request_id": f"r{i}", "prediction": i + 0.5}
        for i in range(200)
    ]
    (logs / "p.jsonl").write_text(lines(records))


def errors(logs: Path, store: Path) -> tuple[int, float]:
    """Return how many labels were counted, and the mean absolute error."""
    with mlwatch.open(logs, db=store) as opened:
        (found,) = opened.snapshot().to_dict()["models"]["logs"]["versions"].values()
    return found["labelled"], found["performance"]["mae"]["value"]


def put(logs: Path, kind: str, part: int, records: list[dict[str, Any]]) -> None:
    """Write labels to a file of their own, or behind those that are there."""
    name, _, grows = kind.partition(" ")
    path = logs / f"labels{'' if grows else f'-{part}'}.{name}"
    match name:
        case "jsonl":
            text = lines(records)
        case "csv":
            text = delimited(records, header=not path.exists())
        case "jsonl.gz":
            path.write_bytes(gzip.compress(lines(records).encode()))
            return
        case _:
            rows = ", ".join(f"('{r['request_id']}', {r['label']}, '{r['timestamp']}')" for r in records)
            duckdb.sql(
                f"COPY (SELECT * FROM (VALUES {rows}) AS t(request_id, label, timestamp)) TO '{path}' (FORMAT parquet)"
            )
            return
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize("kind", ["jsonl grows", "csv grows", "jsonl", "csv", "jsonl.gz", "parquet"])
@pytest.mark.parametrize("looks", [1, 2])
def test_no_fraction_is_rounded_behind_whole_numbers(tmp_path: Path, kind: str, looks: int) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    requests(logs)
    put(logs, kind, 1, labels(0, 50))
    if looks == 2:
        assert errors(logs, store) == (50, 0.5)
    put(logs, kind, 2, labels(50, 200))
    assert errors(logs, store) == (200, 50 * 0.5 / 200)


def test_what_a_store_of_before_knows_of_a_file_rounds_nothing_either(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    requests(logs)
    put(logs, "jsonl grows", 1, labels(0, 50))
    errors(logs, store)
    with duckdb.connect(str(store)) as connection:
        (document,) = connection.execute("SELECT document FROM shapes WHERE key LIKE '%labels%'").fetchall()[
            0
        ]
    assert [["label"], "integer"] in json.loads(document)["physical"], "as every version has written it"
    put(logs, "jsonl grows", 2, labels(50, 200))
    assert errors(logs, store) == (200, 0.125)


@pytest.mark.parametrize("name", ["p.jsonl", "p.csv"])
def test_classes_stay_the_same_text_however_they_are_written(tmp_path: Path, name: str) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    written = [1, 0, LARGE, -7, *["1.0", "1.50", "1e3", "true", "nan", "cat", "007", f"{LARGE}", "0"]]
    pairs = [(f"r{i}", one) for i, one in enumerate(written)]
    start = "2026-11-03T08:00:00Z"
    if name == "p.csv":
        rows = [f"{start},{i},{one}" for i, one in pairs]
        head, first, rest = "timestamp,request_id,prediction\n", rows[:4], rows[4:]
    else:
        bare = {"1.0", "1.50", "1e3", "true"}
        rows = [
            f'{{"timestamp": "{start}", "request_id": "{i}", "prediction": '
            f"{one if isinstance(one, int) or one in bare else json.dumps(one)}}}"
            for i, one in pairs
        ]
        head, first, rest = "", rows[:4], rows[4:]
    (logs / name).write_text(head + "\n".join([*first, ""]))
    mlwatch.open(logs, db=store).close()
    with (logs / name).open("a") as file:
        file.write("\n".join([*rest, ""]))
    with mlwatch.open(logs, db=store) as opened:
        found = dict(opened.query("SELECT id, prediction FROM predictions")[1])
    want = ["1", "0", str(LARGE), "-7", "1", "1.5", "1000", "1", None, "cat", "007", str(LARGE), "0"]
    assert [found.get(i) for i, _ in pairs] == want


def test_a_file_with_marks_in_its_numbers_keeps_large_ones_and_fractions(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    rows = [f"2026-11-03T08:00:00Z;r{i};1.234,5;{label}" for i, label in enumerate(["7", "8", str(LARGE)])]
    (logs / "p.csv").write_text("\n".join(["timestamp;request_id;amount;prediction", *rows, ""]))
    mlwatch.open(logs, db=store).close()
    with (logs / "p.csv").open("a") as file:
        file.write(
            "2026-11-03T08:00:00Z;r3;1.234,5;1.234,25\n2026-11-03T08:00:00Z;r4;1.234,5;,5\n2026-11-03T08:00:00Z;r5;1.234,5;1.234\n"
        )
    with mlwatch.open(logs, db=store) as opened:
        found = opened.query("SELECT prediction FROM predictions ORDER BY id")[1]
    assert [one for (one,) in found] == ["7", "8", str(LARGE), "1234.25", "0.5", "1234"]


@pytest.mark.parametrize("kinds", [("BIGINT", "DOUBLE"), ("DOUBLE", "BIGINT")])
def test_tables_of_other_types_are_of_one_kind(tmp_path: Path, kinds: tuple[str, str]) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    logs.mkdir()
    values = {"BIGINT": f"3, {LARGE}" if kinds[0] == "BIGINT" else "3, 4", "DOUBLE": "3.0, 4.25"}
    for part, kind in enumerate(kinds):
        duckdb.sql(
            f"""COPY (SELECT TIMESTAMP '2026-11-03 08:00:00' AS timestamp,
                '{kind}' || row_number() OVER () AS request_id,
                CAST(p AS {kind}) AS prediction FROM (SELECT UNNEST([{values[kind]}]) AS p))
            TO '{logs / f"p-{part}.parquet"}' (FORMAT parquet)"""
        )
        with mlwatch.open(logs, db=store) as opened:
            found = dict(opened.query("SELECT id, prediction FROM predictions")[1])
    second = str(LARGE) if kinds[0] == "BIGINT" else "4"
    assert found == {"BIGINT1": "3", "BIGINT2": second, "DOUBLE1": "3", "DOUBLE2": "4.25"}
