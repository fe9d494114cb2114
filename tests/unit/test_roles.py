"""Role inference over record shapes as the tools in use write them."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePath
from typing import Any

import pytest

from mlwatch.config import RoleSettings
from mlwatch.elements import dotted
from mlwatch.roles import ROLES, Column, Mapping, columns_of, describe, infer, merge

PATH = PurePath("fraud/app.jsonl")
NO_SETTINGS = RoleSettings()


def inferred(
    *records: dict[str, Any], settings: RoleSettings = NO_SETTINGS, path: str = "fraud/app.jsonl"
) -> Mapping:
    return infer(columns_of(records), settings, PurePath(path), "logs")


def roles_of(mapping: Mapping) -> dict[str, str]:
    return {role: dotted(path) for role, path in mapping.roles.items()}


def kinds_of(mapping: Mapping) -> dict[str, str]:
    return {feature.name: feature.kind for feature in mapping.features}


TS = "2026-11-23T09:52:11Z"
SHAPES: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str]]] = {
    "flat": (
        {
            "ts": TS,
            "request_id": "a",
            "model": "m",
            "model_version": "2",
            "age": 3,
            "plan": "x",
            "prediction": 1,
        },
        {
            "timestamp": "ts",
            "id": "request_id",
            "model": "model",
            "version": "model_version",
            "prediction": "prediction",
        },
        {"age": "numeric", "plan": "categorical"},
    ),
    "camel case and units": (
        {
            "eventTime": 1793709015000,
            "requestId": 7,
            "modelVersion": "b",
            "yPred": 0,
            "yPredProba": 0.2,
            "latencyMs": 3,
        },
        {
            "timestamp": "eventTime",
            "id": "requestId",
            "version": "modelVersion",
            "prediction": "yPred",
            "score": "yPredProba",
            "latency": "latencyMs",
        },
        {},
    ),
    "nested": (
        {
            "@timestamp": TS,
            "meta": {"request_id": "a", "model": {"name": "m", "version": "v1"}},
            "features": {"age": 3, "status": 204, "label": "x", "user": {"zip": "01234"}},
            "output": {"label": "spam", "score": 0.9},
            "response": {"status": 200, "time_ms": 12.5},
            "user": {"id": "u1", "age": 41},
        },
        {
            "timestamp": "@timestamp",
            "id": "meta.request_id",
            "model": "meta.model.name",
            "version": "meta.model.version",
            "prediction": "output.label",
            "score": "output.score",
            "status": "response.status",
            "latency": "response.time_ms",
            "unit": "user.id",
        },
        {
            "age": "numeric",
            "status": "numeric",
            "label": "categorical",
            "user.zip": "categorical",
            "user.age": "numeric",
        },
    ),
    "envelope": (
        {"data": {"timestamp": TS, "id": 1, "prediction": 2.5, "actual": 2.4, "inputs": {"x": 1.0}}},
        {
            "timestamp": "data.timestamp",
            "id": "data.id",
            "prediction": "data.prediction",
            "label": "data.actual",
        },
        {"x": "numeric"},
    ),
    "inputs in data": (
        {"timestamp": TS, "id": 1, "data": {"id": 4, "value": 1.5}, "prediction": True},
        {"timestamp": "timestamp", "id": "id", "prediction": "prediction"},
        {"id": "numeric", "value": "numeric"},
    ),
    "arize columns": (
        {
            "prediction_id": "a",
            "prediction_ts": 1795427578,
            "prediction_label": "late",
            "prediction_score": 0.7,
            "actual_label": "on_time",
            "distance": 1089,
        },
        {
            "id": "prediction_id",
            "timestamp": "prediction_ts",
            "prediction": "prediction_label",
            "score": "prediction_score",
            "label": "actual_label",
        },
        {"distance": "numeric"},
    ),
    "arize regression": (
        {"prediction_id": "a", "prediction_ts": 1795427578, "prediction_score": 0.7, "actual_score": 0.8},
        {
            "id": "prediction_id",
            "timestamp": "prediction_ts",
            "prediction": "prediction_score",
            "label": "actual_score",
        },
        {},
    ),
    "nannyml columns": (
        {
            "id": 50000,
            "car_value": 12638.0,
            "repaid_loan_on_prev_car": True,
            "timestamp": "2018-10-30 18:00:00.000",
            "y_pred_proba": 0.99,
            "y_pred": 1,
        },
        {"id": "id", "timestamp": "timestamp", "prediction": "y_pred", "score": "y_pred_proba"},
        {"car_value": "numeric", "repaid_loan_on_prev_car": "categorical"},
    ),
    "inference table": (
        {
            "databricks_request_id": "d",
            "client_request_id": None,
            "date": "2026-11-23",
            "timestamp_ms": 1795427578976,
            "status_code": 200,
            "execution_time_ms": 37,
            "request": '{"instances": []}',
            "sampling_fraction": 1.0,
        },
        {
            "id": "databricks_request_id",
            "timestamp": "timestamp_ms",
            "status": "status_code",
            "latency": "execution_time_ms",
        },
        {},
    ),
    "monitoring library": (
        {
            "sepal length": 4.9,
            "pred": "setosa",
            "timestamp": "2026-11-23T09:02:11.191988",
            "request_id": "None",
            "trace_id": "0",
        },
        {"timestamp": "timestamp", "prediction": "pred"},
        {"sepal length": "numeric"},
    ),
    "structured logger": (
        {
            "asctime": "2026-11-23 09:02:47,275",
            "levelname": "INFO",
            "hostname": "h",
            "pid": 3,
            "event": "predicted",
            "request_id": "r",
            "pred": 1,
            "level": "info",
            "message": "done",
            "trace_id": "t",
            "elapsed": 3.0,
        },
        {"timestamp": "asctime", "id": "request_id", "prediction": "pred", "latency": "elapsed"},
        {},
    ),
    "outcomes": (
        {"request_id": "r", "ground_truth": 1, "labelled_at": TS, "annotator": "bo"},
        {"id": "request_id", "label": "ground_truth", "timestamp": "labelled_at"},
        {},
    ),
    "events": (
        {
            "event_id": "e",
            "request_id": "r",
            "time": TS,
            "event_type": "purchase",
            "amount": 12.5,
            "currency": "EUR",
            "session_id": "s",
            "user_id": 4,
        },
        {
            "timestamp": "time",
            "id": "request_id",
            "event": "event_type",
            "value": "amount",
            "currency": "currency",
            "unit": "user_id",
            "event_id": "event_id",
        },
        {},
    ),
    "analytics events": (
        {"timestamp": TS, "id": "r", "event": "click", "properties": {"value": 3, "currency": "USD"}},
        {
            "timestamp": "timestamp",
            "id": "id",
            "event": "event",
            "value": "properties.value",
            "currency": "properties.currency",
        },
        {},
    ),
    "event id alone": (
        {"event_id": "e", "ts": TS, "prediction": 1},
        {"id": "event_id", "timestamp": "ts", "prediction": "prediction"},
        {},
    ),
    "value without events": (
        {"ts": TS, "id": "a", "prediction": 1, "amount": 3.5, "price": 2, "currency": "EUR", "score": 0.2},
        {"timestamp": "ts", "id": "id", "prediction": "prediction", "score": "score"},
        {"amount": "numeric", "price": "numeric", "currency": "categorical"},
    ),
    "names that only look like roles": (
        {
            "ts": TS,
            "id": "a",
            "pred": 1,
            "status": "married",
            "code": 7,
            "Time": 406,
            "p": 3.5,
            "y": 2,
            "x": 1,
            "level": 3,
            "error": 0.25,
            "type": "card",
            "kind": "b",
        },
        {"timestamp": "ts", "id": "id", "prediction": "pred"},
        {
            "status": "categorical",
            "code": "numeric",
            "Time": "numeric",
            "p": "numeric",
            "y": "numeric",
            "x": "numeric",
            "level": "numeric",
            "error": "numeric",
            "type": "categorical",
            "kind": "categorical",
        },
    ),
    "class probabilities": (
        {"ts": TS, "id": "a", "prediction": 1, "proba": [0.2, 0.8], "logits": [0.2, 0.9], "tags": ["a"]},
        {"timestamp": "ts", "id": "id", "prediction": "prediction", "score": "proba[1]"},
        {"proba[0]": "numeric"},
    ),
    "failed requests": (
        {
            "ts": TS,
            "id": "a",
            "prediction": 1,
            "http_status": 503,
            "error_type": "Timeout",
            "duration_s": 0.5,
        },
        {
            "timestamp": "ts",
            "id": "id",
            "prediction": "prediction",
            "status": "http_status",
            "error": "error_type",
            "latency": "duration_s",
        },
        {},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_in_the_wild(shape: str) -> None:
    record, roles, features = SHAPES[shape]
    mapping = inferred(record)
    assert roles_of(mapping) == roles
    assert kinds_of(mapping) == features


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        *(("latency", 1.0), ("latency_ms", 1.0), ("latency_s", 1e3), ("response_time_seconds", 1e3)),
        *(("duration_us", 1e-3), ("latencyNs", 1e-6), ("took", 1.0), ("executionTimeMillis", 1.0)),
    ],
)
def test_latency_unit_by_name(name: str, factor: float) -> None:
    mapping = inferred({"ts": TS, "id": 1, "pred": 1, name: 12})
    assert roles_of(mapping)["latency"] == name
    assert mapping.latency_factor == factor


def test_latency_unit_by_configuration_and_assumption() -> None:
    record = {"ts": TS, "id": 1, "pred": 1, "latency": 12}
    assert inferred(record, settings=RoleSettings(latency_unit="s")).latency_factor == 1e3
    assert "taken for milliseconds" in inferred(record).reasons["latency"]


def test_latencies_with_their_units_are_latencies() -> None:
    base = {"ts": TS, "id": 1, "pred": 1}
    mapping = inferred(*({**base, "latency": text} for text in ("12ms", "0.3 s", "N/A", "840µs")))
    assert roles_of(mapping)["latency"] == "latency"
    assert mapping.reasons["latency"] == "named latency, each with its unit"
    for text in ("12 apples", "ms", "fast", "2 min"):
        assert "latency" not in inferred({**base, "latency": "12ms"}, {**base, "latency": text}).roles


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        *(([TS], "iso"), ([1793709015], "s"), ([1793709015.5], "s"), ([1793709015000], "ms")),
        *(([1793709015000000], "us"), ([1793709015000000000], "ns"), ([1793709015, 1793709015000], "auto")),
        *((["1793709015"], "auto"), ([TS, 1793709015], "auto")),
    ],
)
def test_time_unit(values: list[object], unit: str) -> None:
    assert inferred(*({"ts": value} for value in values)).time_unit == unit


def test_confidence_is_a_score_only_where_it_can_be_one() -> None:
    base = {"ts": TS, "id": 1}
    both = inferred({**base, "pred": 1, "confidence": 0.9}, {**base, "pred": 0, "confidence": 0.2})
    assert roles_of(both)["score"] == "confidence"
    of_predicted = inferred({**base, "pred": 1, "confidence": 0.9}, {**base, "pred": 0, "confidence": 0.8})
    assert "score" not in of_predicted.roles
    assert of_predicted.ignored == (("confidence",),)
    classes = inferred(*({**base, "pred": name, "confidence": 0.4} for name in "abc"))
    assert "score" not in classes.roles


CONFIDENCES = [("POS" if i % 3 else "NEG", 0.5 + (i * 7 % 50) / 100) for i in range(40)]
"""Answers of two classes with the confidence in each."""


@pytest.mark.parametrize("name", ["score", "probability", "prediction_score"])
@pytest.mark.parametrize("classes", [("NEG", "POS"), (0, 1)])
def test_a_score_that_can_only_be_the_confidence_is_none(name: str, classes: tuple[Any, Any]) -> None:
    base = {"ts": TS, "id": 1}
    records = [
        {**base, "prediction": classes[answer == "POS"], name: value, "true_label": classes[1]}
        for answer, value in CONFIDENCES
    ]
    mapping = inferred(*records)
    assert "score" not in mapping.roles
    assert roles_of(mapping)["label"] == "true_label"
    assert mapping.reasons[f"ignored:{name}"].startswith("confidence in the predicted class")
    assert kinds_of(mapping) == {}
    assert roles_of(inferred(*({**one, "proba_1": 0.3} for one in records)))["score"] == "proba_1"
    assert roles_of(inferred(*records, settings=RoleSettings(score=name)))["score"] == name
    assert roles_of(inferred(*records[:12]))["score"] == name, "too few to tell"


@pytest.mark.parametrize("rare", [1, 3])
def test_few_answers_of_a_rare_class_tell_confidences(rare: int) -> None:
    scores = [0.5 + (i * 7 % 50) / 100 for i in range(40)]
    records = [{"ts": TS, "id": 1, "prediction": "HAM", "score": one} for one in scores]
    for record in records[10 : 10 + rare]:
        record["prediction"] = "SPAM"
    assert "score" not in inferred(*records).roles
    assert "score" not in inferred(*({**one, "prediction": "HAM"} for one in records)).roles
    assert roles_of(inferred(*({**one, "prediction": "fraud"} for one in records)))["score"] == "score"
    low = {**records[0], "score": 0.49}
    assert roles_of(inferred(*records, low))["score"] == "score"


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (("probabilities.legit", "probabilities.fraud"), "probabilities.fraud"),
        (("proba_SPAM", "proba_HAM"), "proba_SPAM"),
        (("class_probabilities.yes", "class_probabilities.no"), "class_probabilities.yes"),
        (("scores.a", "scores.b"), "scores.b"),
    ],
)
def test_of_two_probabilities_with_names_that_of_the_positive_class_is_the_score(
    names: tuple[str, str], positive: str
) -> None:
    one, other = names
    name = one.rsplit(".")[-1].removeprefix("proba_")
    base = {"ts": TS, "id": 1, "prediction": name}
    records = [nested({**base, one: i / 40, other: 1 - i / 40}) for i in range(40)]
    mapping = inferred(*records)
    assert ".".join(mapping.roles["score"]) == positive
    assert kinds_of(mapping) == {}
    chosen = inferred(*records, settings=RoleSettings(positive_class=name))
    assert ".".join(chosen.roles["score"]) == one
    more = inferred(*(nested({**base, one: i / 40, other: 1 - i / 60}) for i in range(40)))
    assert "score" not in more.roles
    third = f"{one}2"
    assert (
        "score"
        not in inferred(*(nested({**base, one: 0.25, other: 0.5, third: 0.25}) for _ in range(9))).roles
    )


def nested(record: dict[str, Any]) -> dict[str, Any]:
    """Put fields such as `a.b` into objects."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        outer, _, inner = name.rpartition(".")
        (found.setdefault(outer, {}) if outer else found)[inner] = value
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_a_score_that_parts_the_answers_is_of_the_positive_class(threshold: float) -> None:
    scores = [0.5 + (i * 7 % 50) / 100 for i in range(40)]
    records = [{"ts": TS, "id": 1, "prediction": int(one >= threshold), "score": one} for one in scores]
    assert roles_of(inferred(*records))["score"] == "score"


