"""What is odd about the data is said, and what is usual is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import lines, prediction
from waiting import until

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

Rows = list[dict[str, Any]]


def rows(n: int, start: int = 0, version: str = "v1", **features: Any) -> Rows:
    """Rows with age, city and plan; a feature given as None is left out of the records."""
    made = []
    for i in range(start, start + n):
        own: dict[str, Any] = {"age": float(i % 40), "city": "abc"[i % 3], "plan": "xy"[i % 2], **features}
        kept = {
            name: value(i) if callable(value) else value for name, value in own.items() if value is not None
        }
        made.append(prediction(i, version=version, features=kept))
    return made


def watched(tmp_path: Path, *files: Rows, reference: Rows | None = None, config: str = "") -> Snapshot:
    logs = tmp_path / "logs"
    logs.mkdir(parents=True)
    (logs / "mlwatch.toml").write_text(config)
    for number, made in enumerate(files):
        (logs / f"{number}.jsonl").write_text(lines(made))
    if reference is not None:
        (logs / "reference.jsonl").write_text(lines(reference))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        return session.snapshot()


def odd(found: Snapshot) -> dict[str, str]:
    return {
        alert.rule.removeprefix("quality: "): alert.message
        for alert in found.alerts
        if alert.rule.startswith("quality: ")
    }


def renamed(made: Rows, names: dict[str, str]) -> Rows:
    """Return rows whose features have other names."""
    return [
        {**row, "features": {names.get(name, name): value for name, value in row["features"].items()}}
        for row in made
    ]


def test_features_that_the_reference_calls_otherwise_are_said(tmp_path: Path) -> None:
    reference = renamed(rows(300), {"age": "Age", "plan": "pl-AN"})
    found = watched(tmp_path, rows(300), reference=reference)
    assert odd(found) == {
        "other names": "v1 logs what the reference calls otherwise, which is not compared: age (Age), plan (pl-AN)"
    }


def test_a_reference_without_any_of_the_features_is_said(tmp_path: Path) -> None:
    reference = renamed(rows(300), {"age": "height", "city": "place", "plan": "tariff"})
    found = watched(tmp_path, rows(300), reference=reference)
    assert odd(found) == {
        "no reference": "no feature of v1 is in the reference, which has height, place, tariff"
    }
    block = found.to_dict()["models"]["m"]["versions"]["v1"]["quality"]
    assert block["reasons"]["drifted_share"] == "the reference has none of these features"


@pytest.mark.parametrize(("models", "said"), [(("a", "b"), True), (("a",), False)])
def test_a_reference_of_several_models_is_said(
    tmp_path: Path, models: tuple[str, ...], *, said: bool
) -> None:
    reference = [{**row, "model": models[i % len(models)]} for i, row in enumerate(rows(300))]
    found = watched(tmp_path, rows(300), reference=reference)
    text = "the reference has rows of several models (a, b), and each model is compared with all of them: "
    messages = [alert.message for alert in found.alerts if alert.state == "firing"]
    assert (f"{text}keep those of one" in messages) is said


def test_steady_data_give_no_cause(tmp_path: Path) -> None:
    assert odd(watched(tmp_path, rows(300), rows(300, 300, "v2"), reference=rows(300))) == {}


def test_a_column_that_a_version_lacks_has_vanished(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(300), rows(300, 300, "v2", plan=None))
    assert odd(found) == {"vanished features": "v2 logs no value of plan"}
    about = {alert.about for alert in found.alerts if alert.rule == "quality: vanished features"}
    assert about == {"m v2"}, "of each version it is told"
    document = found.to_dict()["models"]["m"]["versions"]
    assert (document["v1"]["quality"]["vanished"], document["v2"]["quality"]["vanished"]) == ([], ["plan"])


def test_a_column_of_training_that_is_never_logged_has_vanished(tmp_path: Path) -> None:
    assert odd(watched(tmp_path, rows(300, plan=None), reference=rows(300))) == {
        "vanished features": "v1 logs no value of plan"
    }


def test_a_new_column_has_appeared(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(300), rows(300, 300, "v2", income=float))
    assert odd(found) == {"new features": "v2 logs what neither reference nor baseline has: income"}


def test_numbers_that_became_words_changed_their_type(tmp_path: Path) -> None:
    found = watched(
        tmp_path, rows(300), rows(300, 300, "v2", age=lambda i: f"{i} years"), reference=rows(300)
    )
    assert odd(found)["changed types"] == "most values in v2 are no numbers any more: age"


def test_words_that_became_numbers_changed_their_type(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(300), rows(300, 300, "v2", city=lambda i: i % 3), reference=rows(300))
    assert odd(found)["changed types"] == "most values in v2 are numbers now: city"
    (alert,) = (alert for alert in found.alerts if alert.rule == "quality: changed types")
    assert alert.about == "m v2 numbers", "of each version it is told"
    assert found.models["m"].versions["v2"].quality.features["city"].unseen == 300


def test_words_that_became_other_words_did_not(tmp_path: Path) -> None:
    found = watched(
        tmp_path, rows(300), rows(300, 300, "v2", city=lambda i: "uvw"[i % 3]), reference=rows(300)
    )
    assert "unseen categories" in odd(found)
    assert "changed types" not in odd(found)


def test_codes_that_became_other_codes_did_not(tmp_path: Path) -> None:
    codes = [rows(300, 300 * at, f"v{at}", city=lambda i, at=at: f"{at}{i % 3}") for at in (1, 2)]
    told = rows(300, city=lambda i: f"1{i % 3}")
    found = watched(tmp_path, *codes, reference=told, config='[roles]\ncategorical = ["city"]\n')
    assert "unseen categories" in odd(found)
    assert "changed types" not in odd(found)


def test_a_feature_that_stands_still_is_stuck(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(300), rows(300, 300, "v2", age=7.0), reference=rows(300))
    assert odd(found)["stuck features"].endswith("reference or earlier ones had more: age")
    assert found.models["m"].versions["v2"].quality.features["age"].stuck
    assert not found.models["m"].versions["v1"].quality.features["age"].stuck


def test_a_missing_rate_unlike_that_of_training_is_skew(tmp_path: Path) -> None:
    holed = rows(300, age=lambda i: None if i % 5 == 0 else float(i % 40))
    found = watched(tmp_path, holed, reference=rows(300))
    assert odd(found) == {
        "training-serving skew": "the missing rate in v1 is not the reference's: age (0.0 % → 20.0 %)"
    }


def test_a_reference_of_another_model_is_not_asked_for(tmp_path: Path) -> None:
    other = [prediction(i, features={"a": 1.0, "b": 2.0, "c": float(i), "age": 3.0}) for i in range(300)]
    assert "vanished features" not in odd(watched(tmp_path, rows(300), reference=other))


def test_few_rows_say_nothing(tmp_path: Path) -> None:
    assert odd(watched(tmp_path, rows(300), rows(20, 300, "v2", plan=None))) == {}


def test_hostile_names_stay_on_one_line(tmp_path: Path) -> None:
    evil = "x\n\x1b[31m"
    found = watched(tmp_path, rows(300), rows(300, 300, "v2", **{evil: 1.0}))
    assert odd(found)["new features"].isprintable()


def spread(per_minute: list[int]) -> Rows:
    start = datetime(2026, 11, 3, 10, tzinfo=UTC)
    return [
        prediction(
            minute * 1000 + i,
            timestamp=(start + timedelta(minutes=minute, seconds=i * 60 / n))
            .isoformat()
            .replace("+00:00", "Z"),
        )
        for minute, n in enumerate(per_minute)
        for i in range(n)
    ]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("last", "said"),
    [(2, "fell to 2"), (400, "rose to 400"), (45, None), (62, None), (30, None)],
)
def test_an_odd_volume_is_said_and_noise_is_not(tmp_path: Path, last: int, said: str | None) -> None:
    steady = [50, 47, 55, 52, 49, 51, 46, 53, 50, 48, 52, 51]
    found = odd(watched(tmp_path, spread([*steady, last, 20])))
    assert ("volume" in found) is (said is not None)
    if said is not None:
        assert found["volume"] == f"requests of m {said} from 10:12 to 10:13 UTC, usually 51"


def test_records_of_the_future_are_said_but_not_when_the_past_is_looked_at(tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines([*rows(10), prediction(99, timestamp=ahead)]))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        now, past = session.snapshot(), session.snapshot(at=datetime(2026, 11, 3, 12, tzinfo=UTC))
    assert (
        odd(now)["future timestamps"] == "1 request is up to 3.0 h ahead of this machine's clock and left out"
    )
    assert "future timestamps" not in odd(past)


def test_many_repeated_records_are_said(tmp_path: Path) -> None:
    assert odd(watched(tmp_path, rows(300), rows(60)[::-1])) == {
        "duplicates": "60 records (16.7 %) repeat earlier ones; each is counted once"
    }


def test_many_rejected_records_are_said(tmp_path: Path) -> None:
    assert odd(
        watched(tmp_path, [*rows(300), *({"user": i, "timestamp": "yesterday"} for i in range(100))])
    ) == {"rejected records": "100 records (25.0 %) are rejected: the quarantine says which and why"}


def test_what_is_rejected_later_is_not_said_of_the_past(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    begin = datetime.now(UTC) - timedelta(hours=1)
    made = [prediction(n, timestamp=(begin + timedelta(seconds=n)).isoformat()) for n in range(3600)]
    wild: Rows = [{"user": i, "timestamp": "yesterday"} for i in range(1000)]
    with Session(Options(logs, db=":memory:")) as session:
        (logs / "a.jsonl").write_text(lines(made[:2400] + wild[:60]))
        session.ingest_all()
        session.connection.execute("UPDATE batches SET taken_at = taken_at - INTERVAL 20 MINUTES")
        (logs / "b.jsonl").write_text(lines(made[2400:] + wild[60:]))
        session.ingest_all()
        then = (begin + timedelta(minutes=minutes) for minutes in (30, 50))
        said = [odd(session.snapshot(at=at)).get("rejected records") for at in (*then, None)]
    what = "are rejected: the quarantine says which and why"
    assert said == [None, f"60 records (2.4 %) {what}", f"1,000 records (21.7 %) {what}"]


@pytest.mark.usual(1)
@pytest.mark.parametrize("apart", [False, True])
def test_a_first_read_says_of_the_past_what_its_logs_hold(tmp_path: Path, *, apart: bool) -> None:
    """All of it is read after the moment that is looked at, as by a report in a pipeline."""
    logs = tmp_path / "logs"
    logs.mkdir()
    wild: Rows = [{"user": i, "timestamp": "yesterday"} for i in range(100)]
    (logs / "a.jsonl").write_text(lines([*rows(300), *([] if apart else wild)]))
    if apart:
        (logs / "c.jsonl").write_text(lines(wild))
    (logs / "b.parquet").write_bytes(b"PAR1 and no more")
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        now, then = session.snapshot(), session.snapshot(at=datetime(2026, 11, 5, tzinfo=UTC))
    text = "100 records (25.0 %) are rejected: the quarantine says which and why"
    assert odd(now)["rejected records"] == odd(then)["rejected records"] == text
    unread = [[each.message for each in found.alerts if "b.parquet" in each.rule] for found in (now, then)]
    assert len(unread[0]) == 1
    assert unread[0] == unread[1]


def test_rejected_records_are_said_where_nothing_else_is_read(tmp_path: Path) -> None:
    assert odd(watched(tmp_path, [{"user": i, "timestamp": "yesterday"} for i in range(100)])) == {
        "rejected records": "100 records (100.0 %) are rejected: the quarantine says which and why"
    }


@pytest.mark.deep
def test_records_that_are_rejected_lately_are_said_of_an_old_store(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(rows(10_000)))
    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        session.connection.execute("UPDATE batches SET taken_at = taken_at - INTERVAL 2 HOURS")
        wild = [{"user": i, "timestamp": "yesterday"} for i in range(60)]
        (logs / "b.jsonl").write_text(lines([*rows(440, 10_000), *wild]))
        (logs / "c.jsonl").write_text(lines(rows(500, 10_380)))
        session.ingest_all()
        said = {
            "duplicates": "60 records of the last hour (6.0 %) repeat earlier ones; each is counted once",
            "rejected records": "60 records of the last hour (6.0 %) are rejected: "
            "the quarantine says which and why",
        }
        found = session.snapshot()
        assert odd(found) == said
        assert found.ingest.records == 11_000
        past = session.snapshot(at=datetime(2026, 11, 5, tzinfo=UTC))
        assert odd(past).keys().isdisjoint(said)
        session.connection.execute("UPDATE batches SET taken_at = taken_at - INTERVAL 2 HOURS")
        (logs / "d.jsonl").write_text(lines(rows(10, 20_000)))
        session.ingest_all()
        assert odd(session.snapshot()).keys().isdisjoint(said)


def test_amounts_in_several_currencies_are_said_and_models_have_their_own(tmp_path: Path) -> None:
    def sold(i: int, model: str, currency: str) -> dict[str, Any]:
        when = {"timestamp": "2026-11-03T10:20:00Z", "request_id": f"r{i}", "model": model}
        return when | {"event": "purchase", "value": 10, "currency": currency}

    asked = [row | {"model": "ab"[i % 2]} for i, row in enumerate(rows(200))]
    sales = [sold(i, "ab"[i % 2], ["EUR", "usd" if i % 4 == 1 else "USD"][i % 2]) for i in range(100)]
    found = watched(tmp_path, asked, sales)
    money = {name: model.versions["v1"].business.revenue for name, model in found.models.items()}
    assert {name: (one.total, one.currency) for name, one in money.items()} == {
        "a": (500, "EUR"),
        "b": (500, "USD"),
    }
    assert "currencies" not in odd(found)
    mixed = watched(tmp_path / "mixed", asked, [*sales, sold(100, "a", "JPY")])
    assert mixed.models["a"].versions["v1"].business.revenue.currency == "EUR + JPY"
    assert odd(mixed)["currencies"] == "amounts of a in EUR + JPY are added up as they stand"


def every(share: int, wrong: Any, usual: Any) -> Any:
    """Return a feature that is wrong in one row of so many."""
    return lambda i: wrong if i % share == 0 else usual(i)


def number(i: int) -> float:
    return float(i % 40)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("features", "rule", "message", "counted"),
    [
        (
            {"age": every(20, "?", number)},
            "invalid values",
            "values in v1 that are no numbers: age (5.0 % of 400)",
            20,
        ),
        (
            {"age": every(16, 900.0, number)},
            "out of range",
            "values in v1 beyond all of the reference's: age (6.2 % of 400)",
            25,
        ),
        (
            {"city": every(5, "far", lambda i: "abc"[i % 3])},
            "unseen categories",
            "values in v1 that the reference does not have: city (20.0 % of 400)",
            80,
        ),
    ],
)
def test_one_fault_is_one_alert_with_its_number(
    tmp_path: Path, features: dict[str, Any], rule: str, message: str, counted: float
) -> None:
    found = watched(tmp_path, rows(400, **features), reference=rows(4000))
    assert odd(found) == {rule: message}
    name = {"invalid values": "invalid", "out of range": "out_of_range", "unseen categories": "unseen"}
    told = found.to_dict()["models"]["m"]["versions"]["v1"]["quality"]["features"][next(iter(features))]
    assert told[name[rule]] == counted


def test_a_feature_that_stands_still_from_now_on_is_stuck(tmp_path: Path) -> None:
    made = rows(600, age=lambda i: 7.0 if i >= 300 else number(i))
    for i, row in enumerate(made):
        row["timestamp"] = (datetime(2026, 11, 3, tzinfo=UTC) + timedelta(minutes=i)).isoformat()
    found = watched(tmp_path, made, reference=rows(300))
    assert odd(found) == {
        "stuck features": "v1 logs values of one bin only, reference or earlier ones had more: age"
    }


def labelled(version: str, answers: tuple[Any, ...], truths: tuple[Any, ...], n: int = 60) -> Rows:
    """Rows whose prediction and label go round, of a version of its own."""
    return [
        row
        | {
            "request_id": f"{version}{i}",
            "prediction": answers[i % len(answers)],
            "label": truths[i % len(truths)],
        }
        for i, row in enumerate(rows(n, version=version))
    ]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("answers", "truths", "said"),
    [
        (("fraud", "legit"), (1, 0), 'it predicts "fraud" and "legit", its labels are "0" and "1";'),
        (("yes", "no"), ("Yes", "No"), 'it predicts "no" and "yes", its labels are "No" and "Yes";'),
        (("a", "b", "c"), ("A", "B", "C", "D"), '"a", "b" and 1 more, its labels are "A", "B" and 2 more;'),
        (("[red]\x1b[2J", "x" * 99), (1, 0), f'"[red]\\x1b[2J" and "{"x" * 39}…", its labels are'),
        ((1,), (0,), None),  # a model that is always wrong, or whose errors alone are labelled
        ((1, 0), (0, 1), None),
        (("fraud", "legit"), ("fraud", "other"), None),
    ],
)
def test_classes_that_labels_name_differently_are_said(
    tmp_path: Path, answers: tuple[Any, ...], truths: tuple[Any, ...], said: str | None
) -> None:
    alert = odd(watched(tmp_path, labelled("v1", answers, truths))).get("classes")
    assert alert is None if said is None else said in str(alert)


@pytest.mark.deep
def test_a_version_that_names_classes_anew_is_said(tmp_path: Path) -> None:
    before = labelled("v1", ("fraud", "legit"), ("fraud", "legit"))
    found = odd(watched(tmp_path, before, labelled("v2", (1, 0), ("fraud", "legit"))))
    assert found["classes"] == (
        "no accuracy of v2: its predictions are 1 and 0 (logged, or made of truth values or scores), "
        'its labels are "fraud" and "legit"; log both with the same names of classes'
    )
    one_class = labelled("v2", ("rare",), ("fraud", "legit"))
    others = labelled("v1", ("fraud", "legit", "rare"), ("fraud", "legit", "rare"))
    assert "classes" not in odd(watched(tmp_path / "other", others, one_class))


def test_few_labels_say_nothing_of_classes(tmp_path: Path) -> None:
    assert "classes" not in odd(watched(tmp_path, labelled("v1", ("fraud", "legit"), (1, 0), n=29)))


def test_a_clock_that_stands_still_is_said(tmp_path: Path) -> None:
    made = rows(300)
    for row in made[100:]:
        row["timestamp"] = made[100]["timestamp"]
    made[-1]["timestamp"] = (datetime.fromisoformat(made[0]["timestamp"]) + timedelta(hours=3)).isoformat()
    found = odd(watched(tmp_path, made, reference=rows(300)))
    assert found["stale timestamps"].startswith("239 of 300 requests of v1 carry times of one minute")


@pytest.mark.parametrize(
    ("stood", "hours", "is_said"),
    [(100, 3, True), (100, 0.75, False), (60, 3, False)],
    ids=["a quarter of hours", "a quarter of a short time", "few of them"],
)
def test_a_clock_that_stood_still_for_a_while_is_said(
    tmp_path: Path, stood: int, hours: float, *, is_said: bool
) -> None:
    made = rows(400)
    begin = datetime.fromisoformat(made[0]["timestamp"])
    for i, row in enumerate(made):
        at = 200 if 200 <= i < 200 + stood else i
        row["timestamp"] = (begin + at * timedelta(hours=hours) / 400).isoformat()
    assert ("stale timestamps" in odd(watched(tmp_path, made, reference=rows(400)))) is is_said


def of(model: str, made: Rows) -> Rows:
    return [row | {"model": model, "request_id": f"{model}{row['request_id']}"} for row in made]


def test_of_several_models_each_alert_names_its_own(tmp_path: Path) -> None:
    """Both have a version v2, whose features, classes and clock are odd."""
    changed: dict[str, Any] = {
        "plan": None,
        "income": float,
        "age": lambda i: f"{i} years",
        "city": lambda i: i % 3,
    }
    after = [*rows(300, 300, "v2", **changed), *labelled("v3", ("fraud", "legit"), (1, 0))]
    stood = rows(200, version="v4")
    for row in stood:
        row["timestamp"] = stood[0]["timestamp"]
    stood[-1]["timestamp"] = "2026-11-03T11:00:00Z"
    alone = [*rows(300), *after, *stood]
    single = watched(tmp_path / "single", of("a", alone), reference=rows(300))
    both = watched(tmp_path / "both", of("a", alone), of("b", alone), reference=rows(300))
    expected = {
        (
            f"{model} {alert.about.removeprefix('a ')}",
            re.sub(r"\b(v[234])\b", rf"\1 of {model}", alert.message),
        )
        for alert in single.alerts
        if alert.rule.startswith("quality: ")
        for model in "ab"
    }
    assert len(expected) >= 2 * 7
    told = {(alert.about, alert.message) for alert in both.alerts if alert.rule.startswith("quality: ")}
    assert told == expected


def test_a_rare_value_that_does_not_show_for_a_while_is_not_stuck(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(600, city=lambda i: "b" if i in {7, 90} else "a"), reference=rows(300))
    assert "stuck features" not in odd(found)


def test_requests_without_an_id_that_came_twice_are_told(tmp_path: Path) -> None:
    """As pandas finds them; an id tells requests apart, and one that comes twice is a duplicate."""
    made = rows(300) + rows(300, 300, "v2")
    for row in made:
        del row["request_id"]
    twice = [*made[:100], made[150], made[150]]
    found = watched(tmp_path, made, twice)
    said = pd.json_normalize(made + twice)
    for name, version in next(iter(found.models.values())).versions.items():
        mine = said[said["version"] == name]
        assert version.quality.repeats is not None
        assert version.quality.repeats.looked_at == len(mine)
        assert version.quality.repeats.repeated == mine.duplicated().sum()
    assert odd(found) == {
        "repeated rows": "102 requests of v1 (25.4 % of those without an id) repeat an earlier one in every column "
        "that is kept, its time included; each is counted"
    }


def test_requests_that_differ_in_one_column_do_not_repeat(tmp_path: Path) -> None:
    made = rows(300, prediction=1)
    for number, row in enumerate(made):
        del row["request_id"]
        row |= {"timestamp": "2026-11-01T00:00:00Z", "score": 0.5, "prediction": 1, "latency_ms": 3.0}
        row["features"]["age"] = float(number)
    (version,) = next(iter(watched(tmp_path, made).models.values())).versions.values()
    assert version.quality.repeats is not None
    assert version.quality.repeats.repeated == 0


def test_of_requests_with_ids_the_duplicates_tell(tmp_path: Path) -> None:
    found = watched(tmp_path, rows(300), rows(300)[::-1])
    (version,) = next(iter(found.models.values())).versions.values()
    assert version.quality.repeats is None
    assert found.ingest.duplicates == 300


def test_requests_of_a_batch_with_one_time_are_no_log_that_came_twice(tmp_path: Path) -> None:
    made = rows(300)
    for row in made:
        del row["request_id"]
        row |= {"timestamp": "2026-11-01T00:00:00Z", "latency_ms": 3.0}
    found = watched(tmp_path, made)
    (version,) = next(iter(found.models.values())).versions.values()
    assert version.quality.repeats is not None
    assert version.quality.repeats.repeated == pd.json_normalize(made).duplicated().sum() > 50
    assert "repeated rows" not in odd(found)


@pytest.mark.deep
def test_a_rule_on_repeats_is_judged_as_soon_as_all_is_read(tmp_path: Path) -> None:
    """Nothing comes after the first pass: what the first look put off is asked for again."""
    made = rows(300)
    for row in made:
        del row["request_id"]
    (tmp_path / "mlwatch.toml").write_text('[[rule]]\nmetric = "repeated_rate"\nwhen = "> 1%"\n')
    (tmp_path / "a.jsonl").write_text(lines([*made, *made[:30]]))
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.start()
        until(lambda: any("repeated_rate" in alert.message for alert in session.snapshot().alerts))
