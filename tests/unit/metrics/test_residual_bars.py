"""Histograms of residuals from sign and size bins, against NumPy's own over the raw values."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.latency import latency_bin
from mlwatch.metrics.outputs import signed_counts, signed_edges


@pytest.mark.parametrize(("centre", "scale"), [(0.0, 1.0), (3.0, 1.0), (-2e6, 1e5), (40.0, 0.01)])
def test_bars_hold_what_lies_between_their_edges(centre: float, scale: float) -> None:
    values = np.random.default_rng(1).normal(centre, scale, 5000)
    sides, bins, counts = np.sign(values), latency_bin(np.abs(values)), np.ones(len(values))
    edges = signed_edges(sides, bins, counts)
    widths = np.diff(edges)
    assert widths == pytest.approx(np.full(len(widths), widths[0]))
    assert 1 <= len(widths) <= 27
    found = signed_counts(sides, bins, counts, edges)
    assert found.sum() == 5000
    raw = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    if abs(centre) < 10 * scale:  # else a size bin of 2 % holds all of them
        assert np.mean((values >= edges[0]) & (values <= edges[-1])) > 0.97
        assert np.abs(found - raw).max() <= 25  # of 5,000


def test_without_values_there_are_no_edges() -> None:
    assert signed_edges([], [], []) == ()


def test_one_value_has_a_bar() -> None:
    edges = signed_edges([1], latency_bin([5.0]), [3])
    assert signed_counts([1], latency_bin([5.0]), [3], edges).sum() == 3
    edges = signed_edges([0], latency_bin([0.0]), [2])
    assert signed_counts([0], latency_bin([0.0]), [2], edges).tolist().count(2) == 1