@pytest.mark.parametrize("names", [("NEG", "POS"), ("a", "b", "c")])
def test_a_label_with_a_score_is_what_a_classifier_answers(names: tuple[str, ...]) -> None:
    answers = [
        {"ts": TS, "id": i, "text_len": i, "label": names[i % len(names)], "score": 0.5 + (i * 7 % 50) / 100}
        for i in range(40)
    ]
    mapping = inferred(*answers)
    assert roles_of(mapping)["prediction"] == "label"
    assert "label" not in mapping.roles
    assert ("score" in mapping.roles) is (len(names) > 2)
    assert kinds_of(mapping) == {"text_len": "numeric"}
    known = inferred(*({**one, "true_label": "POS"} for one in answers))
    assert roles_of(known) | {"prediction": "label", "label": "true_label"} == roles_of(known)


def test_a_label_beside_a_score_may_be_the_truth() -> None:
    answers: list[dict[str, Any]] = [
        {"ts": TS, "id": i, "label": answer, "score": value} for i, (answer, value) in enumerate(CONFIDENCES)
    ]
    assert roles_of(inferred(*answers, path="fraud/labels.jsonl"))["label"] == "label"
    assert roles_of(inferred(*answers, settings=RoleSettings(label="label")))["label"] == "label"
    for other in (
        [{**one, "score": 1 - one["score"]} for one in answers],
        [{**one, "label": int(one["label"] == "POS")} for one in answers],
        [{name: value for name, value in one.items() if name != "score" or one["id"] % 2} for one in answers],
    ):
        assert (roles_of(inferred(*other))["label"], roles_of(inferred(*other))["score"]) == (
            "label",
            "score",
        )


