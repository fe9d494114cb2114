"""Results that are remembered for as long as snapshots ask for them: what a window said, until it has changed.

A cache of a fixed size would either be too small for many models, or keep what the newest windows said a thousand
refreshes ago: memory would grow for hours. So a result goes once several snapshots in a row had no use for it.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

TURNS = 16
"""Snapshots that a result is remembered for at least without being asked for; at most twice as many."""


class _Memory:
    """Results by arguments: those of the current turns, and those of the turns before."""

    def __init__(self) -> None:
        self.young: dict[Any, Any] = {}
        self.old: dict[Any, Any] = {}

    def age(self) -> None:
        self.young, self.old = {}, self.young


_NOTHING: Any = object()
_memories: list[_Memory] = []
_turns = 0


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Remember the results of a pure function of hashable positional arguments; any thread may ask."""
    memory = _Memory()
    _memories.append(memory)

    @wraps(function)
    def ask(*args: P.args, **named: P.kwargs) -> T:
        key = (*args, *sorted(named.items())) if named else args
        young, old = memory.young, memory.old
        found: T = young.get(key, _NOTHING)
        if found is _NOTHING:
            found = old.get(key, _NOTHING)
            if found is _NOTHING:
                found = function(*args, **named)
            young[key] = found
        return found

    return ask


def turn() -> None:
    """Begin a snapshot: every now and then, what none of the last ones asked for is forgotten."""
    global _turns  # noqa: PLW0603  as the memories themselves
    _turns += 1
    if _turns % TURNS == 0:
        for memory in _memories:
            memory.age()
