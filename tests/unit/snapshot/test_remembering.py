"""What snapshots remember of windows: for as long as it is asked for, and no longer."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from mlwatch.snapshot import rollout_memory
from mlwatch.snapshot.remembering import TURNS, remembered, remembered_each, turn
from mlwatch.snapshot.rollout_memory import ENOUGH_S, Paced, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class Result:
    """Something that can be seen to go."""


def test_a_result_stays_while_it_is_asked_for_and_goes_when_it_is_not() -> None:
    computed: list[str] = []

    @remembered
    def result_of(name: str) -> Result:
        computed.append(name)
        return Result()

    used, idle = result_of("used"), weakref.ref(result_of("idle"))
    for _ in range(5 * TURNS):
        turn()
        assert result_of("used") is used
    gc.collect()
    assert idle() is None
    assert computed == ["used", "idle"]
    result_of("idle")
    assert computed == ["used", "idle", "idle"]


def test_a_result_outlives_some_snapshots_that_have_no_use_for_it() -> None:
    @remembered
    def result_of(name: str, *, kind: str = "") -> Result:
        return Result()

    kept = result_of("a", kind="b")
    for _ in range(TURNS):
        turn()
    assert result_of("a", kind="b") is kept
    assert result_of("a", kind="c") is not kept


def test_of_several_values_only_those_that_are_new_are_asked_for_and_at_once() -> None:
    asked: list[tuple[int, list[int]]] = []

    @remembered_each
    def product_of(factor: int, values: Sequence[int]) -> list[int]:
        asked.append((factor, list(values)))
        return [factor * value for value in values]

    assert product_of(2, [1, 2, 1]) == [2, 4, 2]
    assert product_of(2, [3, 2, 1, 4]) == [6, 4, 2, 8]
    assert product_of(3, [2, 1]) == [6, 3]
    assert product_of(2, [4, 3]) == [8, 6]
    assert product_of(2, []) == []
    assert asked == [(2, [1, 2]), (2, [3, 4]), (3, [2, 1])]
    for _ in range(3 * TURNS):
        turn()
        product_of(2, [4])
    assert product_of(2, [4, 3]) == [8, 6]
    assert asked[3:] == [(2, [3])], "what nobody asks for goes"


def test_dear_values_take_turns_and_the_longest_overdue_goes_first() -> None:
    turns = Turns()

    def look(**due: float) -> list[str]:
        turns.begin()
        computed = []
        for name, moment in due.items():
            if turns.take(name, moment):
                computed.append(name)
                turns.spend(ENOUGH_S)
        return computed

    assert look(a=1.0, b=2.0, c=3.0) == ["a"]
    assert look(a=9.0, b=2.0, c=3.0) == ["b"], "what a look computed waits for what it refused"
    assert look(a=9.0, b=10.0, c=3.0) == ["c"]
    assert look(a=9.0) == ["a"]
    assert look(b=10.0, a=20.0) == ["b"], "nothing waits for what is not asked for any more"
    turns.begin()
    assert turns.take("a", 20.0)
    turns.spend(ENOUGH_S / 2)
    assert turns.take("b", 30.0), "cheap ones go together"


def test_a_value_that_waits_for_its_turn_is_the_one_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_memory, "PACE", 0.0)  # it is due at once
    turns = Turns()
    kept: Paced[int] = Paced(turns=turns)
    turns.begin()
    assert kept.recall("a", lambda: 1) == 1
    turns.spend(ENOUGH_S)
    assert kept.recall("a", lambda: 2) == 1
    turns.begin()
    assert kept.recall("a", lambda: 3) == 3