def test_feature_kinds() -> None:
    records = [
        {"pred": 1, "zip": "01234", "flag": True, "n": i, "mixed": i or "NaN", "odd": "a"} for i in range(9)
    ]
    kinds = kinds_of(inferred(*records, {"pred": 1, "odd": 3, "none": None}))
    assert kinds == {
        "zip": "categorical",
        "flag": "categorical",
        "n": "numeric",
        "mixed": "numeric",
        "odd": "categorical",
    }


def test_feature_names_are_unique() -> None:
    mapping = inferred({"pred": 1, "age": 1, "features": {"age": 2}, "features.age": 3, "inputs": {"age": 4}})
    names = [feature.name for feature in mapping.features]
    assert sorted(names) == ["age", "features.age", "features.age#2", "inputs.age"]


def test_constants_come_from_the_path_of_files_with_predictions() -> None:
    assert inferred({"pred": 1}).constants == {"model": "fraud", "version": "-"}
    assert inferred({"pred": 1}, path="app.jsonl").constants == {"model": "logs", "version": "-"}
    assert inferred({"score": 0.1}, path="fraud/2026/11/23/09/a.jsonl").constants["model"] == "fraud"
    assert inferred({"pred": 1}, path="model=m/version=v3/dt=2026-01-01/a.parquet").constants == {
        "model": "m",
        "version": "v3",
    }
    assert inferred({"id": 1, "label": 1}).constants == {}


