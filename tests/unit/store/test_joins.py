"""Labels and events join their predictions in any order of arrival, each once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from logfiles import Take, lines, prediction
from sklearn import metrics as reference

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot


def label(number: int, value: Any, hour: int = 11, **more: Any) -> dict[str, Any]:
    return {"request_id": f"r{number}", "label": value, "timestamp": f"2026-11-03T{hour:02d}:00:00Z", **more}


def event(number: int, kind: str, value: float | None = None, **more: Any) -> dict[str, Any]:
    return {
        "request_id": f"r{number}",
        "event": kind,
        "value": value,
        "timestamp": "2026-11-03T12:00:00Z",
        **more,
    }


PARTS = {
    "predictions.jsonl": [prediction(n) for n in range(40)],
    "labels.jsonl": [label(n, int(n % 3 == 0)) for n in range(30)],
    "corrections.jsonl": [label(n, 1, hour=13) for n in range(0, 10, 2)]
    + [label(n, 0, hour=10) for n in range(4)],
    "events.jsonl": [event(n, "purchase", 10.0 + n) for n in (1, 2, 2, 3)]
    + [event(5, "click"), event(3, "refund", 4.0)],
}


def numbers(found: Snapshot) -> Any:
    version = found.models["m"].versions["v1"]
    money = version.business.revenue
    return (
        found.ingest.predictions,
        (found.ingest.outcomes, found.ingest.events, found.ingest.duplicates),
        (found.ingest.outcomes_unmatched, found.ingest.events_unmatched),
        version.labelled,
        version.confusion,
        {name: estimate.value for name, estimate in version.performance.items()},
        (version.business.conversion.value, version.business.engagement.value),
        (money.gross, money.refunds, money.total),
        (money.per_prediction, money.low, money.high),
    )


def is_even(order: tuple[str, ...]) -> bool:
    """Tell whether an even number of pairs is turned round: any three parts are in any order in this half too."""
    places = [list(PARTS).index(name) for name in order]
    return sum(one > other for one, other in itertools.combinations(places, 2)) % 2 == 0


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "order",
    [order for order in itertools.permutations(PARTS) if is_even(order)],
    ids=lambda order: "-".join(n[:3] for n in order),
)
def test_the_order_of_arrival_changes_nothing(tmp_path: Path, logs: Path, order: tuple[str, ...]) -> None:
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        for name in order:
            (logs / name).write_text(lines(PARTS[name]))
            session.ingest_all()
        found = session.snapshot()
    truth = {n: int(n % 3 == 0) for n in range(30)} | dict.fromkeys(range(0, 10, 2), 1)
    predicted = [n % 2 for n in truth]
    actual = list(truth.values())
    version = found.models["m"].versions["v1"]
    assert version.labelled == 30
    assert version.confusion is not None
    assert [list(row) for row in version.confusion.counts] == reference.confusion_matrix(
        actual, predicted
    ).tolist()
    scores = [0.9 if n % 2 else 0.1 for n in truth]
    expected = {
        "accuracy": reference.accuracy_score(actual, predicted),
        "f1": reference.f1_score(actual, predicted),
        "log_loss": reference.log_loss(actual, scores),
        "brier": reference.brier_score_loss(actual, scores),
        "roc_auc": reference.roc_auc_score(actual, scores),
    }
    for name, value in expected.items():
        assert version.performance[name].value == pytest.approx(value, abs=1e-9), name
    money = version.business.revenue
    assert (money.gross, money.refunds, money.total) == (11 + 12 + 12 + 13, 4, 44)
    assert version.business.conversion.value == pytest.approx(3 / 40)
    assert version.business.engagement.value == pytest.approx(1 / 40)
    nets = [11.0, 24.0, 9.0] + [0.0] * 37
    assert money.per_prediction == pytest.approx(sum(nets) / 40)
    spread = (sum((x - sum(nets) / 40) ** 2 for x in nets) / 39 / 40) ** 0.5
    assert money.high is not None
    assert (money.high - sum(nets) / 40) / spread == pytest.approx(
        2.0227, abs=1e-3
    )  # Student's t, 39 degrees
    assert (found.ingest.outcomes, found.ingest.events) == (39, 6)


def test_labels_and_events_without_prediction_are_counted(logs: Path, take: Take) -> None:
    (logs / "p.jsonl").write_text(lines([prediction(1)]))
    (logs / "l.jsonl").write_text(lines([label(1, 1), label(77, 1), label(78, 0)]))
    (logs / "e.jsonl").write_text(lines([event(1, "click"), event(79, "click")]))
    found = take()
    assert (found.ingest.outcomes_unmatched, found.ingest.events_unmatched) == (2, 1)
    (logs / "later.jsonl").write_text(lines([prediction(77), prediction(79)]))
    found = take()
    assert (found.ingest.outcomes_unmatched, found.ingest.events_unmatched) == (1, 0)
    assert found.models["m"].versions["v1"].labelled == 2


def test_an_outcome_said_twice_is_a_duplicate(logs: Path, take: Take) -> None:
    (logs / "p.jsonl").write_text(lines([prediction(1)]))
    (logs / "l.jsonl").write_text(lines([label(1, 1), label(1, 1)]))
    assert (take().ingest.outcomes, take().ingest.duplicates) == (1, 1)
    (logs / "again.jsonl").write_text(lines([label(1, 1)]))
    found = take()
    assert (found.ingest.outcomes, found.ingest.duplicates) == (1, 2)
    assert found.models["m"].versions["v1"].labelled == 1


def test_a_label_in_the_record_holds_until_an_outcome_comes(logs: Path, take: Take) -> None:
    (logs / "p.jsonl").write_text(lines([prediction(1, label=0), prediction(2, label=0)]))
    first = take().models["m"].versions["v1"]
    assert (first.labelled, first.performance["accuracy"].value) == (2, 0.5)
    (logs / "l.jsonl").write_text(lines([label(1, 1)]))
    second = take().models["m"].versions["v1"]
    assert (second.labelled, second.performance["accuracy"].value) == (2, 1.0)


def test_a_pair_of_versions_shares_the_label(logs: Path, take: Take) -> None:
    pair = [prediction(n, version=version) for n in range(6) for version in ("v1", "v2")]
    (logs / "p.jsonl").write_text(lines(pair))
    (logs / "l.jsonl").write_text(lines([label(n, n % 2) for n in range(6)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.duplicates) == (12, 0)
    assert [version.labelled for version in found.models["m"].versions.values()] == [6, 6]


def test_an_outcome_that_names_its_model_goes_to_that_model_alone(logs: Path, take: Take) -> None:
    both = [prediction(n, model=model) for n in range(4) for model in ("a", "b")]
    (logs / "p.jsonl").write_text(lines(both))
    (logs / "l.jsonl").write_text(lines([label(n, 1, model="a") for n in range(4)]))
    models = take().models
    assert (models["a"].versions["v1"].labelled, models["b"].versions["v1"].labelled) == (4, 0)


def test_duplicates_are_counted_wherever_they_come_from(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(lines([prediction(1), prediction(2), prediction(1)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.duplicates) == (2, 1)
    (logs / "b.jsonl").write_text(lines([prediction(2), prediction(3)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.duplicates) == (3, 2)
    assert found.models["m"].versions["v1"].predictions == 3


def test_a_repeated_record_may_bring_the_label(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(lines([prediction(1), prediction(1, label=1)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.duplicates) == (1, 1)
    assert found.models["m"].versions["v1"].labelled == 1


def test_repeated_events_with_an_id_of_their_own_count_once(logs: Path, take: Take) -> None:
    (logs / "p.jsonl").write_text(lines([prediction(1)]))
    repeated = [event(1, "purchase", 5.0, event_id="e1"), event(1, "purchase", 5.0, event_id="e1")]
    (logs / "e.jsonl").write_text(lines(repeated))
    found = take()
    assert (found.ingest.events, found.ingest.duplicates) == (1, 1)
    assert found.models["m"].versions["v1"].business.revenue.gross == 5.0


def test_regression_equals_scikit_learn(logs: Path, take: Take) -> None:
    truth = [3.5 * n + (n % 7) for n in range(50)]
    guess = [3.4 * n + (n % 5) + 0.25 for n in range(50)]
    (logs / "p.jsonl").write_text(lines([prediction(n, prediction=guess[n], score=None) for n in range(50)]))
    (logs / "l.jsonl").write_text(lines([label(n, truth[n]) for n in range(50)]))
    model = take().models["m"]
    assert model.task == "regression"
    found = {name: estimate.value for name, estimate in model.versions["v1"].performance.items()}
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(truth, guess), abs=1e-9)
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, guess), abs=1e-9)
    assert found["r2"] == pytest.approx(reference.r2_score(truth, guess), abs=1e-9)


def test_metrics_stay_when_rollups_are_compacted(logs: Path, opened: Callable[[], Any]) -> None:
    from mlwatch.store import upkeep

    for name, part in PARTS.items():
        (logs / name).write_text(lines(part))
    with opened() as session:
        before = rounded(numbers(session.snapshot()))
        upkeep.compact(session.connection)
        assert rounded(numbers(session.snapshot())) == before


def test_batches_are_added_up_and_the_totals_stay(logs: Path, opened: Callable[[], Any]) -> None:
    """Those of the last hour minute by minute, all before as one."""
    from mlwatch.snapshot.state import ingest_totals
    from mlwatch.store import upkeep

    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(10)))
    with opened() as session:
        connection = session.connection
        connection.execute("""
            INSERT INTO batches SELECT i, (SELECT MAX(taken_at) FROM batches) - to_seconds(3 * (3001 - i)),
                i * 7, i % 11, i % 10, i % 9, i % 8, i % 7, i % 6, i % 5, i % 4, i % 3, NULL
            FROM range(2, 3002) AS t(i)""")
        before = ingest_totals(connection)
        assert before.bytes > 7 * 3000 * 1500
        upkeep.compact(connection)
        assert ingest_totals(connection) == before
        old, late, newest = connection.execute("""
            SELECT COUNT(*) FILTER (taken_at <= (SELECT MAX(taken_at) - INTERVAL 1 HOUR FROM batches)),
                COUNT(DISTINCT date_trunc('minute', taken_at)), MAX(batch) FROM batches""").fetchone()
        assert (old, newest) == (1, 3001)
        assert late in {61, 62}
        (logs / "b.jsonl").write_text(lines(prediction(n) for n in range(10, 30)))
        session.ingest_all()
        assert session.snapshot().ingest.records == before.records + 20


def rounded(value: Any) -> Any:
    """Round every number to twelve digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def test_outcomes_beside_predictions_need_not_name_the_model(logs: Path, take: Take) -> None:
    mixed = [record for n in range(6) for record in (prediction(n), label(n, n % 2))]
    (logs / "all.jsonl").write_text(lines(mixed))
    found = take()
    assert (found.ingest.predictions, found.ingest.outcomes, found.ingest.outcomes_unmatched) == (6, 6, 0)
    assert found.models["m"].versions["v1"].labelled == 6


