"""Inference tables: bodies as JSON text in the cells, the same rows as JSON lines, CSV and Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("id", "model", "version", "prediction", "score", "latency_ms", "status", "failed")
FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
DATABRICKS = [
    ("d1/0", "flights", "3", "0", 0.25, 37.0, 200, False),
    ("d1/1", "flights", "3", "1", 0.75, None, 200, False),
    ("order-2", "flights", "3", "1", 0.5, 12.0, 200, False),
    ("d3", "flights", "3", "1", 1.0, 12.0, 200, False),
    ("d4", "flights", "3", None, None, 3.0, 400, True),
]


def test_databricks_of_either_form(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("databricks")
    with take() as taken:
        chat = ("g1", "chat", "chat-2", "stop", None, 640.0, 200, False)
        assert taken.predictions(*COLUMNS) == [*DATABRICKS, chat]
        assert taken.predictions("carrier", "distance", "max_tokens") == [
            ("UA", 1400.0, None),
            ("AA", 1089.0, None),
            ("DL", 733.0, None),
            ("B6", 5.0, None),
            (None, None, None),
            (None, None, 64.0),
        ]
        assert taken.quarantined() == [
            ("payload.jsonl", 5, "not valid JSON"),
            ("payload.jsonl", 6, "no usable time"),
        ]


def records() -> list[dict[str, Any]]:
    lines = (FORMATS / "databricks" / "payload.jsonl").read_text().splitlines()
    return [json.loads(line) for number, line in enumerate(lines) if number != 4]


@pytest.mark.usual(1)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_databricks_as_a_table(kind: str, logs: Path, take: Callable[[], Any]) -> None:
    rows = records()
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), logs / "part-0.snappy.parquet")
    else:
        cells = [{**row, "request_metadata": json.dumps(row["request_metadata"])} for row in rows]
        pd.DataFrame(cells).to_csv(logs / "export.csv", index=False)
    with take() as taken:
        assert taken.predictions(*COLUMNS) == DATABRICKS
        assert [(line, reason) for _, line, reason in taken.quarantined()] == [
            (5 if kind == "parquet" else 6, "no usable time")
        ]
    with take() as taken:
        assert taken.totals.predictions == 5


def test_vertex_old_and_new(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("vertex")
    with take() as taken:
        endpoint = ("6541332445566", "7788990011")
        assert taken.predictions("id", "model", "version", "prediction", "score", "label") == [
            ("v1/0", *endpoint, "0", 0.25, None),
            ("v1/1", *endpoint, "1", 0.75, None),
            ("v2", *endpoint, "1", 0.875, None),
            ("v3", *endpoint, "a", 0.9, None),
            (None, "flight_delay", "v3", "1", None, "0"),
        ]
        assert taken.predictions("carrier", "distance", "f0", "f1") == [
            ("UA", 1400.0, None, None),
            ("AA", 1089.0, None, None),
            (None, None, 5.0, "x"),
            (None, None, 1.0, "y"),
            (None, None, 1400.0, "z"),
        ]
        assert taken.quarantined() == [("log.jsonl", 4, "no usable time")]


def test_a_sample_stands_for_all_requests(logs: Path, tmp_path: Path) -> None:
    first, *_ = records()
    rows = [
        {**first, "databricks_request_id": f"d{second}", "timestamp_ms": 1793700000000 + 1000 * second}
        for second in range(101)
    ]
    for row, number in zip(rows, range(101), strict=True):
        row["sampling_fraction"] = 0.25 if number % 2 else 0.1
    (logs / "payload.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        found = session.snapshot()
    version = found.models["flights"].versions["3"]
    assert version.predictions == 202  # two instances a request
    stands_for = 2 * (50 / 0.25 + 51 / 0.1)
    assert version.throughput_per_s == pytest.approx(throughput(logs) * stands_for / 202)
    assert any("the logs hold a sample" in alert.message for alert in found.alerts)


def throughput(logs: Path) -> float:
    """Return the throughput of the same requests when all are logged."""
    path = logs / "payload.jsonl"
    rows = [{**json.loads(line), "sampling_fraction": 1.0} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot().models["flights"].versions["3"].throughput_per_s
    assert found is not None
    return found


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("answer", "prediction", "score"),
    [
        ({"classes": ["no", "yes"], "scores": [0.2, 0.8]}, "yes", 0.8),
        ({"classes": ["yes", "no"], "scores": [0.2, 0.8]}, "no", 0.2),
        ({"ids": ["7", "8"], "displayNames": ["fraud", "legal"], "confidences": [0.75, 0.25]}, "fraud", 0.75),
        ({"labels": ["dog", "cat"], "scores": [0.25, 0.75]}, "cat", 0.25),
        ({"classes": ["a", "b", "c"], "scores": [0.2, 0.7, 0.1]}, "b", None),
        ({"classes": [0, 1], "scores": [0.625, 0.375]}, "0", 0.375),
        ({"classes": ["a", "b"], "scores": [1.0]}, "(object)", None),
        ({"classes": "a", "scores": [1.0, "x"]}, "(object)", None),
        ({"classes": [], "scores": []}, "(object)", None),
        ({"score": 0.75}, "1", 0.75),
        ({"score": 0.25}, "0", 0.25),
        ({"score": -2.3, "x": 1}, None, -2.3),
        ({"probability": 0.25, "x": 1}, "0", 0.25),
        ({"predict": 1, "predict_proba": [0.375, 0.625]}, "1", 0.625),
        ({"prediction": 0, "probability_0": 0.75, "probability_1": 0.25}, "0", 0.25),
        ({"prediction": "ham", "prob_spam": 0.25, "prob_ham": 0.75, "took": 3}, "ham", 0.25),
        ({"prediction": 1, "probabilities": [[0.25, 0.75]]}, "1", 0.75),
        ({"label": "fraud", "scores": {"fraud": 0.75, "legit": 0.25}}, "fraud", 0.75),
        ({"fraud": 0.75, "legit": 0.25}, "fraud", 0.75),
        ({"a": 0.5, "b": 0.25, "c": 0.25}, "a", None),
        ({"data": {"names": ["t:0", "t:1"], "ndarray": [[0.375, 0.625]]}, "meta": {}}, "1", 0.625),
        ({"data": {"names": ["t:0", "t:1"], "tensor": {"shape": [1, 2], "values": [0.75, 0.25]}}}, "0", 0.25),
        ({"data": {"names": ["class"], "ndarray": [1]}}, "1", None),
        ({"data": {"names": ["proba"], "ndarray": [[0.625]]}, "meta": {}}, "1", 0.625),
        ({"data": {"names": ["a", "a"], "ndarray": [[0.25, 0.75]]}}, "1", 0.75),
        ({"a": 0.75, "b": "0.25"}, "(object)", None),
        ({"x": {"tensor": {"shape": [0, 2], "values": []}}, "y": 1}, "(object)", None),
    ],
)
def test_classes_beside_their_scores(
    answer: dict[str, Any], prediction: str | None, score: float | None, logs: Path, take: Callable[[], Any]
) -> None:
    """As servers answer: the class is the one they say or that of the largest score, the score the positive one's."""
    row = {
        "endpoint": "1",
        "deployed_model_id": "5",
        "logging_time": "2026-11-03 09:00:00 UTC",
        "request_id": "r",
        "request_payload": ['{"a": 1}'],
        "response_payload": [json.dumps(answer)],
    }
    (logs / "bq.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with take() as taken:
        assert taken.predictions("prediction", "score") == [(prediction, score)]