def test_path_templates() -> None:
    settings = RoleSettings(version="path:{model}/{version}/*")
    mapping = inferred({"pred": 1, "version": "1.0"}, settings=settings, path="m/v2/2026/11/a.jsonl")
    assert mapping.constants == {"model": "m", "version": "v2"}
    assert mapping.roles["version"] == ("version",)  # the path is for records without one
    tail = RoleSettings(version="path:{version}/…", model="path:*/models/{model}/**")
    assert inferred({"pred": 1}, settings=tail, path="a/models/b/c/d.jsonl").constants == {
        "model": "b",
        "version": "a",
    }
    assert inferred({"pred": 1}, settings=settings, path="a.jsonl").constants == {
        "model": "logs",
        "version": "-",
    }


def test_a_path_that_tells_the_model_leaves_ambiguous_names_to_features() -> None:
    settings = RoleSettings(model="path:{model}/*")
    rows = [{"pred": 1, "service": "express", "status": 200}] * 6
    assert inferred(*rows, path="m/a.jsonl").roles["model"] == ("service",)
    assert "model" not in inferred(*rows, settings=settings, path="m/a.jsonl").roles


def test_label_file_is_known_by_its_name() -> None:
    assert roles_of(inferred({"id": 1, "repaid": 0}, path="data/target.csv")) == {
        "id": "id",
        "label": "repaid",
    }
    assert "label" not in inferred({"id": 1, "repaid": 0}, path="data/more.csv").roles


def test_a_message_in_brackets_is_no_json() -> None:
    record = {"ts": 1_793_696_400, "prediction": 1}
    texts = ("[Errno 111] Connection refused", "[1, 2]", '{"code": 3}')
    taken = ["error" in roles_of(inferred(record | {"error": text})) for text in texts]
    assert taken == [True, False, False]


def test_a_column_called_version_names_versions_as_long_as_they_repeat() -> None:
    def found(several: int) -> bool:
        rows = [{"ts": 1_793_696_400 + i, "prediction": 1, "version": f"v{i % several}"} for i in range(50)]
        return "version" in roles_of(inferred(*rows))

    assert [found(several) for several in (16, 20, 25, 50)] == [True, True, True, False]


