"""Join events that name a user, session or device to the last prediction for it, within a time.

Such an event waits under an id of its own making until everything is read that there is: what it belongs to would
otherwise depend on which file is read first. Then it gets the id of its prediction, and is like any other event. One
that finds none goes on waiting. An event without a model's name belongs to the last prediction of each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import is_there, number
from mlwatch.sources.sql import literal
from mlwatch.store import events
from mlwatch.store.batch import BY_UNIT

if TYPE_CHECKING:
    from datetime import timedelta

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config

_WAITS = f"starts_with(id, {literal(BY_UNIT)})"


def are_waiting(connection: DuckDBPyConnection) -> bool:
    """Tell whether any event waits for the prediction of its user."""
    return is_there(connection, f"events WHERE {_WAITS}")


def join(connection: DuckDBPyConnection, config: Config, window: timedelta) -> bool:
    """Give waiting events the ids of their predictions, and fill `gains` with what they bring.

    Args:
        connection: Inside a transaction of the ingest thread.
        config: What events mean.
        window: How long before an event its prediction may be.

    Returns:
        Whether any event found its prediction.
    """
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE incoming AS
        WITH waiting AS (
            SELECT rowid AS place, substr(id, {len(BY_UNIT) + 1}) AS unit, * EXCLUDE (id, h, matched) FROM events
            WHERE {_WAITS}), asked AS (
            SELECT unit, id, h, model, ts FROM predictions
            WHERE unit IN (SELECT unit FROM waiting) AND id IS NOT NULL AND NOT failed)
        SELECT e.place, arg_max(p.id, (p.ts, p.id)) AS id, arg_max(p.h, (p.ts, p.id)) AS h, p.model,
            any_value(e.kind) AS kind, any_value(e.class) AS class, any_value(e.value) AS value,
            any_value(e.currency) AS currency, any_value(e.event_id) AS event_id, any_value(e.ts) AS ts
        FROM waiting AS e JOIN asked AS p ON p.unit = e.unit AND (e.model = '' OR e.model = p.model)
            AND p.ts <= e.ts AND p.ts >= e.ts - to_seconds($seconds)
        GROUP BY e.place, p.model""",
        {"seconds": window.total_seconds()},
    )
    found = number(connection, "SELECT COUNT(DISTINCT place) FROM incoming")
    if not found:
        return False
    connection.execute("DELETE FROM events WHERE rowid IN (SELECT place FROM incoming)")
    events.bring(connection, config)
    connection.execute(
        """UPDATE batches SET events_unmatched = events_unmatched - ?
        WHERE batch = (SELECT MAX(batch) FROM batches)""",
        [found],
    )
    return True
