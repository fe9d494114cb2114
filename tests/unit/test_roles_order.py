"""Which of several columns named like a role has it: the best name, but for a time that failed requests lack."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest

from mlwatch.config import RoleSettings
from mlwatch.elements import dotted
from mlwatch.roles import columns_of, infer

TS, LATER = "2026-11-23T09:52:11Z", "2026-11-24T03:00:00Z"
BASE: dict[str, Any] = {"timestamp": TS, "request_id": "a"}


def roles_of(*records: dict[str, Any]) -> dict[str, str]:
    mapping = infer(columns_of(records), RoleSettings(), PurePath("fraud/app.jsonl"), "logs")
    return {role: dotted(path) for role, path in mapping.roles.items()}


@pytest.mark.parametrize(
    ("role", "record", "path"),
    [
        (
            "version",
            {**BASE, "version": "1.0", "data": {"model_version": "v1", "score": 0.5}},
            "data.model_version",
        ),
        (
            "version",
            {**BASE, "deployment": "scorer", "metadata": {"model_version": "v1"}, "score": 0.5},
            "metadata.model_version",
        ),
        (
            "version",
            {**BASE, "variant": "en", "meta": {"model_version": "v1"}, "score": 0.5},
            "meta.model_version",
        ),
        ("timestamp", {"created_at": LATER, "data": {"timestamp": TS, "score": 0.5}}, "data.timestamp"),
        (
            "timestamp",
            {"received_at": LATER, "message": {"timestamp": TS, "score": 0.5}},
            "message.timestamp",
        ),
        ("timestamp", {"time": LATER, "log": {"timestamp": TS, "score": 0.5}}, "log.timestamp"),
        ("label", {**BASE, "target": "svc::a", "data": {"prediction": 1, "label": 0}}, "data.label"),
        (
            "event",
            {"timestamp": TS, "event_type": "user", "payload": {"event": "click", "request_id": "a"}},
            "payload.event",
        ),
        ("value", {**BASE, "event": "purchase", "total": 3, "details": {"revenue": 9.5}}, "details.revenue"),
        (
            "error",
            {**BASE, "error_code": "x1", "response": {"error": "y", "prediction": 1}},
            "response.error",
        ),
        ("status", {**BASE, "status": "completed", "result": {"status_code": 200}}, "result.status_code"),
        (
            "latency",
            {**BASE, "score": 0.5, "took": 2.5, "response": {"latency_ms": 9.5}},
            "response.latency_ms",
        ),
        (
            "latency",
            {**BASE, "score": 0.5, "elapsed": 2.5, "timings": {"latency_ms": 9.5}},
            "timings.latency_ms",
        ),
    ],
)
def test_the_better_name_is_believed_wherever_it_stands(role: str, record: dict[str, Any], path: str) -> None:
    assert roles_of(*[record] * 20)[role] == path


@pytest.mark.parametrize(
    ("role", "best", "other"),
    [
        ("prediction", {"prediction": 1}, {"model_output": "raw"}),
        ("prediction", {"prediction": 1}, {"predicted_class": "b"}),
        ("score", {"score": 0.5}, {"probability": 0.25}),
        ("latency", {"latency_ms": 20.5}, {"request_time_s": 0.25}),
        ("latency", {"latency_ms": 20.5}, {"response_time": 0.25}),
        ("status", {"status_code": 200}, {"status": "completed"}),
        ("model", {"model": "fraud"}, {"served_model": "endpoint-x"}),
        ("timestamp", {"timestamp": TS}, {"created_at": LATER}),
        ("timestamp", {"timestamp": TS}, {"updated_at": LATER}),
        ("timestamp", {"response": {"timestamp": TS}}, {"updated_at": LATER}),
        ("timestamp", {"response": {"timestamp": TS}}, {"date": LATER}),
    ],
)
def test_what_failed_requests_lack_does_not_give_its_role_to_a_worse_name(
    role: str, best: dict[str, Any], other: dict[str, Any]
) -> None:
    record = {"request_id": "a", "x": 1, **({"timestamp": TS} if role != "timestamp" else {}), **other}
    found = roles_of(*({**record, **({} if i % 5 == 0 else best)} for i in range(40)))
    assert found[role] == roles_of({**record, **best})[role]
    assert found[role].split(".")[0] in best


def test_the_own_time_of_predictions_and_labels_is_not_that_of_their_last_change() -> None:
    predicted = {"request_id": "a", "timestamp": TS, "prediction": 1, "updated_at": LATER}
    labelled = {"request_id": "a", "label_timestamp": TS, "label": 1, "updated_at": LATER}
    assert roles_of(*[predicted, labelled] * 10)["timestamp"] == "timestamp"


@pytest.mark.parametrize(
    ("lacking", "without", "chosen"),
    [
        (0, 0, "response.timestamp"),
        (1, 0, "response.timestamp"),
        (2, 0, "received_at"),
        (8, 0, "received_at"),
        (8, 2, "received_at"),
        (8, 3, "response.timestamp"),
    ],
)
def test_a_time_of_answers_alone_gives_way_to_one_that_the_records_have(
    lacking: int, without: int, chosen: str
) -> None:
    records = [
        {"id": f"r{i}", "status": 200 if i >= lacking else 500}
        | ({"response": {"timestamp": TS, "label": "x"}} if i >= lacking else {})
        | ({"received_at": TS} if i < 40 - without else {})
        for i in range(40)
    ]
    assert roles_of(*records)["timestamp"] == chosen


def test_a_few_records_do_not_tell_that_many_lack_a_time() -> None:
    answered = {"id": "a", "received_at": TS, "status": 200, "response": {"timestamp": TS}}
    failed = {"id": "b", "received_at": TS, "status": 500}
    assert roles_of(answered, failed, answered)["timestamp"] == "response.timestamp"


TEXT = {"text": "It rains."}


@pytest.mark.parametrize(
    "name", ["response_text", "answer_text", "generated_text", "completion_text", "completion"]
)
@pytest.mark.parametrize(
    ("more", "prediction"),
    [
        ({"score": 0.5, "label": 1}, None),
        ({"score": 0.5}, None),
        ({"label": 1}, None),
        ({"predicted_quality": 0.25, "label": 0.5}, "predicted_quality"),
        ({"predicted_class": "good"}, "predicted_class"),
        ({}, ""),
        ({"score": None, "label": None}, ""),
    ],
)
def test_a_text_beside_what_judges_it_is_no_answer(
    name: str, more: dict[str, Any], prediction: str | None
) -> None:
    found = roles_of(*({**BASE, "prompt": "Why?", name: f"blah {i}", **more} for i in range(20)))
    assert found.get("prediction") == (name if prediction == "" else prediction)
    assert {role for role in ("score", "label") if more.get(role) is not None} <= found.keys()


@pytest.mark.parametrize(
    ("more", "prediction"),
    [
        ({"choices": [TEXT, {"text": "No."}], "answer": "No."}, "answer"),
        ({"choices": [TEXT, {"text": "No."}], "score": 0.5, "answer": "No."}, "answer"),
        ({"candidates": [{**TEXT, "id": 3}], "score": 0.5}, None),
        ({"candidates": [TEXT]}, None),
        ({"response": {"candidates": [TEXT], "score": 0.5}}, None),
        ({"result": {**TEXT, "confidence": 0.25}}, None),
        ({"choices": [{**TEXT, "finish_reason": "stop"}]}, "choices[0].text"),
        ({"choices": [{"message": {"content": "Hi."}}], "score": 0.5}, "choices[0].message.content"),
        ({"candidates": [{"content": {"parts": [TEXT]}}]}, "candidates[0].content.parts[0].text"),
        ({"result": TEXT}, "result.text"),
    ],
)
def test_what_may_be_chosen_is_no_answer_but_what_a_chat_model_says_is(
    more: dict[str, Any], prediction: str | None
) -> None:
    assert roles_of(*[{**BASE, "status": 200, **more}] * 20).get("prediction") == prediction


def test_a_text_of_a_list_beside_a_score_is_no_feature() -> None:
    record = {**BASE, "response": {"content": [{"type": "text", **TEXT}], "score": 0.5}}
    mapping = infer(columns_of([record] * 20), RoleSettings(), PurePath("fraud/app.jsonl"), "logs")
    assert ("score" in mapping.roles, "prediction" in mapping.roles, mapping.features) == (True, False, ())