def test_columns_without_values_yet_have_their_role() -> None:
    mapping = inferred(
        {"ts": TS, "id": 1, "prediction": None, "label": None, "event": None, "value": None, "output": None}
    )
    assert set(mapping.roles) == {"timestamp", "id", "prediction", "label", "event", "value"}
    filled = inferred({"ts": TS, "id": 1, "prediction": None, "pred": 1, "label": None, "target": 0})
    assert roles_of(filled) == {"timestamp": "ts", "id": "id", "prediction": "pred", "label": "target"}


def test_outcomes_with_the_columns_of_predictions_are_outcomes() -> None:
    outcome = {"ts": TS, "id": 1, "prediction": None, "score": None, "label": 1}
    mapping = inferred(outcome)
    assert set(mapping.roles) == {"timestamp", "id", "label"}
    merged = merge(mapping, columns_of([{**outcome, "prediction": 1}]), NO_SETTINGS, PATH, "logs")
    assert roles_of(merged)["prediction"] == "prediction"
    assert merged.ignored == (("score",),)
    assert "prediction" not in inferred({"ts": TS, "prediction": None, "score": 0.2}).roles
    assert merged.constants == {"model": "fraud", "version": "-"}


def test_a_quantity_predicted_and_observed() -> None:
    mapping = inferred({"id": 1, "predicted_price": 3.2, "price_actual": 3.0, "sqft": 80})
    assert roles_of(mapping) == {"id": "id", "prediction": "predicted_price", "label": "price_actual"}
    several = inferred({"id": 1, "predicted_a": 3.2, "predicted_b": 3.0})
    assert "prediction" not in several.roles


@pytest.mark.parametrize(
    ("name", "values", "numbers"),
    [
        ("column_1", [1, 2, 3], True),
        ("Unnamed: 0", [0, 1, 2], True),
        ("index", [0, 640, 1281], True),
        ("__index_level_0__", [0, 1, 2], True),
        ("index", [2, 3, 4], False),
        ("index", [1, 3, 2], False),
        ("index", [0.0, 0.5, 1.5], False),
        ("index", [0, 1], False),
        ("age", [1, 2, 3], False),
    ],
)
def test_numbers_of_rows_are_no_feature(name: str, values: list[float], numbers: bool) -> None:
    records = [{name: value, "ts": TS, "prediction": 1} for value in values]

    assert kinds_of(inferred(*records)) == ({} if numbers else {name: "numeric"})
    assert kinds_of(inferred(*records, settings=RoleSettings(numeric=(name,)))) == {name: "numeric"}


@pytest.mark.parametrize(
    ("day", "clock", "joined"),
    [
        ({"date": "2026-11-23"}, {"time": "09:52:11"}, True),
        ({"date": "23.11.2026"}, {"time": "9:52"}, True),
        ({"date": "2026-11-23"}, {"time": "09:52:11.123+01:00"}, True),
        ({"date": "2026-11-23"}, {"time": "1:02:03 AM"}, False),
        ({"date": "2026-11-23"}, {"departure": "09:52"}, False),
        ({"date": "2026-11-23"}, {"features": {"time": "09:52"}}, False),
        ({"created_at": TS}, {"time": "09:52:11"}, False),
    ],
)
def test_a_time_of_day_belongs_to_a_date(day: dict[str, Any], clock: dict[str, Any], joined: bool) -> None:
    mapping = inferred({**day, **clock, "id": "a", "prediction": 1})

    assert roles_of(mapping)["timestamp"] == next(iter(day))
    assert mapping.clock == (("time",) if joined else None)
    assert len(mapping.features) == (0 if joined else 1)
    later = merge(mapping, columns_of([{"plan": "x"}]), NO_SETTINGS)
    assert (later.clock, ("time",) in later.of_roles) == (mapping.clock, joined)


def test_configuration_wins() -> None:
    record = {
        "when": TS,
        "ts": TS,
        "key": "k",
        "score": 0.3,
        "out": 1,
        "status": 200,
        "n": {"a": 1, "b": 2},
        "z": "3",
    }
    settings = RoleSettings(
        timestamp="when",
        id="key",
        prediction="out",
        features=("status", "n.*", "z"),
        ignore=("n.b",),
        numeric=("z",),
    )
    mapping = inferred(record, settings=settings)
    assert roles_of(mapping) == {"timestamp": "when", "id": "key", "prediction": "out", "score": "score"}
    assert kinds_of(mapping) == {"status": "numeric", "n.a": "numeric", "z": "numeric"}
    assert set(mapping.ignored) == {("ts",), ("n", "b")}


def test_a_configured_label_is_not_looked_for_under_another_name() -> None:
    mapping = inferred({"id": 1, "target": 1, "pred": 0}, settings=RoleSettings(label="truth"))
    assert "label" not in mapping.roles
    assert ("target",) in mapping.ignored


