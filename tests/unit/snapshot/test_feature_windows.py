"""How far each feature moved, window by window."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from mlwatch.snapshot.feature_windows import drift_by_window
from mlwatch.snapshot.features import FeatureInfo
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reference import Counts, Reference

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
