"""The one form that every record is brought to, as a SELECT over whatever its file holds.

Columns of the canonical relation: `line`, `ts` (UTC), `id`, `model`, `version`, `prediction`, `score`, `label`,
`latency_ms`, `status`, `error`, `event`, `value`, `currency`, `event_id`, `unit`, `invalid`, then a column a feature.
`own_model` is the model that the record itself names, without the directory's; `unread_number` is what stands where a
number belongs and is none, behind its role.

Class labels and predictions are text, so that the same class is the same text wherever it was written: `1`, `1.0`
and `true` are all `1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.roles import statuses, written
from mlwatch.roles.names import latency_factor
from mlwatch.roles.own_ids import BESIDE
from mlwatch.roles.types import ROUNDING
from mlwatch.sources.number_sql import amount_sql, currency_sql, duration_sql, finite_sql, with_commas_sql
from mlwatch.sources.sql import identifier, literal, path_expression
from mlwatch.sources.time_sql import epoch_sql, tight_sql, tolerant_time_sql, zoned_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlwatch.roles import Mapping as RoleMapping
    from mlwatch.roles.written import Commas

NULL_WORDS = f"({', '.join(map(literal, sorted(written.NULL_WORDS)))})"
_NO_CLASS_WORDS = (
    *("", "NaN", "nan", "-nan", "null", "NULL", "None", "NA", "N/A", "n/a", "#N/A", "<NA>", r"\N"),
    *("inf", "-inf", "Infinity", "-Infinity"),
)
NO_CLASS = f"({', '.join(map(literal, _NO_CLASS_WORDS))})"
"""What is written for a missing class or value; an infinite one says as little. `none` is a class of some models."""
_LONGEST_NULL = max(map(len, written.NULL_WORDS))
_NO_NUMBER = f"({', '.join(map(literal, sorted({*written.NULL_WORDS, '-'})))})"
"""What is written where there is no number; servers write a dash."""
_EXAMPLE = 40
"""Characters that are kept of a number that cannot be read."""
SUCCESS_WORDS = f"({', '.join(map(literal, sorted(statuses.SUCCESS_WORDS)))})"
FAILURE_WORDS = f"({', '.join(map(literal, sorted(statuses.FAILURE_WORDS)))})"
BOOLEAN_WORDS = ("True", "TRUE", "False", "FALSE")
"""What Python and tables write for JSON's `true` and `false`."""
BOOLEANS = f"({', '.join(map(literal, BOOLEAN_WORDS))})"
_COMMAS: Mapping[str, Commas] = {"grouped": "thousands", "comma": "decimal"}
"""What commas are in a number's column, by the type that it is read as."""
_WHOLE = "^-?[0-9]+$"
_WITHOUT_POINT = "WHEN {0} LIKE '%.0' THEN LEFT({0}, LENGTH({0}) - 2)"


@dataclass(frozen=True, slots=True)
class Slot:
    """A feature of a file and the column of the store that takes it."""

    path: tuple[str, ...]
    column: str
    kind: Literal["numeric", "categorical"]
    number: int
    """The feature's number in the store, by which `invalid` names it."""