def test_merge_keeps_what_was_decided() -> None:
    first = inferred({"time": TS, "id": 1, "pred": 1, "features": {"age": 3}})
    later = [
        {"timestamp": TS, "id": 1, "label": 0, "latency_s": 2, "features": {"age": 3, "plan": "x"}, "age": 2}
    ]
    merged = merge(first, columns_of(later), NO_SETTINGS)
    assert roles_of(merged) == {**roles_of(first), "label": "label", "latency": "latency_s"}
    assert merged.latency_factor == 1e3
    assert merged.constants == first.constants
    assert merged.features[: len(first.features)] == first.features
    assert [feature.name for feature in merged.features] == ["age", "plan", "age#2"]
    assert merged.others == {"timestamp": (("timestamp",),)}
    assert merge(merged, columns_of(later), NO_SETTINGS) == merged


def test_merge_leaves_out_objects_where_a_value_was_used() -> None:
    first = inferred({"pred": 1, "a": 3, "b": {"c": 1}})
    merged = merge(first, columns_of([{"pred": 1, "a": {"x": 1}, "b": 4}]), NO_SETTINGS)
    assert {("a", "x"), ("b",)} <= set(merged.ignored)
    assert merged.features == first.features


def test_columns_are_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"d": deep, "v": 1}
    wide = {f"c{number}": number for number in range(6_000)}
    columns = columns_of([{"list": list(range(1_000)), "text": "x" * 10_000, "deep": deep, **wide}] * 60)
    assert len(columns) == 5_000
    assert max(len(column.path) for column in columns) == 8
    assert columns[0] == Column(("list",), frozenset({"list"}), (tuple(range(64)),) * 50, where=(1 << 60) - 1)
    assert columns[1].samples[0] == "x" * 500


@pytest.mark.parametrize("shape", SHAPES)
def test_description_reads_back_to_the_same_roles(shape: str) -> None:
    record = SHAPES[shape][0]
    mapping = inferred(record)
    settings = RoleSettings(**tomllib.loads(describe(mapping))["roles"])
    again = inferred(record, settings=settings)
    assert again.roles == mapping.roles
    assert {f.path for f in again.features} == {f.path for f in mapping.features}


def test_description_tells_why() -> None:
    text = describe(inferred({"ts": TS, "pred": 1, "pid": 3, "age": 2, "city": "x"}))
    assert 'timestamp = "ts"  # named ts' in text
    assert '# model is "fraud": the directory\'s name' in text
    assert '# numeric = ["age"]' in text
    assert '# not used: "pid": what a logger adds' in text


def uncommented(text: str) -> RoleSettings:
    """Read a description with its lists of features, which stand there as comments, as settings."""
    begun = re.sub(r"(?m)^# (?=(numeric|categorical) = \[|  )", "", text)
    return RoleSettings(**tomllib.loads(begun)["roles"])


def test_features_are_told_as_settings() -> None:
    odd = ["a b", "x\x80", "e\u200b", "\U000e0041", "\u202e", 'q"u\\', "t\tn\n", "l" * 90, "m" * 90]
    found = uncommented(
        describe(inferred({"ts": TS, "pred": 1, "features": dict.fromkeys(odd, 0.5), "c": "x"}))
    )
    assert set(found.numeric) == set(odd)
    assert tuple(found.categorical) == ("c",)
    many = dict.fromkeys([f"f{number}" for number in range(300)] + ["z" * 500], 0.5)
    text = describe(inferred({"ts": TS, "pred": 1, "features": many}))
    assert len(uncommented(text).numeric) == 200
    assert text.rstrip().splitlines()[-1].endswith("]  # and 101 more")


def test_every_role_can_be_configured() -> None:
    assert set(ROLES) <= set(RoleSettings.__dataclass_fields__)


def test_roles_behind_more_columns_than_are_taken_are_found() -> None:
    features = {f"c{number}": 0.5 for number in range(6_000)}
    record: dict[str, object] = {"timestamp": "2026-11-03T10:00:00Z", "features": features, "prediction": 1}
    mapping = infer(columns_of([record]), RoleSettings(), PurePath("a.jsonl"), "logs")
    assert mapping.roles["prediction"] == ("prediction",)
    assert len(mapping.features) < 5_000


@pytest.mark.parametrize(
    "name",
    [
        *("prediction_score", "prediction_probability", "predicted_probability", "predicted_score"),
        *("pred_proba", "pred_prob", "prediction_proba", "pred_proba_1"),
    ],
)
def test_the_only_output_is_a_score_by_its_name(name: str) -> None:
    records = [{"id": at, name: at / 10, "label": at % 2, "age": 30 + at} for at in range(10)]
    assert roles_of(inferred(*records)) == {"id": "id", "score": name, "label": "label"}


@pytest.mark.parametrize(("label", "scale"), [("label", 1), ("actual_score", 1), ("label", 100)])
def test_a_predicted_score_beside_true_scores_is_a_prediction(label: str, scale: int) -> None:
    records = [
        {"id": at, "predicted_score": scale * at / 10, label: scale * at / 10 + 0.05} for at in range(10)
    ]
    assert roles_of(inferred(*records)) == {"id": "id", "prediction": "predicted_score", "label": label}


def test_a_predicted_amount_stands_beside_its_score() -> None:
    mapping = inferred({"id": 1, "predicted_price": 3.2, "prediction_probability": 0.7})
    assert roles_of(mapping) == {
        "id": "id",
        "prediction": "predicted_price",
        "score": "prediction_probability",
    }


