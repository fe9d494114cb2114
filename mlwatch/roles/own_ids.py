"""Tell the id that an event has of its own from that of its request, where it is only called `id`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles import guards
from mlwatch.roles.columns import by_record
from mlwatch.roles.names import normal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.guards import Context
    from mlwatch.roles.types import Column

BESIDE = "an id beside that of the request"
"""Why a column has the role. Tables number their rows, each from one on, so that such an id is not one by itself."""
_NAMES = frozenset({"id", "uuid", "guid"})
_TOLD_BY = ("id", "event", "value")
"""Roles by which a repeated event equals the one before."""


def own_id(pool: Iterable[Column], told: dict[str, Column], events: int, context: Context) -> Column | None:
    """Return the column of the events' own ids; None where there is none.

    Where two events have one such id and are not the same, it is that of something else, such as an order.

    Args:
        pool: Columns without a role, none of them a feature for sure.
        told: The columns of the request's id, of the kind of event and of its value, by role; any may be missing.
        events: In which records there are events; see `Column.where`.
        context: What is decided so far.
    """
    asked = told.get("id")
    if asked is None:
        return None
    known = [by_record(told[role]) for role in _TOLD_BY if role in told]
    for column in pool:
        beside = column.path[:-1] == asked.path[:-1] and normal(column.path[-1]) in _NAMES
        if not (beside and column.where & events and guards.fits("event_id", column, context, loose=False)):
            continue
        seen: dict[str, set[tuple[object, ...]]] = {}
        for bit, name in by_record(column).items():
            if bit & events:
                seen.setdefault(str(name), set()).add(tuple(values.get(bit) for values in known))
        if all(len(alike) == 1 for alike in seen.values()):
            return column
    return None
