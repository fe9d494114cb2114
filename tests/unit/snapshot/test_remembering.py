"""What snapshots remember of windows: for as long as it is asked for, and no longer."""

from __future__ import annotations

import gc
import weakref

from mlwatch.snapshot.remembering import TURNS, remembered, turn


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