@pytest.mark.parametrize("own", [{}, {"version": "v2"}, {"model_version": "v2"}])
def test_the_version_of_logstash_is_that_of_no_model(own: dict[str, str]) -> None:
    mapping = inferred({"@timestamp": TS, "@version": "1", "request_id": "a", "prediction": 1, **own})
    assert roles_of(mapping) == {
        "timestamp": "@timestamp",
        "id": "request_id",
        "prediction": "prediction",
        **({"version": next(iter(own))} if own else {}),
    }
    assert mapping.features == ()
    assert mapping.reasons["ignored:@version"] == "what a logger adds, not an input of the model"


@pytest.mark.parametrize(
    ("scores", "more", "expected"),
    [
        ([79.3, 26.2, 47.0], {}, 50.0),
        ([0.793, 0.262, 0.47], {}, 0.5),
        ([7.9, 2.6, 4.7], {}, None),
        ([79.3, -26.2, 47.0], {}, None),
        ([790.0, 262.0, 470.0], {}, None),
        ([-2.3, 0.4, 0.9, 1.7], {}, None),
        ([0.793, 0.262, 1.0000001, 0.47], {}, 0.5),
        ([0.793, 0.262, -1.0, 0.47], {}, 0.5),
        ([-1], {}, 0.5),
        ([-1.0, 0.262], {}, 0.5),
        ([-1, 0.262, -1, -1, 0.47], {}, None),
        ([-2.3, 1.7], {"prediction": 1}, 0.5),
        ([0.793, 0.262], {"query_id": "q", "position": 1}, None),
        ([79.3, 26.2], {"QueryId": "q", "rank": 1}, None),
        ([0.793, 0.262], {"query_id": "q", "position": "top"}, 0.5),
        ([0.793, 0.262], {"features": {"position": 1}}, 0.5),
        ([0.793, 0.262], {"query_id": "q", "position": 1, "prediction": 1}, 0.5),
        ([79.3, 26.2, 47.0], {"prediction": 1}, 0.5),
    ],
)
def test_scores_are_cut_at_half_of_what_is_certain_and_not_where_they_tell_no_class(
    scores: list[float], more: dict[str, Any], expected: float | None
) -> None:
    records = [{"id": at, "score": score, **more} for at, score in enumerate(scores)]
    mapping = inferred(*records)
    assert mapping.score_threshold == expected
    assert (mapping.reasons["score"] == "named score, in percent: class 1 from 50 on") == (expected == 50)
    assert mapping.reasons["score"].endswith(": it tells no class") == (expected is None)
    assert merge(mapping, columns_of([{"late": 1}]), NO_SETTINGS).score_threshold == expected


@pytest.mark.parametrize("changed", ["updated_at", "updatedAt", "modified_at", "last_modified"])
def test_corrected_labels_are_of_the_time_of_their_correction(changed: str) -> None:
    labels = {"request_id": "r", "label": 1, "created_at": TS, changed: TS}
    mapping = inferred(labels, {**labels, changed: None})

    assert mapping.columns("timestamp") == ((changed,), ("created_at",))
    for other in ({**labels, "prediction": 1}, {**labels, changed: 3.5}, {**labels, "timestamp": TS}):
        assert changed not in [dotted(path) for path in inferred(other).columns("timestamp")[:1]]
    configured = inferred(labels, settings=RoleSettings(timestamp="created_at"))
    assert configured.columns("timestamp") == (("created_at",),)


def test_a_time_of_change_that_has_no_value_yet_is_waited_for() -> None:
    first = {"request_id": "r", "label": 1, "created_at": TS, "updated_at": None}

    assert inferred(first).columns("timestamp") == (("updated_at",), ("created_at",))


@pytest.mark.parametrize("first", [{}, {"updated_at": None}, {"updated_at": TS}])
def test_a_time_of_change_that_comes_later_is_the_time_from_then_on(first: dict[str, Any]) -> None:
    label = {"request_id": "r", "label": 1, "created_at": TS}
    later = merge(inferred({**label, **first}), columns_of([{**label, "updated_at": TS}]), NO_SETTINGS)

    assert later.columns("timestamp") == (("updated_at",), ("created_at",))
    assert later.reasons["timestamp"] == (
        "named updated_at, of the latest version, and created_at in records without it"
    )


def test_a_time_of_change_that_comes_later_does_not_overrule_the_configuration_or_a_prediction() -> None:
    label = {"request_id": "r", "label": 1, "created_at": TS}
    changed = columns_of([{**label, "updated_at": TS}])
    settings = RoleSettings(timestamp="created_at")

    assert merge(inferred(label, settings=settings), changed, settings).columns("timestamp") == (
        ("created_at",),
    )
    predicted = inferred({**label, "prediction": 1})
    assert merge(predicted, changed, NO_SETTINGS).columns("timestamp") == (("created_at",),)


