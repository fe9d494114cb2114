"""The filter language of the records: parse it into a small tree, without touching SQL.

    filter  = and-part { "or" and-part }
    and-part = test { "and" test }
    test    = "not" test | "(" filter ")" | name [ "is" ] [ "not" ] "missing"
            | name [ "not" ] "in" "(" value { "," value } ")" | name sign value | name
    sign    = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" (contains) | "!~"

A value in quotes is text. A bare value is a name where there is one so called, else a number, time or text: that is
decided by `compiling`, which knows the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from mlwatch.records.lexing import FilterError, Token, tokens

Sign = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~"]
SIGNS = frozenset({"=", "!=", "<", "<=", ">", ">=", "~", "!~"})
DEEPEST = 50
"""Brackets and `not`s inside each other."""


@dataclass(frozen=True, slots=True)
class Compare:
    """A field compared with a value or with another field."""

    left: Token
    sign: Sign
    right: Token


@dataclass(frozen=True, slots=True)
class Among:
    """A field that is one of several values."""

    left: Token
    values: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A field without a value."""

    left: Token


@dataclass(frozen=True, slots=True)
class Flag:
    """A field that is itself true or false."""

    left: Token


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary; of something unknown it is unknown too."""

    inner: Node


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds."""

    parts: tuple[Node, ...]


Node: TypeAlias = Compare | Among | Missing | Flag | Not | All | Any


def parse(text: str) -> Node | None:
    """Return the tree of a filter; None for an empty one, which every record passes.

    Raises:
        FilterError: Saying what is wrong and where.
    """
    parser = _Parser(tokens(text))
    return None if parser.here.kind == "end" else parser.whole()


class _Parser:
    """Recursive descent, one method a rule."""

    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    @property
    def here(self) -> Token:
        return self._words[self._at]

    def _next(self) -> Token:
        token = self.here
        self._at = min(self._at + 1, len(self._words) - 1)
        return token

    def _take(self, *words: str) -> bool:
        if self.here.is_word(*words):
            self._next()
            return True
        return False

    def _sign(self, sign: str) -> bool:
        if self.here.kind == "sign" and self.here.text == sign:
            self._next()
            return True
        return False

    def whole(self) -> Node:
        node = self._any()
        if self.here.kind != "end":
            raise self._wrong("there is more than one test here", "join tests with and, or")
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Node:
        parts = [self._test()]
        while self._take("and"):
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _test(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong("the filter is nested too deeply", f"use at most {DEEPEST} levels")
        try:
            if self._take("not"):
                return Not(self._test())
            if self._sign("("):
                return self._bracket()
            return self._about(self._name())
        finally:
            self._depth -= 1

    def _bracket(self) -> Node:
        opened = self._words[self._at - 1]
        node = self._any()
        if not self._sign(")"):
            raise FilterError("a bracket is not closed", opened.position, "add )")
        return node

    def _name(self) -> Token:
        if self.here.kind in ("sign", "end") or self.here.is_word("and", "or", "in", "is", "missing"):
            raise self._wrong("a name is missing here", "write a test such as version = v2")
        return self._next()

    def _about(self, left: Token) -> Node:
        if self.here.kind == "sign" and self.here.text in SIGNS:
            sign = cast("Sign", self._next().text)
            return Compare(left, sign, self._value())
        spelled = self._take("is")
        denied = self._take("not")
        node: Node | None = None
        if self._take("missing", "null"):
            node = Missing(left)
        elif not spelled and self._take("in"):
            node = Among(left, self._values())
        if node is None and (spelled or denied):
            raise self._wrong("missing or in is expected here", "write is missing, or not in (a, b)")
        return Flag(left) if node is None else Not(node) if denied else node

    def _values(self) -> tuple[Token, ...]:
        if not self._sign("("):
            raise self._wrong("a list is expected here", "write in (a, b)")
        values = [self._value()]
        while self._sign(","):
            values.append(self._value())
        if not self._sign(")"):
            raise self._wrong("the list is not closed", "add )")
        return tuple(values)

    def _value(self) -> Token:
        if self.here.kind in ("sign", "end"):
            raise self._wrong("a value is missing here", "write a name, a number, a time or a text")
        return self._next()

    def _wrong(self, what: str, todo: str) -> FilterError:
        return FilterError(what, self.here.position, todo)
