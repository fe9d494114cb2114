"""Which stretches of event time rollups were added to, so that whoever keeps their sums knows what is out of date."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING

from mlwatch.store.rollup import Rollup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Stretch = tuple[datetime, datetime]
    """First and last bucket of the finest width that was added to, naive UTC."""
    Touched = Mapping[str, Stretch]
    """By the name of the rollup; those that are left out were not added to."""

ALL_TIME = (datetime.min, datetime.max)  # noqa: DTZ901  naive UTC, as in the store
FACTS = Rollup("facts", (), {}, {})
"""No rollup, but noted like one: which models and features there are, their tasks and their bins."""
MOST = 512
"""Batches that are told apart; of older ones nothing is known but that they came."""

_NOTED: ContextVar[dict[str, Stretch] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[Touched]:
    """Note what this thread adds to rollups, or takes out of them, while the block runs: for a block around it too."""
    found: dict[str, Stretch] = {}
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)
        if (around := _NOTED.get()) is not None:
            widen(around, found)


def note(rollup: Rollup, stretch: Stretch) -> None:
    """Say that a stretch of a rollup has changed."""
    found = _NOTED.get()
    if found is not None:
        widen(found, {rollup.name: stretch})


def widen(known: dict[str, Stretch], more: Touched) -> None:
    """Add to what is known to be touched what was touched besides."""
    for name, stretch in more.items():
        known[name] = _hull(known.get(name), stretch)


def _hull(known: Stretch | None, more: Stretch) -> Stretch:
    return more if known is None else (min(known[0], more[0]), max(known[1], more[1]))


class Journal:
    """What each batch has touched, under a number that grows with every batch; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[int, Touched] = {}
        self._forgotten = 0
        """Up to this number it is not known what was touched."""

    def note(self, number: int, touched: Touched | None) -> None:
        """Note a batch that was committed.

        Args:
            number: Larger than any before.
            touched: By it; None where that is not known, so that it may be everything.
        """
        with self._lock:
            if touched is None:
                self._batches.clear()
                self._forgotten = number
                return
            if len(self._batches) >= MOST:
                self._forgotten = next(iter(self._batches))
                del self._batches[self._forgotten]
            if touched:
                self._batches[number] = dict(touched)

    def since(self, number: int, rollup: Rollup) -> Stretch | None:
        """Return which stretch of a rollup may have changed after a batch; None where nothing has."""
        with self._lock:
            if number < self._forgotten:
                return ALL_TIME
            found: Stretch | None = None
            for batch, touched in reversed(self._batches.items()):
                if batch <= number:
                    break
                if rollup.name in touched:
                    found = _hull(found, touched[rollup.name])
            return found

    def anything_since(self, number: int) -> bool:
        """Tell whether any rollup may have changed after a batch."""
        with self._lock:
            return number < self._forgotten or any(batch > number for batch in self._batches)
