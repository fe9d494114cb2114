"""Importance of features, gaps between groups and the worth of decisions, against pandas and scikit-learn."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway
from sklearn.metrics import confusion_matrix

import mlwatch
from mlwatch.app.rows import metric_rows
from mlwatch.app.view import View
from mlwatch.choice import Choice
from mlwatch.config import parse
from mlwatch.errors import ConfigError
from mlwatch.faces.rows import rows_of
from mlwatch.metrics.fairness import Group, Positives, demographic_parity, equal_opportunity
from mlwatch.metrics.importance import importance
from mlwatch.rule_values import value_of
from mlwatch.snapshot.segments import NOT_COUNTED
from mlwatch.store import lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.session import Session
    from mlwatch.snapshot.types import Snapshot

SAMPLES = Path(__file__).parents[3] / "sample_logs"
SETTINGS = """
[segments]
protected = ["origin"]
[business]
payoff = {tp = 40.0, fp = -12.0, fn = -25.0}
"""


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    logs = tmp_path_factory.mktemp("gaps") / "logs"
    shutil.copytree(SAMPLES, logs, ignore=shutil.ignore_patterns("*.py", "__pycache__", "mlwatch.toml"))
    (logs / "mlwatch.toml").write_text(SETTINGS)
    with mlwatch.open(logs, db=":memory:") as opened:
        yield opened


@pytest.fixture(scope="module")
def snapshot(watch: Session) -> Snapshot:
    return watch.snapshot()


@pytest.fixture(scope="module")
def answered(watch: Session) -> pd.DataFrame:
    names, found = watch.query(
        """SELECT p.* REPLACE (COALESCE(o.label, p.label) AS label)
        FROM predictions AS p LEFT JOIN outcomes AS o ON o.id = p.id WHERE NOT p.failed"""
    )
    return pd.DataFrame(found, columns=names)


@pytest.fixture(scope="module")
def rows(answered: pd.DataFrame) -> pd.DataFrame:
    return answered[answered.label.notna()]


def test_gaps_are_the_largest_differences_between_groups(
    snapshot: Snapshot, rows: pd.DataFrame, answered: pd.DataFrame
) -> None:
    version = snapshot.models["flight-delay"].versions["v1"]
    (found,) = version.fairness
    of_v1 = rows[rows.version == "v1"]
    every = answered[answered.version == "v1"]
    chosen = (every.prediction == "1").groupby(every.origin).mean()
    assert len(every) > len(of_v1)
    assert found.demographic_parity.difference.value == pytest.approx(chosen.max() - chosen.min())
    assert (found.demographic_parity.highest, found.demographic_parity.lowest) == (
        chosen.idxmax(),
        chosen.idxmin(),
    )
    late = of_v1[of_v1.label == "1"]
    recall = (late.prediction == "1").groupby(late.origin).mean()
    assert found.equal_opportunity.difference.value == pytest.approx(recall.max() - recall.min())
    assert found.equal_opportunity.difference.n == len(late)
    assert value_of(version, f"parity.{found.column}") == found.demographic_parity.difference.value
    assert value_of(version, f"opportunity.{found.column}") == found.equal_opportunity.difference.value
    assert value_of(version, "parity.nothing") is None


def test_decisions_are_worth_what_the_configuration_says(snapshot: Snapshot, rows: pd.DataFrame) -> None:
    version = snapshot.models["flight-delay"].versions["v2"]
    of_v2 = rows[rows.version == "v2"]
    _, fp, fn, tp = confusion_matrix(of_v2.label, of_v2.prediction, labels=["0", "1"]).ravel()
    found = version.business.decisions
    assert found is not None
    assert found.value == pytest.approx((40 * tp - 12 * fp - 25 * fn) / len(of_v2) * 1000)
    assert found.low is not None
    assert found.value is not None
    assert found.low < found.value
    assert value_of(version, "decisions_per_1000") == found.value
    parts = [window.business.decisions for window in version.windows if window.labelled]
    total = sum((part.value or 0.0) * part.n for part in parts if part)
    assert total / len(of_v2) == pytest.approx(found.value)


def test_revenue_per_conversion_is_over_those_that_converted(watch: Session, snapshot: Snapshot) -> None:
    version = snapshot.models["flight-delay"].versions["v1"]
    ((converted,),) = watch.query(
        """SELECT COUNT(DISTINCT p.id) FROM predictions AS p JOIN events AS e ON e.id = p.id
        WHERE p.version = 'v1' AND e.class = 'conversion'"""
    )[1]
    found = version.business.revenue.per_conversion
    assert found is not None
    assert found.n == converted
    assert found.value == pytest.approx(version.business.revenue.total / converted)
    assert found.low is not None


def test_importance_is_that_of_the_labelled_rows(snapshot: Snapshot, rows: pd.DataFrame) -> None:
    features = snapshot.models["flight-delay"].versions["v2"].quality.features
    found = features["weekday"].importance
    assert found == pytest.approx(importance(pd.crosstab(rows.weekday, rows.label).to_numpy()))
    known = {name: feature.importance for name, feature in features.items() if feature.importance is not None}
    assert max(known, key=lambda name: known[name]) == "dep_delay"


def test_faces_show_gaps_and_worth(snapshot: Snapshot) -> None:
    model = snapshot.models["flight-delay"]
    names = [row.name for row in rows_of(list(model.versions.values()))]
    assert "origin: gap in recall" in names
    assert "Profit of 1,000 decisions" in names
    shown = {row.key: row for row in metric_rows(View(snapshot, "logs", "flight-delay"))}
    assert shown["parity.origin"].label == "origin: gap in positives"
    assert shown["decisions"].baseline.value == model.versions["v1"].business.decisions.value  # type: ignore[union-attr]


def test_importance_in_a_regression_is_the_share_of_the_variance(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    n = 3000
    city, hour = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]), rng.integers(0, 24, n)
    label = np.where(city == "a", 10.0, 14.0) + rng.normal(0, 2, n)
    times = pd.date_range("2026-11-03", periods=n, freq="s", tz="UTC")
    rows = pd.DataFrame({"timestamp": times, "city": city, "hour": hour, "prediction": 12.5, "label": label})
    rows["prediction"] += rng.normal(0, 1, n)
    rows.to_json(tmp_path / "a.jsonl", orient="records", lines=True, date_format="iso")
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        (model,) = opened.snapshot().models.values()
    features = next(iter(model.versions.values())).quality.features
    f, k = f_oneway(*(label[city == name] for name in "abc")).statistic, 3
    assert model.task == "regression"
    expected = (f - 1) * (k - 1) / ((k - 1) * f + n - k)
    assert features["city"].importance == pytest.approx(expected, rel=1e-6)
    assert features["hour"].importance is not None
    assert features["hour"].importance < 0.01


def test_given_importances_win(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    shutil.copy(next(SAMPLES.glob("predictions/**/*.jsonl")), logs)
    (logs / "mlwatch.toml").write_text("[segments]\nimportance = {carrier = 0.25}\n")
    with mlwatch.open(logs, db=":memory:") as opened:
        features = next(iter(opened.snapshot().models["flight-delay"].versions.values())).quality.features
    assert features["carrier"].importance == 0.25
    assert features["dep_delay"].importance is None


def test_a_payoff_of_no_decision_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="there is no decision hit"):
        parse("[business]\npayoff = {hit = 3}\n")


def test_small_groups_have_no_gap() -> None:
    groups = {"a": Group(100, 40), "b": Group(29, 1)}
    assert demographic_parity(groups).difference.reason == "fewer than two groups have 30 predictions"
    known = {"a": Positives(20, 15), "b": Positives(29, 1)}
    assert equal_opportunity(known).difference.reason == "fewer than two groups have 30 positive labels"
    assert equal_opportunity(known).difference.n == 49
    same = demographic_parity({name: Group(50, 10) for name in "ab"})
    assert same.difference.value == 0.0
    assert same.difference.high is not None
    assert same.difference.high > 0.1
    assert {same.highest, same.lowest} == {"a", "b"}


def loans(labels: str) -> pd.DataFrame:
    """Return two thousand decisions, which hardly any refused one has an outcome of."""
    rng, n = np.random.default_rng(0), 2000
    sex = rng.choice(["m", "f"], n)
    score = np.where(sex == "m", rng.beta(3, 2, n), rng.beta(2, 3, n))
    granted = score > 0.5
    known = {"none": np.zeros(n, dtype=bool), "granted": granted | (rng.random(n) < 0.02)}[labels]
    rows = pd.DataFrame({
        "timestamp": pd.date_range("2026-11-03", periods=n, freq="10s", tz="UTC"),
        "request_id": [f"r{i}" for i in range(n)],
        "version": "v1",
        "prediction": granted.astype(int),
        "score": score,
        "sex": sex,
        "status": np.where(np.arange(n) % 50 == 0, 500, 200),
        "label": np.where(known, (rng.random(n) < score).astype(float), np.nan),
    })  # fmt: skip
    return rows if labels != "none" else rows.drop(columns="label")


def written(logs: Path, rows: pd.DataFrame, name: str = "a.jsonl") -> None:
    logs.mkdir(exist_ok=True)
    (logs / "mlwatch.toml").write_text('[segments]\nprotected = ["sex"]\n')
    lines = [
        {key: value for key, value in row.items() if pd.notna(value)}
        for row in rows.to_dict(orient="records")
    ]
    pd.Series(lines).to_json(logs / name, orient="records", lines=True, date_format="iso")


@pytest.mark.usual(1)
@pytest.mark.parametrize("labels", ["granted", "none"])
@pytest.mark.parametrize("in_halves", [False, True])
def test_a_gap_in_positives_is_of_all_answers_labels_or_not(
    tmp_path: Path, labels: str, in_halves: bool
) -> None:
    rows, logs = loans(labels), tmp_path / "logs"
    with ExitStack() as stack:
        parts = [rows[:900], rows[900:]] if in_halves else [rows]
        for number, part in enumerate(parts):
            written(logs, part, f"{number}.jsonl")
            if number == 0:
                watch = stack.enter_context(mlwatch.open(logs, db=":memory:"))
            watch.ingest_all()
        (model,) = watch.snapshot().models.values()
        alone = watch.snapshot(choice=Choice(filter="score > 0.2")).models[model.name]
    answered = rows[rows.status == 200]
    for found, of in ((model, answered), (alone, answered[answered.score > 0.2])):
        rate = of.prediction.groupby(of.sex).mean()
        (fairness,) = found.versions["v1"].fairness
        parity = fairness.demographic_parity
        assert parity.difference.value == pytest.approx(rate["m"] - rate["f"])
        assert (parity.highest, parity.lowest, parity.difference.n) == ("m", "f", len(of))
        assert parity.difference.low is not None
        assert parity.difference.low > 0.25


def test_a_gap_in_positives_of_a_column_that_is_named_later_is_of_what_is_stored(tmp_path: Path) -> None:
    rows, logs, store = loans("granted"), tmp_path / "logs", tmp_path / "store.duckdb"
    written(logs, rows[:1500])
    (logs / "mlwatch.toml").write_text("")
    with mlwatch.open(logs, db=store) as watch:
        watch.ingest_all()
    written(logs, rows[1500:], "b.jsonl")
    with mlwatch.open(logs, db=store) as watch:
        watch.ingest_all()
        (model,) = watch.snapshot().models.values()
        counted = watch.query("SELECT SUM(n) FROM r_answers_900")[1]
    answered = rows[rows.status == 200]
    rate = answered.prediction.groupby(answered.sex).mean()
    (fairness,) = model.versions["v1"].fairness
    assert counted == [(len(answered),)]
    assert fairness.demographic_parity.difference.value == pytest.approx(rate["m"] - rate["f"])


def test_a_lake_has_the_gap_too_and_one_that_did_not_count_it_says_so(tmp_path: Path) -> None:
    rows, logs = loans("granted"), tmp_path / "logs"
    written(logs, rows)
    found = {}
    for name in ("with", "without"):
        if name == "without":
            (logs / "mlwatch.toml").write_text('[segments]\ncolumns = ["sex"]\n')
        with mlwatch.open(logs, db=":memory:") as watch:
            lake.write(watch.connection, at := made(tmp_path / name))
        (at / "mlwatch.toml").write_text('[segments]\nprotected = ["sex"]\n')
        with mlwatch.open(at, db=":memory:") as watch:
            (model,) = watch.snapshot().models.values()
        (found[name],) = model.versions["v1"].fairness
    answered = rows[rows.status == 200]
    rate = answered.prediction.groupby(answered.sex).mean()
    assert found["with"].demographic_parity.difference.value == pytest.approx(rate["m"] - rate["f"])
    assert found["without"].demographic_parity.difference.reason == NOT_COUNTED
    assert found["without"].equal_opportunity == found["with"].equal_opportunity


def made(place: Path) -> Path:
    place.mkdir()
    return place
