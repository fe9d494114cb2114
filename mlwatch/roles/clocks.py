"""The column that tells the time of day, where another tells only the date: tables are often written so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.roles.names import is_named, rank
from mlwatch.roles.written import NULL_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.types import Column

_DATE = re.compile(r"\s*(\d{4}[-/]\d\d[-/]\d\d|\d{1,2}\.\d{1,2}\.\d{4})\s*", re.ASCII)
_CLOCK = re.compile(r"\s*\d\d?:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:\d\d)?)?\s*", re.ASCII)


def clock_beside(date: Column, pool: Iterable[Column]) -> Column | None:
    """Return the column with the time of day of the records; None where there is none, or the time needs none.

    Args:
        date: The column that has been chosen for the time.
        pool: Columns without a role.
    """
    if not _all(_DATE, date):
        return None
    clocks = [column for column in pool if is_named("timestamp", column.path) and _all(_CLOCK, column)]
    return min(clocks, key=lambda column: (rank("timestamp", column.path), column.path), default=None)


def _all(written: re.Pattern[str], column: Column) -> bool:
    said = [text for sample in column.samples if (text := str(sample)).strip().lower() not in NULL_WORDS]
    return bool(said) and all(map(written.fullmatch, said))
