"""Records for small log directories."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mlwatch.snapshot.types import Snapshot

Record = Mapping[str, Any]
Take = Callable[[], Snapshot]
SampleStore = Callable[[], Path]


def prediction(number: int, **changes: Any) -> dict[str, Any]:
    """Return one prediction record; its label would be `number % 3 == 0`."""
    return {
        "timestamp": f"2026-11-03T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "request_id": f"r{number}",
        "model": "m",
        "version": "v1",
        "features": {"age": float(number), "city": "abc"[number % 3]},
        "prediction": number % 2,
        "score": 0.9 if number % 2 else 0.1,
        "latency_ms": 1.0 + number,
        "status": 200,
        **changes,
    }


def lines(records: Iterable[Record]) -> str:
    """Write records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def without_ids(first: int, last: int, **changes: Any) -> str:
    """Return the lines of predictions without ids: one that is read twice is counted twice."""
    records = [prediction(number, **changes) for number in range(first, last)]
    for record in records:
        del record["request_id"]
    return lines(records)
