"""Names that mean one thing in a server's log and another in a table of a model's inputs."""

from __future__ import annotations

import json
import uuid
from pathlib import Path, PurePath
from typing import Any

import pytest

import mlwatch
from mlwatch.config import RoleSettings
from mlwatch.elements import dotted
from mlwatch.roles import Mapping, columns_of, infer, merge
from mlwatch.roles.doubts import sentences

TS = "2026-11-23T09:52:11Z"
BARE = {"ts": TS, "request_id": "a", "model_version": "v1", "prediction": 1}
RECORD = {**BARE, "age": 30, "job": "admin"}
NO_SETTINGS = RoleSettings()


def inferred(*records: dict[str, Any], settings: RoleSettings = NO_SETTINGS) -> Mapping:
    return infer(columns_of(records), settings, PurePath("m/a.jsonl"), "logs")


def role_of(mapping: Mapping, role: str) -> str | None:
    return dotted(mapping.roles[role]) if role in mapping.roles else None


def said(mapping: Mapping) -> list[tuple[str, str]]:
    return [(severity, message) for _, severity, message in sentences(mapping, "a.csv")]


@pytest.mark.parametrize("name", ["duration", "runtime", "total_time", "rt"])
def test_a_whole_number_among_plain_inputs_is_one_of_them(name: str) -> None:
    mapping = inferred(*({**RECORD, name: number} for number in (12, 340)))

    assert "latency" not in mapping.roles
    assert [one.name for one in mapping.features] == ["age", "job", name]
    key = f'latency = "{name}"'
    told = f"{name} in a.csv is read as an input of the model; if it is the latency, set [roles] {key}"
    assert said(mapping) == [("info", told)]


@pytest.mark.parametrize(
    "more",
    [
        *({"levelname": "INFO"}, {"status": 200}, {"status": "ok"}, {"error": None}, {"code": 200}),
        *({"code": "503"}, {"path": "/predict"}),
        *({"method": "POST"}, {"hostname": "h"}, {"trace_id": "t"}, {"prompt_tokens": 120}),
    ],
)
def test_what_only_servers_write_makes_a_duration_the_latency(more: dict[str, Any]) -> None:
    mapping = inferred({**RECORD, "duration": 12, **more})

    assert (role_of(mapping, "latency"), said(mapping)) == ("duration", [])


@pytest.mark.parametrize("code", [7, "A1", None])
def test_a_code_that_is_no_status_says_nothing_of_a_duration(code: object) -> None:
    mapping = inferred({**RECORD, "code": code, "duration": 12})

    assert "latency" not in mapping.roles


@pytest.mark.parametrize(
    "record",
    [
        {**BARE, "duration": 12},
        {**BARE, "duration": 12, "features": {"age": 3, "plan": "x"}},
        {**BARE, "duration": 12, "feature_age": 3, "inputs.plan": "x"},
        {**BARE, "duration": 12, "prompt": "tell me " * 10},
        {**BARE, "duration": 0.52, "text": "nice", "confidence": 0.98},
        {"ts": TS, "model": "gpt", "prompt": "hi", "response": "hello", "duration": 1.87},
        {"ts": TS, "user_query": "hi", "system_prompt": "be kind", "answer": "hello", "duration": 2},
        {"ts": TS, "request_id": "a", "region": "eu", "duration": 12},
    ],
)
def test_a_duration_without_plain_inputs_beside_it_is_the_latency(record: dict[str, Any]) -> None:
    mapping = inferred(record)

    assert (role_of(mapping, "latency"), said(mapping)) == ("duration", [])


def test_short_texts_of_earlier_records_are_no_plain_inputs_beside_a_duration() -> None:
    before = inferred({**BARE, "text": "nice"})
    later = merge(before, columns_of([{**BARE, "text": "nice", "duration": 0.52}]), NO_SETTINGS)

    assert [one.name for one in before.features] == ["text"]
    assert (role_of(later, "latency"), said(later)) == ("duration", [])


@pytest.mark.parametrize(("name", "number"), [("elapsed", 31), ("elapsed_time", 31), ("elapsed_ms", 4)])
def test_what_elapsed_is_the_latency_among_plain_inputs_too(name: str, number: float) -> None:
    mapping = inferred({**RECORD, name: number})

    assert (role_of(mapping, "latency"), said(mapping)) == (name, [])


def test_a_duration_of_an_object_of_its_own_is_the_latency() -> None:
    mapping = inferred({**RECORD, "timing": {"duration": 12}})

    assert (role_of(mapping, "latency"), said(mapping)) == ("timing.duration", [])


