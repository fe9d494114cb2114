"""How fast the events of a model come after its predictions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.latency import bin_values
from mlwatch.metrics.outputs import Lags, lags_of
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.snapshot.span import floor
from mlwatch.store import rollups
from mlwatch.store.output_rollups import EVENT_LAGS

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.snapshot.reader import Reader

LAGS_FOR = timedelta(days=30)
"""So far back conversions tell how fast they come."""


def event_lags(reader: Reader, model: str, newest: datetime) -> Lags | None:
    """Return how fast the conversions of a model come, of all its versions: a young one alone knows only fast ones.

    Args:
        reader: Of the snapshot.
        model: The model.
        newest: Time of its newest prediction, naive UTC.
    """

    def read() -> Lags | None:
        rollup = EVENT_LAGS
        rows = reader.connection.execute(
            f"""SELECT model, bin, date_diff('second', bucket, $newest) - $half AS age, SUM(n)
            FROM {rollup.table(rollup.levels[0])} WHERE bucket > $newest - to_seconds($back) GROUP BY ALL""",
            {"newest": newest, "half": rollup.levels[0] // 2, "back": LAGS_FOR.total_seconds()},
        ).fetchall()
        mine = np.array([row[1:] for row in rows if (row[0] or "-") == model], dtype=float).reshape(-1, 3)
        return lags_of(bin_values(mine[:, 0].astype(np.int64)), mine[:, 1], mine[:, 2])

    key, hour = ("lags", model), floor(newest, rollups.HOUR)
    return reader.value(key, (EVENT_LAGS,), ALL_TIME, read, hour)
