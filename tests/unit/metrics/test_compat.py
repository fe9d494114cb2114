"""Against recorded outputs of Evidently 0.7.23 and NannyML 0.13.1; `fixtures/record_peers.py` made them."""

from __future__ import annotations

import json
import runpy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics import compat, estimation, raw_distances
from mlwatch.metrics.confusion import Confusion
from mlwatch.metrics.scores import ScoreHistogram, score_bin

FIXTURES = Path(__file__).parent / "fixtures"
COLUMNS = runpy.run_path(str(FIXTURES / "record_peers.py"))["columns"]()
EVIDENTLY: dict[str, Any] = json.loads((FIXTURES / "evidently.json").read_text())
NANNYML: dict[str, Any] = json.loads((FIXTURES / "nannyml.json").read_text())
METHODS = [(name, method) for name, found in NANNYML["univariate"].items() for method in found]


@pytest.mark.parametrize("name", list(EVIDENTLY))
def test_evidently_chooses_and_decides_the_same(name: str) -> None:
    kind, reference, current = COLUMNS[name]
    expected = EVIDENTLY[name]
    found = compat.evidently(reference, current, kind)
    assert found.method == expected["chosen"]
    assert found.score == pytest.approx(expected["found"][found.method]["score"], rel=1e-9, abs=1e-12)
    assert found.drifted == expected["found"][found.method]["drifted"]


@pytest.mark.parametrize("name", list(EVIDENTLY))
@pytest.mark.parametrize("method", ["psi", "jensenshannon"])
def test_evidentlys_distances_are_the_same(name: str, method: str) -> None:
    kind, reference, current = COLUMNS[name]
    found = compat.evidently(reference, current, kind, method)
    assert found.score == pytest.approx(EVIDENTLY[name]["found"][method]["score"], rel=1e-9, abs=1e-12)
    assert found.drifted == EVIDENTLY[name]["found"][method]["drifted"]


def test_evidentlys_data_set_needs_half_of_its_columns() -> None:
    assert compat.evidently_dataset([True, False]) is True
    assert compat.evidently_dataset([True, False, False]) is False
    assert compat.evidently_dataset([]) is None


def test_a_side_without_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="both sides"):
        compat.evidently(np.array([np.nan]), np.array([1.0]), "numeric")


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_nannymls_values_thresholds_and_alerts_are_the_same(name: str, method: str) -> None:
    kind, reference, current = COLUMNS[name]
    expected = NANNYML["univariate"][name][method]
    size = len(reference) // 10
    fitted = compat.NannyML(method, reference, kind, size)
    found = [fitted.drift(current[start : start + size]) for start in range(0, len(current), size)]
    np.testing.assert_allclose([drift.score for drift in found], expected["value"], rtol=1e-9, atol=1e-12)
    assert [drift.drifted for drift in found] == expected["alert"]
    if expected["threshold"] is not None:
        assert fitted.threshold == pytest.approx(expected["threshold"], rel=1e-9)


def test_nannymls_empty_chunk_is_no_number_and_a_wrong_method_an_error() -> None:
    reference = np.arange(100.0)
    assert np.isnan(compat.NannyML("wasserstein", reference, "numeric").distance(np.array([np.nan])))
    with pytest.raises(ValueError, match="no method chi2 for numeric"):
        compat.NannyML("chi2", reference, "numeric")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_estimates_without_labels_equal_nannymls(index: int) -> None:
    recorded = NANNYML["cbpe"]
    label, guess, score, n = np.array(recorded["reference"]).T
    table = Confusion.from_rows(
        [(str(int(t)), str(int(p)), int(c)) for t, p, c in zip(label, guess, n, strict=True)]
    )
    scores = ScoreHistogram.from_rows(label == 1, score_bin(score), n, score * n)
    reference = estimation.BinaryReference.learn(scores, table, "1")
    guess, score, n = np.array(recorded["chunks"][index]["rows"]).T
    found = estimation.binary(reference, ScoreHistogram.from_rows(guess == 1, score_bin(score), n, score * n))
    for name, value in recorded["chunks"][index]["value"].items():
        assert found[name].value == pytest.approx(value, abs=1e-6), name
    for name in ("accuracy", "precision", "recall", "specificity"):
        value, high = found[name].value, found[name].high
        assert value is not None
        assert high is not None
        error = recorded["chunks"][index]["sampling_error"][name]
        assert (high - value) / 3 == pytest.approx(error, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40),
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
)
def test_raw_distances_equal_scipys(one: list[int], two: list[int]) -> None:
    first, second = np.array(one, dtype=float), np.array(two, dtype=float)
    with warnings.catch_warnings(record=True) as given_up:
        warnings.simplefilter("always")
        expected = stats.ks_2samp(first, second, method="exact")
    assume(not given_up)
    found = raw_distances.kolmogorov_smirnov(first, second)
    assert found[0] == pytest.approx(float(expected.statistic), abs=1e-12)
    assert found[1] == pytest.approx(float(expected.pvalue), rel=1e-6)
    distance = stats.wasserstein_distance(first, second)
    assert raw_distances.wasserstein(first, second) == pytest.approx(distance, abs=1e-12)


def test_asymptotic_p_of_large_samples_is_near_scipys() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=12_000), rng.normal(0.03, 1, 900)
    expected = stats.ks_2samp(one, two)
    assert raw_distances.kolmogorov_smirnov(one, two)[1] == pytest.approx(float(expected.pvalue), rel=0.02)


def test_yates_equals_scipys() -> None:
    expected = stats.chi2_contingency([[10, 20], [30, 15]])
    found = raw_distances.yates(np.array([10.0, 20.0]), np.array([30.0, 15.0]))
    assert found == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
