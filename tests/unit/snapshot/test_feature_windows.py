"""How far each feature moved, window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from logfiles import lines, prediction
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm

from mlwatch.metrics.bins import MISSING
from mlwatch.metrics.drift import THRESHOLDS, Drift, Policy
from mlwatch.session import Options, Session
from mlwatch.snapshot.feature_cells import Cells
from mlwatch.snapshot.feature_windows import (
    FARTHEST,
    FIRST,
    drift_by_window,
    followed,
    missing_by_window,
    standing_still,
)
from mlwatch.snapshot.features import FeatureInfo
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reference import Counts, Reference, by_feature
from mlwatch.snapshot.types import FeatureQuality

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.metrics.bins import Kind

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
    rows = table(counts, np.arange(counts.size))
    found = drift_by_window(Cells(rows), INFOS, reference, range(FEATURES), WINDOWS, Policy())
    for number in range(FEATURES):
        for window in range(WINDOWS):
            distance = jensenshannon(reference.counts[number].n, counts[number, window], base=2)
            rows_of = reference.counts[number].n.sum(), counts[number, window].sum()
            chance = (BINS - 1) * sum(1 / n for n in rows_of) / (8 * np.log(2))
            assert found[number][window] == pytest.approx(np.sqrt(distance**2 - chance), rel=1e-12)


def test_they_are_the_same_to_the_last_bit_in_whatever_order_the_store_gives_the_rows(
    counts: np.ndarray, reference: Reference
) -> None:
    random = np.random.default_rng(5)
    found = {
        tuple(
            drift_by_window(
                *(Cells(table(counts, random.permutation(counts.size))), INFOS, reference),
                *(range(FEATURES), WINDOWS, Policy()),
            ).items()
        )
        for _ in range(20)
    }
    assert len(found) == 1


def test_a_window_says_what_it_says_alone_whatever_was_known_of_it_before(
    counts: np.ndarray, reference: Reference
) -> None:
    def scores(some: np.ndarray) -> np.ndarray:
        rows = Cells(table(some, np.arange(some.size)))
        found = drift_by_window(rows, INFOS, reference, range(FEATURES), some.shape[1], Policy())
        return np.array([found[number] for number in range(FEATURES)])

    before = scores(counts)
    counts[1, 2] = counts[1, 2, ::-1] * 3
    after = scores(counts)
    assert after[1, 2] != before[1, 2]
    unchanged = np.ones(after.shape, dtype=bool)
    unchanged[1, 2] = False
    assert (after == before)[unchanged].all()
    for window in range(WINDOWS):
        assert (scores(counts[:, [window]])[:, 0] == after[:, window]).all()


def test_cells_add_up_the_rows_of_each_feature_and_bin() -> None:
    random = np.random.default_rng(8)
    feature = random.choice([-3, -1, 0, 4, 11], 400)
    code, n = random.integers(-3, 9, 400), random.integers(0, 50, 400)
    cells = Cells(Table({"feature": feature.astype(np.int32), "bin": code.astype(np.int32), "n": n}))
    assert cells.numbers.tolist() == [-3, -1, 0, 4, 11]
    assert (cells.numbers[cells.feature] == feature).all()
    some = np.arange(0, 400, 3)
    for found, rows in ((cells.n, np.arange(400)), (cells.summed(n[some], some), some)):
        for number, sums in zip(cells.numbers, found, strict=True):
            for at, total in enumerate(sums.tolist(), cells.lowest):
                assert total == n[rows][(feature[rows] == number) & (code[rows] == at)].sum()
    assert cells.marked({4, -1, 7}).tolist() == [False, True, False, True, False]


def test_of_no_rows_there_is_nothing_to_tell(reference: Reference) -> None:
    none = Cells(table(np.zeros((0, 0, 0)), np.arange(0)))
    assert drift_by_window(none, INFOS, reference, range(FEATURES), WINDOWS, Policy()) == {}
    assert missing_by_window(none, {0, 1}) == missing_by_window(none, set()) == {}
    assert standing_still(none) == set()
    assert by_feature(Table({**none.rows.columns, "total": np.zeros(0)})) == {}


def test_missing_cells_count_for_the_features_that_are_expected() -> None:
    rows = [(0, 0, MISSING, 3), (0, 0, 1, 9), (0, 1, MISSING, 5), (2, 1, MISSING, 4), (0, -1, MISSING, 8)]
    rows += [(2, 0, 2, 4)]
    columns = {"w": 0, "feature": 1, "bin": 2, "n": 3}
    cells = Cells(Table({name: np.array([row[at] for row in rows]) for name, at in columns.items()}))
    assert missing_by_window(cells, {0}) == {0: 3 / 12, 2: 0.0}
    assert missing_by_window(cells, {0, 1, -1}) == missing_by_window(cells, set()) == {0: 8 / 17, 2: 0.5}


def test_what_stands_still_in_the_last_windows_is_told_from_what_always_did() -> None:
    moving, constant = np.full((8, 4), 30), np.zeros((8, 4), dtype=int)
    constant[:, 1] = 120
    stuck = moving.copy()
    stuck[-2:] = [0, 120, 0, 0]
    cells = Cells(table(np.array([moving, stuck, constant]), np.arange(96)[::-1]))
    assert standing_still(cells) == {1}


EQUAL = np.full(50, 1 / 50)
"""Quantile bins of a numeric feature,"""
LATER = np.diff(norm.cdf(norm.ppf(np.linspace(0, 1, 51)) - 0.5))
"""and the shares of these where a normal one rose by half a standard deviation."""
RARER = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
"""Categories of which many are rare."""


def drawn(
    kind: Kind, before: np.ndarray, after: np.ndarray, lengths: tuple[int, int], floor: int = 50
) -> np.ndarray:
    """Return the scores of 500 windows, drawn from shares `after`, against a reference drawn from shares `before`."""
    random, windows = np.random.default_rng(1), 500
    of_reference, of_window = lengths
    counts = random.multinomial(of_window, after, windows)[None]
    known = Counts(np.arange(len(before)), random.multinomial(of_reference, before), np.zeros(len(before)))
    infos = {0: FeatureInfo(0, "x", kind, (), binned=True)}
    found = drift_by_window(
        *(Cells(table(counts, np.arange(counts.size))), infos, Reference("drawn", {0: known})),
        *([0], windows, Policy(floor=floor)),
    )
    return np.array(found[0], dtype=float)


@pytest.mark.parametrize("of_reference", [2_000, 100_000])
@pytest.mark.parametrize("of_window", [50, 75, 112, 200, 500, 1_000, 10_000])
@pytest.mark.parametrize(("kind", "shares"), [("numeric", EQUAL), ("categorical", RARER)])
def test_where_nothing_moved_hardly_a_window_shows_drift_however_few_its_rows(
    kind: Kind, shares: np.ndarray, of_window: int, of_reference: int
) -> None:
    scores = drawn(kind, shares, shares, (of_reference, of_window))
    assert np.mean(scores > THRESHOLDS["js"]) <= 0.01
    assert scores.mean() < 0.002


@pytest.mark.parametrize("of_reference", [2_000, 100_000])
@pytest.mark.parametrize(("of_window", "least"), [(112, 0.75), (200, 0.9), (500, 0.99), (10_000, 0.99)])
def test_a_shift_of_half_a_standard_deviation_shows_in_windows(
    of_window: int, least: float, of_reference: int
) -> None:
    scores = drawn("numeric", EQUAL, LATER, (of_reference, of_window))
    assert np.mean(scores > THRESHOLDS["js"]) >= least
    truth = jensenshannon(EQUAL, LATER, base=2)
    assert scores[scores > 0].mean() == pytest.approx(truth, abs=0.03)


def test_below_the_floor_of_the_configuration_nothing_is_said() -> None:
    assert np.isnan(drawn("numeric", EQUAL, LATER, (2_000, 99), Policy().floor)).all()
    assert np.isnan(drawn("numeric", EQUAL, LATER, (99, 2_000), Policy().floor)).all()
    assert np.isfinite(drawn("numeric", EQUAL, LATER, (100, 100), Policy().floor)).all()
