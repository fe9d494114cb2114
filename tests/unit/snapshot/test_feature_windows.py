"""How far each feature moved, window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from logfiles import lines, prediction
from scipy.spatial.distance import jensenshannon

from mlwatch.metrics.drift import Drift
from mlwatch.session import Options, Session
from mlwatch.snapshot.feature_windows import FARTHEST, FIRST, drift_by_window, followed
from mlwatch.snapshot.features import FeatureInfo
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reference import Counts, Reference
from mlwatch.snapshot.types import FeatureQuality

if TYPE_CHECKING:
    from pathlib import Path

WINDOWS, FEATURES, BINS = 4, 3, 12
INFOS = {
    number: FeatureInfo(number, str(number), "numeric", tuple(map(float, range(BINS + 1))), binned=True)
    for number in range(FEATURES)
}


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(3).integers(20, 400, (FEATURES, WINDOWS, BINS))


@pytest.fixture
def reference() -> Reference:
    known = np.random.default_rng(4).integers(20, 400, (FEATURES, BINS))
    return Reference(
        "of a test",
        {number: Counts(np.arange(BINS), known[number], np.zeros(BINS)) for number in range(FEATURES)},
    )


def moved(score: float, *, drifted: bool) -> FeatureQuality:
    return FeatureQuality("numeric", 100, 0, 0.0, drift=Drift(score=score, drifted=drifted))


def test_of_many_features_those_that_drifted_are_followed_wherever_they_come() -> None:
    count = FIRST + FARTHEST + 30
    infos = {n: FeatureInfo(n, f"f{n}", "numeric", (), binned=True) for n in reversed(range(count))}
    late = range(FIRST + 5, FIRST + 5 + FARTHEST + 3)
    features = {
        info.name: moved(0.3 + 0.001 * n if n in late else 0.9, drifted=n in late)
        for n, info in infos.items()
    }
    first, drifted = followed(infos, features)
    assert first == list(range(FIRST))
    assert drifted == sorted(late, reverse=True)[:FARTHEST]
    assert followed(infos, {name: features[name] for name in ("f3", f"f{late[0]}")}) == ([3, late[0]], [])


def records(model: str, start: int, count: int, moved: str) -> list[dict[str, Any]]:
    """Return predictions of a model with features from `start` on; one of them moves in the second half."""
    random = np.random.default_rng(start)
    names = [f"f{number}" for number in range(start, start + count)]
    found = []
    for at in range(1200):
        features = dict(zip(names, random.normal(size=count).round(3).tolist(), strict=True))
        features[moved] += 3.0 * (at >= 600)
        stamp = f"2026-11-03T{10 + at // 600}:{at // 10 % 60:02d}:00Z"
        found.append(prediction(at, model=model, timestamp=stamp, features=features))
    return found


def test_a_feature_that_drifts_is_followed_whichever_features_are_known_before(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(records("a", 0, FIRST + 4, f"f{FIRST + 2}")))
    (tmp_path / "b.jsonl").write_text(lines(records("b", 100, 2, "f101")))
    before = [
        {**one, "features": {**one["features"], **other["features"]}}
        for one, other in zip(records("a", 0, FIRST + 4, "f0"), records("b", 100, 2, "f101"), strict=True)
    ][:600]
    (tmp_path / "reference.jsonl").write_text(lines(before))
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all()
        models = session.snapshot().models
    for model, feature, shown in (("a", f"f{FIRST + 2}", FIRST + 1), ("b", "f101", 2)):
        version = models[model].versions["v1"]
        features = version.quality.features
        assert sum(bool(each.drift_over) for each in features.values()) == shown
        known = [value for value in features[feature].drift_over if value is not None]
        assert len(features[feature].drift_over) == len(version.windows)
        assert known[0] < 0.2
        assert known[-1] > 0.6
    drift = models["a"].versions["v1"].windows[-1].drift
    assert drift is not None
    assert drift < 0.2, "the mean is that of the first features, whichever drift"


def table(counts: np.ndarray, order: np.ndarray) -> Table:
    feature, window, code = (each.ravel()[order] for each in np.indices(counts.shape))
    return Table({"feature": feature, "w": window, "bin": code, "n": counts.ravel()[order]})


def test_scores_are_those_of_scipy_less_what_chance_gives(counts: np.ndarray, reference: Reference) -> None:
    found = drift_by_window(table(counts, np.arange(counts.size)), INFOS, reference, range(FEATURES), WINDOWS)
    for number in range(FEATURES):
        for window in range(WINDOWS):
            distance = jensenshannon(reference.counts[number].n, counts[number, window], base=2)
            chance = (BINS - 1) / (8 * np.log(2) * counts[number, window].sum())
            assert found[number][window] == pytest.approx(np.sqrt(distance**2 - chance), rel=1e-12)


def test_they_are_the_same_to_the_last_bit_in_whatever_order_the_store_gives_the_rows(
    counts: np.ndarray, reference: Reference
) -> None:
    random = np.random.default_rng(5)
    found = {
        tuple(
            drift_by_window(
                table(counts, random.permutation(counts.size)), INFOS, reference, range(FEATURES), WINDOWS
            ).items()
        )
        for _ in range(20)
    }
    assert len(found) == 1
