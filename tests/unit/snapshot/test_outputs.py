"""Class probabilities, quantiles, rankings, texts and kinds of errors, against scikit-learn on the raw rows."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

import mlwatch
from mlwatch.cli import main
from mlwatch.faces.footnotes import footnotes
from mlwatch.faces.rows import rows_of
from mlwatch.rule_values import value_of, values_over
from mlwatch.snapshot.quality_document import quality_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlwatch.snapshot.types import Model, Version

START = datetime(2026, 11, 3, tzinfo=UTC)
CLASSES = ("cat", "dog", "emu", "fox")
Records = list[dict[str, Any]]


def stamped(index: int, **values: Any) -> dict[str, Any]:
    ts = (START + timedelta(minutes=index)).isoformat().replace("+00:00", "Z")
    return {"ts": ts, "request_id": f"r{index}", "version": "v1", "latency_ms": 500.0, **values}


def write(root: Path, name: str, records: Sequence[dict[str, Any]]) -> None:
    root.mkdir(exist_ok=True)
    (root / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def model_of(root: Path, config: str = "") -> Model:
    (root / "mlwatch.toml").write_text(config)
    with mlwatch.open(root, db=":memory:") as watch:
        return next(iter(watch.snapshot().models.values()))


def only(model: Model) -> Version:
    return model.versions["v1"]


def pets(n: int = 900) -> tuple[Records, np.ndarray[Any, Any], list[int]]:
    random = np.random.default_rng(7)
    chances = random.dirichlet(np.ones(len(CLASSES)), n)
    truth = [int(random.choice(len(CLASSES), p=row)) for row in chances]
    records = [
        stamped(
            i,
            model="pets",
            prediction=CLASSES[int(row.argmax())],
            label=CLASSES[truth[i]],
            probabilities=dict(zip(CLASSES, row.tolist(), strict=True)),
            age=i % 13,
        )
        for i, row in enumerate(chances)
    ]
    return records, chances, truth


def test_class_probabilities_give_what_scikit_learn_gives(tmp_path: Path) -> None:
    records, chances, truth = pets()
    write(tmp_path, "a.jsonl", records)
    found = only(model_of(tmp_path)).performance
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(truth, chances), rel=1e-9)
    auc = metrics.roc_auc_score(truth, chances, multi_class="ovr")
    assert found["roc_auc"].value == pytest.approx(auc, abs=5e-4)
    for k in (2, 3):
        expected = metrics.top_k_accuracy_score(truth, chances, k=k)
        one = found[f"top_{k}_accuracy"]
        assert one.value == pytest.approx(expected, abs=1e-12)
        assert one.low is not None
        assert one.low < expected
    assert "top_5_accuracy" not in found


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["proba_{}", "prob_class_{}", "p_{}", "probability{}"])
def test_a_class_called_1_is_not_the_score_of_all(tmp_path: Path, name: str) -> None:
    records, chances, truth = pets(300)
    for record, row, label in zip(records, chances.tolist(), truth, strict=True):
        del record["probabilities"]
        record |= {"prediction": int(np.argmax(row)), "label": label}
        record |= {name.format(number): chance for number, chance in enumerate(row)}
    write(tmp_path, "a.jsonl", records)
    found = only(model_of(tmp_path)).performance
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(truth, chances), rel=1e-9)
    assert found["top_2_accuracy"].value == pytest.approx(metrics.top_k_accuracy_score(truth, chances, k=2))


def test_labels_without_a_probability_of_their_own_are_said(tmp_path: Path) -> None:
    """Probabilities by place, labels that begin at 1: what is said of one class would be another's."""
    records, chances, truth = pets(300)
    for record, row, label in zip(records, chances.tolist(), truth, strict=True):
        del record["probabilities"]
        record |= {"prediction": 1 + int(np.argmax(row)), "label": 1 + label}
        record |= {f"proba_{number}": chance for number, chance in enumerate(row)}
    write(tmp_path, "a.jsonl", records)
    found = only(model_of(tmp_path)).performance
    lost = sum(label == 3 for label in truth)
    reason = f"{lost} of 300 labels are none of the classes that have a probability: 0, 1, 2, 3"
    assert {found[name].reason for name in ("log_loss", "roc_auc", "top_2_accuracy")} == {reason}
    assert found["accuracy"].n == 300