def test_a_session_answers_more_than_one_query(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "p.jsonl").write_text(lines([prediction(n) for n in range(3)]))
    with opened() as session:
        for _ in range(2):
            assert session.query("SELECT COUNT(*) AS n FROM predictions") == (["n"], [(3,)])


def prediction_kind(number: int, kind: str | None) -> dict[str, Any]:
    return prediction(number) | ({} if kind is None else {"type": kind})


@pytest.mark.usual(1)
@pytest.mark.parametrize("kind", [None, "prediction"])
def test_one_file_may_hold_predictions_labels_and_events(logs: Path, take: Take, kind: str | None) -> None:
    records: list[dict[str, Any]] = []
    for number in range(40):
        later = {"request_id": f"r{number}", "timestamp": "2026-11-03T12:00:00Z"}
        records.append(prediction_kind(number, kind))
        records.append({**later, "type": "label", "label": number % 2})
        if number % 4 == 0:
            records.append({**later, "type": "click"})
            records.append({**later, "type": "purchase", "value": 2.5})
    records.append({**prediction_kind(40, kind), "prediction": None, "score": None, "status": 503})
    (logs / "all.jsonl").write_text(lines(records))
    snapshot = take()
    version = snapshot.models["m"].versions["v1"]
    found = snapshot.ingest
    assert (found.predictions, found.outcomes, found.events, found.rejected) == (41, 40, 20, 0)
    assert (version.predictions, version.errors.count, version.labelled) == (41, 1, 40)
    assert version.business.conversion.value == pytest.approx(10 / 41)
    assert list(snapshot.models) == ["m"]


