"""Write the records of the sample logs to files, as untidy as real ones."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NUMERIC = ("dep_delay", "sched_hour", "distance", "temp", "wind_speed", "visib", "precip")
"""Minutes, hour of the day, miles, degrees Fahrenheit, miles per hour, miles, inches."""
CATEGORICAL = ("weekday", "carrier", "origin", "dest")

PARQUET_HOUR, CSV_HOUR, DAMAGED_HOUR, TWICE_HOUR = 6, 7, 13, 15
ROTATED_HOURS = range(11)


def write_predictions(directory: Path, records: list[dict[str, Any]]) -> None:
    """Write a file an hour: rotated ones compressed, one as Parquet, one as CSV, one with damaged lines."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, found in _by_file(records, hours=1).items():
        hour = int(name[-2:])
        if hour == PARQUET_HOUR:
            write_parquet(directory / f"{name}.parquet", found)
        elif hour == CSV_HOUR:
            write_csv(directory / f"{name}.csv", found)
        else:
            lines = [_json(record) for record in found]
            lines = _twice(lines) if hour == TWICE_HOUR else lines
            lines = _damage(lines) if hour == DAMAGED_HOUR else lines
            _write(directory / f"{name}.jsonl", lines, compress=hour in ROTATED_HOURS)


def _twice(lines: list[str]) -> list[str]:
    """Repeat ten lines at once and five at the end, as a shipper does that lost its place."""
    repeated = [line for i, line in enumerate(lines) for line in [line] * (2 if 100 <= i < 110 else 1)]
    return repeated + lines[200:205]


def _damage(lines: list[str]) -> list[str]:
    """Add lines that cannot be used: cut short, without a time, with a time that is none, not JSON at all."""
    template = json.loads(lines[0])
    timeless = {key: value for key, value in template.items() if key != "timestamp"}
    bad = [
        lines[10][:120],
        _json({**timeless, "request_id": "x00001"}),
        _json({**timeless, "request_id": "x00002"}),
        _json({**template, "timestamp": "yesterday", "request_id": "x00003"}),
        "Traceback (most recent call last):",
        lines[40][:61],
    ]
    step = len(lines) // (len(bad) + 1)
    for place, line in zip(range(step * len(bad), 0, -step), bad, strict=True):
        lines = [*lines[:place], line, *lines[place:]]
    return lines


def write_parquet(path: Path, found: list[dict[str, Any]]) -> None:
    """Write records as Parquet, with features as a struct and times as times."""
    nested = pa.struct([(n, pa.float64()) for n in NUMERIC] + [(n, pa.string()) for n in CATEGORICAL])
    schema = pa.schema([
        ("timestamp", pa.timestamp("ms", tz="UTC")), ("request_id", pa.string()), ("model", pa.string()),
        ("version", pa.string()), ("features", nested), ("prediction", pa.int64()), ("score", pa.float64()),
        ("latency_ms", pa.float64()), ("status", pa.int64()), ("error", pa.string()),
    ])  # fmt: skip
    rows = [{**record, "timestamp": pd.Timestamp(record["timestamp"])} for record in found]
    pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")


def write_csv(path: Path, found: list[dict[str, Any]]) -> None:
    """Write records as CSV, with dotted names for the features and nothing where nothing is."""
    table = pd.json_normalize(found)
    whole = ["prediction", *(f"features.{name}" for name in NUMERIC)]
    for name in whole:
        table[name] = table[name].map(lambda value: "" if pd.isna(value) else f"{value:g}")
    table.to_csv(path, index=False, lineterminator="\n")


def write_stream(directory: Path, records: list[dict[str, Any]], hours: int) -> None:
    """Write records to a file for every so many hours."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, found in _by_file(records, hours).items():
        _write(directory / f"{name}.jsonl", [_json(record) for record in found])


def _by_file(records: list[dict[str, Any]], hours: int) -> dict[str, list[dict[str, Any]]]:
    files: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        begin = pd.Timestamp(record["timestamp"]).floor(f"{hours}h")
        files.setdefault(f"{begin:%Y-%m-%dT%H}", []).append(record)
    return files


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"))


def _write(path: Path, lines: Iterable[str], *, compress: bool = False) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    if compress:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text, mtime=0))
    else:
        path.write_bytes(text)
