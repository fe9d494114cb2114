"""Requests and responses that are events of their own: joined by id, in any order, across files and restarts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.sources.formats import halves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS = ("id", "model", "version", "prediction", "score", "latency_ms")


def test_kserve_events_and_batches(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("kserve")
    with take() as taken:
        assert taken.predictions(*COLUMNS) == [
            ("k1/0", "flights", "default", "0", None, 18.5),
            ("k1/1", "flights", "default", "1", None, None),
            ("k2", "flights", "canary", "1", None, 250.0),
            ("k3/0", "flights", "7", "1", None, 4.0),
            ("k3/1", "flights", "7", "0", None, None),
            ("k5", "flights", "default", "0", None, 100.0),
            ("k7", "flights", "default", "1", None, 20.0),
        ]
        assert taken.predictions("f0", "f1", "distance", "carrier") == [
            (1400.0, 39.02, None, None),
            (1089.0, 39.92, None, None),
            (733.0, 40.0, None, None),
            (None, None, 100.5, "UA"),
            (None, None, 200.0, "AA"),
            (5.0, 5.0, None, None),
            (7.0, 7.0, None, None),
        ]
        assert taken.quarantined() == [
            ("events.jsonl", 4, "not valid JSON"),
            ("events.jsonl", 8, "no usable time"),
            ("later.jsonl", 2, "neither an inference request nor a response"),
        ]
        assert taken.rows("FROM waiting") == []


def test_seldon_tensors_are_rows(given: Callable[[str], None], take: Callable[[], Any]) -> None:
    given("seldon")
    with take() as taken:
        assert taken.predictions(*COLUMNS, "distance") == [
            ("m1/0", "flights", "v3", "0", None, 40.0, 1400.0),
            ("m1/1", "flights", "v3", "1", None, None, 1089.0),
            ("m2", "flights", "v3", "1", 0.75, None, 5.5),
        ]
        assert taken.quarantined() == [("payload.jsonl", 5, "neither an inference request nor a response")]


def test_azure_inputs_meet_their_outputs_row_by_row(
    given: Callable[[str], None], take: Callable[[], Any]
) -> None:
    given("azureml")
    with take() as taken:
        assert taken.predictions(*COLUMNS, "carrier", "distance") == [
            ("c1/0", "flights", "blue", "0", None, None, "UA", 1400.0),
            ("c1/1", "flights", "blue", "1", None, None, "AA", 1089.0),
            ("c2", "flights", "green", "1", None, None, "DL", 733.0),
        ]
        (file, line, reason), *more = taken.quarantined()
        assert (file, line, more) == ("model_inputs/2026/11/03/10/i1.jsonl", 3, [])
        assert reason.startswith("an event without data")


def test_azure_requests_meet_their_responses(logs: Path, take: Callable[[], Any]) -> None:
    place = "/workspaces/w/onlineEndpoints/churn/deployments/blue"
    bodies = {"request": {"data": [{"age": 38}]}, "response": [1]}
    for side, body in bodies.items():
        said = {"type": f"azureml.inference.{side}", "source": place, "correlationid": "c1", "data": body}
        (logs / f"{side}.jsonl").write_text(event(side, f"{side} c1", **said))
    with take() as taken:
        assert taken.predictions("id", "model", "version", "prediction", "age") == [
            ("c1", "churn", "blue", "1", 38.0)
        ]
        assert taken.rows("SELECT COUNT(*) FROM waiting") == [(0,)]


def event(side: str, name: str, **more: object) -> str:
    second = 1 if side == "request" else 2
    plain = {
        "specversion": "1.0",
        "type": f"org.kubeflow.serving.inference.{side}",
        "id": name,
        "time": f"2026-11-03T10:00:0{second}Z",
        "inferenceservicename": "m",
        "data": {"instances": [[1.5]]} if side == "request" else {"predictions": [1]},
    }
    return json.dumps({**plain, **more}) + "\n"


@pytest.mark.usual(1)
@pytest.mark.parametrize("least", [16 << 20, 0], ids=["with care", "straight"])
def test_a_half_waits_across_restarts_for_the_other(
    least: int, logs: Path, take: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.store.straight.LEAST_BYTES", least)
    names = [f"r{number}" for number in range(50)]
    (logs / "requests.jsonl").write_text("".join(event("request", name) for name in names))
    with take() as taken:
        assert (taken.totals.records, taken.rows("SELECT COUNT(*) FROM waiting")) == (0, [(50,)])
    (logs / "responses.jsonl").write_text("".join(event("response", name) for name in names[:20]))
    with take() as taken:
        assert (taken.totals.predictions, taken.rows("SELECT COUNT(*) FROM waiting")) == (20, [(30,)])
    with (logs / "responses.jsonl").open("a") as file:
        file.write("".join(event("response", name) for name in reversed(names[20:])))
    with take() as taken:
        assert sorted(taken.predictions("id", "latency_ms", "f0")) == sorted((n, 1000.0, 1.5) for n in names)
        assert (taken.totals.records, taken.totals.duplicates) == (50, 0)
        assert taken.rows("SELECT COUNT(*) FROM waiting") == [(0,)]


def test_a_half_delivered_twice_counts_once(logs: Path, take: Callable[[], Any]) -> None:
    twice = event("request", "r") * 2 + event("response", "r") * 2
    (logs / "a.jsonl").write_text(twice)
    with take() as taken:
        assert (taken.totals.predictions, taken.totals.records) == (1, 1)


def test_two_models_may_use_one_id(logs: Path, take: Callable[[], Any]) -> None:
    text = "".join(
        event(side, "r", inferenceservicename=model)
        for side in ("request", "response")
        for model in ("a", "b")
    )
    (logs / "a.jsonl").write_text(text)
    with take() as taken:
        assert taken.predictions("model", "id", order="model") == [("a", "r"), ("b", "r")]


def test_what_is_never_answered_is_a_failed_request(logs: Path, take: Callable[[], Any]) -> None:
    early, late = (
        {"time": "2026-11-03T10:00:00Z", "endpoint": "v1"},
        {"time": "2026-11-03T10:05:00Z", "endpoint": "v1"},
    )
    text = (
        event("request", "lost", **early) + event("request", "r", **late) + event("request", "last", **late)
    )
    (logs / "a.jsonl").write_text(text + event("response", "r", **late))
    with take() as taken:
        assert taken.predictions("id", "failed", "f0") == [("lost", True, 1.5), ("r", False, 1.5)]
        assert taken.rows("SELECT key, side FROM waiting") == [("m last", "request")]
    with (logs / "a.jsonl").open("a") as file:
        file.write(event("response", "lost", **late))
        file.write(event("request", "next", **{**late, "time": "2026-11-03T10:20:00Z"}))
        file.write(event("response", "next", **{**late, "time": "2026-11-03T10:20:00Z"}))
    with take() as taken:
        # an answer that comes after all counts for itself: labels are of it
        rows = [("lost", True), ("last", True), ("lost", False), ("r", False), ("next", False)]
        assert taken.predictions("id", "failed", order="ts, id") == rows
        assert (taken.totals.duplicates, taken.rows("FROM waiting")) == (0, [])


def test_responses_alone_are_predictions_without_features(logs: Path, take: Callable[[], Any]) -> None:
    for name in ("a", "b"):
        (logs / f"{name}.jsonl").write_text(event("response", name))
        with take() as taken:
            pass
    assert taken.totals.predictions == 2
    with take() as taken:
        assert taken.predictions("id", "prediction", "failed") == [("a", "1", False), ("b", "1", False)]


def test_files_that_come_one_by_one_are_waited_for(
    logs: Path, take: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "QUIET", timedelta(seconds=60))
    monkeypatch.setattr(halves, "SOON", timedelta(seconds=60))
    late = {"time": "2026-11-03T10:20:00Z"}
    (logs / "b.jsonl").write_text(event("response", "late", **late))
    with take() as taken:
        assert taken.totals.records == 0
    (logs / "a.jsonl").write_text(event("request", "early") + event("request", "late", **late))
    with take() as taken:
        assert taken.predictions("id") == [("late",)]
    (logs / "c.jsonl").write_text(event("response", "early"))
    with take() as taken:
        assert taken.predictions("id", "failed") == [("early", False), ("late", False)]


def test_batches_of_seldon_are_rows_with_names(logs: Path, take: Callable[[], Any]) -> None:
    kind = "io.seldon.serving.inference"
    given = {"data": {"names": ["age", "sum"], "tensor": {"shape": [2, 2], "values": [1.5, 10, 2.5, 20]}}}
    told = {"data": {"names": ["legit", "fraud"], "ndarray": [[0.25, 0.75], [0.625, 0.375]]}, "meta": {}}
    text = event("request", "r", type=f"{kind}.request", data=given)
    (logs / "a.jsonl").write_text(text + event("response", "r", type=f"{kind}.response", data=told))
    with take() as taken:
        assert taken.predictions("id", "prediction", "score", "age", "sum") == [
            ("r/0", "fraud", 0.75, 1.5, 10.0),
            ("r/1", "legit", 0.375, 2.5, 20.0),
        ]


def test_class_and_probabilities_are_two_outputs(logs: Path, take: Callable[[], Any]) -> None:
    """As MLServer's runtime for scikit-learn answers."""
    tensors = [
        {"name": "predict", "shape": [2, 1], "datatype": "INT64", "data": [1, 0]},
        {"name": "predict_proba", "shape": [2, 2], "datatype": "FP64", "data": [0.25, 0.75, 0.625, 0.375]},
    ]
    given = event("request", "r", data={"instances": [[1.5], [2.5]]})
    (logs / "a.jsonl").write_text(given + event("response", "r", data={"outputs": tensors}))
    with take() as taken:
        assert taken.predictions("id", "prediction", "score") == [("r/0", "1", 0.75), ("r/1", "0", 0.375)]
