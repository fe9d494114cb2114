"""What a record has that one may filter and sort by: its roles, and its features by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.asking import row
from mlwatch.sources.sql import identifier
from mlwatch.store.outcomes import CURRENT_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duckdb import DuckDBPyConnection

FieldKind = Literal["text", "number", "time", "boolean"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record."""

    name: str
    kind: FieldKind
    sql: str
    """Expression over `p`, `own` and `loose`: made here of constants and quoted identifiers."""
    joined: bool = False
    """Whether the expression needs the joins of the outcomes."""


def _plain(name: str, kind: FieldKind, column: str | None = None) -> Field:
    return Field(name, kind, f"p.{identifier(column or name)}")


def _measured(name: str, column: str | None = None) -> Field:
    """Return a field of floating-point numbers, whose NaN counts as missing."""
    return Field(name, "number", f"nullif(p.{identifier(column or name)}, 'NaN'::DOUBLE)")


LABEL = Field("label", "text", f"COALESCE({CURRENT_LABEL}, p.label)", joined=True)
_REGRESSION = "p.model IN (SELECT model FROM models WHERE task = 'regression')"
CORRECT = Field(
    "correct",
    "boolean",
    f"(CASE WHEN NOT (p.failed OR {_REGRESSION}) THEN p.prediction = {LABEL.sql} END)",
    joined=True,
)
"""Neither true nor false of a failed request, which is in no performance, and of a regression's number."""
ROLES: tuple[Field, ...] = (
    _plain("time", "time", "ts"),
    _plain("id", "text"),
    _plain("model", "text"),
    _plain("version", "text"),
    _plain("prediction", "text"),
    _measured("score"),
    LABEL,
    CORRECT,
    _measured("latency", "latency_ms"),
    _plain("status", "number"),
    _plain("failed", "boolean"),
    _plain("error", "text"),
    _plain("unit", "text"),
    Field("invalid", "boolean", "(p.invalid IS NOT NULL)"),
)
"""The roles; `latency` is in milliseconds, `invalid` tells of a feature with an unusable value."""
ALIASES = {"ts": "time", "timestamp": "time", "latency_ms": "latency", "request_id": "id"}


class Fields:
    """The fields by name. A feature that is called like a role is `feature.NAME`.

    Args:
        features: Beside the roles.
        judged: Whether any model has predictions that are correct or not: those of a regression are neither.
    """

    def __init__(self, features: Iterable[Field] = (), *, judged: bool = True) -> None:
        self.judged = judged
        self.roles: Mapping[str, Field] = {field.name: field for field in ROLES}
        self.features: dict[str, Field] = {field.name: field for field in features}

    def find(self, name: str) -> Field | None:
        """Return the field of a name, or None."""
        role = self.roles.get(name.casefold())
        if role is not None:
            return role
        feature = self.features.get(name) or self.features.get(name.removeprefix("feature."))
        alias = ALIASES.get(name.casefold())
        return feature or (self.roles[alias] if alias else None)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, as it can be written in a filter."""
        taken = self.roles
        return (*taken, *(f"feature.{name}" if name in taken else name for name in self.features))

    def nearest(self, name: str) -> str | None:
        """Return the name that was probably meant."""
        close = difflib.get_close_matches(name, self.names, n=1)
        return close[0] if close else None


def read_fields(connection: DuckDBPyConnection) -> Fields:
    """Return the fields of a store's records."""
    rows = connection.execute("SELECT name, column_name, kind FROM features ORDER BY feature").fetchall()
    (numbers_only,) = row(connection, "SELECT bool_and(task = 'regression') FROM models")
    features: dict[str, Field] = {}
    for name, column, kind in rows:
        free = column if name in features else name  # a number in one model may be text in another one
        features[free] = _measured(free, column) if kind == "numeric" else _plain(free, "text", column)
    return Fields(features.values(), judged=not numbers_only)
