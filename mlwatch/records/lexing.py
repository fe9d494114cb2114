"""The words of a filter: names, texts, numbers, signs, each with where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 4000
"""Characters of a filter that are read."""

Kind = Literal["word", "text", "name", "sign", "end"]

_PIECE = re.compile(
    r"""(?P<space>\s+)
    | (?P<sign><=|>=|!=|<>|!~|==|[=<>~(),])
    | '(?P<single>(?:[^']|'')*)'
    | "(?P<double>(?:[^"]|"")*)"
    | `(?P<tick>(?:[^`]|``)*)`
    | (?P<word>[^\s=<>!~(),'"`]+)""",
    re.VERBOSE,
)
_SAME = {"==": "=", "<>": "!="}


class FilterError(InputError):
    """A filter that cannot be understood."""

    def __init__(self, what: str, position: int, todo: str = "") -> None:
        """Remember where.

        Args:
            what: What is wrong.
            position: Characters before the word that is wrong.
            todo: What to write instead.
        """
        super().__init__(what, f"filter, character {position + 1}", todo)
        self.position = position

    @property
    def parts(self) -> tuple[str | int, ...]:
        """What another process builds it of."""
        return self.what, self.position, self.todo


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a filter."""

    kind: Kind
    """`word` is bare, `text` was in quotes, `name` in backticks."""
    text: str
    position: int

    def is_word(self, *words: str) -> bool:
        """Tell whether it is one of these words, in any case and without quotes."""
        return self.kind == "word" and self.text.casefold() in words


def tokens(text: str) -> list[Token]:
    """Cut a filter into its words; the last is of kind `end`.

    Raises:
        FilterError: For a quote that is not closed, a stray character, or a filter that is too long.
    """
    if len(text) > LONGEST:
        raise FilterError("the filter is too long", LONGEST, f"use at most {LONGEST} characters")
    return [*_cut(text), Token("end", "", len(text))]


def _cut(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise FilterError(*_stray(text, at))
        if found.lastgroup != "space":
            yield _token(found, at)
        at = found.end()


def _token(found: re.Match[str], at: int) -> Token:
    kind, body = found.lastgroup, found[found.lastgroup or 0]
    if kind == "sign":
        return Token("sign", _SAME.get(body, body), at)
    if kind == "word":
        return Token("word", body, at)
    mark = found[0][0]
    body = body.replace(mark + mark, mark)  # a doubled quote is one
    return Token("name" if kind == "tick" else "text", body, at)


def _stray(text: str, at: int) -> tuple[str, int, str]:
    if text[at] in "'\"`":
        return "a quote is not closed", at, f"end the text with {text[at]}"
    return "there is a stray !", at, "write != or !~, or not"
