"""Columns that stand for another in records without that one: a newer version may call its answer otherwise.

A log of two versions has `score` in the records of one and `probability` in those of the other. To read only one of
them would make failures of all the other version's requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles import guards
from mlwatch.roles.names import is_named, latency_factor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.guards import Context
    from mlwatch.roles.types import Column, ColumnPath

ROLES = ("timestamp", "id", "version", "prediction", "score", "latency")
"""Roles that may have several columns."""


def stand_ins(
    role: str, first: ColumnPath, pool: Iterable[Column], taken: int, elsewhere: int, context: Context
) -> list[Column]:
    """Return the columns that have a role in records in which no other column has it.

    Args:
        role: One of `ROLES`.
        first: The column that has the role.
        pool: Columns without a role.
        taken: In which records the role is given already; see `Column.where`.
        elsewhere: Records of events, which carry ids, scores and values of their own.
        context: What is decided so far.
    """
    found = []
    barred = taken | (elsewhere if role not in {"timestamp", "version"} else 0)
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


def _may_stand_in(role: str, path: ColumnPath, first: ColumnPath) -> bool:
    """Tell whether a column is named like the role beyond doubt; of a latency the unit has to be known, or the same."""
    if not is_named(role, path):
        return False
    units = [latency_factor(each[-1]) for each in (path, first)]
    return role != "latency" or None not in units or units[0] == units[1]
