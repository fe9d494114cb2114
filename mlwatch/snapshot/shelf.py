"""What is kept from snapshot to snapshot, with the batch that it is sure to hold."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from mlwatch.store.rollup import Rollup
    from mlwatch.store.touched import Journal, Stretch

MOST = 500
"""Things that are kept: those of one range are about thirty."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A thing that was read or computed from rollups; it is never changed."""

    number: int
    """Of the last batch that it is sure to hold."""
    value: Any


class Shelf:
    """What a session keeps; any thread may ask.

    Args:
        journal: What batches have touched.
    """

    def __init__(self, journal: Journal) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._journal = journal

    def find(self, key: Hashable, number: int) -> Kept | None:
        """Return what is kept, maybe out of date by some batches; None where there is nothing to use.

        Args:
            key: What it is.
            number: Of the last batch when the question was asked: what was read later is of no use.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.number > number:
                return None
            self._kept.move_to_end(key)
        return kept

    def touched(self, kept: Kept, rollup: Rollup) -> Stretch | None:
        """Return the stretch of a rollup that may have changed since; None where nothing has."""
        return self._journal.since(kept.number, rollup)

    def keep(self, key: Hashable, kept: Kept) -> None:
        """Keep a thing in the place of the former one."""
        with self._lock:
            former = self._kept.get(key)
            if former is None or former.number <= kept.number:
                self._kept[key] = kept
                self._kept.move_to_end(key)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
