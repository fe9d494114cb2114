"""Columns that stand for another in records without that one: a newer version may call its answer otherwise.

A log of two versions has `score` in the records of one and `probability` in those of the other. To read only one of
them would make failures of all the other version's requests. Events of one kind have a `value`, those of another an
`amount`: with only one of them, the money of the others would be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles import guards
from mlwatch.roles.names import is_named, latency_factor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.guards import Context
    from mlwatch.roles.types import Column, ColumnPath

ROLES = ("timestamp", "id", "version", "prediction", "score", "latency", "value", "currency")
"""Roles that may have several columns."""
_OF_ALL = frozenset({"timestamp", "version"})
"""Those of them that events have as well as predictions."""
_OF_EVENTS = frozenset({"value", "currency"})
"""Those that events alone have: an `amount` of a request is an input."""


def stand_ins(
    role: str, first: ColumnPath, pool: Iterable[Column], taken: int, events: int, context: Context
) -> list[Column]:
    """Return the columns that have a role in records in which no other column has it.

    Args:
        role: One of `ROLES`.
        first: The column that has the role.
        pool: Columns without a role.
        taken: In which records the role is given already; see `Column.where`.
        events: Records of events, which carry ids, scores and values of their own.
        context: What is decided so far.
    """
    found = []
    barred = taken | _not_of(role, events, context)
    for column in pool:
        apart = column.where and not column.where & barred
        if (
            apart
            and _may_stand_in(role, column.path, first)
            and guards.fits(role, column, context, loose=False)
        ):
            found.append(column)
            barred |= column.where
    return found


def _not_of(role: str, events: int, context: Context) -> int:
    """Return the records in which a role has nothing to say; all that are not looked at are among them for events."""
    if role in _OF_EVENTS:
        return ~events | context.predicted
    return 0 if role in _OF_ALL else events


def _may_stand_in(role: str, path: ColumnPath, first: ColumnPath) -> bool:
    """Tell whether a column is named like the role beyond doubt; of a latency the unit has to be known, or the same."""
    if not is_named(role, path):
        return False
    units = [latency_factor(each[-1]) for each in (path, first)]
    return role != "latency" or None not in units or units[0] == units[1]
