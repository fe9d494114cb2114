"""What a model answers, and what tells records apart, are no inputs: neither drift nor segments are about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from logfiles import lines

from mlwatch.config import OutputSettings
from mlwatch.store import rollups
from mlwatch.store.meanings import NoInputs, no_inputs
from mlwatch.store.registry import FeatureRow
from mlwatch.store.rollup import DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.session import Session

N = 4_000
CLASSES = ("bird", "cat", "dog")


def stamp(number: int) -> str:
    return f"2026-11-03T{10 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"


def record(number: int, **more: Any) -> dict[str, Any]:
    version = "v2" if number >= N // 2 and number % 2 else "v1"
    return {"timestamp": stamp(number), "request_id": f"r{number}", "version": version, **more}


def of_classes() -> list[dict[str, Any]]:
    """Return answers of a classifier whose second version is sure of itself: its inputs are those of the first."""
    draw = np.random.default_rng(4)
    found = []
    for number in range(N):
        sure = 20 if number >= N // 2 and number % 2 else 1
        chances = draw.dirichlet([sure, 1, 1])
        inputs = {"age": float(draw.normal()), "plan": str(draw.choice(["free", "pro"]))}
        given = {f"proba_{name}": float(chance) for name, chance in zip(CLASSES, chances, strict=True)}
        truth, answer = str(draw.choice(CLASSES)), CLASSES[int(np.argmax(chances))]
        found.append(record(number, **inputs, **given, prediction=answer, label=truth))
    return found


def of_numbers() -> list[dict[str, Any]]:
    draw = np.random.default_rng(4)
    found = []
    for number in range(N):
        wide = 9 if number >= N // 2 and number % 2 else 1
        value = float(draw.normal())
        given = {"p10": value - wide, "p90": value + wide}
        found.append(record(number, age=float(draw.normal()), **given, prediction=value, label=value + 0.1))
    return found


def of_ranking() -> list[dict[str, Any]]:
    draw = np.random.default_rng(4)
    return [
        record(
            number,
            query_id=f"q{number // 10}",
            session_id=f"s{number // 100}",
            user_id=f"u{number // 50}",
            position=number % 10 + 1,
            price=float(draw.normal()),
            score=float(draw.normal()),
            label=int(draw.integers(0, 3)),
        )
        for number in range(N)
    ]


def followed(session: Session) -> set[str]:
    """Return the features whose values part the labelled predictions."""
    table = rollups.SEGMENTS.table(DAY)
    _, rows = session.query(f"SELECT DISTINCT name FROM {table} JOIN features USING (feature)")
    return {name for (name,) in rows}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("records", "inputs", "answers"),
    [
        (of_classes, {"age", "plan"}, {"proba_bird", "proba_cat", "proba_dog"}),
        (of_numbers, {"age"}, {"p10", "p90"}),
    ],
)
def test_answers_are_shown_but_count_as_no_inputs(
    logs: Path,
    opened: Callable[[], Any],
    records: Callable[[], list[dict[str, Any]]],
    inputs: set[str],
    answers: set[str],
) -> None:
    (logs / "a.jsonl").write_text(lines(records()))
    with opened() as session:
        (model,) = session.snapshot().models.values()
        assert followed(session) == inputs
    quality = model.versions["v2"].quality
    drifted = {name for name, one in quality.features.items() if one.drift is not None and one.drift.drifted}
    assert set(quality.features) == inputs | answers
    assert drifted == answers
    assert quality.drifted_share == 0


def test_queries_users_and_places_are_no_inputs_of_a_ranking(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "a.jsonl").write_text(lines(of_ranking()))
    with opened() as session:
        found = session.snapshot()
        assert followed(session) == {"price"}
    (model,) = found.models.values()
    for version in model.versions.values():
        features = version.quality.features
        assert version.quality.drifted_share == 0
        assert {name for name, one in features.items() if one.stuck} == set()
        assert {name for name, one in features.items() if one.drift is not None} == {"position", "price"}
    said = [alert.message for alert in found.alerts if alert.state != "resolved"]
    assert not [text for text in said if "query_id" in text or "session_id" in text]


def test_a_column_that_is_named_is_followed(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "mlwatch.toml").write_text('[segments]\ncolumns = ["proba_cat", "plan"]\n')
    (logs / "a.jsonl").write_text(lines(of_classes()))
    with opened() as session:
        assert followed(session) == {"proba_cat", "plan"}


def test_what_is_told_by_names_alone() -> None:
    names = ("query_id", "position", "session_id", "device", "customer", "p10", "p90", "proba_1", "proba_2")
    rows = [FeatureRow(number, name, name, "numeric") for number, name in enumerate(names)]

    def told(*, task: str, without: str = "", unit: str | None = None) -> tuple[set[str], set[str]]:
        found = no_inputs([row for row in rows if row.name != without], task, OutputSettings(), unit)
        return {names[each] for each in found.answers}, {names[each] for each in found.keys}

    assert told(task="binary") == ({"position"}, {"query_id", "session_id"})
    assert told(task="binary", without="position", unit="device") == (set(), {"session_id", "device"})
    assert told(task="regression", without="query_id") == ({"p10", "p90"}, {"session_id"})
    assert told(task="multiclass", without="query_id") == ({"proba_1", "proba_2"}, {"session_id"})
    assert no_inputs([], "multiclass", OutputSettings()) == NoInputs()