@pytest.mark.parametrize(
    ("name", "values", "severity"),
    [
        ("duration", (12.3456, 0.0217), "warning"),
        ("duration_ms", (12, 340), "info"),
        ("duration", ("12ms", "340ms"), "warning"),
    ],
)
def test_measured_values_among_inputs_are_latencies_and_it_is_said(
    name: str, values: tuple[object, ...], severity: str
) -> None:
    mapping = inferred(*({**RECORD, name: value} for value in values))

    assert role_of(mapping, "latency") == name
    told = (
        f'{name} in a.csv is read as the latency; if that is right, set [roles] latency = "{name}", '
        f'and numeric = ["{name}"] if it is an input of the model'
    )
    assert said(mapping) == [(severity, told)]


def test_the_configuration_ends_the_doubt() -> None:
    record = {**RECORD, "duration": 12.3456}
    for settings, latency in (
        (RoleSettings(numeric=("duration",)), None),
        (RoleSettings(latency="duration"), "duration"),
        (RoleSettings(features=("age", "job")), "duration"),
    ):
        mapping = inferred(record, settings=settings)
        assert (role_of(mapping, "latency"), said(mapping)) == (latency, [])


def test_a_service_of_several_among_plain_inputs_is_one_of_them() -> None:
    names = ("http", "smtp", "ftp", "domain_u")
    mapping = inferred(*({**RECORD, "service": name} for name in names))

    assert mapping.constants["model"] == "m"
    (severity, told) = said(mapping)[0]
    assert severity == "info"
    assert told.endswith(
        """an input of the model; if it is the model's name, set [roles] model = "service\""""
    )
    for records in (
        [{**RECORD, "service": "fraud-api"}] * 5,
        [{**BARE, "service": name} for name in names],
        [{**RECORD, "service": name, "status_code": 200} for name in names],
    ):
        mapping = inferred(*records)
        assert (role_of(mapping, "model"), said(mapping)) == ("service", [])


def test_the_first_line_of_a_live_log_makes_no_service_among_inputs_the_model(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "m" / "a.jsonl"
    path.parent.mkdir(parents=True)
    for services in (("checkout",), ("search", "mail", "checkout")):
        with path.open("a") as log:
            for name in services:
                log.write(json.dumps({**RECORD, "request_id": f"r{log.tell()}", "service": name}) + "\n")
        with mlwatch.open(tmp_path / "logs", db=tmp_path / "store.duckdb") as watch:
            _, rows = watch.query("SELECT model, service FROM predictions")
    assert sorted(rows) == [("m", name) for name in ("checkout", "checkout", "mail", "search")]


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ((200, 200, 404), "code"),
        (("200", "204", "503"), "code"),
        ((500,), "code"),
        (("503", "200"), "code"),
        ((110, 345, 590), None),
        ((110,), None),
        ((200, 201, 299), None),
        ((404, 500, 200, 404, 200), None),
        ((300, 400, 500, 300, 400), None),
    ],
)
def test_a_code_is_a_status_where_all_are_such_and_most_of_many_of_success(
    codes: tuple[object, ...], status: str | None
) -> None:
    assert role_of(inferred(*({**RECORD, "code": code} for code in codes)), "status") == status


def test_what_was_decided_stays_in_doubt_until_the_role_is_given() -> None:
    before = inferred({**RECORD, "duration": 12})
    same = merge(before, columns_of([{**RECORD, "duration": 7, "city": "x"}]), NO_SETTINGS)
    later = merge(same, columns_of([{**RECORD, "duration": 7, "latency_ms": 3}]), NO_SETTINGS)

    assert before.doubtful == same.doubtful == {"latency": ("duration",)}
    assert (role_of(later, "latency"), later.doubtful) == ("latency_ms", {})
    other = merge(inferred(RECORD), columns_of([{**RECORD, "runtime": 12}]), NO_SETTINGS)
    assert ("latency" in other.roles, other.doubtful) == (False, {"latency": ("runtime",)})


