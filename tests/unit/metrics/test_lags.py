"""How fast events come, from those that had the time to come."""

from __future__ import annotations

import numpy as np
import pytest

from mlwatch.metrics.outputs import lags_of, maturity, reached_between, reached_by


def test_what_is_still_to_come_is_allowed_for() -> None:
    random = np.random.default_rng(1)
    age = random.uniform(0, 24, 40_000)
    lag = random.exponential(6, 40_000)
    seen = lag <= age
    lags = lags_of(lag[seen], age[seen], np.ones(seen.sum()))
    assert lags is not None
    for hours in (1, 3, 6, 12):
        # of those that take no longer than the oldest prediction is old
        truth = (1 - np.exp(-hours / 6)) / (1 - np.exp(-24 / 6))
        assert lags.reached[np.searchsorted(lags.seconds, hours)] == pytest.approx(truth, abs=0.02)
        assert np.mean(lag[seen] <= hours) > truth + 0.02, "those that are seen are too fast"


def test_without_young_predictions_it_is_the_share_of_those_seen() -> None:
    lag = np.array([1.0, 2.0, 2.0, 5.0, 9.0])
    lags = lags_of(lag, np.full(5, 100.0), np.ones(5))
    assert lags is not None
    assert lags.seconds.tolist() == [1, 2, 5, 9]
    assert lags.reached == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert maturity([0.5, 2, 50], [0.5, 2, 50], [10, 10, 20], lags) == pytest.approx((0 + 0.6 + 2 * 1) / 4)
    assert maturity([], [], [], lags) is None
    evenly = (1 * 0 + 1 * 0.2 + 2 * 0.6) / 4  # up to 1 s old, 2 s and 4 s
    assert maturity([0], [4], [7], lags) == pytest.approx(evenly)
    assert maturity([9], [30], [7], lags) == 1.0
    assert lags_of([], [], []) is None


def test_ages_between_the_youngest_and_the_oldest_count_evenly() -> None:
    lags = lags_of([1.0, 2.0, 2.0, 5.0, 9.0], np.full(5, 100.0), np.ones(5))
    assert lags is not None
    young, old = np.array([0.0, 0.5, 3.0, 8.0]), np.array([0.5, 4.0, 19.0, 8.0])
    ages = young + (old - young) * ((np.arange(100_000) + 0.5) / 100_000)[:, None]
    assert reached_between(young, old, lags) == pytest.approx(reached_by(ages, lags).mean(axis=0), abs=1e-4)
    assert maturity([0.0, 3.0], [0.5, 19.0], [30, 10], lags) == pytest.approx(
        (2 * 0.6 + 4 * 0.8 + 10) / 16 / 4
    )


def test_a_few_slow_events_do_not_speak_for_all() -> None:
    """One old prediction with one slow event would say that all events are as slow."""
    lag, age = np.r_[np.full(1000, 1.0), 50.0], np.r_[np.full(1000, 2.0), 60.0]
    lags = lags_of(lag, age, np.ones(1001))
    assert lags is not None
    assert (lags.seconds.tolist(), lags.reached.tolist()) == ([1.0], [1.0])


def test_a_share_is_at_most_all_of_it_whatever_sums_round_to() -> None:
    random = np.random.default_rng(5)
    most = 0.0
    for _ in range(300):
        lag = random.exponential(20, 60).round(1)
        lags = lags_of(lag, np.full(60, 1e6), np.ones(60))
        assert lags is not None
        young = random.uniform(200, 5e4, 40)
        old, counts = young + random.uniform(0, 60, 40), random.integers(1, 50, 40)
        assert reached_between(young, old, lags).max() <= 1.0
        share = maturity(young, old, counts, lags)
        assert share is not None
        most = max(most, share)
    assert most == 1.0
