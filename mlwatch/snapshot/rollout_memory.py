"""Verdicts that were computed already: they change only with new data, not with the range that is shown."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mlwatch.snapshot.rollout_course import Course
    from mlwatch.snapshot.rollout_series import Inputs
    from mlwatch.snapshot.types import Rollout

T = TypeVar("T")

MOST = 64
"""Answers that are kept, such as the moments of a replay."""


class Memory:
    """The verdicts of one generation of the store, shared by the threads of a session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = -1
        self._kept: dict[Hashable, tuple[Rollout, ...]] = {}

    def recall(
        self, generation: int, key: Hashable, judge: Callable[[], tuple[Rollout, ...]]
    ) -> tuple[Rollout, ...]:
        """Return the verdicts on a question, computed at most once a generation.

        Args:
            generation: Of the store, read before the question is asked.
            key: The question.
            judge: Computes the answer.
        """
        with self._lock:
            if generation != self._generation:
                self._kept.clear()
                self._generation = generation
            found = self._kept.get(key)
        if found is not None:
            return found
        found = judge()
        with self._lock:
            if generation == self._generation:
                if len(self._kept) >= MOST:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = found
        return found


PACE = 20.0
"""A value is computed anew after so many times what it took: at most a twentieth of a core goes into it."""


class Paced(Generic[T]):
    """Values that are dear and hardly change: computed anew only now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, T]] = {}

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return a value, maybe one that is a little old.

        Args:
            key: What is asked.
            compute: Computes the answer.
        """
        with self._lock:
            kept = self._kept.get(key)
        began = time.monotonic()
        if kept is not None and began < kept[0]:
            return kept[1]
        found = compute()
        over = time.monotonic()
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (over + PACE * (over - began), found)
        return found


class Courses:
    """The courses of rollouts up to now."""

    def __init__(self) -> None:
        self._paced: Paced[Course] = Paced()

    def recall(self, inputs: Inputs) -> Course:
        """Return the course of a rollout, maybe one that ends a little earlier.

        Args:
            inputs: What it is computed from.
        """
        from mlwatch.snapshot.rollout_course import course_of  # noqa: PLC0415  pulls numpy

        pairing = inputs.pairing
        key = (pairing.model, pairing.baseline, pairing.candidate, pairing.start)
        return self._paced.recall(key, lambda: course_of(inputs))