def test_an_alert_says_once_what_a_column_is_taken_for(tmp_path: Path) -> None:
    rows = "".join(
        f"2026-11-02T08:{i // 60:02d}:{i % 60:02d}Z,r{i},v1,{i},{i * 7},{i % 2}\n" for i in range(90)
    )
    for name in ("calls", "others"):
        (tmp_path / f"{name}.csv").write_text(
            f"timestamp,request_id,model_version,age,duration,prediction\n{rows}"
        )

    with mlwatch.open(tmp_path, db=":memory:") as watched:
        alerts = watched.snapshot().to_dict()["alerts"]
        _, latencies = watched.query("SELECT COUNT(latency_ms) FROM predictions")

    told = [(one["severity"], one["message"]) for one in alerts if "duration" in one["message"]]
    assert latencies == [(0,)]
    (severity, message) = told[0]
    assert (len(told), severity) == (1, "info")
    assert message.endswith('if it is the latency, set [roles] latency = "duration"')


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("setting", "ends"),
    [
        ('latency = "duration_ms"', True),
        ('numeric = ["duration_ms"]', True),
        ('latency = "latency"', False),
        ('categorical = ["age"]', False),
    ],
)
def test_an_alert_ends_where_the_configuration_says_what_a_column_is(
    tmp_path: Path, setting: str, ends: bool
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    rows = "".join(f"2026-11-02T08:00:{i:02d}Z,r{i},v1,{i},{i * 7},{i % 2}\n" for i in range(60))
    (logs / "a.csv").write_text(f"timestamp,request_id,model_version,age,duration_ms,prediction\n{rows}")
    told = []
    for settings in ("", f"[roles]\n{setting}\n", f"[roles]\n{setting}\n"):
        (logs / "mlwatch.toml").write_text(settings)
        with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watched:
            alerts = watched.snapshot().to_dict()["alerts"]
        told += [one["state"] for one in alerts if "duration_ms" in one["message"]]

    assert told == ["firing", *(["resolved" if ends else "firing"] * 2)]


def runs(first: int, n: int, *, children: bool) -> str:
    """Return runs as LangSmith exports them: each with two steps, one of which fails, or without."""
    made = []
    for number in range(first, first + n):
        root = f"{uuid.UUID(int=number)}"
        started = {
            "start_time": f"2026-11-02T08:{number // 60:02d}:{number % 60:02d}.000Z",
            "run_type": "chain",
        }
        answer = {"status": "success", "error": None, "outputs": {"answer": f"the answer to number {number}"}}
        made.append({"id": root, "trace_id": root, "parent_run_id": None, **started, **answer})
        for step in range(2 if children else 0):
            child = {**made[-1], "id": f"{uuid.UUID(int=1000 * number + step)}", "parent_run_id": root}
            made.append({**child, "error": "ToolError: none"} if step else child)
    return "".join(json.dumps(one) + "\n" for one in made)


def test_steps_of_runs_are_told_of_once_they_come_and_until_that_is_settled(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    log, config = logs / "runs.jsonl", logs / "mlwatch.toml"

    def alerts() -> list[tuple[str, str, str]]:
        with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watched:
            found = watched.snapshot().to_dict()["alerts"]
        return [
            (one["state"], one["severity"], one["message"])
            for one in found
            if "parent_run_id" in one["message"]
        ]

    log.write_text(runs(0, 100, children=False))
    assert alerts() == []
    log.write_text(log.read_text() + runs(100, 100, children=True))
    ((state, severity, message),) = alerts()
    assert (state, severity) == ("firing", "warning")
    assert message == (
        "parent_run_id in runs.jsonl says that records are steps of others; each of these counts as a request, and one "
        "that failed as a failed request: log the root runs alone (LangSmith: is_root), or set [roles] ignore = "
        '["parent_run_id"] if that is right'
    )
    assert alerts() == [(state, severity, message)]
    config.write_text('[roles]\nignore = ["parent_run_id"]\n')
    assert [state for state, *_ in alerts()] == ["resolved"]


UNREAD = (
    "so that no answer of these requests is read: "
    "log a record for each answer, with a column for it, or name one with"
)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        (
            {"instances": [[1.5, 2.0]], "predictions": [0.7]},
            [
                ("info", "instances in a.csv is a list or map, and no input that is watched"),
                ("warning", f"predictions in a.csv is a list, {UNREAD} [roles] prediction"),
            ],
        ),
        (
            {"input": '{"age": 30}', "output": '{"label": "yes", "p": [0.1]}'},
            [
                ("info", "input in a.csv is JSON as text, and no input that is watched"),
                ("warning", f"output in a.csv is JSON as text, {UNREAD} [roles] prediction"),
            ],
        ),
        ({"prediction": 1, "outputs": [0.2, 0.3], "age": 3}, []),
        ({"prediction": 1, "embedding": [0.2, 0.3], "age": 3}, []),
        ({"label": 1, "output": '{"a": [1]}'}, []),
        ({"event": "click", "result": [1, 2]}, []),
    ],
    ids=["bodies", "JSON", "answered", "inputs of other names", "labels", "events"],
)
def test_answers_and_inputs_that_are_several_values_are_said(
    bodies: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    record = {"ts": TS, "request_id": "a", "model_version": "v1", "latency_ms": 3.5, **bodies}
    found = said(inferred(record))
    todo = ": log what should be watched in columns of their own"
    assert sorted(found) == [
        (severity, text + todo if severity == "info" else text) for severity, text in expected
    ]
