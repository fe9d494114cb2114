"""How far labels moved: the numbers are SciPy's on the raw rows, and every gap has its reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from logfiles import lines, prediction
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

import mlwatch
from mlwatch.cli import main
from mlwatch.faces.rows import rows_of
from mlwatch.rule_values import value_of
from mlwatch.session import Options, Session
from mlwatch.snapshot import label_drift
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from logfiles import SampleStore

    from mlwatch.snapshot.types import LabelDrift, Snapshot, Version

SAMPLES = Path(__file__).parents[3] / "sample_logs"


def watched(
    logs: Path, live: Iterable[Mapping[str, Any]], reference: Iterable[Mapping[str, Any]]
) -> Snapshot:
    logs.mkdir(exist_ok=True)
    (logs / "a.jsonl").write_text(lines(live))
    if text := lines(reference):
        (logs / "reference.jsonl").write_text(text)
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        return session.snapshot()


def version_of(found: Snapshot) -> Version:
    return found.models["m"].versions["v1"]


def drift_in(found: Snapshot) -> LabelDrift:
    return version_of(found).quality.label_drift


def test_the_score_is_of_the_labels_of_all_predictions_that_have_one(sample_store: SampleStore) -> None:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        found = opened.snapshot()
        _, rows = opened.query("""
            SELECT o.label, COUNT(*) FROM predictions AS p JOIN outcomes AS o ON o.id = p.id
            WHERE p.version = 'v2' AND NOT p.failed GROUP BY 1""")
    version = found.models["flight-delay"].versions["v2"]
    here = [n for _, n in sorted(rows)]
    there = pd.read_parquet(SAMPLES / "reference.parquet").label.value_counts().sort_index().tolist()
    moved = version.quality.label_drift
    assert moved.reference == "reference.parquet"
    assert moved.drift is not None
    assert (moved.drift.n_reference, moved.drift.n_current) == (sum(there), sum(here))
    assert moved.drift.js == pytest.approx(jensenshannon(there, here, base=2), abs=1e-12)
    chi2 = chi2_contingency([there, here], correction=False)
    assert moved.drift.chi2 == pytest.approx(chi2.statistic)
    assert moved.drift.chi2_p == pytest.approx(chi2.pvalue)
    assert value_of(version, "label_drift") == moved.drift.score
    said = found.to_dict()["models"]["flight-delay"]["versions"]["v2"]["quality"]
    assert (said["label_drift"]["js"], said["label_drift"]["reason"]) == (moved.drift.js, None)
    assert said["label_reference"] == "reference.parquet"


def test_labels_of_a_reference_without_predictions_count(tmp_path: Path) -> None:
    """Training data have a target, and nothing that was predicted."""
    rng = np.random.default_rng(7)
    there, here = (rng.choice(["cat", "dog", "fox"], 2_000, p=p) for p in ((0.5, 0.3, 0.2), (0.2, 0.3, 0.5)))
    training = ({"age": n % 90, "label": label} for n, label in enumerate(there.tolist()))
    live = (
        prediction(n, prediction="cat", score=None, label=label, features={"age": n % 90})
        for n, label in enumerate(here.tolist())
    )
    found = watched(tmp_path / "logs", live, training)
    moved = drift_in(found).drift
    assert moved is not None
    assert moved.drifted
    counts = [[int((side == name).sum()) for name in ("cat", "dog", "fox")] for side in (there, here)]
    assert moved.js == pytest.approx(jensenshannon(counts[0], counts[1], base=2), abs=1e-12)
    assert found.models["m"].reference_performance == {}, "nothing was predicted there"
    (row,) = (row for row in rows_of([version_of(found)]) if row.name == "Prediction drift")
    assert row.cells == ["n/a, because the reference has no predictions"]
    told = [each.value for each in samples_of(found) if ("output", "label") in each.labels]
    assert told == [moved.score]


ANSWERED = [prediction(n, label=n % 3 == 0) for n in range(400)]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("live", "reference", "reason"),
    [
        ([prediction(n) for n in range(400)], ANSWERED, "there are no labels yet"),
        (ANSWERED[:150], [], label_drift.NONE_THERE),
        (ANSWERED, [prediction(n, label=f"class {n % 2}") for n in range(400)], label_drift.STRANGE),
        ([prediction(n, prediction=n / 7, label=n / 9) for n in range(150)], [], label_drift.NONE_THERE),
        ([prediction(n, prediction=n / 7) for n in range(400)], [], "there are no labels yet"),
    ],
)
def test_why_there_is_no_score_is_said(
    tmp_path: Path, live: list[dict[str, Any]], reference: list[dict[str, Any]], reason: str
) -> None:
    found = watched(tmp_path / "logs", live, reference)
    assert drift_in(found).reason == reason
    assert drift_in(found).drift is None
    (row,) = (row for row in rows_of([version_of(found)]) if row.name == "Label drift")
    assert row.cells == [f"n/a, because {reason}"]


def test_without_labels_in_the_file_those_of_the_first_period_are_compared_with(tmp_path: Path) -> None:
    live = [
        prediction(n, timestamp=f"2026-11-03T{10 + n // 60:02d}:{n % 60:02d}:00Z", label=int(n % 600 > 400))
        for n in range(720)
    ]
    moved = drift_in(watched(tmp_path / "logs", live, [prediction(n) for n in range(400)]))
    assert moved.reference == "the first 6 h of v1"
    assert moved.drift is not None
    assert moved.drift.n_reference == 360


def regression(n: int, label: float | None) -> dict[str, Any]:
    return prediction(n, prediction=280.5 + n % 7, score=None, label=label)


def test_labels_that_are_numbers_are_compared_bin_by_bin(tmp_path: Path) -> None:
    """Those of the reference without a single prediction, those of the logs in another order, and one corrected."""
    rng = np.random.default_rng(11)
    there, here = (rng.normal(mean, 3, 3_000).round(3) for mean in (280, 281.5))
    logs = tmp_path / "logs"
    logs.mkdir()
    training = ({"age": n % 90, "label": label} for n, label in enumerate(there.tolist()))
    (logs / "reference.jsonl").write_text(lines(training))
    (logs / "a.jsonl").write_text(lines(regression(n, None) for n in range(len(here))))
    time = "2026-11-03T22:00:00Z"
    late = [
        {"request_id": f"r{n}", "label": label, "timestamp": time} for n, label in enumerate(here.tolist())
    ]
    wrong = {"request_id": "r5", "label": 9_999.0, "timestamp": "2026-11-03T23:00:00Z"}
    store = tmp_path / "store.duckdb"
    with Session(Options(logs, db=store)) as session:
        session.ingest_all()
        (logs / "labels.jsonl").write_text(lines([*late, wrong]))
        session.ingest_all()
        assert drift_in(session.snapshot()).drift is not None
    with (logs / "labels.jsonl").open("a") as file:
        file.write(lines([{**late[5], "timestamp": "2026-11-04T01:00:00Z"}]))
    with Session(Options(logs, db=store)) as session:
        session.ingest_all()
        moved = drift_in(session.snapshot())
    assert moved.reference == "reference.jsonl"
    assert moved.drift is not None
    assert (moved.drift.n_reference, moved.drift.n_current) == (len(there), len(here))
    assert moved.drift.ks == pytest.approx(ks_2samp(there, here).statistic, abs=0.01)
    distance = wasserstein_distance(there, here) / there.std()
    assert moved.drift.wasserstein == pytest.approx(distance, rel=0.05)
    edges = np.quantile(there, np.linspace(0, 1, 51), method="inverted_cdf")
    before, after = (
        np.bincount(np.searchsorted(edges, side, side="left"), minlength=52) for side in (there, here)
    )
    assert moved.drift.js == pytest.approx(jensenshannon(before, after, base=2), abs=0.01)
    assert moved.drift.drifted


def test_without_a_reference_bins_are_cut_after_the_first_labels_and_a_profile_takes_them_along(
    tmp_path: Path,
) -> None:
    values = np.random.default_rng(12).gamma(2, 10, 1_200).round(2).tolist()
    live = [
        {**regression(n, value), "timestamp": f"2026-11-03T{10 + n // 60:02d}:{n % 60:02d}:00Z"}
        for n, value in enumerate(values[:720])
    ]
    moved = drift_in(watched(tmp_path / "logs", live, []))
    assert moved.reference == "the first 6 h of v1"
    assert moved.drift is not None
    assert (moved.drift.n_reference, moved.drift.n_current) == (360, 720)
    assert moved.drift.state == "ok"
    profile = tmp_path / "reference.json"
    assert main(["profile", str(tmp_path / "logs"), "--db", ":memory:", "-o", str(profile)]) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.jsonl").write_text(lines(regression(n, 2 * value) for n, value in enumerate(values)))
    with Session(Options(other, db=":memory:", reference=profile)) as session:
        session.ingest_all()
        against = drift_in(session.snapshot()).drift
    assert against is not None
    assert (against.n_reference, against.n_current) == (720, 1_200)
    assert against.ks == pytest.approx(ks_2samp(values[:720], 2 * np.array(values)).statistic, abs=0.02)


def test_sixty_labels_say_nothing_anywhere(tmp_path: Path) -> None:
    live = [prediction(n, label=1) for n in range(60)]
    found = watched(tmp_path / "logs", live, ANSWERED)
    version = version_of(found)
    moved = version.quality.label_drift.drift
    assert moved is not None
    assert (moved.state, moved.n_current, moved.told) == ("too_few", 60, None)
    assert moved.score is not None
    assert moved.score > moved.threshold, "chance alone, for all that anybody knows"
    assert value_of(version, "label_drift") is None
    assert value_of(version, "psi.age") is None
    assert not [each for each in samples_of(found) if "drift_score" in each.family]
    (row,) = (row for row in rows_of([version]) if row.name == "Label drift")
    assert row.cells == ["n/a, because there are too few values to compare"]