def test_events_may_begin_long_after_the_predictions_of_their_file(logs: Path, take: Take) -> None:
    records = [prediction(number) for number in range(3000)]
    later = [
        {"request_id": f"r{n}", "event": "purchase", "timestamp": "2026-11-03T12:00:00Z"} for n in range(9)
    ]
    (logs / "all.jsonl").write_text(lines([*records, *later]))
    found = take().ingest
    assert (found.predictions, found.events, found.rejected) == (3000, 9, 0)


def test_a_constant_message_of_a_logger_is_no_event(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(number) | {"event": "served"} for number in range(30)))
    found = take().ingest
    assert (found.predictions, found.events) == (30, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("messages", "events"),
    [
        (("prediction_served", "prediction_cached"), 0),
        (("Served a prediction", "Scored from cache", "request done"), 0),
        (("prediction_served", "purchase"), 30),
        (("won", "lost"), 30),
    ],
)
def test_what_a_logger_says_of_every_prediction_is_no_event(
    logs: Path, take: Take, messages: tuple[str | None, ...], events: int
) -> None:
    """Other names may mean something to a business that no one else knows."""
    (logs / "a.jsonl").write_text(
        lines(prediction(number) | {"event": messages[number % len(messages)]} for number in range(30))
    )
    found = take().ingest
    assert (found.predictions, found.events) == (30, events)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "failure", [{"status": 500}, {"error": "Timeout"}, {"status": 503, "error": "Timeout"}]
)
def test_what_a_logger_says_of_a_request_that_failed_is_no_business(
    logs: Path, take: Take, failure: dict[str, Any]
) -> None:
    records: list[dict[str, Any]] = []
    for number in range(20):
        one = prediction(number)
        records.append({**one, "prediction": None, "score": None, "event": "request_started"})
        if number % 4:
            records.append({**one, "event": "prediction_made"})
        else:
            records.append({**one, "prediction": None, "score": None, "event": "request_failed", **failure})
    (logs / "a.jsonl").write_text(lines(records))
    found = take()
    version = found.models["m"].versions["v1"]
    assert (version.predictions, version.errors.count) == (20, 5)
    assert (found.ingest.events, found.ingest.events_unmatched, found.ingest.duplicates) == (35, 0, 0)


