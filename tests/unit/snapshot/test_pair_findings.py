"""Where a shadow answers differently, against pandas, SciPy and scikit-learn on the raw rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error

import mlwatch
from mlwatch.faces.html import html
from mlwatch.faces.markdown import markdown

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
ROWS = 3000
HOSTILE = "<b>x</b>|`y`"
Records = list[dict[str, Any]]


def logs(*, numbers: bool = False) -> tuple[Records, Records, Records]:
    """Return both versions' answers and the labels: the candidate goes wrong in Germany, from the middle on."""
    rng = np.random.default_rng(1)
    old: Records = []
    new: Records = []
    labels: Records = []
    for i in range(ROWS):
        base = {"timestamp": (START + timedelta(seconds=2 * i)).isoformat(), "id": f"r{i}", "model": "m"}
        country, amount = str(rng.choice(["NO", "SE", "DE"])), float(np.round(rng.lognormal(3, 1), 2))
        z = np.log(amount) - 3 + rng.normal(0, 0.1, 2)
        z[1] -= 2.0 if country == "DE" and i > ROWS / 2 else 0.0
        score = 1 / (1 + np.exp(-z))
        for side, (records, version) in enumerate(((old, "v1"), (new, "v2"))):
            answer = (
                {"prediction": 10 * z[side]}
                if numbers
                else {"prediction": int(score[side] > 0.5), "score": float(score[side])}
            )
            seen = amount + (1.0 if version == "v2" and i % 10 == 0 else 0.0)
            features = {"country": country, "amount": seen, HOSTILE: i % 7}
            records.append({**base, "version": version, **answer, "features": features})
        if i % 2:
            labels.append({**base, "label": 10 * float(z[0]) if numbers else int(rng.random() < score[0])})
    return old, new, labels


def judged(directory: Path, parts: tuple[Records, ...], config: str = "") -> Snapshot:
    directory.mkdir(exist_ok=True)
    for number, records in enumerate(parts):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (directory / f"{number}.jsonl").write_text(text)
    if config:
        (directory / "mlwatch.toml").write_text(config)
    with mlwatch.open(directory, db=":memory:") as watch:
        return watch.snapshot()


def paired(parts: tuple[Records, ...]) -> pd.DataFrame:
    old, new, labels = (pd.json_normalize(part).set_index("id") for part in parts)
    answers = new[[name for name in new if name not in {"timestamp", "model"}]].add_suffix("_new")
    return old.join(answers).join(labels["label"])


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, pd.DataFrame]:
    parts = logs()
    return judged(tmp_path_factory.mktemp("classes"), parts), paired(parts)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, pd.DataFrame]:
    parts = logs(numbers=True)
    return judged(tmp_path_factory.mktemp("numbers"), parts), paired(parts)


Case = tuple["Snapshot", pd.DataFrame]


def test_disagreement_over_time_adds_up(classes: Case) -> None:
    snapshot, rows = classes
    shadow = snapshot.rollouts[0].shadow
    assert shadow is not None
    assert shadow.findings is not None
    steps = shadow.findings.steps
    assert sum(step.pairs for step in steps) == ROWS
    differs = rows.prediction != rows.prediction_new
    times = pd.to_datetime(rows.timestamp)
    for step in steps:
        inside = differs[(times >= step.start) & (times < step.end)]
        assert step.pairs == len(inside)
        assert step.value == pytest.approx(inside.mean())
        low, high = stats.binomtest(int(inside.sum()), len(inside)).proportion_ci(method="wilson")
        assert step.low == pytest.approx(low)
        assert step.high == pytest.approx(high)
    assert sum(step.value or 0 for step in steps[-10:]) > 2 * sum(step.value or 0 for step in steps[:10])


def test_the_segment_that_differs_leads(classes: Case) -> None:
    snapshot, rows = classes
    (rollout,) = snapshot.rollouts
    assert rollout.shadow is not None
    assert rollout.shadow.findings is not None
    worst = rollout.shadow.findings.parts[0]
    differs = rows.prediction != rows.prediction_new
    german = rows["features.country"] == "DE"
    assert (worst.column, worst.value, worst.pairs) == ("country", "DE", int(german.sum()))
    assert worst.mean == pytest.approx(differs[german].mean())
    assert worst.contrast is not None
    assert worst.contrast.difference == pytest.approx(differs[german].mean() - differs[~german].mean())
    assert worst.contrast.worse
    assert any("the answers differ most where country is DE" in reason for reason in rollout.reasons)


def test_features_are_ranked_by_what_they_explain(classes: Case) -> None:
    snapshot, rows = classes
    (rollout,) = snapshot.rollouts
    assert rollout.shadow is not None
    assert rollout.shadow.findings is not None
    features = {one.name: one for one in rollout.shadow.findings.features}
    differs = (rows.prediction != rows.prediction_new).astype(float)
    table = pd.crosstab(rows["features.country"], differs).to_numpy()
    squared = stats.contingency.association(table) ** 2
    assert features["country"].explained == pytest.approx(
        1 - (1 - squared) * (ROWS - 1) / (ROWS - 3), rel=1e-6
    )
    assert next(iter(features)) == "country"
    assert features[HOSTILE].q > 0.05
    assert (features["amount"].unequal, features["amount"].compared) == (ROWS / 10, ROWS)
    assert features["country"].unequal == 0