def test_late_and_corrected_labels_change_them_as_if_known_at_once(tmp_path: Path) -> None:
    records, _, truth = pets(400)
    write(tmp_path / "whole", "a.jsonl", records)
    bare = [{key: value for key, value in record.items() if key != "label"} for record in records]
    late = [
        {"ts": "2026-11-04T00:00:00Z", "request_id": f"r{i}", "label": CLASSES[(label + 1) % 4]}
        for i, label in enumerate(truth)
    ]
    right = [
        {"ts": "2026-11-05T00:00:00Z", "request_id": f"r{i}", "label": CLASSES[label]}
        for i, label in enumerate(truth)
    ]
    for name, rows in (("a", bare[::-1]), ("b", late), ("c", right[::-1])):
        write(tmp_path / "parts", f"{name}.jsonl", rows)
    once, parts = (only(model_of(tmp_path / each)).performance for each in ("whole", "parts"))
    assert parts.keys() == once.keys()
    for name, one in once.items():
        assert parts[name].value == pytest.approx(one.value, abs=1e-9), name
        assert parts[name].n == one.n


def test_all_of_a_classifier_is_estimated_without_labels(tmp_path: Path) -> None:
    records, _, _ = pets(1500)
    write(tmp_path, "a.jsonl", records)
    version = only(model_of(tmp_path))
    for name in ("accuracy", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1", "roc_auc"):
        expected, realised = version.estimated[name], version.performance[name]
        assert expected.low is not None
        assert expected.high is not None
        assert realised.value is not None
        assert expected.low <= realised.value <= expected.high
        assert expected.value == pytest.approx(realised.value, abs=0.03)
    over = [window.estimated["accuracy"] for window in version.windows if window.predictions]
    assert [each.n for each in over] == [
        window.predictions for window in version.windows if window.predictions
    ]
    mean = np.average([each.value for each in over], weights=[each.n for each in over])
    assert mean == pytest.approx(version.estimated["accuracy"].value, abs=1e-3)  # in wider bins


def test_quantiles_and_residuals_are_those_of_the_raw_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    middle, noise = random.uniform(1, 10, 800), random.normal(0, 1, 800)
    rows = [
        stamped(i, model="eta", prediction=m, label=m + e, prediction_p10=m - 1.28, prediction_p90=m + 1.28)
        for i, (m, e) in enumerate(zip(middle.tolist(), noise.tolist(), strict=True))
    ]
    write(tmp_path, "a.jsonl", rows)
    version = only(model_of(tmp_path))
    truth, found = middle + noise, version.performance
    losses = [
        metrics.mean_pinball_loss(truth, middle + shift, alpha=level)
        for level, shift in ((0.1, -1.28), (0.9, 1.28))
    ]
    assert found["pinball_0.1"].value == pytest.approx(losses[0], rel=1e-9)
    assert found["pinball_0.9"].value == pytest.approx(losses[1], rel=1e-9)
    assert found["pinball"].value == pytest.approx(np.mean(losses), rel=1e-9)
    assert found["coverage_80"].value == pytest.approx(np.mean(np.abs(noise) <= 1.28), abs=1e-12)
    assert found["mape"].value == pytest.approx(metrics.mean_absolute_percentage_error(truth, middle))
    assert found["mape"].low is not None
    quantiles = np.quantile(-noise, [0.05, 0.5, 0.95], method="inverted_cdf")
    residuals = [version.outputs.residuals[name] for name in ("p05", "p50", "p95")]
    assert residuals == pytest.approx(quantiles, rel=0.03, abs=0.02)


def ranked(queries: int = 60) -> tuple[Records, list[list[int]]]:
    random = np.random.default_rng(11)
    truth = [random.integers(0, 3, 8).tolist() if query % 9 else [0] * 8 for query in range(queries)]
    records = [
        stamped(
            8 * query + place,
            model="search",
            prediction=8.5 - place,
            label=grade,
            query_id=f"q{query}",
            position=place + 1,
        )
        for query, grades in enumerate(truth)
        for place, grade in enumerate(grades)
    ]
    return records, truth


def test_labels_that_are_equal_to_a_quantile_lie_within(tmp_path: Path) -> None:
    """Half of a demand of whole numbers is 0, which is its tenth percentile."""
    sold = np.random.default_rng(1).poisson(0.7, 2000)
    rows = [
        stamped(i // 20, model="demand", prediction=0.7, p10=0.0, p90=2.0, label=int(label))
        | {"request_id": f"r{i}"}
        for i, label in enumerate(sold.tolist())
    ]
    write(tmp_path, "a.jsonl", rows)
    version = only(model_of(tmp_path))
    found = version.performance["coverage_80"]
    assert found.value == pytest.approx(np.mean((sold >= 0) & (sold <= 2)), abs=1e-12)
    assert found.n == 2000
    parts = [each.performance["coverage_80"] for each in version.windows if "coverage_80" in each.performance]
    assert min(each.value or 0.0 for each in parts) > 0.8


def test_rankings_are_judged_by_query_however_their_labels_come(tmp_path: Path) -> None:
    records, truth = ranked()
    write(tmp_path, "a.jsonl", [{k: v for k, v in record.items() if k != "label"} for record in records])
    late = [
        {"ts": "2026-11-05T00:00:00Z", "request_id": record["request_id"], "label": record["label"]}
        for record in records
    ]
    write(tmp_path, "b.jsonl", late[::2])
    write(tmp_path, "c.jsonl", late[1::2])
    found = only(model_of(tmp_path)).performance
    relevant = [grades for grades in truth if any(grades)]
    expected = metrics.ndcg_score(relevant, [list(range(8, 0, -1))] * len(relevant), k=10)
    assert found["ndcg_10"].value == pytest.approx(expected, rel=1e-9)
    assert found["ndcg_10"].n == len(relevant)
    firsts = [next((1 / (i + 1) for i, grade in enumerate(grades) if grade), 0.0) for grades in truth]
    assert found["mrr"].value == pytest.approx(np.mean(firsts), rel=1e-9)
    assert all(one.high is not None and one.high <= 1 for one in (found["mrr"], found["ndcg_10"]))
    assert found["hit_rate_10"].value == pytest.approx(len(relevant) / len(truth))


def test_an_old_query_is_forgotten_when_all_of_it_is_old_and_stays_counted(tmp_path: Path) -> None:
    """The query that is old in part is judged with its old items where labels of the others come late.

    Old items whose labels come when their records have gone take their places and gain nothing.
    """
    records, truth = ranked()
    logs, first_kept = tmp_path / "logs", 357  # within the query of 352 to 359
    write(logs, "a.jsonl", [{k: v for k, v in record.items() if k != "label"} for record in records])
    (logs / "mlwatch.toml").write_text(f'[store]\nkeep = "{479 - first_kept}m"\n')
    late = [
        {"ts": "2026-11-05T00:00:00Z", "request_id": record["request_id"], "label": record["label"]}
        for record in records
    ]
    write(logs, "b.jsonl", late[::2])
    with mlwatch.open(logs, db=tmp_path / "s.duckdb") as watch:
        kept = watch.query(
            """SELECT query, SUM(weight), SUM(weight) FILTER (relevance IS NOT NULL) FROM ranked GROUP BY query"""
        )[1]
        assert sorted(kept) == [(f"q{query}", 8, 4) for query in range(44, 60)]
    write(logs, "c.jsonl", late[first_kept::2])
    with mlwatch.open(logs, db=tmp_path / "s.duckdb") as watch:
        found = only(next(iter(watch.snapshot().models.values()))).performance
    grades = [
        [
            grade if (8 * query + place) % 2 == 0 or 8 * query + place >= first_kept else 0
            for place, grade in enumerate(several)
        ]
        for query, several in enumerate(truth)
    ]
    relevant = [several for several in grades if any(several)]
    gains = [metrics.ndcg_score([several], [range(len(several), 0, -1)], k=10) for several in relevant]
    assert found["ndcg_10"].value == pytest.approx(np.mean(gains), rel=1e-9)
    assert found["ndcg_10"].n == len(relevant)
    firsts = [next((1 / (i + 1) for i, grade in enumerate(several) if grade), 0.0) for several in grades]
    assert found["mrr"].value == pytest.approx(np.mean(firsts), rel=1e-9)


def answers() -> tuple[Records, Records]:
    texts = ("The quick brown fox jumps", "I’m sorry, but I can't help with that.", "")
    requests, thumbs = [], []
    for i in range(300):
        text = texts[0] if i % 10 else texts[1] if i % 20 else texts[2]
        failed = {"status": 503, "error": "Timeout: upstream"} if i % 30 == 7 else {"status": 200}
        taken = {"input_tokens": 10 + i % 5, "output_tokens": 21, "ttft_ms": 100.0}
        requests.append(
            stamped(i, model="gpt-x", prediction=f"{text} {i}" if text else "", **taken, **failed)
        )
        if i % 3 == 0:
            kind = "thumbs_up" if i % 2 else "thumbs_down"
            thumbs.append({"ts": requests[-1]["ts"], "request_id": f"r{i}", "event": kind})
    return requests, thumbs


def test_texts_tokens_cost_and_thumbs(tmp_path: Path) -> None:
    requests, thumbs = answers()
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", thumbs)
    prices = "[outputs]\ninput_price = {gpt-x = 2.5}\noutput_price = {gpt-x = 10}\n"
    version = only(model_of(tmp_path, prices))
    done = [r for r in requests if r["status"] == 200 and r["prediction"]]
    measures = version.outputs.measures
    assert measures["input_tokens"].mean.value == pytest.approx(
        np.mean([r["input_tokens"] for r in requests])
    )
    assert measures["first_token"].mean.value == pytest.approx(100)
    assert measures["per_token"].mean.value == pytest.approx((500 - 100) / 20)
    assert measures["words"].mean.value == pytest.approx(
        np.mean([len(r["prediction"].split()) for r in done])
    )
    cost = [r["input_tokens"] * 2.5e-6 + 21 * 10e-6 for r in requests]  # failed ones are billed, too
    assert measures["cost"].mean.value == pytest.approx(np.mean(cost), rel=1e-9)
    assert measures["cost"].total == pytest.approx(sum(cost), rel=1e-9)
    assert value_of(version, "cost") == measures["cost"].mean.value
    refused = [r["prediction"].startswith("I’m sorry") for r in done]
    assert measures["refusal"].mean.value == pytest.approx(np.mean(refused))
    answered = [r for r in requests if r["status"] == 200]
    assert measures["empty"].mean.value == pytest.approx(np.mean([not r["prediction"] for r in answered]))
    liked = [thumb["event"] == "thumbs_up" for thumb in thumbs]
    assert version.business.approval is not None
    assert version.business.approval.value == pytest.approx(np.mean(liked))
    assert version.outputs.error_kinds["Timeout"] == sum(r["status"] == 503 for r in requests)


@pytest.mark.deep
def test_what_people_say_of_answers_goes_by_other_names(tmp_path: Path) -> None:
    requests, thumbs = answers()
    names = {"thumbs_up": "Helpful", "thumbs_down": "not 'helpful'"}
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", [thumb | {"event": names[thumb["event"]]} for thumb in thumbs])
    assert only(model_of(tmp_path)).business.approval is None
    listed = "[business]\napproval = ['helpful']\ndisapproval = [\"Not 'helpful'\"]\n"
    found = only(model_of(tmp_path, listed)).business.approval
    assert found is not None
    assert found.value == pytest.approx(np.mean([thumb["event"] == "thumbs_up" for thumb in thumbs]))
    assert found.n == len(thumbs)


def test_errors_by_status_and_kind_have_intervals(tmp_path: Path) -> None:
    requests, _ = answers()
    write(tmp_path, "a.jsonl", requests)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        (found,) = watch.snapshot().to_dict()["models"]["gpt-x"]["versions"].values()
    failed = sum(request["status"] == 503 for request in requests)
    wilson = stats.binomtest(failed, len(requests)).proportion_ci(method="wilson")
    known = (failed / len(requests), wilson.low, wilson.high)
    errors = found["errors"]
    for rate in (errors["status_rates"]["server"], errors["kind_rates"]["Timeout"]):
        assert (rate["value"], rate["low"], rate["high"]) == pytest.approx(known, rel=1e-9)
        assert (rate["n"], rate["method"]) == (len(requests), "Wilson")
    assert errors["status_rates"]["client"]["value"] == 0
    for window in found["windows"]:
        n, server = window["predictions"], window["errors"]["server"]
        assert window["errors"]["status_rates"]["server"]["value"] == (server / n if n else None)


def chats() -> Records:
    """Return answers of v1, which says things of weather, and of v2, much longer and with other words beside them."""
    random = np.random.default_rng(9)
    first, second = (np.array([f"{stem}{i}" for i in range(30)]) for stem in ("sun", "stock"))
    texts = [" ".join(random.choice(first, random.integers(3, 9))) + f" {i}." for i in range(800)]
    more = [f"{text} {', '.join(random.choice(second, 40)).upper()}" for text in texts[:400]]
    rows = [
        stamped(i, model="chat", prediction=text) | {"version": version, "temperature": i % 7 / 10}
        for version, several in (("v1", texts), ("v2", more))
        for i, text in enumerate(several)
    ]
    for i, row in enumerate(rows):
        row["request_id"] = f"q{i}"
        row["ts"] = (START + timedelta(minutes=i)).isoformat()
    return rows


def test_drift_of_answers_in_words_is_that_of_their_lengths_and_words(tmp_path: Path) -> None:
    rows = chats()
    end = (START + timedelta(minutes=405)).isoformat()
    write(tmp_path, "a.jsonl", rows)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = watch.snapshot().models["chat"]
        counts = {name: np.zeros(64) for name in ("v1", "v2")}
        for row in [row for row in rows if row["version"] == "v2" or row["ts"] < end]:
            for word in re.findall(r"[a-z0-9]+", row["prediction"].lower()):
                counts[row["version"]][
                    hashlib.md5(word.encode(), usedforsecurity=False).digest()[0] % 64
                ] += 1
    one, other = (found.versions[name].quality.text_drift for name in ("v1", "v2"))
    assert found.versions["v2"].quality.text_reference == "the first 7 h of v1"
    assert not one["length"].drifted
    assert not one["vocabulary"].drifted
    assert other["length"].drifted
    assert other["vocabulary"].drifted
    assert other["vocabulary"].js == pytest.approx(
        float(jensenshannon(counts["v1"], counts["v2"], base=2)), rel=1e-9
    )
    assert (other["vocabulary"].n_current, other["length"].n_current) == (400, 400)
    said = quality_document(found.versions["v2"].quality)["prediction_drift"]
    assert said["reason"] == "the answers are texts: see the drift of their length and vocabulary"
    (shown,) = (row for row in rows_of([found.versions["v2"]]) if row.name == "Prediction drift")
    assert shown.cells == [f"n/a, because {said['reason']}"]
    assert value_of(found.versions["v2"], "text_drift.length") == other["length"].score


@pytest.mark.deep
def test_answers_of_a_reference_are_compared_with_as_those_of_the_first_period_are(tmp_path: Path) -> None:
    rows = chats()
    end = (START + timedelta(minutes=405)).isoformat()
    logs, table, profile = tmp_path / "logs", tmp_path / "training.jsonl", tmp_path / "profile.json"
    write(logs, "a.jsonl", rows)
    write(tmp_path, table.name, [row for row in rows if row["version"] == "v1" and row["ts"] < end])
    assert main(["profile", str(table), "-o", str(profile)]) == 0
    said, drifts = [], []
    period = tmp_path / "period.json"
    asked = ["--db", ":memory:", "--since", START.isoformat(), "--until", end, "-o", str(period)]
    assert main(["profile", str(logs), *asked]) == 0
    for reference in (None, table, profile, period):
        with mlwatch.open(logs, db=":memory:", reference=reference) as watch:
            quality = watch.snapshot().models["chat"].versions["v2"].quality
        said.append(quality.text_reference)
        drifts.append(dict(quality.text_drift))
    assert said[:3] == ["the first 7 h of v1", "training.jsonl", "profile.json (training.jsonl)"]
    assert said[3] is not None
    assert said[3].startswith("period.json (v1 of chat, 2026-11-03T00:00Z to")
    assert set(drifts[0]) == {"length", "vocabulary"}
    assert drifts[1] == drifts[2] == drifts[3] == drifts[0]


@pytest.mark.deep
def test_drift_of_answers_is_followed_window_by_window(tmp_path: Path) -> None:
    rows = [row | {"request_id": f"{turn} {row['request_id']}"} for turn in range(4) for row in chats()]
    logs = tmp_path / "logs"
    write(logs, "a.jsonl", rows)
    write(tmp_path, "reference.jsonl", chats()[:400])
    reference = tmp_path / "reference.jsonl"
    with mlwatch.open(logs, db=":memory:", reference=reference) as watch:
        snapshot, frame = watch.snapshot(), watch.frame("windows")
    version = snapshot.models["chat"].versions["v2"]
    told = [window for window in version.windows if window.text_drift]
    for number, window in enumerate(told[::8]):
        inside = [row for row in rows if window.start <= datetime.fromisoformat(row["ts"]) < window.end]
        alone = tmp_path / str(number)
        write(alone, "a.jsonl", inside)
        with mlwatch.open(alone, db=":memory:", reference=reference) as watch:
            drifts = watch.snapshot().models["chat"].versions["v2"].quality.text_drift
        assert window.text_drift == pytest.approx({name: drift.told for name, drift in drifts.items()})
        assert window.text_drift["length"] > 0.9
        assert window.measures["characters"].value == np.mean([len(row["prediction"]) for row in inside])
    assert len(told) > 8
    document = snapshot.to_dict()["models"]["chat"]["versions"]["v2"]["windows"][-1]
    assert document["quality"]["text_drift"] == dict(version.windows[-1].text_drift)
    for name in ("length", "vocabulary"):
        scores = [window.text_drift.get(name) for window in version.windows]
        assert list(values_over(version, f"text_drift.{name}")) == scores
    known = frame[frame.version == "v2"]["text_drift_length"].dropna()
    assert known.tolist() == [window.text_drift["length"] for window in told]


def test_events_after_the_attribution_window_are_not_the_predictions_doing(tmp_path: Path) -> None:
    requests = [stamped(i, model="m", prediction=i % 2, score=0.5) for i in range(100)]
    events = [
        {
            "ts": (START + timedelta(minutes=i, hours=1 if i < 30 else 3)).isoformat(),
            "request_id": f"r{i}",
            "event": "purchase",
            "value": 10,
        }
        for i in range(50)
    ]
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events)
    every = only(model_of(tmp_path))
    assert every.business.conversion.value == pytest.approx(0.5)
    some = only(model_of(tmp_path, '[business]\nattribution = "2h"\n'))
    assert some.business.conversion.value == pytest.approx(0.3)
    assert some.business.revenue.total == pytest.approx(300)


def test_beside_a_large_order_stands_what_the_others_say(tmp_path: Path) -> None:
    """Against Student's t of SciPy on the values, and on those that are winsorised at the 99.9th percentile."""
    random = np.random.default_rng(4)
    spent = np.where(random.uniform(size=4000) < 0.2, random.lognormal(3, 1, 4000).round(2), 0.0)
    spent[7] = 1e6
    requests = [
        stamped(0, model="m", prediction=i % 2, score=0.5) | {"request_id": f"r{i}"} for i in range(4000)
    ]
    events = [
        {"ts": requests[0]["ts"], "request_id": f"r{i}", "event": "purchase", "value": value}
        for i, value in enumerate(spent.tolist())
        if value
    ]
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = watch.snapshot().to_dict()["models"]["m"]["versions"]["v1"]["business"]
    revenue = found["revenue"]
    assert revenue["per_prediction"] == pytest.approx(spent.mean())
    assert revenue["method"] == "Student's t"
    low, high = stats.t.interval(0.95, 3999, loc=spent.mean(), scale=stats.sem(spent))
    assert (revenue["low"], revenue["high"]) == pytest.approx((low, high))
    cut = revenue["winsorised"]
    method, _, cap = cut["method"].rpartition(" ")
    assert method == "Student's t, winsorised at"
    assert float(cap) == pytest.approx(np.sort(spent)[-5], rel=0.03)  # of 4,000 values four lie above
    used = np.minimum(spent, float(cap))
    low, high = stats.t.interval(0.95, 3999, loc=used.mean(), scale=stats.sem(used))
    assert cut["value"] == pytest.approx(used.mean(), rel=1e-4)
    assert (cut["low"], cut["high"]) == pytest.approx((low, high), rel=1e-4)
    each = revenue["per_conversion"]
    assert each["value"] == pytest.approx(spent.sum() / np.count_nonzero(spent))
    assert each["method"] == "delta method"
    assert each["winsorised"]["value"] == pytest.approx(used.sum() / np.count_nonzero(spent), rel=1e-4)
    assert each["winsorised"]["method"] == f"delta method, winsorised at {cap}"
    assert each["high"] - each["low"] > 100 * (each["winsorised"]["high"] - each["winsorised"]["low"])


def test_each_window_is_cut_at_the_limit_of_the_range(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    spent = np.where(random.uniform(size=4000) < 0.2, random.lognormal(3, 1, 4000).round(2), 0.0)
    spent[7], spent[3999] = 1e6, 1e5
    requests = [
        stamped(i // 100, model="m", prediction=i % 2, score=0.5) | {"request_id": f"r{i}"}
        for i in range(4000)
    ]
    events = [
        {"ts": requests[i]["ts"], "request_id": f"r{i}", "event": "purchase", "value": value}
        for i, value in enumerate(spent.tolist())
        if value
    ]
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events)
    version = only(model_of(tmp_path))
    whole = version.business.revenue.winsorised
    assert whole is not None
    assert whole.method is not None
    cap = float(whole.method.rpartition(" ")[2])
    windows = [window for window in version.windows if window.predictions]
    assert sum(window.predictions for window in windows) == 4000
    done = 0
    for window in windows:
        own = spent[done : (done := done + window.predictions)]
        revenue, used = window.business.revenue, np.minimum(own, cap)
        assert revenue.per_prediction == pytest.approx(own.mean())
        expected = stats.t.interval(0.95, len(own) - 1, own.mean(), stats.sem(own))
        assert (revenue.low, revenue.high) == pytest.approx(expected, rel=1e-6)
        cut, expected = revenue.winsorised, stats.t.interval(0.95, len(own) - 1, used.mean(), stats.sem(used))
        assert cut is not None
        assert (cut.low, cut.high) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert cut.method == whole.method


def test_beside_a_costly_request_stands_what_the_others_cost(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    cost = random.lognormal(-3, 1, 5000).round(6)
    cost[11] = 1000.0
    requests = [
        stamped(0, model="m", prediction=i % 2, score=0.5, request_cost=value) | {"request_id": f"r{i}"}
        for i, value in enumerate(cost.tolist())
    ]
    write(tmp_path, "a.jsonl", requests)
    found = only(model_of(tmp_path)).outputs.measures["cost"].mean
    expected = stats.t.interval(0.95, 4999, cost.mean(), stats.sem(cost))
    assert found.value == pytest.approx(cost.mean())
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)
    cut = found.winsorised
    assert cut is not None
    assert cut.method is not None
    words, _, cap = cut.method.rpartition(" ")
    assert words == "Student's t, winsorised at"
    assert float(cap) == pytest.approx(np.sort(cost)[-6], rel=0.03)  # of 5,000 values five lie above
    used = np.minimum(cost, float(cap))
    expected = stats.t.interval(0.95, 4999, used.mean(), stats.sem(used))
    assert (cut.low, cut.high) == pytest.approx(expected, rel=1e-4)


def test_a_cohort_that_had_no_time_to_convert_says_so(tmp_path: Path) -> None:
    requests = [stamped(i, model="m", prediction=i % 2, score=0.5) for i in range(600)]
    events = [
        {
            "ts": (START + timedelta(minutes=i, hours=5)).isoformat(),
            "request_id": f"r{i}",
            "event": "purchase",
        }
        for i in range(0, 300, 3)
    ]
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events)
    model = model_of(tmp_path)
    version = only(model)
    assert footnotes(model)[-1].endswith(
        "conversions to come had the time to come so far: the rate will still rise."
    )
    assert version.maturity == pytest.approx(0.5, abs=0.03)  # half of ten hours is older than the lag of five


def test_how_many_conversions_are_to_come_does_not_depend_on_the_range(tmp_path: Path) -> None:
    """Each comes 10 minutes after its request; v2 began 40 minutes before the end of two days."""
    requests, events = [], []
    for i in range(60 * 48):
        version = "v2" if i >= 60 * 48 - 40 else "v1"
        requests.append(stamped(i, model="m", version=version, prediction=1, score=0.5))
        at = (START + timedelta(minutes=i + 10)).isoformat()
        events.append({"ts": at, "request_id": f"r{i}", "event": "purchase"})
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events[:-10])
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        models = [watch.snapshot(span).models["m"] for span in (timedelta(hours=1), timedelta(hours=6), None)]
    for model in models:
        assert model.versions["v2"].maturity == pytest.approx(0.75, abs=0.03)
        assert footnotes(model)[-1].endswith("the rate will still rise.")
        windows = [window for window in model.versions["v2"].windows if window.predictions]
        reached = sum(window.predictions * (window.maturity or 0) for window in windows)
        assert reached == pytest.approx(0.75 * 40, abs=1)


