"""When performance fell and what carries it: against SciPy on the single predictions, and by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlwatch.metrics.attribution import SURE, attribute, fall, sure
from mlwatch.metrics.segments import Losses

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sums(steps: list[NDArray[np.float64]]) -> tuple[list[int], list[float], list[float]]:
    return [len(x) for x in steps], [float(x.sum()) for x in steps], [float((x**2).sum()) for x in steps]


def by_scipy(steps: list[NDArray[np.float64]]) -> int:
    """The split with the largest t statistic of the single losses."""
    found = [
        float(stats.ttest_ind(np.concatenate(steps[at:]), np.concatenate(steps[:at])).statistic)
        for at in range(1, len(steps))
    ]
    return int(np.argmax(found)) + 1


@pytest.mark.parametrize("kind", ["wrong or right", "errors of numbers"])
def test_the_moment_is_that_of_the_largest_t_statistic(kind: str) -> None:
    draw = np.random.default_rng(5)
    steps: list[NDArray[np.float64]] = []
    for step in range(24):
        later = step >= 17
        if kind == "wrong or right":
            steps.append((draw.random(200) < (0.2 if later else 0.1)).astype(float))
        else:
            steps.append(draw.gamma(2.0, 1.6 if later else 1.0, 200))
    assert by_scipy(steps) == 17
    assert fall(*sums(steps)) == 17


def test_there_is_no_fall_where_nothing_changed_or_it_got_better() -> None:
    draw = np.random.default_rng(6)
    false = sum(
        fall(*sums([(draw.random(100) < 0.1).astype(float) for _ in range(48)])) is not None
        for _ in range(300)
    )
    assert false <= 6, "the chance of naming a fall that is none is 1 % at the most"
    better = [(draw.random(500) < rate).astype(float) for rate in (0.3, 0.3, 0.1, 0.1)]
    assert fall(*sums(better)) is None


@pytest.mark.parametrize("steps", [[], [100], [20, 20], [0, 0, 0]])
def test_too_few_say_nothing(steps: list[int]) -> None:
    assert fall(steps, [0.0] * len(steps), [0.0] * len(steps)) is None


def losses(n: int, wrong: int) -> Losses:
    return Losses(n, wrong, wrong)


def test_a_change_is_split_into_rates_and_mix() -> None:
    """By hand: half and half at 10 % and 30 %, later a quarter at 10 % and three quarters at 50 %."""
    found = attribute(
        {"a": losses(100, 10), "b": losses(100, 30)}, {"a": losses(50, 5), "b": losses(150, 75)}
    )
    assert found["a"].rate == 0.0
    assert found["a"].mix == pytest.approx(-0.25 * (0.1 - 0.3))
    assert found["b"].rate == pytest.approx((0.5 + 0.75) / 2 * 0.2)
    assert found["b"].mix == pytest.approx(0.25 * (0.4 - 0.3))
    assert sum(each.total for each in found.values()) == pytest.approx(80 / 200 - 40 / 200)
    assert sure(list(found.values())) == [False, True]


parts = st.dictionaries(
    st.integers(0, 5), st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
)


@given(parts, parts)
def test_the_parts_add_up_to_the_whole_change(before: dict[int, Any], after: dict[int, Any]) -> None:
    early, late = ({key: losses(*pair) for key, pair in each.items()} for each in (before, after))
    n, wrong = (
        np.array([sum(pair[at] for pair in each.values()) for each in (before, after)]) for at in (0, 1)
    )
    found = attribute(early, late)
    if not n.all():
        assert found == {}
        return
    change = wrong[1] / n[1] - wrong[0] / n[0]
    assert sum(each.total for each in found.values()) == pytest.approx(change, abs=1e-12)


def test_a_part_that_rose_as_all_others_carries_nothing() -> None:
    """Of 10,000 before and after, 15 % go wrong; another column's part of 94 % has its share of that, and no more."""
    country = attribute(
        {"DK": losses(1500, 300), "NO": losses(8500, 1700)},
        {"DK": losses(1500, 1050), "NO": losses(8500, 1700)},
    )
    postcode = attribute(
        {"0150": losses(600, 120), "all others": losses(9400, 1880)},
        {"0150": losses(600, 165), "all others": losses(9400, 2585)},
    )
    assert country["DK"].beyond == pytest.approx(0.85 * 0.075)
    assert postcode["all others"].total == pytest.approx(0.94 * 0.075)
    assert postcode["all others"].beyond == pytest.approx(0.0)
    assert sure([*country.values(), *postcode.values()]) == [True, False, False, False]


@pytest.mark.usual(1)
@pytest.mark.parametrize("kind", ["wrong or right", "errors of numbers"])
def test_parts_that_rise_alike_are_named_by_chance_alone(kind: str) -> None:
    draw = np.random.default_rng(8)

    def of(n: int, mean: float) -> Losses:
        if kind == "wrong or right":
            return losses(n, int(draw.binomial(n, mean)))
        each = draw.gamma(2.0, mean, n)
        return Losses(n, float(each.sum()), float((each**2).sum()), proportion=False)

    sizes = {"large": 3000, "middle": 800, "small": 200}
    named = 0
    for _ in range(500):
        found = attribute(*({key: of(n, mean) for key, n in sizes.items()} for mean in (0.1, 0.3)))
        named += any(sure(list(found.values())))
    assert named <= stats.binom.ppf(0.98, 500, 3 * SURE), "each of three parts has a chance of 1 %"
