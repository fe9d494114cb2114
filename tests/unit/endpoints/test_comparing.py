"""Comparison of answers: what counts as different, where, and by how much."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.endpoints.comparing import compare


@pytest.mark.parametrize(
    ("expected", "actual", "difference", "reason"),
    [
        ({"p": [0.5, 1]}, {"p": [0.75, 1]}, 0.25, "p[0]: 0.75 instead of 0.5 (0.25 apart)"),
        ({"p": [1, 2]}, {"p": [2, 4]}, 2.0, "p[0]: 2 instead of 1 (1 apart), 1 more"),
        ({"p": [1]}, {"p": [1, 2]}, None, "p: 2 items instead of 1"),
        ({"a": {"b": 1}}, {"a": {}}, None, "a.b: missing"),
        ({}, {"a": 1}, None, "a: not expected"),
        ("cat", "dog", None, '"dog" instead of "cat"'),
        ({"l": 1}, {"l": "1"}, None, "l: text instead of a number"),
        ({"l": 1}, {"l": True}, None, "l: true or false instead of a number"),
        ({"l": True}, {"l": False}, None, "l: false instead of true"),
        ({"l": 1.5}, {"l": None}, None, "l: null instead of a number"),
        ([0.5, "a"], [0.75, "b"], None, "[0]: 0.75 instead of 0.5 (0.25 apart), 1 more"),
        ([1.0], [math.nan], None, "[0]: nan instead of 1"),
        ([math.inf], [-math.inf], None, "[0]: -inf instead of inf"),
        ([1], [10**400], None, "[0]: 10000000000000000000000000000… instead of 1"),
        ([10**400], [1.5], None, "[0]: 1.5 instead of 10000000000000000000000000000…"),
    ],
)
def test_what_differs_is_named(expected: Any, actual: Any, difference: float | None, reason: str) -> None:
    found = compare(expected, actual, 1e-6)
    assert (found.matches, found.difference, found.reason) == (False, difference, reason)


@pytest.mark.parametrize(
    ("expected", "actual", "tolerance"),
    [
        ([1.0], [1.0 + 1e-7], 1e-6),
        ([1], [1.0], 0.0),
        ([0.0], [0.01], 0.01),
        ([math.nan, math.inf], [math.nan, math.inf], 0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, 0.0),
    ],
)
def test_what_does_not_count(expected: Any, actual: Any, tolerance: float) -> None:
    assert compare(expected, actual, tolerance).matches


def test_the_difference_within_the_tolerance_is_kept() -> None:
    assert compare([1.0, 2.0], [1.25, 2.5], 1.0).difference == 0.5


def test_deep_answers_need_no_stack() -> None:
    deep = json.loads("[" * 900 + "1" + "]" * 900)
    other = json.loads("[" * 900 + "2" + "]" * 900)
    assert compare(deep, other, 0.0).difference == 1.0


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_everything_equals_itself_after_a_round_trip(document: Any) -> None:
    found = compare(document, json.loads(json.dumps(document)), 0.0)
    assert (found.matches, found.difference, found.reason) == (True, 0.0, "")


@given(documents, documents)
def test_the_order_of_the_two_does_not_matter(one: Any, other: Any) -> None:
    there, back = compare(one, other, 0.5), compare(other, one, 0.5)
    assert (there.matches, there.difference) == (back.matches, back.difference)
