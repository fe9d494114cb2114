"""Records one behind the other without a line's end, as delivery streams write them into objects of a bucket."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

import mlwatch
from mlwatch.sources.files import format_of

if TYPE_CHECKING:
    from pathlib import Path


def record(number: int) -> dict[str, Any]:
    return {
        "timestamp": f"2026-11-03T10:{number // 60:02d}:{number % 60:02d}Z",
        "request_id": f"r{number}",
        "version": "v1",
        "features": {"age": number % 7, "note": "a }{ in a text"},
        "prediction": number % 2,
        "score": 0.25,
    }


def run_on(numbers: range) -> bytes:
    return "".join(json.dumps(record(number)) for number in numbers).encode()


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["stream-1-2026-11-03-09-00-00", "stream.gz", "stream.log"])
def test_they_are_read_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    data = run_on(range(300))
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        ingest = watch.snapshot().ingest
        sums = watch.query("SELECT COUNT(*), COUNT(DISTINCT id), SUM(age), MIN(note) FROM predictions")[1]
    assert (ingest.records, ingest.rejected, ingest.duplicates) == (300, 0, 0)
    assert sums == [(300, 300, sum(number % 7 for number in range(300)), "a }{ in a text")]


def test_what_is_written_behind_them_later_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(run_on(range(50)))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        with path.open("ab") as file:
            file.write(run_on(range(50, 80)))
        watch.ingest_all()
        ingest = watch.snapshot().ingest
    assert (ingest.records, ingest.rejected, ingest.duplicates) == (80, 0, 0)


def test_one_record_a_line_stays_lines(tmp_path: Path) -> None:
    line = json.dumps(record(1)).encode()
    assert format_of(line + b"\n" + line, "a", tmp_path) == "jsonl"
    assert format_of(line, "a", tmp_path) == "jsonl"
    assert format_of(line[:-1], "a", tmp_path) == "jsonl"
    assert format_of(line + line, "a", tmp_path) == "json"
