"""The errors that a user is meant to read: one line that says what, where, and what to do."""

from __future__ import annotations

import unicodedata

_MAX_PART = 400


def one_line(text: str, longest: int = _MAX_PART) -> str:
    """Make text from outside fit for one terminal line.

    White space becomes single spaces; control, format and surrogate characters become visible escapes.

    Args:
        text: Anything, such as a name found in a log.
        longest: Characters that are returned at most.

    Returns:
        The text without control characters.
    """
    visible = "".join(_visible(character) for character in text[: 4 * longest])
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def tells_of_full_disk(text: str) -> bool:
    """Tell whether an error's message, in the words of the system or the engine, is about a disk without room."""
    return "No space left" in text or "File too large" in text


class MlwatchError(Exception):
    """Something the user can mend; `str()` is the line that is shown."""

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        """Remember the three parts.

        Args:
            what: What went wrong, such as "unknown key".
            where: The file, line, column or address.
            todo: What the user can do about it.
        """
        super().__init__(what, where, todo)
        self.what = what
        self.where = where
        self.todo = todo

    @property
    def parts(self) -> tuple[str | int, ...]:
        """What another process builds it of."""
        return self.what, self.where, self.todo

    def __str__(self) -> str:
        parts = (one_line(part) for part in (self.what, self.where, self.todo))
        return ": ".join(part for part in parts if part)


class ConfigError(MlwatchError):
    """`mlwatch.toml` is wrong."""


class InputError(MlwatchError):
    """An argument, a path or a file is wrong."""


class StoreError(MlwatchError):
    """The database cannot be used."""