@pytest.mark.parametrize("first", [{}, {"time": None}])
def test_a_time_of_day_that_comes_later_belongs_to_the_date(first: dict[str, Any]) -> None:
    record = {"date": "2026-11-03", "id": "a", "prediction": 1}
    before = inferred({**record, **first})
    later = merge(before, columns_of([{**record, "time": "09:00:00"}]), NO_SETTINGS)
    other = merge(
        inferred({**record, "date": TS}),
        columns_of([{**record, "date": TS, "time": "09:00:00"}]),
        NO_SETTINGS,
    )

    assert (before.clock, later.clock, other.clock) == (None, ("time",), None)
    assert (later.columns("timestamp"), later.features) == ((("date",),), ())
    again = merge(later, columns_of([{**record, "time": "09:00:00", "log_time": "10:00:00"}]), NO_SETTINGS)
    assert again.clock == ("time",)


def answered(i: int, **changes: Any) -> dict[str, Any]:
    """Return a gateway's record of a request that was answered."""
    response = {"id": f"chatcmpl-{i}", "created": 1795593600 + i, "model": "gpt"}
    record = {"id": f"r{i}", "model": "chat", "startTime": 1795593600.5 + i, "status": "success"}
    return {**record, "latency_ms": 3.5, "response": response, **changes}


@pytest.mark.parametrize("failures", [0, 1, 4])
def test_the_time_is_the_records_own_and_not_that_of_an_answer_in_it(failures: int) -> None:
    failed = [answered(i, status="failure", response=None) for i in range(failures)]
    mapping = inferred(*failed, *(answered(i) for i in range(failures, 20)))
    assert roles_of(mapping)["timestamp"] == "startTime"
    assert roles_of(mapping)["id"] == "id"
    assert roles_of(mapping)["status"] == "status"


def test_a_joined_name_is_as_good_as_a_flat_one() -> None:
    record = {"ts": TS, "deployment": "prod", "model": {"name": "fraud", "version": "v2"}, "prediction": 1}
    assert roles_of(inferred(record)) == {
        "timestamp": "ts",
        "model": "model.name",
        "version": "model.version",
        "prediction": "prediction",
    }


def test_an_event_is_of_the_request_that_an_object_in_it_names() -> None:
    record = {"id": "e1", "time": TS, "event": "purchase", "metadata": {"request_id": "r1"}}
    assert roles_of(inferred(record))["id"] == "metadata.request_id"


def completed(**answer: Any) -> Mapping:
    return inferred({"timestamp": TS, "request_id": "a", "status": 200, **answer})


MESSAGE = {"role": "assistant", "content": "Yes, it rains."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "weather"}}]}


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (
            {"response": {"choices": [{"index": 0, "message": MESSAGE}]}},
            "response.choices[0].message.content",
        ),
        ({"choices": [{"message": MESSAGE}, {"message": MESSAGE}]}, "choices[0].message.content"),
        ({"response": {"choices": [{"text": "Yes."}]}}, "response.choices[0].text"),
        (
            {"response": {"choices": [{"message": CALL}]}},
            "response.choices[0].message.tool_calls[0].function.name",
        ),
        ({"response": {"content": [{"type": "text", "text": "Yes."}]}}, "response.content[0].text"),
        (
            {"response": {"candidates": [{"content": {"parts": [{"text": "Yes."}]}}]}},
            "response.candidates[0].content.parts[0].text",
        ),
        ({"outputs": {"generations": [[{"text": "Yes."}]]}}, "outputs.generations[0][0].text"),
        ({"output": MESSAGE}, "output.content"),
        ({"prompt": "Does it rain?", "completion": "Yes."}, "completion"),
        (
            {"completion": "Yes, it rains all day, and will do so until Sunday; take a coat with you."},
            "completion",
        ),
    ],
)
def test_the_text_of_a_chat_models_answer_is_the_prediction(answer: dict[str, Any], path: str) -> None:
    mapping = completed(**answer)
    assert roles_of(mapping)["prediction"] == path
    assert not mapping.features or path not in kinds_of(mapping)


@pytest.mark.parametrize(
    "asked",
    [
        {"request": {"messages": [{"role": "user", "content": "Does it rain?"}]}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Does it rain?"}]}]},
        {"message": {"role": "user", "content": "Does it rain?"}},
        {"content": [{"type": "text", "text": "Does it rain?"}]},
        {"response": {"choices": []}},
        {"completion": 0.5},
        {"completion": "partial"},
    ],
)
def test_what_was_asked_and_how_far_something_is_done_are_no_answers(asked: dict[str, Any]) -> None:
    assert "prediction" not in completed(**asked).roles


def test_a_tool_that_is_asked_for_stands_in_for_a_text() -> None:
    answers = [{"choices": [{"message": message}]} for message in (MESSAGE, CALL)]
    mapping = inferred(*({"ts": TS, "id": f"a{i}", "response": each} for i, each in enumerate(answers)))
    assert [dotted(path) for path in mapping.columns("prediction")] == [
        "response.choices[0].message.content",
        "response.choices[0].message.tool_calls[0].function.name",
    ]


@pytest.mark.parametrize("written", ["response.choices[0].text", "response.choices.0.text"])
def test_a_place_in_a_list_is_written_in_two_ways(written: str) -> None:
    record = {"ts": TS, "id": "a", "prediction": 1, "response": {"choices": [{"text": "Yes."}]}}
    mapping = inferred(record, settings=RoleSettings(prediction=written))
    assert roles_of(mapping)["prediction"] == "response.choices[0].text"
