"""Exports of tools that trace language models: Langfuse's observations and scores, LangSmith's runs and feedback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.config import RoleSettings
from mlwatch.elements import dotted
from mlwatch.roles import Mapping, columns_of, infer
from mlwatch.sources.shapes import build_shape, load_shape

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
ROWS = 400
TOOK = np.random.default_rng(3).gamma(9, 100, ROWS).round(3)
"""Milliseconds of each request."""


def inferred(*records: dict[str, Any], settings: RoleSettings | None = None) -> Mapping:
    return infer(columns_of(records), settings or RoleSettings(), PurePath("log.jsonl"), "logs")


def roles_of(mapping: Mapping) -> dict[str, str]:
    return {role: dotted(path) for role, path in mapping.roles.items()}


def moment(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def text(i: int) -> str:
    return f"This is the answer number {i} to a question of somebody."


def observation(i: int, **changes: Any) -> dict[str, Any]:
    record = {"id": f"o{i}", "traceId": f"t{i}", "type": "GENERATION", "name": "chat", "model": "gpt"}
    times = {"startTime": moment(i), "endTime": moment(i + TOOK[i] / 1e3)}
    said = {"input": [{"role": "user", "content": "hi"}], "output": {"role": "assistant", "content": text(i)}}
    paid = {"usage": {"input": 10 + i, "output": i, "unit": "TOKENS"}, "calculatedTotalCost": 0.5}
    return {**record, **times, **said, **paid, "version": "1", **changes}


def scored(i: int) -> dict[str, Any]:
    record = {"id": f"s{i}", "observationId": f"o{i}", "traceId": f"t{i}", "name": "user-feedback"}
    return {**record, "value": i % 2, "dataType": "BOOLEAN", "timestamp": moment(i + 40)}


def run(i: int) -> dict[str, Any]:
    record = {"id": f"o{i}", "trace_id": f"o{i}", "name": "ChatOpenAI", "run_type": "llm", "error": None}
    times = {"start_time": moment(i)[:-6], "end_time": moment(i + TOOK[i] / 1e3)[:-6], "status": "success"}
    said = {"outputs": {"generations": [[{"text": text(i)}]]}}
    return {**record, **times, **said, "prompt_tokens": 10 + i, "completion_tokens": i, "total_cost": 0.5}


def told(i: int) -> dict[str, Any]:
    record = {"id": f"f{i}", "run_id": f"o{i}", "key": "user_score", "score": i % 2}
    return {**record, "created_at": moment(i + 40)}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("ask", "say", "kind"), [(observation, scored, "user-feedback"), (run, told, "user_score")]
)
def test_runs_are_requests_with_their_times_and_what_is_said_of_them_is_no_request(
    tmp_path: Path, ask: Any, say: Any, kind: str
) -> None:
    (tmp_path / "runs.jsonl").write_text("".join(f"{json.dumps(ask(i))}\n" for i in range(ROWS)))
    (tmp_path / "said.jsonl").write_text("".join(f"{json.dumps(say(i))}\n" for i in range(0, ROWS, 4)))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        snapshot = watch.snapshot()
        events = watch.connection.execute(
            "SELECT kind, COUNT(*), SUM(value) FROM events GROUP BY kind"
        ).fetchall()
    (model,) = snapshot.models.values()
    (version,) = model.versions.values()
    assert (version.predictions, version.errors.count) == (ROWS, 0)
    assert version.latency.mean == pytest.approx(TOOK.mean(), abs=1e-3)
    measures = version.outputs.measures
    assert measures["input_tokens"].total == sum(10 + i for i in range(ROWS))
    assert measures["output_tokens"].total == sum(range(ROWS))
    assert measures["cost"].total == pytest.approx(0.5 * ROWS)
    assert measures["characters"].total == sum(len(text(i)) for i in range(ROWS))
    assert events == [(kind, ROWS // 4, sum(i % 2 for i in range(0, ROWS, 4)))]
    assert snapshot.ingest.events_unmatched == 0


def test_how_a_request_was_made_is_no_event_though_nothing_was_answered() -> None:
    mapping = inferred(*(observation(i, output=None) for i in range(5)))
    assert "event" not in mapping.roles


def test_a_latency_is_taken_before_start_and_end_and_a_stay_is_none() -> None:
    ride = {"start_time": moment(0), "end_time": moment(600), "prediction": 12.5, "distance": 3.25}
    assert inferred(ride).ended is None
    job = {"id": "j", "start_time": moment(0), "end_time": moment(600)}
    assert inferred(job).ended is None
    served = {**ride, "status": 200}
    assert inferred(served).ended == ("end_time",)
    assert inferred({**served, "latency_ms": 3.5}).ended is None
    assert inferred(served, settings=RoleSettings(latency="took")).ended is None


def spanning(*seconds: float, rows: int = 20) -> Mapping:
    """Return what records are whose spans are some in turn."""
    starts = [7200.0 * i for i in range(rows)]
    return inferred(
        *(
            {
                "id": f"a{i}",
                "start_time": moment(start),
                "end_time": moment(start + seconds[i % len(seconds)]),
            }
            | {"features": {"a": i}, "prediction": 1.5 * i}
            for i, start in enumerate(starts)
        )
    )


@pytest.mark.parametrize(
    ("spans", "rows", "ended"),
    [
        ((0.5, 2.25), 20, True),
        ((0.5, 1.5, 86400.0), 20, True),
        ((0.5, 601.0, 700.0), 20, False),
        ((259200.0,), 20, False),
        ((259200.0, 172800.0), 20, False),
        ((259200.0,), 1, False),
        ((3600.0,), 20, False),
        ((300.0,), 20, False),
        ((300.0,), 4, True),
    ],
)
def test_stays_and_windows_of_one_length_are_no_latencies(
    spans: tuple[float, ...], rows: int, ended: bool
) -> None:
    assert (spanning(*spans, rows=rows).ended == ("end_time",)) is ended


@pytest.mark.parametrize(("factor", "unit"), [(1.0, "ms"), (1e3, "s"), (1e-3, "us")])
def test_start_and_end_tell_the_unit_of_a_latency(factor: float, unit: str) -> None:
    records = [
        {"id": f"a{i}", "startTime": 1795593600 + i, "endTime": 1795593600 + i + TOOK[i] / 1e3, "status": 200}
        | {"response_time": TOOK[i] / factor}
        for i in range(20)
    ]
    mapping = inferred(*records)
    assert (mapping.latency_factor, f"in {unit}, as" in mapping.reasons["latency"]) == (factor, True)
    said = inferred(*records, settings=RoleSettings(latency_unit="ns"))
    assert said.latency_factor == 1e-6


@pytest.mark.parametrize(
    "more",
    [
        *({"prediction": 1}, {"status": 200}, {"latency_ms": 3.5}, {"model": "m"}, {"value": 2.5}),
        *(
            {"name": "x"},
            {"age": 31},
            {"amount": 2.5},
            {"country": "A"},
            {"step": 3},
            {"features": {"age": 31}},
        ),
    ],
)
def test_rows_that_say_more_than_a_score_of_a_run_are_no_feedback(more: dict[str, Any]) -> None:
    mapping = inferred(*({**told(i), **more} for i in range(5)))
    assert mapping.roles.get("id") != ("run_id",)


def batch(i: int, **changes: Any) -> dict[str, Any]:
    name = "lead_scorer" if i % 2 else "churn"
    return {"timestamp": moment(i), "run_id": f"run{i}", "name": name, "score": i / 50, **changes}


@pytest.mark.parametrize("changes", [{"age": 31}, {"run_id": "2026-11-25"}])
def test_scores_that_models_give_in_a_run_are_predictions(changes: dict[str, Any]) -> None:
    roles = roles_of(inferred(*(batch(i, **changes) for i in range(50))))
    assert (roles.get("score"), roles.get("event"), roles.get("value")) == ("score", None, None)


@pytest.mark.parametrize(
    "more",
    [
        {
            "comment": "good",
            "feedback_source": {"type": "api", "metadata": {"a": 1}},
            "modified_at": moment(1),
        },
        {"session_id": "s", "trace_id": "t", "correction": None, "extra": {"a": 1}, "reviewers": None},
    ],
)
def test_what_exports_of_feedback_have_beside_a_score_does_not_make_it_a_models(more: dict[str, Any]) -> None:
    roles = roles_of(inferred(*({**told(i // 2), "id": f"f{i}", **more} for i in range(20))))
    assert (roles["id"], roles["event"], roles["value"], roles["event_id"]) == (
        "run_id",
        "key",
        "score",
        "id",
    )


def test_the_end_is_kept_with_what_is_known_of_a_file() -> None:
    shape = build_shape("k", "jsonl", [run(i) for i in range(3)], "log.jsonl", "logs", RoleSettings())
    assert load_shape("k", shape.document()) == shape
    assert shape.mapping.ended == ("end_time",)