def test_scores_lie_apart_as_numpy_says(classes: Case) -> None:
    snapshot, rows = classes
    shadow = snapshot.rollouts[0].shadow
    assert shadow is not None
    assert shadow.findings is not None
    found = shadow.findings.scores
    gap = (rows.score_new - rows.score).to_numpy()
    assert found is not None
    assert shadow.findings.outputs is None
    assert found.n == ROWS
    assert found.mean == pytest.approx(gap.mean())
    assert found.mean_abs == pytest.approx(np.abs(gap).mean())
    assert found.rms == pytest.approx(np.sqrt((gap**2).mean()))
    assert [found.p50, found.p95] == pytest.approx(np.quantile(np.abs(gap), [0.5, 0.95]).tolist())
    assert found.largest == pytest.approx(np.abs(gap).max())
    assert found.correlation == pytest.approx(stats.pearsonr(rows.score, rows.score_new).statistic)
    assert found.low is not None
    assert found.high is not None
    assert found.low < gap.mean() < found.high < 0


def test_the_requests_that_differ_most_carry_their_features(classes: Case) -> None:
    snapshot, rows = classes
    shadow = snapshot.rollouts[0].shadow
    assert shadow is not None
    assert shadow.findings is not None
    found = shadow.findings.requests
    differs = rows[rows.prediction != rows.prediction_new]
    gaps = (differs.score_new - differs.score).abs().sort_values(ascending=False)
    assert [one.id for one in found] == gaps.index[:10].tolist()
    for one in found:
        row = rows.loc[one.id]
        assert (one.old, one.new) == (str(row.prediction), str(row.prediction_new))
        assert one.old_score == pytest.approx(row.score)
        assert (one.label or "nan") == str(row.label).removesuffix(".0")
        assert one.features["country"] == row["features.country"]
        assert one.features["amount"] == row["features.amount"]
        assert one.changed == ({} if int(one.id[1:]) % 10 else {"amount": row["features.amount_new"]})


def test_values_of_a_regression_lie_apart(numbers: Case) -> None:
    snapshot, rows = numbers
    (rollout,) = snapshot.rollouts
    shadow = rollout.shadow
    assert shadow is not None
    assert shadow.findings is not None
    assert (shadow.findings.measure, shadow.disagreement_rate, shadow.confusion) == ("distance", None, None)
    gap = (rows.prediction_new - rows.prediction).to_numpy()
    found, errors = shadow.findings.outputs, shadow.findings.errors
    assert found is not None
    assert errors is not None
    assert found.mean_abs == pytest.approx(np.abs(gap).mean())
    assert shadow.findings.parts[0].value == "DE"
    german = (rows["features.country"] == "DE").to_numpy()
    assert shadow.findings.parts[0].mean == pytest.approx(np.abs(gap[german]).mean())
    anova = stats.f_oneway(*(np.abs(gap)[rows["features.country"] == name] for name in ("NO", "SE", "DE")))
    assert anova.pvalue < 1e-100
    assert shadow.findings.features[0].name == "country"
    known = rows.dropna(subset="label")
    assert errors.n == shadow.labelled == len(known)
    worse = mean_absolute_error(known.label, known.prediction_new) - mean_absolute_error(
        known.label, known.prediction
    )
    assert errors.mean == pytest.approx(worse)
    assert any("the values of v2 lie" in reason for reason in rollout.reasons)
    farthest = shadow.findings.requests[0]
    assert farthest.id == rows.index[int(np.abs(gap).argmax())]


def test_the_document_has_all_of_it(classes: Case, numbers: Case) -> None:
    for snapshot, _ in (classes, numbers):
        document = json.loads(json.dumps(snapshot.to_dict(), allow_nan=False))
        shadow, found = document["rollouts"][0]["shadow"], snapshot.rollouts[0].shadow
        assert found is not None
        assert found.findings is not None
        assert shadow["measure"] == found.findings.measure
        assert len(shadow["over_time"]) == len(found.findings.steps)
        assert shadow["segments"][0]["value"] == "DE"
        assert shadow["segments"][0]["worse"]
        assert [one["name"] for one in shadow["features"]] == [one.name for one in found.findings.features]
        assert len(shadow["most_different"]) == 10
        assert shadow["most_different"][0]["features"]["country"] == "DE"
        assert (shadow["outputs"] is None) == (found.findings.measure == "disagreement")


def test_reports_have_the_tables_and_escape_what_is_in_them(classes: Case) -> None:
    snapshot, _ = classes
    text, page = markdown(snapshot), html(snapshot)
    for title in ("Requests that both versions answered", "Over time", "Requests that differ most"):
        assert f"### {title}" in text
        assert f"<h3>{title}</h3>" in page
    assert "Answers of v1 (rows) by those of v2 (columns)" in page
    assert "| country DE |" in text
    assert "<b>x</b>" not in page
    assert "<b>x</b>" not in text
    assert "Answers differ" in page
    assert "Answers differ, over time" in page


def test_values_that_cannot_be_summed_are_left_out(tmp_path: Path) -> None:
    old, new, labels = logs(numbers=True)
    new[5]["prediction"] = 1e300
    old[7]["prediction"] = 1e308
    snapshot = judged(tmp_path, (old, new, labels), '[roles]\ntask = "regression"\n')
    shadow = snapshot.rollouts[0].shadow
    assert shadow is not None
    assert shadow.findings is not None
    assert shadow.findings.pairs == ROWS - 2
    json.dumps(snapshot.to_dict(), allow_nan=False)


def test_equal_answers_have_no_requests_that_differ(tmp_path: Path) -> None:
    old, _, labels = logs()
    snapshot = judged(tmp_path, (old, [{**each, "version": "v2"} for each in old], labels))
    shadow = snapshot.rollouts[0].shadow
    assert shadow is not None
    assert shadow.findings is not None
    assert shadow.findings.requests == ()
    assert shadow.findings.features == ()
    assert not any(part.contrast and part.contrast.worse for part in shadow.findings.parts)
    assert shadow.findings.scores is not None
    assert shadow.findings.scores.largest == 0.0
    assert shadow.findings.scores.correlation == pytest.approx(1.0)
