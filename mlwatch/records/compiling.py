"""Turn a filter's tree into a SQL condition: values are bound, names are looked up, never written through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from mlwatch.records.fields import CORRECT
from mlwatch.records.filters import All, Among, Any, Compare, Flag, Missing, Node, Not, parse
from mlwatch.records.lexing import FilterError, Token
from mlwatch.times import parse_duration, parse_time

if TYPE_CHECKING:
    from mlwatch.records.fields import Field, Fields

Value: TypeAlias = str | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """A SQL condition over `p` and its joins."""

    sql: str = "TRUE"
    values: tuple[Value, ...] = ()
    """One for each `?`, in order."""
    joined: bool = False
    """Whether it needs the joins of the outcomes."""


def condition(text: str, fields: Fields, now: datetime | None = None) -> Condition:
    """Return the SQL condition of a filter.

    Args:
        text: The filter; an empty one lets every record pass.
        fields: The names that there are.
        now: What `-1h` counts from; the clock when not given.

    Raises:
        FilterError: Saying what is wrong and where.
    """
    node = parse(text)
    if node is None:
        return Condition()
    writer = _Writer(fields, now or datetime.now(UTC))
    return Condition(writer.node(node), tuple(writer.values), writer.joined)


class _Writer:
    """Write one tree, gathering the values on the way."""

    def __init__(self, fields: Fields, now: datetime) -> None:
        self._fields = fields
        self._now = now
        self.values: list[Value] = []
        self.joined = False

    def node(self, node: Node) -> str:
        if isinstance(node, All | Any):
            joint = " AND " if isinstance(node, All) else " OR "
            return "(" + joint.join(self.node(part) for part in node.parts) + ")"
        if isinstance(node, Not):
            return f"(NOT {self.node(node.inner)})"
        return self._test(node)

    def _test(self, node: Compare | Among | Missing | Flag) -> str:
        if isinstance(node, Compare):
            return self._compare(node.left, node.sign, node.right)
        if isinstance(node, Flag):
            return self._flag(node.left)
        field = self._field(node.left)
        if isinstance(node, Missing):
            return f"({field.sql} IS NULL)"
        return "(" + " OR ".join(self._against(field, "=", value) for value in node.values) + ")"

    def _field(self, token: Token) -> Field:
        field = self._fields.find(token.text)
        if field is None:
            close = self._fields.nearest(token.text)
            todo = f"did you mean {close}?" if close else f"there are {', '.join(self._fields.names[:9])} …"
            raise FilterError(f"there is no field {token.text}", token.position, todo)
        if field is CORRECT and not self._fields.judged:
            raise FilterError(
                "a regression's predictions are neither correct nor not", token.position,
                "compare numbers: prediction > 10 and label < 5",
            )  # fmt: skip
        return self._used(field)

    def _used(self, field: Field) -> Field:
        self.joined = self.joined or field.joined
        return field

    def _bind(self, value: Value) -> str:
        self.values.append(value)
        return "?"

    def _flag(self, token: Token) -> str:
        field = self._field(token)
        if field.kind != "boolean":
            raise FilterError(
                f"{field.name} alone is no test", token.position, f"compare it: {field.name} = …"
            )
        return field.sql

    def _compare(self, left: Token, sign: str, right: Token) -> str:
        field = self._field(left)
        other = None if right.kind == "text" else self._fields.find(right.text)
        if right.kind == "name" and other is None:
            self._field(right)
        if other is None or sign in ("~", "!~"):
            return self._against(field, sign, right)
        return _between(field, sign, self._used(other))

    def _against(self, field: Field, sign: str, value: Token) -> str:
        if sign in ("~", "!~"):
            found = f"contains(lower(CAST({field.sql} AS VARCHAR)), lower({self._bind(value.text)}))"
            return found if sign == "~" else f"(NOT {found})"
        compare = {
            "text": self._text, "number": self._number, "time": self._time, "boolean": self._boolean
        }[field.kind]  # fmt: skip
        return compare(field, _SQL_SIGN[sign], value)

    def _text(self, field: Field, sign: str, token: Token) -> str:
        number = None if token.kind == "text" else _number(token.text)
        if number is None:
            return f"({field.sql} {sign} {self._bind(token.text)})"
        as_number = f"nullif(TRY_CAST({field.sql} AS DOUBLE), 'NaN'::DOUBLE)"
        if sign == "=":
            same = f"({field.sql} = {self._bind(token.text)})"
            return f"({same} OR coalesce({as_number} = {self._bind(number)}, FALSE))"
        if sign == "<>":
            differs = f"({field.sql} <> {self._bind(token.text)}"
            return f"{differs} AND coalesce({as_number} <> {self._bind(number)}, TRUE))"
        return f"({as_number} {sign} {self._bind(number)})"

    def _number(self, field: Field, sign: str, token: Token) -> str:
        number = _number(token.text)
        if number is None and field.name == "latency":
            number = _milliseconds(token.text)
        if number is None:
            raise FilterError(
                f"{field.name} is a number", token.position, f"compare it with one: {field.name} > 1.5"
            )
        return f"({field.sql} {sign} {self._bind(number)})"

    def _time(self, field: Field, sign: str, token: Token) -> str:
        try:
            moment = parse_time(token.text, self._now)
        except ValueError as error:
            raise FilterError(
                f"{field.name} is a time", token.position, "write 2026-11-23T10:00Z, or -1h"
            ) from error
        return f"({field.sql} {sign} {self._bind(moment.replace(tzinfo=None))})"

    def _boolean(self, field: Field, sign: str, token: Token) -> str:
        value = _TRUTHS.get(token.text.casefold())
        if value is None or sign not in ("=", "<>"):
            raise FilterError(
                f"{field.name} is true or false", token.position, f"write {field.name}, or not {field.name}"
            )
        return f"({field.sql} {sign} {self._bind(value)})"


_SQL_SIGN = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _between(left: Field, sign: str, right: Field) -> str:
    """Compare two fields: by number or time where both are, else as text."""
    operator = _SQL_SIGN[sign]
    if left.kind == right.kind:
        return f"({left.sql} {operator} {right.sql})"
    if "number" in (left.kind, right.kind) and "text" in (left.kind, right.kind):
        return f"(TRY_CAST({left.sql} AS DOUBLE) {operator} TRY_CAST({right.sql} AS DOUBLE))"
    return f"(CAST({left.sql} AS VARCHAR) {operator} CAST({right.sql} AS VARCHAR))"


def _number(text: str) -> float | None:
    try:
        number = float(text) if "_" not in text else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _milliseconds(text: str) -> float | None:
    try:
        return parse_duration(text) / timedelta(milliseconds=1)
    except ValueError:
        return None
