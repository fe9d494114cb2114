from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

from mlwatch import garbage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def timers() -> list[threading.Timer]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_what_starting_brought_is_looked_at_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "SETTLED_S", 0.0)
    garbage.postpone()
    assert not gc.isenabled()
    settling = garbage.Settling()
    settling.begin()
    for timer in timers():
        timer.join(10)
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    settling.begin()
    assert not timers()
    garbage.resume()
    assert gc.get_freeze_count() == 0


def test_nothing_is_changed_where_it_was_not_postponed() -> None:
    garbage.Settling().begin()
    assert not timers()
    assert gc.get_freeze_count() == 0


def test_a_process_that_ends_leaves_it() -> None:
    garbage.postpone()
    settling = garbage.Settling()
    settling.begin()
    (timer,) = timers()
    settling.cancel()
    timer.join(10)
    assert not gc.isenabled()
    garbage.resume()
    assert gc.isenabled()
