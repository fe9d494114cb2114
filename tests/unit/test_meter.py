"""When a session says that there is something new to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlwatch import meter
from mlwatch.meter import Meter
from mlwatch.store.ingest import Progress

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds go by on the clock of meters."""
    now = [100.0]

    def pass_(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("mlwatch.meter.time.monotonic", lambda: now[0])
    return pass_


def _took(to: Meter, number: int, of: int = 100) -> None:
    to.took(Progress(number, of, number))


def test_the_first_numbers_are_told_at_once() -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    before = mine.generation
    _took(mine, 1)
    assert mine.generation > before


def test_looks_rest_after_an_answer_while_the_first_pass_reads(pass_time: Callable[[float], None]) -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    _took(mine, 1)
    before = mine.generation
    mine.answered(0.5)
    pass_time(0.1)
    _took(mine, 2)
    assert mine.generation == before
    pass_time(0.5 * meter.REST)
    assert mine.generation > before


def test_the_end_of_the_first_pass_is_told_at_once(pass_time: Callable[[float], None]) -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    _took(mine, 1)
    before = mine.generation
    mine.answered(0.5)
    pass_time(0.1)
    _took(mine, 100)
    mine.stands("through")
    assert mine.generation > before


def test_a_look_waits_for_what_is_read_before_it_could_answer(pass_time: Callable[[float], None]) -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    _took(mine, 1)
    before = mine.generation
    mine.answered(0.5)
    pass_time(4.0)
    _took(mine, 95)  # after four seconds, so the rest takes 0.2 s
    assert mine.generation == before
    pass_time(7.0)  # it does not
    assert mine.generation > before


def test_a_look_does_not_wait_for_ever_for_an_end_that_is_guessed(pass_time: Callable[[float], None]) -> None:
    """How much a topic holds is reckoned anew with each batch."""
    mine = Meter()
    mine.stands("reading", 1, 0)
    _took(mine, 900, 1000)
    mine.answered(0.4)
    held, longest = 0.0, 0.0
    for batch in range(200):
        before = mine.generation
        pass_time(0.5)
        mine.took(Progress(1000 + 10 * batch, 1100 + 10 * batch + batch % 7, batch + 2))
        held = 0.0 if mine.generation > before else held + 0.5
        longest = max(longest, held)
        if held == 0.0:
            mine.answered(0.4)
    assert longest < meter.LONGEST_S + 0.4 * meter.REST + 0.5


def test_what_somebody_says_shows_while_looks_rest(pass_time: Callable[[float], None]) -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    _took(mine, 1)
    before = mine.generation
    mine.answered(2.0)
    pass_time(0.1)
    mine.looked()
    assert mine.generation > before


def test_nothing_rests_once_the_first_pass_is_through() -> None:
    mine = Meter()
    mine.stands("reading", 3, 100)
    _took(mine, 1)
    mine.stands("through")
    before = mine.generation
    mine.answered(5.0)
    mine.stands("reading", 1, 50)
    _took(mine, 2)
    assert mine.generation > before
