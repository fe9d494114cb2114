"""What a model is for, as more of its predictions become known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlwatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def append(logs: Path, values: Sequence[Any], first: int = 0, **more: Any) -> None:
    """Log predictions whose labels are those of the requests before, so that some are wrong."""
    logs.mkdir(exist_ok=True)
    with (logs / "p.jsonl").open("a") as file:
        for i, value in enumerate(values, start=first):
            record = {
                "timestamp": f"2026-11-03T{8 + i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z",
                "request_id": f"r{i}",
                "model": "m",
                "version": "v1",
                "prediction": value,
                "label": values[max(0, i - first - (i % 3 == 0))],
                "x": i % 7,
                **more,
            }
            file.write(json.dumps(record) + "\n")


def models(logs: Path, store: Path | str) -> dict[str, Any]:
    """Read what is new, and return what is known of the models."""
    with mlwatch.open(logs, db=store) as opened:
        found: dict[str, Any] = opened.snapshot().to_dict()["models"]
    return found


def test_codes_with_zeros_before_them_are_classes(tmp_path: Path) -> None:
    codes = [f"{i * 7 % 59 + 1:05d}" for i in range(600)]
    append(tmp_path / "logs", codes)
    found = models(tmp_path / "logs", ":memory:")["m"]
    assert found["task"] == "multiclass"
    assert found["versions"]["v1"]["performance"]["accuracy"]["value"] == 1 - 199 / 600
    append(tmp_path / "some", [f"{i % 59 + 1:02d}" for i in range(600)])
    assert models(tmp_path / "some", ":memory:")["m"]["task"] == "multiclass", "of most no zero is written"
    append(tmp_path / "values", [f"{i % 59 / 10}" for i in range(600)])
    assert models(tmp_path / "values", ":memory:")["m"]["task"] == "regression", "0.5 is a value"
