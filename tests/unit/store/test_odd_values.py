"""Values that do not fit their column cost themselves, and neither the column nor the numbers of the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import mlwatch
from mlwatch.snapshot.business_document import business_document
from mlwatch.snapshot.table_drift import table_drift

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from logfiles import Take

    from mlwatch.snapshot.types import Snapshot

N = 2000
START = datetime(2026, 11, 3, 10, tzinfo=UTC)


def records(**columns: Sequence[object]) -> list[dict[str, Any]]:
    """Return predictions whose labels are as likely as their scores say."""
    random = np.random.default_rng(4)
    scores = random.random(N).round(6)
    return [
        {
            "timestamp": (START + timedelta(seconds=i)).isoformat(),
            "request_id": f"r{i}",
            "prediction": int(scores[i] > 0.5),
            "score": float(scores[i]),
            "label": int(random.random() < scores[i]),
            "latency_ms": 10.0 + i % 5,
            **{name: values[i] for name, values in columns.items()},
        }
        for i in range(N)
    ]


def write(logs: Path, rows: list[dict[str, Any]], form: str = "jsonl") -> None:
    logs.mkdir(exist_ok=True)
    if form == "csv":
        pd.DataFrame(rows).to_csv(logs / "a.csv", index=False)
    else:
        (logs / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("odd", ["N/A", "timeout", "", float("nan"), float("inf"), None], ids=repr)
def test_odd_scores_and_latencies_are_missing(logs: Path, take: Take, form: str, odd: object) -> None:
    rows = records()
    for at in (3, 1500):
        rows[at] |= {"score": odd, "latency_ms": odd}
    write(logs, rows, form)
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    rest = [row for at, row in enumerate(rows) if at not in {3, 1500}]
    truth, scores = ([row[name] for row in rest] for name in ("label", "score"))
    assert (found.ingest.rejected, version.predictions) == (0, N)
    assert version.latency.n == N - 2
    assert version.latency.mean == pytest.approx(np.mean([row["latency_ms"] for row in rest]), rel=1e-9)
    assert version.latency.max == 14
    assert version.performance["log_loss"].value == pytest.approx(metrics.log_loss(truth, scores), rel=1e-9)
    assert version.performance["roc_auc"].value == pytest.approx(
        metrics.roc_auc_score(truth, scores), abs=5e-4
    )


def test_numbers_that_are_written_as_text_keep_their_roles(logs: Path, take: Take) -> None:
    plain = records()
    rows = [row | {name: str(row[name]) for name in ("score", "latency_ms")} for row in plain]
    rows += [
        {"timestamp": row["timestamp"], "request_id": row["request_id"], "event": "purchase", "value": "2.5"}
        for row in plain[:100]
    ]
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    truth, scores = ([row[name] for row in plain] for name in ("label", "score"))
    assert version.performance["brier"].value == pytest.approx(
        metrics.brier_score_loss(truth, scores), rel=1e-9
    )
    assert (version.latency.n, version.business.revenue.total) == (N, 250)


def test_latencies_with_their_units_are_read(logs: Path, take: Take) -> None:
    written = ("12ms", "0.25 s", "3s", "500µs", "40", "1e3", "2 min", "N/A", "250000 NS")
    milliseconds = (12.0, 250.0, 3000.0, 0.5, 40.0, 1000.0, None, None, 0.25)
    rows = records()
    for at, row in enumerate(rows):
        row["latency_ms"] = written[at % len(written)] if at >= 60 else f"{at}ms"
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    expected = [float(at) for at in range(60)]
    expected += [one for at in range(60, N) if (one := milliseconds[at % len(written)]) is not None]
    assert version.latency.n == len(expected)
    assert version.latency.mean == pytest.approx(np.mean(expected), rel=1e-9)


def test_a_probability_in_single_precision_may_lie_a_little_beyond_one(logs: Path, take: Take) -> None:
    rows = records()
    rows[3]["score"], rows[4]["score"] = 1.0000001192092896, -1e-9
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    assert version.performance["log_loss"].n == N


def test_why_margins_have_no_log_loss_is_said(logs: Path, take: Take) -> None:
    rows = records()
    rows[3]["score"] = 1.5
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    assert version.performance["log_loss"].reason == "the scores are not probabilities"


@pytest.mark.usual(1)
@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
def test_one_infinite_number_does_not_make_every_sum_one(logs: Path, take: Take, odd: float) -> None:
    values = [i / 8 for i in range(N)]
    rows = records(prediction=values, label=[value + 1 for value in values])
    for row in rows:
        del row["score"]
    rows[7]["label"] = odd
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    assert (version.performance["mae"].n, version.performance["mae"].value) == (N - 1, 1)


def test_a_word_among_the_numbers_of_a_regression_is_missing(logs: Path, take: Take) -> None:
    values = [i + 0.25 for i in range(N)]
    rows = records(prediction=values, label=[value + 1 for value in values])
    for row in rows:
        del row["score"]
    rows[7]["prediction"] = "N/A"
    write(logs, rows)
    (model,) = take().models.values()
    (version,) = model.versions.values()
    assert model.task == "regression"
    assert (version.performance["mae"].n, version.performance["mae"].value) == (N - 1, 1)


@pytest.mark.usual(1)
@pytest.mark.parametrize("known", ["csv", "jsonl"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_truth_values_are_the_same_in_every_format(tmp_path: Path, form: str, known: str) -> None:
    flags = [i % 3 == 0 for i in range(N)]
    for name, kind in (("before", known), ("now", form)):
        write(tmp_path / name, records(flag=flags), kind)
    (before,) = (tmp_path / "before").iterdir()
    (now,) = (tmp_path / "now").iterdir()
    drift = table_drift(now, before).quality.features["flag"].drift
    assert drift is not None
    assert (drift.psi, drift.state) == (0, "ok")
    with mlwatch.open(tmp_path / "now", db=":memory:", reference=before) as watch:
        (model,) = watch.snapshot().models.values()
    (version,) = model.versions.values()
    assert version.quality.features["flag"].unseen == 0


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("word", ["NA", "N/A", "NULL", "None", "<NA>", r"\N", "#N/A", "nan"])
def test_what_stands_for_no_label_yet_is_no_class(logs: Path, take: Take, form: str, word: str) -> None:
    rows = records(age=[word if i % 7 == 0 else i for i in range(N)])
    for at in range(0, N, 4):
        rows[at]["label"] = word
    rows[1] |= {"prediction": word, "score": None}
    write(logs, rows, form)
    (model,) = take().models.values()
    (version,) = model.versions.values()
    rest = [row for row in rows if word not in (row["label"], row["prediction"])]
    truth, answers = ([row[name] for row in rest] for name in ("label", "prediction"))
    assert (model.task, model.positive_class, version.predictions) == ("binary", "1", N)
    assert version.performance["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))
    assert version.performance["accuracy"].n == len(rest)
    age = version.quality.features["age"]
    assert (age.kind, age.missing, age.invalid) == ("numeric", len(range(0, N, 7)), 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_class_may_be_called_none(logs: Path, take: Take, form: str) -> None:
    names = ["none", "insult", "threat"]
    rows = records(prediction=[names[i % 3] for i in range(N)], label=[names[i % 3] for i in range(N)])
    for row in rows:
        del row["score"]
    write(logs, rows, form)
    (version,) = next(iter(take().models.values())).versions.values()
    assert (version.performance["accuracy"].n, version.labelled) == (N, N)


@pytest.mark.usual(1)
@pytest.mark.parametrize("broken", [False, True])
def test_a_country_may_be_na_and_is_the_same_in_blocks_with_a_bad_row(
    logs: Path, take: Take, *, broken: bool
) -> None:
    countries = ["NA", "NO", r"\N", "NULL"]
    write(logs, records(country=[countries[i % 4] for i in range(N)]), "csv")
    if broken:
        with (logs / "a.csv").open("a") as file:
            file.write("no time,r0,1,0.5,1,10.0,NO\n")
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    country = version.quality.features["country"]
    assert (found.ingest.rejected, country.n, country.missing) == (int(broken), N, N // 2)


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_spaces_around_a_class_are_none_of_it(logs: Path, take: Take, form: str) -> None:
    rows = records()
    truth = [row["label"] for row in rows]
    answers = [row["prediction"] for row in rows]
    for row in rows:
        row |= {
            "prediction": ("no", "yes")[row["prediction"]],
            "label": ("no       ", "yes      ")[row["label"]],
        }
    write(logs, rows, form)
    (model,) = take().models.values()
    (version,) = model.versions.values()
    assert version.confusion is not None
    assert (model.positive_class, version.confusion.labels) == ("yes", ("no", "yes"))
    assert version.performance["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("mark", "amount", "version"), [(", ", "7", "3"), (", ", "", "1.10"), (" | ", "n.d.", "3")]
)
def test_spaces_around_numbers_are_no_part_of_ids_versions_and_classes(
    logs: Path, take: Take, mark: str, amount: str, version: str
) -> None:
    at = "2026-11-03T10:00:00Z"
    rows = [[at, str(1000 + n), version, str(n), str(n % 2), str(n % 2)] for n in range(200)]
    rows[100][3] = amount
    head = ["timestamp", "request_id", "model_version", "amount", "prediction", "label"]
    (logs / "a.csv").write_text("".join(f"{mark.join(row)}\n" for row in [head, *rows]))
    (logs / "labels.jsonl").write_text(f'{{"request_id": 1000, "label": 1, "timestamp": "{at}"}}\n')
    found = take()
    (versions,) = (model.versions for model in found.models.values())
    assert versions.keys() == {version}
    confusion = versions[version].confusion
    assert confusion is not None
    assert (confusion.labels, found.ingest.outcomes_unmatched) == (("0", "1"), 0)


def test_scores_in_percent_say_class_one_from_fifty_on(logs: Path, take: Take) -> None:
    rows = records()
    truth, answers = ([row[name] for row in rows] for name in ("label", "prediction"))
    for row in rows:
        row["score"] = round(100 * row["score"], 4)
        del row["prediction"]
    write(logs, rows)
    (version,) = next(iter(take().models.values())).versions.values()
    assert version.performance["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, answers))


def warnings(found: Snapshot) -> list[str]:
    return [alert.message for alert in found.alerts if alert.rule.startswith("ingest: ")]


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("first", [0, 1500])
def test_commas_that_can_only_separate_thousands_are_read(
    logs: Path, take: Take, form: str, first: int
) -> None:
    latencies = [20.5 if i % 10 else 1234.5 + i for i in range(N)]
    rows = records(latency_ms=[f"{one:,}" if i >= first else one for i, one in enumerate(latencies)])
    write(logs, rows, form)
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    assert version.latency.n == N
    assert version.latency.mean == pytest.approx(np.mean(latencies), rel=1e-9)
    assert version.latency.max == max(latencies)
    assert warnings(found) == []


def test_amounts_with_separated_thousands_are_added_up(logs: Path, take: Take) -> None:
    rows = records()
    amounts = [950.25 if i % 4 else 1_234_567.0 for i in range(200)]
    events = [
        {"timestamp": row["timestamp"], "request_id": row["request_id"], "event": "purchase", "value": text}
        for row, text in zip(rows, (f"{one:,.10g}" for one in amounts), strict=False)
    ]
    write(logs, rows)
    pd.DataFrame(events).to_csv(logs / "events.csv", index=False)
    (version,) = next(iter(take().models.values())).versions.values()
    assert version.business.revenue.gross == pytest.approx(sum(amounts))


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("told", "latencies", "unread"),
    [
        (("1,234.5", "1,234", "20.5"), (1234.5, 1234.0, 20.5), 0),
        (("1,234,567", "1,234", "950"), (1234567.0, 1234.0, 950.0), 0),
        (("12,5", "1,234", "20"), (12.5, 1.234, 20.0), 0),
        (("0,75", "1,234", "20,25"), (0.75, 1.234, 20.25), 0),
        (("950", "20.5", "20.5", "12,5", "1,234.5", "20"), (950.0, 20.5, 20.5, 1234.5, 20.0), N // 6),
    ],
)
def test_the_other_numbers_of_a_column_tell_what_a_comma_is(
    logs: Path, take: Take, form: str, told: tuple[str, ...], latencies: tuple[float, ...], unread: int
) -> None:
    write(logs, records(latency_ms=[told[i % len(told)] for i in range(N)]), form)
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    assert version.latency.n == N - unread
    assert version.latency.mean == pytest.approx(np.mean(latencies), rel=1e-3)
    assert len(warnings(found)) == (unread > 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize(("first", "text", "seconds"), [(0, "1h2m3.5s", 3723.5), (1500, "1m0.25s", 60.25)])
def test_durations_of_more_than_a_minute_are_read(
    logs: Path, take: Take, first: int, text: str, seconds: float
) -> None:
    long = [i >= first and i % 20 == 0 for i in range(N)]
    write(logs, records(latency_ms=[text if one else "5.1s" for one in long]))
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    assert (version.latency.n, version.latency.max) == (N, seconds * 1e3)
    assert version.latency.mean == pytest.approx(1e3 * np.mean([seconds if one else 5.1 for one in long]))
    assert warnings(found) == []


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_numbers_that_cannot_be_read_are_told_of_with_an_example(logs: Path, take: Take, form: str) -> None:
    rows = records()
    for at, row in enumerate(rows):
        if at >= 1500 and at % 10 < 4:
            row["latency_ms"] = ("1,234", "-", "N/A", "fast")[at % 10]
    write(logs, rows, form)
    name = f"a.{form}"
    said = f'latencies that cannot be read are left out: 100 so far, such as "1,234" in {name}'
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    assert (version.latency.n, warnings(found)) == (N - 200, [said])
    assert warnings(take()) == [said]
    write(logs, [{**row, "request_id": f"later {row['request_id']}"} for row in rows], form)
    (logs / name).rename(logs / f"b.{form}")
    write(logs, rows, form)
    assert warnings(take()) == [said.replace("100", "200").replace(name, f"b.{form}")]


def test_revenue_is_unknown_where_no_conversion_carries_an_amount(logs: Path, take: Take) -> None:
    rows = records()[:100]
    rows += [
        {"timestamp": row["timestamp"], "request_id": row["request_id"], "event": "purchase", "value": text}
        for row, text in zip(rows[:8], ("€1.299", "1,234") * 4, strict=True)
    ]
    write(logs, rows)
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    money = business_document(version.business)["revenue"]
    assert version.business.conversion.value == pytest.approx(0.08)
    assert (money["gross"], money["total"], money["per_prediction"]) == (None, None, None)
    assert money["reasons"]["total"] == "no conversion carries an amount that can be read"


@pytest.mark.usual(1)
@pytest.mark.parametrize(("form", "mark"), [("jsonl", "."), ("csv", "."), ("csv", ",")])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("offset", ["+0000", "-0800", "+00:00", "Z", "+00"])
def test_times_with_spaces_before_their_zone_are_read(
    logs: Path, take: Take, form: str, mark: str, zone: str, offset: str
) -> None:
    rows = records()[:60]
    for at, row in enumerate(rows):
        row["timestamp"] = f"2026-11-03 09:00:{at:02}{mark}250 {offset}"
    write(logs, rows, form)
    (logs / "mlwatch.toml").write_text(f'[roles]\ntimezone = "{zone}"\n')
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()
    hour = 17 if offset == "-0800" else 9
    assert (found.ingest.predictions, found.ingest.rejected) == (60, 0)
    assert version.first == datetime(2026, 11, 3, hour, 0, 0, 250_000, tzinfo=UTC)
    assert version.last == datetime(2026, 11, 3, hour, 0, 59, 250_000, tzinfo=UTC)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("good", "bad"), [("success", "failed"), ("OK", "ERROR"), (" completed", "timeout "), (200, 500)]
)
def test_a_word_of_success_is_a_request_as_a_status_of_200_is(logs: Path, good: object, bad: object) -> None:
    rows = [
        {
            "timestamp": (START + timedelta(seconds=i)).isoformat(),
            "request_id": f"r{i}",
            "model_version": "v1",
            "status": good if i % 20 else bad,
        }
        for i in range(100)
    ]
    write(logs, rows)

    with mlwatch.open(logs, db=":memory:") as watched:
        _, found = watched.query("SELECT status, failed, COUNT(*) FROM predictions GROUP BY ALL ORDER BY ALL")
        errors = watched.snapshot().to_dict()["models"]["logs"]["versions"]["v1"]["errors"]

    assert found == [(200, False, 95), (500, True, 5)]
    assert (errors["count"], errors["rate"]) == (5, 0.05)


def test_beside_labels_a_word_of_success_is_no_request(logs: Path) -> None:
    write(logs, records())
    rows = [
        {
            "timestamp": START.isoformat(),
            "request_id": f"r{i}",
            "ground_truth": 1 if i % 2 else None,
            "status": "done",
        }
        for i in range(100)
    ]
    (logs / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    with mlwatch.open(logs, db=":memory:") as watched:
        _, found = watched.query("SELECT status, failed, COUNT(*) FROM predictions GROUP BY ALL")
        rejected = watched.snapshot().ingest.rejected

    assert found == [(None, False, N)]
    assert rejected == 0  # their labels are still to come


def bought(logs: Path, amounts: Sequence[str], form: str) -> tuple[dict[str, Any], list[str]]:
    """Return the revenue of purchases of these amounts, and what is said of amounts."""
    write(logs, records())
    at = START + timedelta(minutes=40)
    events = [
        {"timestamp": at.isoformat(), "request_id": f"r{i}", "event": "purchase", "amount": amount}
        for i, amount in enumerate(amounts)
    ]
    if form == "csv":
        pd.DataFrame(events).to_csv(logs / "events.csv", index=False)
    else:
        (logs / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    with mlwatch.open(logs, db=":memory:") as watched:
        found = watched.snapshot().to_dict()
    (version,) = found["models"]["logs"]["versions"].values()
    assert version["business"]["conversion"]["value"] == len(amounts) / N
    return version["business"]["revenue"], [one["message"] for one in found["alerts"]]


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("amounts", "total", "currency"),
    [
        (["€1,20", "€ 12,50", "1.299,00 €", "€5", "-€1,20"], 1316.5, "€"),
        (["1,20", "12,50", "1.299,00", "1\u202f000,5"], 2313.2, None),
        (["$1.20", "$12", "$1,299.00", "-$3.00"], 1309.2, "$"),
        (["1.20 EUR", "12.5 EUR"], 13.7, "EUR"),
        (["1,234", "12,5", "3,75"], 17.484, None),
        (["€1,234", "€12,5", "€3,75"], 17.484, "€"),
        (["$1,234", "$1,234.50", "$99", "-$1,000"], 1567.5, "$"),
        (["1,234 EUR", "1,234,567 EUR", "12"], 1235813.0, "EUR"),
        (["1,234", "1,234.50", "1e3"], 3468.5, None),
    ],
)
def test_amounts_with_a_currency_and_decimal_commas_are_read(
    logs: Path, form: str, amounts: list[str], total: float, currency: str | None
) -> None:
    revenue, said = bought(logs, amounts, form)

    assert revenue["total"] == pytest.approx(total, abs=1e-9)
    assert (revenue["currency"], said) == (currency, [])


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("amounts", "total", "example"),
    [
        (["1,234", "5,678"], None, "1,234"),
        (["€1,20", "€1.50", "€12,50"], 1.5, "€1,20"),
        (["€1.299", "€1.299", "€12"], 12.0, "€1.299"),
        (["1'299.00", "2'000'000"], None, "1'299.00"),
        (["1 299.00 CHF", "€1.299.000"], None, "1 299.00 CHF"),
    ],
)
def test_amounts_that_may_be_a_thousand_times_as_large_are_told_of(
    logs: Path, amounts: list[str], total: float | None, example: str
) -> None:
    revenue, said = bought(logs, amounts, "jsonl")

    told = f'amounts that cannot be read are left out: 2 so far, such as "{example}" in events.jsonl'
    assert (revenue["total"], said) == (total, [told])


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_commas_in_scores_are_read_as_those_in_latencies(logs: Path, take: Take, form: str) -> None:
    rows = records()
    scores = [row["score"] for row in rows]
    write(logs, [{**row, "score": str(row["score"]).replace(".", ",")} for row in rows], form)
    found = take()
    (version,) = next(iter(found.models.values())).versions.values()

    assert version.performance["brier"].value == pytest.approx(
        metrics.brier_score_loss([row["label"] for row in rows], scores)
    )
    assert warnings(found) == []


def test_amounts_in_several_currencies_are_told_of(logs: Path) -> None:
    revenue, said = bought(logs, ["$1.20", "€3.40"], "jsonl")

    assert revenue["total"] == pytest.approx(4.6)
    assert len(said) == 1
    assert said[0].endswith("are added up as they stand")


def test_an_amount_in_numbers_is_taken_before_one_in_words(logs: Path, take: Take) -> None:
    rows = records()[:100]
    at = rows[0]["timestamp"]
    paid = {"timestamp": at, "request_id": "r0", "event": "purchase", "value": "1,234", "amount": 12.5}
    write(logs, [*rows, paid])
    (version,) = next(iter(take().models.values())).versions.values()

    assert version.business.revenue.total == 12.5


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "words",
    [
        *(["3 apples", "4 pears"], ["2026-11-03", "2026-11-04"], ["10:30", "11:45"]),
        *(["10.0.0.1", "192.168.0.12"], ["1.2.3", "1.10.0"], ["3,4,5", "1,2"], ["0 12 7", "0 1 2"]),
    ],
)
def test_texts_that_are_no_amounts_are_no_amounts(logs: Path, words: list[str]) -> None:
    revenue, said = bought(logs, words, "jsonl")

    assert (revenue["total"], said) == (None, [])
