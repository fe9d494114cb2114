"""Drop raw rows that are older than asked, and what else would grow for ever; rollups stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value, number, row
from mlwatch.store import notices, probes
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SELDOM, OFTEN = timedelta(hours=1), timedelta(minutes=1)
"""Longest and shortest time between two times that old rows are dropped."""
RECENT = timedelta(days=30)
"""Alerts that are over are kept so long, and looks at endpoints and host where nothing else is asked for.

Of such looks the last day is shown at most; what goes further back is read from their sums."""

KEPT_SINCE, CAME_LATE = "kept_since", "came_late"
"""In `meta`: the time before which requests have gone, and how many of such a time have come since."""
_LATE = "late requests"
"""What the notice about these goes by."""


def pause(keep: timedelta | None) -> timedelta:
    """Return how long to wait between two times that old rows are dropped: a tenth of what is kept, within bounds."""
    return SELDOM if keep is None else min(max(keep / 10, OFTEN), SELDOM)


def apply(connection: DuckDBPyConnection, keep: timedelta | None) -> int:
    """Delete raw rows older than `keep` before the newest one; return how many predictions went.

    What counts is the age against the newest record, so that an old directory can be looked at in peace.

    Args:
        connection: Of the thread that takes logs in.
        keep: As configured; None keeps all records.
    """
    _forget_looks(connection, RECENT if keep is None else keep)
    _forget_alerts(connection)
    return 0 if keep is None else _forget_records(connection, keep)


def _forget_records(connection: DuckDBPyConnection, keep: timedelta) -> int:
    # one record that is years ahead of the clock must not drop all others
    (newest,) = row(connection, "SELECT MAX(ts) FROM predictions WHERE ts <= ?", [now_in_store()])
    if newest is None:
        return 0
    limit = newest - keep
    old = number(connection, "SELECT COUNT(*) FROM predictions WHERE ts < ?", [limit])
    if old:
        with all_or_nothing(connection):
            for table in ("predictions", "outcomes", "events"):
                connection.execute(f"DELETE FROM {table} WHERE ts < ?", [limit])
            since = max(limit, _kept_since(connection) or limit)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [KEPT_SINCE, since.isoformat()])
    _forget_rankings(connection, limit)  # those of records that went long ago, too
    return old


def _kept_since(connection: DuckDBPyConnection) -> datetime | None:
    said = meta_value(connection, KEPT_SINCE)
    return None if said is None else datetime.fromisoformat(said)


def tell_late(connection: DuckDBPyConnection) -> None:
    """Tell of requests in `batch` that came when others of their time had gone: they may repeat one of those.

    Args:
        connection: Inside the ingest transaction.
    """
    since = _kept_since(connection)
    if since is None:
        return
    late = number(
        connection, "SELECT COUNT(*) FROM batch WHERE is_request AND id IS NOT NULL AND ts < ?", [since]
    )
    if not late:
        return
    total = int(meta_value(connection, CAME_LATE) or 0) + late
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [CAME_LATE, str(total)])
    came = f"{total:,} requests" if total > 1 else "1 request"
    said = f"{came} came after [store] keep had dropped the records of their time"
    notices.post(connection, "warning", _LATE, f"{said}: one that repeats any is counted again")


def _forget_rankings(connection: DuckDBPyConnection, limit: datetime) -> None:
    """Delete the items of queries that have only old ones: where a label comes, all of a query is counted again."""
    connection.execute(
        """DELETE FROM ranked WHERE ts < $limit AND NOT EXISTS (
            SELECT 1 FROM ranked AS other WHERE other.ts >= $limit AND other.query = ranked.query
                AND other.model IS NOT DISTINCT FROM ranked.model
                AND other.version IS NOT DISTINCT FROM ranked.version)""",
        {"limit": limit},
    )


def _forget_alerts(connection: DuckDBPyConnection) -> None:
    """Delete alerts that were over long before the newest thing that is known of any alert."""
    connection.execute(
        """DELETE FROM alerts WHERE state = 'resolved'
        AND resolved < (SELECT MAX(COALESCE(resolved, breached)) FROM alerts) - ?""",
        [RECENT],
    )


def _forget_looks(connection: DuckDBPyConnection, keep: timedelta) -> None:
    """Delete probes, samples of the host and what servers said, older than `keep` before the newest one."""
    (newest,) = row(
        connection,
        "SELECT MAX(ts) FROM (SELECT MAX(ts) AS ts FROM probes UNION ALL SELECT MAX(ts) FROM host_samples)",
    )
    if newest is not None:
        probes.forget(connection, newest - keep)
