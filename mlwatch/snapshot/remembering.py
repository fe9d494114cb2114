"""Results that are remembered for as long as snapshots ask for them: what a window said, until it has changed.

A cache of a fixed size would either be too small for many models, or keep what the newest windows said a thousand
refreshes ago: memory would grow for hours. So a result goes once several snapshots in a row had no use for it.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

G = TypeVar("G")
K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")

TURNS = 16
"""Snapshots that a result is remembered for at least without being asked for; at most twice as many."""


_NOTHING: Any = object()


class _Memory:
    """Results by arguments: those of the current turns, and those of the turns before."""

    def __init__(self) -> None:
        self.young: dict[Any, Any] = {}
        self.old: dict[Any, Any] = {}

    def find(self, key: Any) -> Any:
        """Return the result for some arguments; `_NOTHING` where there is none."""
        young, old = self.young, self.old
        found = young.get(key, _NOTHING)
        if found is _NOTHING:
            found = old.get(key, _NOTHING)
            if found is not _NOTHING:
                young[key] = found
        return found

    def age(self) -> None:
        self.young, self.old = {}, self.young


_memories: list[_Memory] = []
_turns = 0


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Remember the results of a pure function of hashable positional arguments; any thread may ask."""
    memory = _Memory()
    _memories.append(memory)

    @wraps(function)
    def ask(*args: P.args, **named: P.kwargs) -> T:
        key = (*args, *sorted(named.items())) if named else args
        found: T = memory.find(key)
        if found is _NOTHING:
            found = memory.young[key] = function(*args, **named)
        return found

    return ask


def remembered_each(
    function: Callable[[G, Sequence[K]], Sequence[T]],
) -> Callable[[G, Sequence[K]], list[T]]:
    """Remember what a pure function gives for each of several values; those that are new it is asked for at once.

    Each result follows from what is given and its own value alone, both of which are hashable.
    """
    memory = _Memory()
    _memories.append(memory)

    @wraps(function)
    def ask(given: G, values: Sequence[K]) -> list[T]:
        keys = [(given, value) for value in values]
        found = {key: memory.find(key) for key in keys}
        new = [key for key, result in found.items() if result is _NOTHING]
        if new:
            found |= zip(new, function(given, [value for _, value in new]), strict=True)
            memory.young |= {key: found[key] for key in new}
        return [found[key] for key in keys]

    return ask


def turn() -> None:
    """Begin a snapshot: every now and then, what none of the last ones asked for is forgotten."""
    global _turns  # noqa: PLW0603  as the memories themselves
    _turns += 1
    if _turns % TURNS == 0:
        for memory in _memories:
            memory.age()