def test_a_young_version_learns_from_the_others_how_long_conversions_take(tmp_path: Path) -> None:
    """v2 began an hour before the end: its few conversions, or none, cannot tell that most take hours."""
    random, hours = np.random.default_rng(8), 48
    requests, events = [], []
    for i in range(60 * hours):
        version = "v2" if i >= 60 * (hours - 1) else "v1"
        requests.append(stamped(i, model="m", version=version, prediction=1, score=0.5))
        lag = timedelta(hours=float(random.exponential(6)))
        if version == "v1" and timedelta(minutes=i) + lag <= timedelta(hours=hours):
            at = (START + timedelta(minutes=i) + lag).isoformat()
            events.append({"ts": at, "request_id": f"r{i}", "event": "purchase"})
    write(tmp_path, "a.jsonl", requests)
    write(tmp_path, "b.jsonl", events)
    versions = model_of(tmp_path).versions
    assert versions["v2"].business.conversion.value == 0
    ages = (np.arange(60) + 0.5) / 60
    assert versions["v2"].maturity == pytest.approx(float(np.mean(1 - np.exp(-ages / 6))), abs=0.02)
    ages = 1 + np.arange(60 * (hours - 1)) / 60
    assert versions["v1"].maturity == pytest.approx(float(np.mean(1 - np.exp(-ages / 6))), abs=0.02)
    end = max(window.end for window in versions["v1"].windows)
    for window in versions["v1"].windows:
        age = (end - window.start - (window.end - window.start) / 2) / timedelta(hours=1)
        if window.predictions:
            assert window.maturity == pytest.approx(1 - np.exp(-age / 6), abs=0.03)
        else:
            assert window.maturity is None


