"""A file of any format that was read in part when mlwatch was stopped is read on at the next start, as it is."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import zstandard

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.store.ingest import Progress

RECORDS = 400


def record(number: int) -> dict[str, Any]:
    return {
        "timestamp": f"2026-11-03T10:{number // 60:02d}:{number % 60:02d}Z",
        "version": "v1",
        "age": number,
        "city": f"c{number % 3}",
        "prediction": number % 2,
        "latency_ms": 5.5,
    }


def written() -> bytes:
    return "".join(json.dumps(record(number)) + "\n" for number in range(RECORDS)).encode()


def delimited() -> bytes:
    rows = [",".join(record(0)), *(",".join(map(str, record(n).values())) for n in range(RECORDS))]
    return ("\n".join(rows) + "\n").encode()


def wrapped() -> bytes:
    return b"".join(b"2026-11-03 10:00:00,123 INFO served " + line + b"\n" for line in written().splitlines())


def captured() -> bytes:
    lines = []
    for number in range(RECORDS):
        at = f"2026-11-03T10:{number // 60:02d}:{number % 60:02d}Z"
        data = {"endpointInput": {"data": f"{number},2.5", "encoding": "CSV"},
                "endpointOutput": {"data": "0.7", "encoding": "CSV"}}  # fmt: skip
        event = {
            "captureData": data,
            "eventMetadata": {"eventId": f"e{number}", "inferenceTime": at},
            "eventVersion": "0",
        }
        lines.append(json.dumps(event))
    return ("\n".join(lines) + "\n").encode()


def as_parquet(path: Path) -> None:
    text = path.parent.parent / "all.jsonl"
    text.write_bytes(written())
    duckdb.connect().execute(f"COPY (FROM read_json('{text}')) TO '{path}' (FORMAT parquet)")


FILES: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda path: path.write_bytes(written()),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(written())),
    "a.jsonl.zst": lambda path: path.write_bytes(zstandard.compress(written())),
    "a.json": lambda path: path.write_text(json.dumps([record(number) for number in range(RECORDS)])),
    "run-on": lambda path: path.write_bytes(written().replace(b"\n", b"")),
    "a.csv": lambda path: path.write_bytes(delimited()),
    "a.log": lambda path: path.write_bytes(wrapped()),
    "capture.jsonl": lambda path: path.write_bytes(captured()),
    "a.parquet": as_parquet,
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", FILES)
def test_nothing_is_lost_or_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    FILES[name](logs / name)
    for limit in ("feeding.BLOCK_BYTES", "feeding.FIRST_BYTES", "feeding.BATCH_BYTES", "natives.GROUP_BYTES"):
        monkeypatch.setattr(f"mlwatch.store.{limit}", 4000)
    monkeypatch.setattr("mlwatch.sources.readers.IMPORT_BYTES", 4000)
    monkeypatch.setattr("mlwatch.sources.parquet.FIRST_ROWS", 10)
    monkeypatch.setattr("mlwatch.sources.parquet.PARQUET_ROWS", 20)
    monkeypatch.setattr("mlwatch.sources.parquet.GROUP_ROWS", 10)
    options = Options(logs, db=tmp_path / "store.duckdb")

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with Session(options) as session:
        with pytest.raises(KeyboardInterrupt):
            session.ingest_all(interrupt)
        begun = session.snapshot().ingest.predictions
    assert 0 < begun < RECORDS
    for _ in range(2):
        with Session(options) as session:
            session.ingest_all()
            ingest = session.snapshot().ingest
            sums = session.query("SELECT COUNT(*), COUNT(DISTINCT ts) FROM predictions")[1]
        assert (ingest.records, ingest.rejected, ingest.duplicates) == (RECORDS, 0, 0)
        assert sums == [(RECORDS, RECORDS)]
