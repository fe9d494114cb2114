"""Conventions of monitoring tools: columns by any name, labels in a file of their own that has no time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS = ("id", "prediction", "score", "label")


def test_nannyml_targets_lie_beside(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("nannyml")
    with take() as taken:
        assert taken.predictions(*COLUMNS, "car_value", "salary_range") == [
            ("50000", "1", 0.99, None, 12638.0, "0 - 20K €"),
            ("50001", "0", 0.07, None, 52425.0, "20K - 40K €"),
            ("50002", "1", 1.0, None, 20369.0, "40K - 60K €"),
        ]
        assert taken.rows("SELECT id, label, matched FROM outcomes ORDER BY id") == [
            ("50000", "1", True),
            ("50001", "1", True),
        ]
        assert taken.quarantined() == [
            ("analysis.csv", 5, "no usable time"),
            ("target.csv", 4, "an id without label"),
        ]


def test_evidently_columns_are_what_the_definition_says(
    given: Callable[[str], None], take: Callable[[], Any]
) -> None:
    given("evidently")
    with take() as taken:
        assert taken.predictions(*COLUMNS, "carrier", "store", "distance", "code") == [
            ("1", "0", 0.19, "0", "UA", "7", 1400.0, 5.0),
            ("2", "0", 0.25, "1", "AA", "8", 1089.0, 6.0),
            ("3", "1", 0.75, "1", "DL", "7", 733.0, 7.0),
        ]
        assert taken.rows("SELECT name FROM features ORDER BY name") == [
            *(("carrier",), ("code",), ("distance",), ("store",))
        ]
        assert taken.totals.rejected == 0


def test_arize_with_actuals_of_either_kind(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("arize")
    with take() as taken:
        assert taken.predictions(*COLUMNS, "distance") == [
            ("a1", "delayed", 0.73, "on_time", 1089.0),
            ("a2", "on_time", 0.25, None, 1400.0),
            ("a3", "on_time", 0.125, "on_time", 733.0),
        ]
        assert taken.rows("SELECT id, label, matched FROM outcomes") == [("a2", "delayed", True)]
        assert taken.rows("SELECT name FROM features ORDER BY name") == [("distance",), ("feature/carrier",)]


def test_arize_regression(logs: Path, take: Callable[[], Any]) -> None:
    (logs / "p.csv").write_text(
        "prediction_id,prediction_ts,prediction_score,actual_score\n"
        + "".join(f"p{number},179370000{number},{number}.5,{number}.25\n" for number in range(5))
    )
    with take() as taken:
        assert taken.predictions(*COLUMNS)[:2] == [("p0", "0.5", None, "0.25"), ("p1", "1.5", None, "1.25")]
        assert taken.rows("SELECT task FROM models") == [("regression",)]


@pytest.mark.usual(1)
@pytest.mark.parametrize(("setting", "first"), [("", "1"), ('prediction = "other"', "9")])
def test_the_configuration_wins(setting: str, first: str, logs: Path, take: Callable[[], Any]) -> None:
    (logs / "a.csv").write_text("id,timestamp,y_pred,other\na,2026-11-03T10:00:00Z,1,9\n")
    (logs / "mlwatch.toml").write_text(f"[roles]\n{setting}\n")
    with take() as taken:
        assert taken.predictions("prediction") == [(first,)]


def test_the_score_of_a_search_is_not_the_models(logs: Path, take: Callable[[], Any]) -> None:
    source = {"timestamp": "2026-11-03T09:00:00Z", "prediction": 1, "features": {"age": 30}}
    around = {"_index": "predictions", "_id": "e7", "_version": 3, "_score": 1.0}
    hits = [{**around, "_source": {**source, "request_id": f"r{n}", "score": n / 4}} for n in range(4)]
    (logs / "hits.jsonl").write_text("".join(json.dumps(hit) + "\n" for hit in hits), encoding="utf-8")
    with take() as taken:
        assert taken.predictions("id", "version", "score", "age") == [
            (f"r{n}", "-", n / 4, 30.0) for n in range(4)
        ]
        assert taken.rows("SELECT name FROM features") == [("age",)]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("inside", "around"),
    [
        (
            "jsonPayload",
            {
                "insertId": "i7",
                "logName": "projects/p/logs/stdout",
                "severity": "INFO",
                "resource": {"type": "k8s_container"},
                "labels": {"app": "serving"},
                "receiveTimestamp": "2026-11-03T10:00:01Z",
            },
        ),
        ("message", {"host": "h", "level": "info"}),
    ],
)
def test_records_that_are_objects_in_an_entry(
    inside: str, around: dict[str, Any], logs: Path, take: Callable[[], Any]
) -> None:
    record = {"request_id": "r1", "model": "m", "version": "v2", "prediction": 1, "score": 0.25}
    entry = {**around, inside: {**record, "features": {"age": 30}}, "timestamp": "2026-11-03T10:00:00Z"}
    (logs / "entries.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    with take() as taken:
        assert taken.predictions("id", "model", "version", "prediction", "score", "age") == [
            ("r1", "m", "v2", "1", 0.25, 30.0)
        ]
        assert taken.rows("SELECT name FROM features") == [("age",)]
