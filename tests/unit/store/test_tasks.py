"""A task that the configuration says after the logs were read."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
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


KEEP = '[store]\nkeep = "1d"\n'
CHAT = [
    {
        "timestamp": f"2026-11-04T00:{i // 60:02d}:{i % 60:02d}Z",
        "request_id": f"t{i}",
        "model": "chat",
        "version": "c1",
        "prediction": f"the answer is {'abcdefgh'[i % 8] * 120} {i}",
        "status": 200,
    }
    for i in range(300)
]


def three_days(logs: Path) -> None:
    """A labelled model of which one day's rows are kept."""
    logs.mkdir()
    dice = random.Random(1)
    records = [
        {
            "timestamp": (datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=86.4 * i)).isoformat(),
            "request_id": f"r{i}",
            "model": "m",
            "version": "v1",
            "x": dice.random(),
            "c": dice.choice("abc"),
            "prediction": i % 2,
            "score": (i * 37 % 1000) / 1000,
            "label": i % 2 if i % 10 else 1 - i % 2,
            "status": 200 if i % 20 else 503,
        }
        for i in range(3000)
    ]
    append(logs / "a.jsonl", records)
    (logs / "mlwatch.toml").write_text(KEEP)


def append(path: Path, records: list[dict[str, Any]]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def counted(logs: Path, store: Path) -> tuple[int, dict[str, Any]]:
    """Return how many rows of the model are stored, and what is counted of labels, by segment and by kind of error."""
    with mlwatch.open(logs, db=store) as opened:
        opened.snapshot()
        kept = opened.query("SELECT COUNT(*) FROM predictions WHERE model = 'm'")[1][0][0]
        tables = ("r_outcomes_3600", "r_scores_86400", "r_decided_86400", "r_errors_3600")
        sums = {
            name: opened.query(f"SELECT SUM(n) FROM {name} WHERE model = 'm'")[1][0][0] for name in tables
        }
        by_feature = (
            "SELECT feature, SUM(n) FROM r_segments_86400 WHERE model = 'm' GROUP BY feature ORDER BY feature"
        )
        return kept, {**sums, "segments": opened.query(by_feature)[1]}


@pytest.mark.usual(1)
@pytest.mark.parametrize("change", ["another model answers in words", "outputs are configured"])
def test_what_rows_are_gone_of_stays_counted(tmp_path: Path, change: str) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    three_days(logs)
    _, before = counted(logs, store)
    if change == "outputs are configured":
        (logs / "mlwatch.toml").write_text(f"{KEEP}[outputs]\ninput_price = {{gpt = 2.5}}\n")
    else:
        append(logs / "b.jsonl", CHAT)
    kept, after = counted(logs, store)
    assert kept < 1100
    assert after == before
    assert before["r_outcomes_3600"] == 2850


@pytest.mark.deep
def test_segments_that_are_followed_already_keep_what_they_have(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    three_days(logs)
    _, before = counted(logs, store)
    more = [
        {
            "timestamp": f"2026-11-04T00:{i // 60:02d}:{i % 60:02d}Z",
            "request_id": f"n{i}",
            "model": "m",
            "version": "v1",
            "x": 0.5,
            "c": "a",
            "fresh": i / 300,
            "prediction": 1,
            "score": 0.9,
            "label": 1,
            "status": 200,
        }
        for i in range(300)
    ]
    append(logs / "a.jsonl", more)
    counted(logs, store)
    kept, after = counted(logs, store)
    assert kept < 1400
    old = dict(before["segments"])
    new = dict(after["segments"])
    assert {feature: new[feature] - n for feature, n in old.items()} == dict.fromkeys(old, 300)
    assert len(new) == len(old) + 1
    (logs / "mlwatch.toml").write_text(f'{KEEP}[segments]\ncolumns = ["c"]\n')
    _, last = counted(logs, store)
    assert len(last["segments"]) == 1
    assert set(last["segments"]) < set(after["segments"])


@pytest.mark.usual(1)
@pytest.mark.parametrize("first", ["classes", "values"])
def test_of_classes_no_numbers_are_summed_whichever_model_came_first(tmp_path: Path, first: str) -> None:
    """Two engines, and two orders of files, count the same then."""
    draw = random.Random(3)
    rows: dict[str, list[tuple[float, float]]] = {
        "classes": [(i % 2, i % 3 % 2) for i in range(60)],
        "values": [(draw.gauss(50, 9), draw.gauss(50, 9)) for _ in range(60)],
    }
    for model in (first, *(rows.keys() - {first})):
        named = {"timestamp": "2026-11-01T10:00:00Z", "model": model}
        lines = [
            json.dumps(named | {"id": f"{model}{i}", "prediction": answer, "label": label})
            for i, (answer, label) in enumerate(rows[model])
        ]
        (tmp_path / f"{model}.jsonl").write_text("\n".join(lines) + "\n")
        with mlwatch.open(tmp_path, db=tmp_path / "store.duckdb") as opened:
            found = opened.query(
                "SELECT model, SUM(n), SUM(n_number) FROM r_outcomes_60 GROUP BY 1 ORDER BY 1"
            )
    assert found[1] == [("classes", 60, 0), ("values", 60, 60)]