def test_an_event_that_says_how_a_payment_went_is_no_request(logs: Path, take: Take) -> None:
    bought = [event(n, "purchase", 5.0, status=("ok", "failed")[n % 2]) for n in range(10)]
    (logs / "a.jsonl").write_text(lines([*(prediction(n) for n in range(10)), *bought]))
    found = take()
    assert found.models["m"].versions.keys() == {"v1"}
    assert (found.ingest.predictions, found.ingest.events) == (10, 10)


def failure(number: int) -> dict[str, Any]:
    return {**prediction(number), "prediction": None, "score": None, "status": 503}


@pytest.mark.usual(1)
@pytest.mark.parametrize("turned", [False, True])
def test_a_request_that_was_answered_has_not_failed(logs: Path, take: Take, turned: bool) -> None:
    records = [failure(1), failure(1), {**prediction(1), "status": 200}, failure(2)]
    (logs / "a.jsonl").write_text(lines(records[::-1] if turned else records))
    (logs / "z.jsonl").write_text(lines([label(1, 1), event(1, "purchase", 5.0)]))
    found = take()
    version = found.models["m"].versions["v1"]
    assert (version.predictions, version.errors.count, version.labelled) == (2, 1, 1)
    assert version.business.revenue.total == 5.0
    assert found.ingest.duplicates == 2


def test_a_failure_after_the_answer_is_a_duplicate(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(lines([{**prediction(n), "status": 200} for n in (1, 2)]))
    take()
    (logs / "b.jsonl").write_text(lines([failure(1), failure(3)]))
    found = take()
    version = found.models["m"].versions["v1"]
    assert (version.predictions, version.errors.count, found.ingest.duplicates) == (3, 1, 1)


@pytest.mark.usual(1)
@pytest.mark.parametrize("between", [False, True])
def test_an_answer_after_a_stored_failure_has_the_labels_and_events(
    logs: Path, take: Take, between: bool
) -> None:
    told = lines([label(1, 1), event(1, "purchase", 5.0)])
    answer = {**prediction(1), "status": 200}
    (logs / "a.jsonl").write_text(lines([failure(1), {**prediction(2), "status": 200}]))
    take()
    steps = [("b.jsonl", lines([answer])), ("c.jsonl", told)]
    for name, text in steps[::-1] if between else steps:
        (logs / name).write_text(text)
        take()
    (logs / "d.jsonl").write_text(lines([prediction(2), answer, failure(1)]))
    (logs / "e.jsonl").write_text(lines([event(1, "purchase", 2.0)]))
    found = take()
    version = found.models["m"].versions["v1"]
    assert (version.predictions, version.errors.count, version.labelled) == (3, 1, 1)
    assert found.ingest.duplicates == 3
    assert (found.ingest.outcomes_unmatched, found.ingest.events_unmatched) == (0, 0)
    assert version.business.revenue.total == 7.0
    assert version.business.conversion.value == pytest.approx(1 / 3)
