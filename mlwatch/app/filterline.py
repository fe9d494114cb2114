"""The line in which a filter is typed; it completes the name of a field at its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST = re.compile(r"[^\s=<>!~(),'\"`]+$")
_PLAIN = re.compile(r"[\w.:/@+-]+")
_RESERVED = frozenset({"and", "or", "not", "in", "is", "missing", "null"})


class Names(Suggester):
    """Complete the last word with the first name that begins so."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.names: tuple[str, ...] = ()

    def learn(self, names: Iterable[str]) -> None:
        """Take the names that can be written without quotes."""
        self.names = tuple(name for name in names if _PLAIN.fullmatch(name) and name not in _RESERVED)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the whole line with its last word completed."""
        last = _LAST.search(value)
        if last is None:
            return None
        word = last[0]
        found = next((name for name in self.names if name.startswith(word) and name != word), None)
        return None if found is None else value[: last.start()] + found


class FilterLine(Input):
    """Type a filter; enter asks, escape goes back to the table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", show=False),
        Binding("down", "leave", "Back", show=False),
    ]

    class Left(Message):
        """The typing is over."""

    def __init__(self, placeholder: str) -> None:
        self.completion = Names()
        super().__init__(
            placeholder=placeholder, compact=True, suggester=self.completion, select_on_focus=False,
            id="filter", classes="with-first",
        )  # fmt: skip

    def validate_value(self, value: str) -> str:
        """Leave out what acts on a terminal or hides: a filter may be pasted from a log."""
        return "".join(char for char in value if char.isprintable())

    def action_leave(self) -> None:
        """Go back to the table."""
        self.post_message(self.Left())