def test_the_document_holds_all_of_it(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    scores = random.uniform(0, 1, 500)
    rows = [
        stamped(i, model="m", prediction=int(s >= 0.5), score=s, label=int(random.uniform() < s))
        for i, s in enumerate(scores.tolist())
    ]
    write(tmp_path, "a.jsonl", rows)
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = watch.snapshot().to_dict()["models"]["m"]["versions"]["v1"]
    step = found["curves"]["thresholds"][50]
    labels = np.array([row["label"] for row in rows])
    positive = scores >= step["threshold"]
    assert step["tp"] == pytest.approx(int((positive & (labels == 1)).sum()), abs=1)
    assert step["fn"] == pytest.approx(int((~positive & (labels == 1)).sum()), abs=1)
    assert sum(found["latency_ms"]["histogram"]["counts"]) == 500
    assert (sum(found["scores"]["positive"]), sum(found["scores"]["negative"])) == (
        labels.sum(),
        (1 - labels).sum(),
    )
    for point in found["curves"]["calibration"]:
        hits = round(point["share"] * point["n"])
        wilson = stats.binomtest(hits, point["n"]).proportion_ci(method="wilson")
        assert (point["low"], point["high"]) == pytest.approx((wilson.low, wilson.high))
    near = pytest.approx(500, rel=0.01)
    bounds = {"value": near, "n": 500, "low": near, "high": near, "method": "order statistics"}
    assert found["latency_ms"]["quantiles"]["p95"] == bounds
    assert found["errors"]["method"] == "Wilson"
    assert found["throughput"]["now"] == pytest.approx(1 / 10)  # the newest record, of one a minute
    assert found["business"]["cost"]["per_prediction"]["reason"].startswith("no cost in the logs")
    assert sum(one["n"] for one in found["label_coverage"].values()) == 500
    assert found["label_coverage"]["older"] == {
        "value": None,
        "n": 0,
        "reason": "no predictions of that age",
    }


def test_failed_requests_and_empty_answers_are_in_the_bill(tmp_path: Path) -> None:
    requests = [
        stamped(i, model="gpt-x", prediction="" if i % 10 == 1 else f"some words {i}", cost_usd=0.01)
        | {"status": 500 if i % 10 == 0 else 200, "input_tokens": 1000, "output_tokens": i % 7}
        for i in range(400)
    ]
    write(tmp_path, "a.jsonl", requests)
    version = only(model_of(tmp_path))
    assert version.errors.count == 80
    measures = version.outputs.measures
    assert measures["cost"].total == pytest.approx(4.0)
    assert measures["input_tokens"].total == 400_000
    assert measures["output_tokens"].mean.value == pytest.approx(np.mean([i % 7 for i in range(400)]))
