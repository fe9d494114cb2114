"""All features together: errors equal scikit-learn's PCA, and broken relations are seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from mlwatch.metrics.multivariate import frequencies, reconstruction


def related(n: int, correlation: float, seed: int) -> np.ndarray:
    covariance = np.full((4, 4), correlation) + (1 - correlation) * np.eye(4)
    return np.random.default_rng(seed).multivariate_normal([5, -2, 0, 90], covariance, n)


def test_the_errors_are_scikit_learns() -> None:
    before, after = related(3000, 0.6, 1), related(2000, 0.1, 2)
    scaler = StandardScaler().fit(before)
    pca = PCA(n_components=0.65, svd_solver="full").fit(scaler.transform(before))
    rows = scaler.transform(after)
    expected = np.linalg.norm(rows - pca.inverse_transform(pca.transform(rows)), axis=1).mean()
    found = reconstruction(before, after)
    assert found is not None
    assert found.components == pca.n_components_
    assert found.error == pytest.approx(expected, rel=1e-9)


def test_a_relation_that_breaks_is_seen_and_nothing_is_nothing() -> None:
    before = related(5000, 0.8, 1)
    broken, steady = (
        reconstruction(before, related(5000, 0.0, 2)),
        reconstruction(before, related(5000, 0.8, 3)),
    )
    assert broken is not None
    assert steady is not None
    assert broken.drifted
    assert not steady.drifted


def test_a_set_against_itself_has_no_drift_even_with_holes() -> None:
    before = related(2000, 0.5, 1)
    before[::7, 2] = np.nan
    before[::11, 1] = np.inf
    found = reconstruction(before, before)
    assert found is not None
    assert found.error == pytest.approx(found.reference, rel=1e-12)
    assert not found.drifted


def test_too_few_rows_and_constants_say_nothing() -> None:
    assert reconstruction(related(50, 0.5, 1), related(5000, 0.5, 1)) is None
    assert reconstruction(np.ones((500, 3)), np.ones((500, 3))) is None
    assert reconstruction(np.full((500, 3), np.nan), np.ones((500, 3))) is None


def test_categories_are_their_frequency() -> None:
    before, after = frequencies(
        np.array(["a", "a", "b", None], dtype=object), np.array(["a", "new", None], dtype=object)
    )
    np.testing.assert_allclose(before, [2 / 3, 2 / 3, 1 / 3, np.nan])
    np.testing.assert_allclose(after, [2 / 3, 0.0, np.nan])
