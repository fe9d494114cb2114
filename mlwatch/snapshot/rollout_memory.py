"""Verdicts that were computed already: they change only with new data, not with the range that is shown."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

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
        self,
        generation: int,
        key: Hashable,
        judge: Callable[[], tuple[Rollout, ...]],
        complete: Callable[[], bool] = lambda: True,
    ) -> tuple[Rollout, ...]:
        """Return the verdicts on a question, computed at most once a generation.

        Args:
            generation: Of the store, read before the question is asked.
            key: The question.
            judge: Computes the answer.
            complete: Tells afterwards whether nothing of the answer was put off; one with gaps is not kept.
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
            if generation == self._generation and complete():
                if len(self._kept) >= MOST:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = found
        return found


PACE = 20.0
"""A value is computed anew after so many times what it took: at most a twentieth of a core goes into it."""


Wait = Literal["no", "first", "reading"]
"""What may be put off: nothing, what no look has asked for before, or everything as long as logs are read."""


ENOUGH_S = 0.02
"""So long may a look compute dear values anew that it has older ones of: then the others wait for the next looks."""


class Turns:
    """Lets what is dear take turns, the longest overdue first, so that no look pays for all of it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = 0.0
        self._waiting: dict[Hashable, float] = {}
        """When those that this look refused were due."""
        self._before: dict[Hashable, float] = {}
        """The same of the look before."""

    def begin(self) -> None:
        """Begin a look."""
        with self._lock:
            self._spent, self._waiting, self._before = 0.0, {}, self._waiting

    def take(self, what: Hashable, due: float) -> bool:
        """Tell whether a value that was due at some time may be computed anew in this look."""
        with self._lock:
            first = all(due <= other for each, other in self._before.items() if each != what)
            if first and self._spent < ENOUGH_S:
                self._before.pop(what, None)
                return True
            self._waiting[what] = due
            return False

    def spend(self, seconds: float) -> None:
        """Note what computing a value took."""
        with self._lock:
            self._spent += seconds


class Paced(Generic[T]):
    """Values that are dear and hardly change: computed anew only now and then.

    Args:
        least_s: Seconds that a value is good for in any case.
        turns: Shared with what else is dear; None to ask nobody.
    """

    def __init__(self, least_s: float = 0.0, turns: Turns | None = None) -> None:
        self._least_s, self._turns = least_s, turns
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._asked: set[Hashable] = set()
        self.put_off = 0
        """How often a value was put off."""

    def soon(self, key: Hashable, compute: Callable[[], T], wait: Wait, rarer: float = 1.0) -> T | None:
        """Return a value, or None where it is computed at a later look: the first screen does not wait for it.

        Args:
            key: What is asked.
            compute: Computes the answer.
            wait: What may be put off.
            rarer: See `recall`.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and wait == "reading":
                return kept[1]
            if kept is None and (wait == "reading" or (wait == "first" and key not in self._asked)):
                self.put_off += 1
                if wait == "first":
                    self._asked.add(key)
                return None
        return self.recall(key, compute, rarer)

    def recall(self, key: Hashable, compute: Callable[[], T], rarer: float = 1.0) -> T:
        """Return a value, maybe one that is a little old.

        Args:
            key: What is asked.
            compute: Computes the answer.
            rarer: So many times less often than `PACE` says.
        """
        with self._lock:
            kept = self._kept.get(key)
        began = time.monotonic()
        if kept is not None and (began < kept[0] or not self._turn(key, kept[0])):
            return kept[1]
        found = compute()
        over = time.monotonic()
        if self._turns is not None:
            self._turns.spend(over - began)
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.pop(next(iter(self._kept)))
            good_s = max(self._least_s, PACE * rarer * (over - began))
            self._kept[key] = (over + good_s, found)
        return found

    def _turn(self, key: Hashable, due: float) -> bool:
        return self._turns is None or self._turns.take((id(self), key), due)


class Courses:
    """The courses of rollouts up to now.

    Args:
        turns: See `Paced`.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        self._paced: Paced[Course] = Paced(turns=turns)

    @property
    def put_off(self) -> int:
        """How often one was put off."""
        return self._paced.put_off

    def recall(self, inputs: Inputs, wait: Wait = "no") -> Course | None:
        """Return the course of a rollout, maybe one that ends a little earlier.

        Args:
            inputs: What it is computed from.
            wait: Whether it may be put off: then there is none yet.
        """
        from mlwatch.snapshot.rollout_course import course_of  # noqa: PLC0415  pulls numpy

        pairing = inputs.pairing
        alpha = inputs.settings.alpha  # a version that is chosen alone has all of the error budget
        key = (pairing.model, pairing.baseline, pairing.candidate, pairing.start, pairing.rivals, alpha)
        return self._paced.soon(key, lambda: course_of(inputs), wait)
