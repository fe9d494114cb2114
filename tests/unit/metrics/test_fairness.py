"""Gaps between the two extreme of many groups: their interval is wide enough for the choice of the two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from mlwatch.metrics.fairness import Gap, Group, Positives, demographic_parity, equal_opportunity

RUNS = 1500


def gaps(random: np.random.Generator, sizes: list[int], rate: float) -> list[Gap]:
    """Return the gaps of groups that differ in nothing, `RUNS` times."""
    chosen = random.binomial(sizes, rate, (RUNS, len(sizes)))
    return [
        demographic_parity(
            {f"g{i}": Group(n, int(k)) for i, (n, k) in enumerate(zip(sizes, row, strict=True))}
        )
        for row in chosen
    ]


@pytest.mark.parametrize(
    ("groups", "size", "rate"), [(2, 300, 0.5), (3, 300, 0.3), (8, 150, 0.5), (20, 150, 0.5), (20, 400, 0.1)]
)
def test_equal_groups_look_unequal_no_more_often_than_said(groups: int, size: int, rate: float) -> None:
    found = gaps(np.random.default_rng(5), [size] * groups, rate)
    apart = sum(gap.difference.low is not None and gap.difference.low > 0 for gap in found)
    assert binomtest(apart, RUNS, 0.05, alternative="greater").pvalue > 0.01


def test_groups_that_differ_are_still_found_among_many() -> None:
    groups = {f"g{i}": Group(300, 150) for i in range(19)} | {"poor": Group(300, 60)}
    gap = demographic_parity(groups)
    assert gap.lowest == "poor"
    assert gap.difference.low is not None
    assert gap.difference.low > 0.1


def wilson(hits: int, n: int, confidence: float) -> tuple[float, float]:
    found = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    return found.low, found.high


@pytest.mark.parametrize("many", [2, 3, 7])
def test_the_interval_is_newcombes_for_all_pairs_at_once(many: int) -> None:
    groups = {f"g{i}": (200 + 10 * i, 60 + 9 * i) for i in range(many)}
    gap = equal_opportunity({name: Positives(*each) for name, each in groups.items()})
    pairs = len(list(itertools.combinations(groups, 2)))
    confidence = 1 - 0.05 / pairs
    (n, k), (m, j) = groups[str(gap.highest)], groups[str(gap.lowest)]
    (l1, u1), (l2, u2) = wilson(k, n, confidence), wilson(j, m, confidence)
    high, low = k / n, j / m
    assert gap.difference.value == pytest.approx(high - low, rel=1e-12)
    assert gap.difference.low == pytest.approx(
        max(0.0, high - low - np.hypot(high - l1, u2 - low)), abs=1e-12
    )
    assert gap.difference.high == pytest.approx(high - low + np.hypot(u1 - high, low - l2), rel=1e-12)
    said = "Newcombe, the two extreme groups"
    assert gap.difference.method == (
        said if many == 2 else f"{said} of {many}, Bonferroni over their {pairs} pairs"
    )