class Canonical:
    """Write the SELECT list that brings one file's columns to the canonical form.

    Args:
        mapping: Which column has which role.
        slots: The features to take.
        physical: The type that each path is read as: `number`, `integer`, `text`, `time`, `boolean`; of classes
            also `decimal` and `padded`, which is text that may have spaces around it; of numbers also `grouped` and
            `comma`, which is text with commas between thousands or before decimals.
        timezone: Zone of times that carry none.
        tolerant: Read everything as text and turn what does not fit into nulls and `invalid` marks, instead of
            failing: for blocks that the fast way refused.
    """

    def __init__(
        self,
        mapping: RoleMapping,
        slots: Sequence[Slot],
        physical: Mapping[tuple[str, ...], str],
        *,
        timezone: str = "UTC",
        tolerant: bool = False,
    ) -> None:
        self._mapping = mapping
        self._slots = slots
        self._physical = physical
        self._timezone = timezone
        self._tolerant = tolerant
        self._access: Callable[[tuple[str, ...]], str] = path_expression

    def select(
        self,
        relation: str,
        access: Callable[[tuple[str, ...]], str] = path_expression,
        line: str = "CAST(NULL AS BIGINT)",
    ) -> str:
        """Return the SELECT statement over a relation.

        Args:
            relation: A FROM item that has the file's columns.
            access: How a path is reached in it.
            line: The expression that numbers the records, where they are numbered.
        """
        self._access = access
        value = finite_sql(self._first("value", self._as_amount, "CAST(NULL AS DOUBLE)"))
        columns = {
            "line": line,
            "ts": self._time(),
            "id": self._name("id"),
            "model": self._named("model"),
            "own_model": self._name("model"),
            "version": self._named("version"),
            "prediction": self._prediction(),
            "score": self._score(),
            "label": self._class("label"),
            "latency_ms": self._latency(),
            "status": self._status(),
            "error": self._text("error"),
            "event": self._text("event"),
            "value": value,
            "currency": self._currency(),
            "event_id": self._event_id(value),
            "unit": self._name("unit"),
            "invalid": self._invalid(),
            "unread_number": self._unread(),
        }
        features = [f"{self._feature(slot)} AS {identifier(slot.column)}" for slot in self._slots]
        items = [f"{expression} AS {name}" for name, expression in columns.items()] + features
        return f"SELECT {', '.join(items)} FROM {relation}"

    def _path(self, role: str) -> tuple[str, ...] | None:
        return self._mapping.roles.get(role)

    def _first(self, role: str, read: Callable[[tuple[str, ...]], str], none: str) -> str:
        """Return what the columns of a role say, the first of them that says anything.

        Args:
            role: Which.
            read: Returns the expression of one column.
            none: The expression where no column has the role.
        """
        return _coalesced([read(path) for path in self._mapping.columns(role)], none)

    def _text(self, role: str) -> str:
        return self._first(role, self._as_text, "CAST(NULL AS VARCHAR)")

    def _as_text(self, path: tuple[str, ...]) -> str:
        return f"NULLIF(CAST({self._access(path)} AS VARCHAR), '')"

    def _name(self, role: str) -> str:
        """Return a role's text, by which something is known again."""
        return self._first(role, self._as_name, "CAST(NULL AS VARCHAR)")

    def _event_id(self, value: str) -> str:
        """Return by what an event is known again; an id that tables number from one on, with what else is the same."""
        own = self._name("event_id")
        if self._mapping.reasons.get("event_id") != BESIDE:
            return own
        when, amount = (f"CAST({one} AS VARCHAR)" for one in (self._time(), value))
        known = (self._name("id"), self._name("unit"), when, self._text("event"), amount)
        return " || ' ' || ".join([f"({own})", *(f"COALESCE({one}, '')" for one in known)])

    def _as_name(self, path: tuple[str, ...]) -> str:
        """Return a text without what writers add to it; NULL for the words that stand for none.

        Tables that miss some whole numbers hold all of them as `12.0`.
        """
        physical = self._physical.get(path)
        column = f"CAST({self._access(path)} AS VARCHAR)"
        text = f"TRIM({column})" if physical in {"padded", "whole"} else column
        whole = f" {_WITHOUT_POINT.format(text)}" if physical in {"number", "whole"} else ""
        none = f"LENGTH({text}) <= {_LONGEST_NULL} AND LOWER({text}) IN {NULL_WORDS}"  # ids are mostly longer
        return f"CASE WHEN {none} THEN NULL{whole} ELSE {text} END"

    def _named(self, role: str) -> str:
        constant = self._mapping.constants.get(role)
        fallback = literal(constant) if constant is not None else None
        if self._path(role) is None:
            return fallback or "CAST(NULL AS VARCHAR)"
        return f"COALESCE({self._name(role)}, {fallback})" if fallback else self._name(role)

    def _as_role_number(self, path: tuple[str, ...]) -> str:
        """Return a number; NULL for what is none, where its column holds text."""
        if not self._is_text(path):
            return self._as_number(path, tolerant=False)
        with_commas = with_commas_sql(self._trimmed(path), self._commas(path))
        return f"COALESCE({self._as_number(path, tolerant=True)}, {with_commas})"

    def _as_amount(self, path: tuple[str, ...]) -> str:
        """Return an amount, which may have a currency beside it and, where its column says so, a decimal comma."""
        number = self._as_role_number(path)
        if not self._is_text(path):
            return number
        return f"COALESCE({amount_sql(self._trimmed(path), self._commas(path))}, {number})"

    def _currency(self) -> str:
        """Return the currency of a column of its own, else what stands beside the amount."""
        beside = [self._as_currency(path) for path in self._mapping.columns("value") if self._is_text(path)]
        own = [self._text("currency")] if self._path("currency") is not None else []
        return _coalesced([*own, *beside], "CAST(NULL AS VARCHAR)")

    def _as_currency(self, path: tuple[str, ...]) -> str:
        return currency_sql(self._trimmed(path), self._commas(path))

    def _trimmed(self, path: tuple[str, ...]) -> str:
        return f"TRIM(CAST({self._access(path)} AS VARCHAR))"

    def _commas(self, path: tuple[str, ...]) -> Commas:
        """Return what commas are in the numbers of a column that is read as text."""
        return _COMMAS.get(self._physical.get(path, "text"), "unclear")

    def _is_text(self, path: tuple[str, ...]) -> bool:
        """Tell whether a number's column is read as text, so that it may hold what is none."""
        return self._tolerant or self._physical.get(path) in {"text", *_COMMAS}

    def _as_number(self, path: tuple[str, ...], *, tolerant: bool) -> str:
        return f"{'TRY_CAST' if tolerant else 'CAST'}({self._access(path)} AS DOUBLE)"

    def _score(self) -> str:
        """Return the score; a probability that rounding brought beyond 0 or 1 is one of these."""
        number = self._first("score", self._as_role_number, "CAST(NULL AS DOUBLE)")
        return (
            f"CASE WHEN {number} BETWEEN 1e0 AND {1 + ROUNDING!r}e0 THEN 1e0 "
            f"WHEN {number} BETWEEN -{ROUNDING!r} AND 0e0 THEN 0e0 "
            f"ELSE {finite_sql(number)} END"
        )

    def _latency(self) -> str:
        return self._first("latency", self._as_latency, self._span())

    def _span(self) -> str:
        """Return the milliseconds from the time of a request to its end; NULL where it ends before it began."""
        if self._mapping.ended is None:
            return "CAST(NULL AS DOUBLE)"
        began, ended = self._time(), self._as_time(self._mapping.ended)
        span = f"(epoch_us({ended}) - epoch_us({began})) / 1000"
        return f"CASE WHEN {ended} >= {began} THEN CAST({span} AS DOUBLE) END"

    def _as_latency(self, path: tuple[str, ...]) -> str:
        """Return milliseconds: columns of one role may be in different units, which their names say.

        Where the column holds text, a number may have its own unit behind it.
        """
        own = latency_factor(path[-1]) if path != self._path("latency") else None
        factor = self._mapping.latency_factor if own is None else own
        number = finite_sql(self._as_role_number(path))
        plain = number if factor == 1.0 else f"{number} * {factor!r}"
        if not self._is_text(path):
            return plain
        return duration_sql(f"LOWER({self._trimmed(path)})", plain)

    def _class(self, role: str) -> str:
        return self._first(role, self._as_class, "CAST(NULL AS VARCHAR)")

    def _as_class(self, path: tuple[str, ...]) -> str:
        if self._physical.get(path) == "integer":
            return self._as_mostly_whole(path)
        return self._tidied(self._class_text(path))

    def _as_mostly_whole(self, path: tuple[str, ...]) -> str:
        """Return the class of a column whose first values were whole numbers; what comes later may be anything.

        Whole numbers stay as they are, however large; other numbers are written as those of other columns are.
        """
        text = f"TRIM(CAST({self._access(path)} AS VARCHAR))"
        number = f"COALESCE(CAST(TRY_CAST({text} AS DOUBLE) AS VARCHAR), {text})"
        return f"CASE WHEN regexp_matches({text}, '{_WHOLE}') THEN {text} ELSE {self._tidied(number)} END"

    @staticmethod
    def _tidied(text: str) -> str:
        """Return a class without what writers do to its text; NULL for what stands for none."""
        return (
            f"CASE WHEN {text} IN ('true', 'True', 'TRUE') THEN '1' "
            f"WHEN {text} IN ('false', 'False', 'FALSE') THEN '0' "
            f"{_WITHOUT_POINT.format(text)} "
            f"WHEN {text} IN {NO_CLASS} THEN NULL ELSE {text} END"
        )

    def _class_text(self, path: tuple[str, ...]) -> str:
        """Return the text of a class; it is the same with spaces around it, a number's also with zeros behind it."""
        column, physical = self._access(path), self._physical.get(path, "text")
        text = f"CAST({column} AS VARCHAR)"
        if self._tolerant and physical == "number":
            text = f"TRIM({text})"  # else the engine reads it as a number
        if physical == "number" and not self._tolerant:
            # what is cast alone is handed on by the engine as the file has it: 1,0 or 1.00
            return f"CAST({column} + 0 AS VARCHAR)"
        if physical == "padded":
            return f"TRIM({text})"
        if physical == "decimal" or (physical == "number" and self._tolerant):
            number = f"CAST(TRY_CAST({text} AS DOUBLE) AS VARCHAR)"
            return f"CASE WHEN {text} LIKE '%.%0' THEN COALESCE({number}, {text}) ELSE {text} END"
        return text

    def _prediction(self) -> str:
        """Return the prediction, else the class that the score tells; NULL for a score that is no probability."""
        threshold = self._mapping.score_threshold
        if self._path("prediction") is not None or self._path("score") is None or threshold is None:
            return self._class("prediction")
        score, certain = self._score(), 2 * threshold
        return (
            f"CASE WHEN {score} BETWEEN {threshold!r} AND {certain!r} THEN '1' "
            f"WHEN {score} BETWEEN 0 AND {threshold!r} THEN '0' END"
        )

    def _status(self) -> str:
        path = self._path("status")
        if path is None:
            return "CAST(NULL AS INTEGER)"
        column = self._access(path)
        if self._physical.get(path) in {"integer", "number"} and not self._tolerant:
            return f"CAST({column} AS INTEGER)"
        text = f"CAST({column} AS VARCHAR)"
        word = f"LOWER(TRIM({text}))"
        # beside labels and events a word may say how far these are, and not that there was a request
        done = (
            ""
            if {"label", "event"} & self._mapping.roles.keys()
            else f"WHEN {word} IN {SUCCESS_WORDS} THEN 200 "
        )
        return (
            f"COALESCE(TRY_CAST({text} AS INTEGER), CASE {done}WHEN {word} IN {FAILURE_WORDS} THEN 500 END)"
        )

    def _feature(self, slot: Slot) -> str:
        if slot.kind == "numeric":
            return self._as_number(slot.path, tolerant=self._tolerant)
        text = f"CAST({self._access(slot.path)} AS VARCHAR)"
        return f"CASE WHEN {text} IN {BOOLEANS} THEN LOWER({text}) ELSE NULLIF({text}, '') END"

    def _invalid(self) -> str:
        """Name the numeric features whose text is no number, as `|3|17|`; NULL when there are none."""
        numeric = [slot for slot in self._slots if slot.kind == "numeric"]
        if not self._tolerant or not numeric:
            return "CAST(NULL AS VARCHAR)"
        marks = []
        for slot in numeric:
            text = f"CAST({self._access(slot.path)} AS VARCHAR)"
            marks.append(
                f"CASE WHEN {text} IS NOT NULL AND TRY_CAST({text} AS DOUBLE) IS NULL "
                f"AND LOWER(TRIM({text})) NOT IN {NULL_WORDS} THEN '{slot.number}|' ELSE '' END"
            )
        # one call for all: operators would nest a level a feature, deeper than the engine reads
        return f"NULLIF(CONCAT('|', {', '.join(marks)}), '|')"

    def _unread(self) -> str:
        """Name a number that is no number, as `latency:1,234`; NULL where there is none, or what stands for nothing."""
        readers = {"latency": self._as_latency, "value": self._as_amount, "score": self._as_role_number}
        marks = []
        for role, read in readers.items():
            for path in filter(self._is_text, self._mapping.columns(role)):
                text = self._trimmed(path)
                marks.append(
                    f"CASE WHEN {read(path)} IS NULL AND LOWER({text}) NOT IN {_NO_NUMBER} "
                    f"THEN CONCAT('{role}:', LEFT({text}, {_EXAMPLE})) END"
                )
        return _coalesced(marks, "CAST(NULL AS VARCHAR)")

    def _time(self) -> str:
        return self._first("timestamp", self._as_time, "CAST(NULL AS TIMESTAMP)")

    def _as_time(self, path: tuple[str, ...]) -> str:
        if self._mapping.clock is not None and path == self._path("timestamp"):
            return self._joined_time(path, self._mapping.clock)
        column = self._access(path)
        physical = self._physical.get(path, "text")
        if physical == "time":
            return zoned_sql(column)
        if physical in {"number", "integer"} and not self._tolerant:
            return epoch_sql(column)
        if not self._tolerant and self._timezone == "UTC":
            return zoned_sql(tight_sql(column) if physical == "spaced" else column)
        return tolerant_time_sql(f"CAST({column} AS VARCHAR)", self._timezone)

    def _joined_time(self, date: tuple[str, ...], clock: tuple[str, ...]) -> str:
        """Return the time of a date and a time of day; it is midnight where the latter is missing."""
        text = f"CONCAT_WS(' ', {self._as_text(date)}, COALESCE({self._as_text(clock)}, '00:00'))"
        plain = not self._tolerant and self._timezone == "UTC"
        return zoned_sql(text) if plain else tolerant_time_sql(text, self._timezone)


def _coalesced(found: Sequence[str], none: str) -> str:
    """Return the first of some expressions that is not NULL; `none` where there are no expressions."""
    return f"COALESCE({', '.join(found)})" if len(found) > 1 else found[0] if found else none
