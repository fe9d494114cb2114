"""Feature names are hostile text: they may be anybody's, ours among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from logfiles import Take, lines, prediction

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("ts", "id", "h", "who", "quarter", "bad", "line", "is_request", "duplicate", "failed", "invalid")
HOSTILE = ('a"b', "it's", "a; DROP TABLE predictions", "[red]", "a.b", "größe", "select", " ", "x" * 300)


def test_features_may_be_named_like_our_columns_or_worse(logs: Path, take: Take) -> None:
    names = OURS + HOSTILE
    records = [prediction(n, features={name: float(n) for name in names}) for n in range(6)]
    (logs / "a.jsonl").write_text(lines(records))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (6, 0)
    features = found.models["m"].versions["v1"].quality.features
    assert {name: features[name].n for name in names} == dict.fromkeys(names, 6)


def test_names_that_differ_only_by_case_cost_no_record(logs: Path, take: Take) -> None:
    records = [prediction(n, features={"age": float(n), "Age": -1.0, "AGE": None}) for n in range(6)]
    (logs / "a.jsonl").write_text(lines(records))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (6, 0)
    assert (
        len([name for name in found.models["m"].versions["v1"].quality.features if name.lower() == "age"])
        == 1
    )


def test_those_of_a_reference_too(tmp_path: Path) -> None:
    names = (*OURS, "e", "file_row_number", "own_model", "part", "place", "unread_number")
    values = ({name: float(n) for name in names} for n in range(400))
    records = [
        prediction(n, prediction=n / 7, score=None, label=n / 9, features=each)
        for n, each in enumerate(values)
    ]
    logs, reference = tmp_path / "logs", tmp_path / "before.jsonl"
    logs.mkdir()
    for path in (reference, logs / "a.jsonl"):
        path.write_text(lines(records))
    with Session(Options(logs, db=":memory:", reference=reference)) as session:
        session.ingest_all()
        version = session.snapshot().models["m"].versions["v1"]
    drifts = {name: feature.drift for name, feature in version.quality.features.items()}
    assert {name: drift and drift.score for name, drift in drifts.items()} == dict.fromkeys(names, 0)
    assert version.estimated["mae"].value == pytest.approx(version.performance["mae"].value, rel=1e-9)


def test_a_value_may_be_an_object_in_some_records(logs: Path, take: Take) -> None:
    mixed = [prediction(n, features={"age": {"years": n} if n % 2 else float(n)}) for n in range(8)]
    (logs / "a.jsonl").write_text(lines(mixed))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (8, 0)


def test_a_feature_without_values_is_taken_up_once_it_has_some(logs: Path, take: Take) -> None:
    log = logs / "a.jsonl"
    log.write_text(lines(prediction(n, features={"age": 1.0, "income": None}) for n in range(5)))
    assert "income" not in take().models["m"].versions["v1"].quality.features
    with log.open("a") as out:
        out.write(lines(prediction(n, features={"age": 1.0, "income": 2.5 * n}) for n in range(5, 9)))
    income = take().models["m"].versions["v1"].quality.features["income"]
    assert (income.kind, income.n - income.missing, income.invalid) == ("numeric", 4, 0)


def test_features_may_be_named_like_the_columns_of_categories(logs: Path, take: Take) -> None:
    features = {"category": "a", "feature": "b", "known_bin": "c", "known_category": "d", "bin": "e"}
    (logs / "a.jsonl").write_text(lines(prediction(n, features=features) for n in range(1200)))
    (logs / "b.jsonl").write_text(lines(prediction(n, features=features) for n in range(1200, 1300)))
    found = take().models["m"].versions["v1"].quality.features
    assert {name: feature.n for name, feature in found.items()} == dict.fromkeys(features, 1300)


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["number", "decision"])
def test_a_class_is_the_same_in_a_reference_whatever_its_column_is_called(logs: Path, name: str) -> None:
    """A column of answers with the name of one of our types was read as text: `1.00` was another class than `1`."""
    answers = [n % 2 for n in range(400)]
    records = [prediction(n, prediction=None) | {name: answer} for n, answer in enumerate(answers)]
    (logs / "a.jsonl").write_text(lines(records))
    table = [f"{name},age", *(f"{answer}.00,{n}" for n, answer in enumerate(answers))]
    (logs / "reference.csv").write_text("\n".join(table))
    (logs / "mlwatch.toml").write_text(f'[roles]\nprediction = "{name}"\n')
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        drift = session.snapshot().models["m"].versions["v1"].quality.prediction_drift
    assert drift is not None
    assert (drift.n_reference, drift.n_current, drift.score) == (400, 400, 0)
