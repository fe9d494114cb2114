"""Drop raw rows that are older than asked; rollups stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, number, row
from mlwatch.store import probes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SELDOM, OFTEN = timedelta(hours=1), timedelta(minutes=1)
"""Longest and shortest time between two times that old rows are dropped."""


def pause(keep: timedelta | None) -> timedelta:
    """Return how long to wait between two times that old rows are dropped: a tenth of what is kept, within bounds."""
    return SELDOM if keep is None else min(max(keep / 10, OFTEN), SELDOM)


def apply(connection: DuckDBPyConnection, keep: timedelta | None) -> int:
    """Delete raw rows older than `keep` before the newest one; return how many predictions went.

    What counts is the age against the newest record, so that an old directory can be looked at in peace.
    """
    if keep is None:
        return 0
    _forget_probes(connection, keep)
    (newest,) = row(connection, "SELECT MAX(ts) FROM predictions")
    if newest is None:
        return 0
    limit = newest - keep
    old = number(connection, "SELECT COUNT(*) FROM predictions WHERE ts < ?", [limit])
    if not old:
        return 0
    with all_or_nothing(connection):
        for table in ("predictions", "outcomes", "events"):
            connection.execute(f"DELETE FROM {table} WHERE ts < ?", [limit])
    return old


def _forget_probes(connection: DuckDBPyConnection, keep: timedelta) -> None:
    """Delete probes and samples of the host older than `keep` before the newest one."""
    (newest,) = row(
        connection,
        "SELECT MAX(ts) FROM (SELECT MAX(ts) AS ts FROM probes UNION ALL SELECT MAX(ts) FROM host_samples)",
    )
    if newest is not None:
        probes.forget(connection, newest - keep)
