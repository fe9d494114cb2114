"""A task that the configuration says after the logs were read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from leaves import assert_alike, leaves

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = {"generated_at", "system", "provenance"}


def write(logs: Path) -> None:
    """Thirty classes that look like numbers, with labels late and within."""
    logs.mkdir()
    records, labels = [], []
    for i in range(600):
        at = f"2026-11-01T10:{i // 60:02d}:{i % 60:02d}Z"
        record: dict[str, Any] = {
            "timestamp": at,
            "id": f"r{i}",
            "version": "v1",
            "prediction": i % 30,
            "x": i % 7,
        }
        record["score"] = (i % 97) / 97
        if i % 3 == 0:
            record["label"] = i % 30 if i % 5 else 0
        elif i % 3 == 1:
            labels.append(
                {"timestamp": "2026-11-01T12:00:00Z", "id": f"r{i}", "label": i % 30 if i % 4 else 1}
            )
        records.append(record)
    for name, rows in (("a.jsonl", records), ("b.jsonl", labels)):
        (logs / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def document(logs: Path, store: Path) -> dict[str, Any]:
    with mlwatch.open(logs, db=store) as opened:
        return dict(leaves(opened.snapshot().to_dict()["models"], MOMENT))


def test_it_is_as_if_it_had_been_said_from_the_start(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs)
    store = tmp_path / "store.duckdb"
    assert document(logs, store)[".logs.task"] == "regression", "thirty numbers look like values"
    (logs / "mlwatch.toml").write_text('[roles]\ntask = "multiclass"\n')
    late, fresh = document(logs, store), document(logs, tmp_path / "fresh.duckdb")
    assert late[".logs.task"] == "multiclass"
    performance = ".logs.versions.v1.performance.accuracy"
    assert late[f"{performance}.n"] == 400
    assert late[f"{performance}.value"] == pytest.approx(fresh[f"{performance}.value"])
    of_labels = (".performance", ".confusion", ".segments", ".label_lag_s", ".labelled", ".estimated")
    chosen = [
        {key: value for key, value in found.items() if any(part in key for part in of_labels)}
        for found in (late, fresh)
    ]
    assert len(chosen[0]) > 100
    assert_alike(*chosen)
