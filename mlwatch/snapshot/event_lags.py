"""How fast the events of a model come after its predictions, and up to when they were read."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.asking import meta_value, row
from mlwatch.metrics.latency import bin_values
from mlwatch.metrics.outputs import Lags, lags_of
from mlwatch.snapshot.clocks import TOLERANCE
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.snapshot.span import EPOCH, floor
from mlwatch.store import rollups
from mlwatch.store.newest_events import NEWEST_EVENTS, newest_of
from mlwatch.store.output_rollups import EVENT_LAGS
from mlwatch.store.rollup import HOUR, MINUTE
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.reader import Reader

LAGS_FOR = timedelta(days=30)
"""So far back conversions tell how fast they come."""


def read_until(reader: Reader, model: str, end: datetime) -> datetime:
    """Return up to when the records of a model were read: what comes of its requests is counted up to then.

    Args:
        reader: Of the snapshot.
        model: The model.
        end: Up to when its requests were read, or are looked at, naive UTC: the answer is not before that.
    """
    kept = partial(_kept, reader.connection, model)

    def read() -> datetime:
        values: dict[str, object] = {"model": model, "end": end, "clock": now_in_store() + TOLERANCE}
        (request,) = row(
            reader.connection,
            f"""SELECT MAX(last_ts) FROM {rollups.TRAFFIC.table(MINUTE)}
            WHERE COALESCE(NULLIF(model, ''), '-') = $model AND bucket >= $end AND last_ts <= $clock""",
            values,
        )
        later = "(FROM events WHERE model IN ('', $model) AND ts > $end AND ts <= $clock) AS later"
        events = newest_of(reader.connection, later, values) or reader.fact(("newest events", model), kept)
        return max(end, request or end, *(EPOCH + timedelta(microseconds=at) for at in events.values()))

    sources = (rollups.TRAFFIC, rollups.BUSINESS)
    return reader.value(("read until", model), sources, ALL_TIME, read, end)


def _kept(connection: DuckDBPyConnection, model: str) -> dict[str, int]:
    """Return what a lake keeps of the times of events."""
    kept: dict[str, int] = json.loads(meta_value(connection, NEWEST_EVENTS) or "{}")
    return {name: at for name, at in kept.items() if name in {"", model}}


def event_lags(reader: Reader, model: str, newest: datetime, until: datetime) -> Lags | None:
    """Return how fast the conversions of a model come, of all its versions: a young one alone knows only fast ones.

    Args:
        reader: Of the snapshot.
        model: The model.
        newest: Time of its newest prediction, naive UTC.
        until: See `read_until`.
    """

    def read() -> Lags | None:
        rollup = EVENT_LAGS
        rows = reader.connection.execute(
            f"""SELECT model, bin, date_diff('second', bucket, $until) - $half AS age, SUM(n)
            FROM {rollup.table(rollup.levels[0])} WHERE bucket > $newest - to_seconds($back) GROUP BY ALL""",
            {
                "newest": newest,
                "until": until,
                "half": rollup.levels[0] // 2,
                "back": LAGS_FOR.total_seconds(),
            },
        ).fetchall()
        mine = np.array([row[1:] for row in rows if (row[0] or "-") == model], dtype=float).reshape(-1, 3)
        return lags_of(bin_values(mine[:, 0].astype(np.int64)), mine[:, 1], mine[:, 2])

    key, hours = ("lags", model), tuple(floor(each, HOUR) for each in (newest, until))
    return reader.value(key, (EVENT_LAGS,), ALL_TIME, read, hours)
