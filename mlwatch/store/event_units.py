"""Join events that name a user, session or device to the last prediction for it, within a time.

Such an event waits under an id of its own making until everything is read that there is: what it belongs to would
otherwise depend on which file is read first. Then it gets the id of its prediction, and is like any other event, but
for the user that is kept beside (`unit`): a prediction that is read later may be the last one before it, then what the
event brought is taken back there and given here. One that finds none goes on waiting. An event without a model's name
(`any_model`) belongs to the last prediction of each model.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, meta_value, number
from mlwatch.sources.sql import literal
from mlwatch.store import events, fold
from mlwatch.store.batch import BY_UNIT

if TYPE_CHECKING:
    from datetime import timedelta

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config

_WAITS = f"starts_with(id, {literal(BY_UNIT)})"
_UNJOINED = "units_unjoined"
"""Key of whether predictions of users were read whose events are not looked at again yet."""
_COUNTED_BY = "events_counted_by"
"""Key of the rules by which events were counted, empty where by several: what one of those brought is not known."""
_SAME = "unit, kind, class, value, currency, event_id, ts"
"""What the rows of one event have in common, one a model; events that are alike in all of it go the same way."""


def remember_rules(connection: DuckDBPyConnection, config: Config) -> None:
    """Remember by which rules events are counted, at a start.

    What an event brought can be taken back only by the rule that it was counted by. Where there are several, as in a
    store of an earlier mlwatch or after the configuration has changed, events stay with the prediction they found.

    Args:
        connection: Of the ingest thread, outside a transaction.
        config: What events mean.
    """
    business = config.business
    meant = (str(business.attribution), business.approval, business.disapproval, config.roles.timezone)
    rules, known = json.dumps(meant), meta_value(connection, _COUNTED_BY)
    if known in (rules, ""):
        return
    by_these = known is None and not is_there(connection, "events")
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_COUNTED_BY, rules if by_these else ""])


def note(connection: DuckDBPyConnection) -> None:
    """Remember whose predictions are in the batch, where events may have to leave others for them.

    Args:
        connection: Inside the ingest transaction.
    """
    if not is_there(connection, "events WHERE unit IS NOT NULL") or not meta_value(connection, _COUNTED_BY):
        return
    if meta_value(connection, _UNJOINED) is None:
        connection.execute("CREATE OR REPLACE TEMP TABLE asked_of (unit VARCHAR)")
        connection.execute("INSERT INTO meta VALUES (?, '')", [_UNJOINED])
    if not _are_known(connection):
        return  # of an earlier run, which ended before it came to that: all are looked at
    connection.execute("""
        INSERT INTO asked_of SELECT DISTINCT unit FROM batch
        WHERE is_request AND id IS NOT NULL AND unit IS NOT NULL AND NOT failed""")


def _are_known(connection: DuckDBPyConnection) -> bool:
    return is_there(connection, "duckdb_tables() WHERE temporary AND table_name = 'asked_of'")


def are_due(connection: DuckDBPyConnection) -> bool:
    """Tell whether any event may find a prediction of its user, or a later one."""
    return meta_value(connection, _UNJOINED) is not None or is_there(connection, f"events WHERE {_WAITS}")


def join(connection: DuckDBPyConnection, config: Config, window: timedelta) -> bool:
    """Give events the ids of the last predictions of their users, and add what they bring to the rollups.

    Args:
        connection: Inside a transaction of the ingest thread.
        config: What events mean.
        window: How long before an event its prediction may be.

    Returns:
        Whether any event found its prediction, or another one.
    """
    _seek(connection)
    within = f"p.ts <= e.ts AND p.ts >= e.ts - to_seconds({window.total_seconds()!r})"
    moved, found = _move(connection, config, within), _find(connection, within)
    if found:
        waited = number(connection, "SELECT COUNT(DISTINCT place) FROM incoming WHERE waits")
        connection.execute("DELETE FROM events WHERE rowid IN (SELECT place FROM incoming WHERE waits)")
        events.bring(connection, config)
        fold.fold_gains(connection)
        connection.execute(
            """UPDATE batches SET events_unmatched = events_unmatched - ?
            WHERE batch = (SELECT MAX(batch) FROM batches)""",
            [waited],
        )
    connection.execute("DELETE FROM meta WHERE key = ?", [_UNJOINED])
    return moved or found


def _seek(connection: DuckDBPyConnection) -> None:
    """Fill `seekers` with what is to be looked at, and `asked` with the predictions of its users."""
    again = "FALSE"
    if meta_value(connection, _UNJOINED) is not None:
        again = "unit IS NOT NULL"
        if _are_known(connection):
            again += " AND unit IN (SELECT unit FROM asked_of)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE seekers AS
        SELECT TRUE AS waits, rowid AS place, id, substr(id, {len(BY_UNIT) + 1}) AS unit, model,
            model = '' AS any_model, kind, class, value, currency, event_id, ts, CAST([] AS VARCHAR[]) AS had
        FROM events WHERE {_WAITS}
        UNION ALL
        SELECT FALSE AS waits, rowid AS place, id, unit, model, any_model,
            kind, class, value, currency, event_id, ts, list(model) OVER (PARTITION BY {_SAME}) AS had
        FROM events WHERE {again}""")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE asked AS
        SELECT unit, id, h, model, ts FROM predictions
        WHERE unit IN (SELECT unit FROM seekers) AND id IS NOT NULL AND h IS NOT NULL AND NOT failed""")
    connection.execute("DROP TABLE IF EXISTS temp.asked_of")


def _move(connection: DuckDBPyConnection, config: Config, within: str) -> bool:
    """Take events from predictions that are not the last ones before them any more, and give them to those that are.

    One whose prediction is not kept any more stays: what it brought cannot be taken back.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE moves AS
        SELECT e.place, arg_max(p.id, (p.ts, p.id)) AS id, arg_max(p.h, (p.ts, p.id)) AS h
        FROM seekers AS e JOIN asked AS p ON p.unit = e.unit AND p.model = e.model AND {within}
        WHERE NOT e.waits
        GROUP BY e.place, e.id HAVING BOOL_OR(p.id = e.id) AND arg_max(p.id, (p.ts, p.id)) <> e.id""")
    if not meta_value(connection, _COUNTED_BY) or not is_there(connection, "moves"):
        return False
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE affected AS
        SELECT h FROM moves UNION SELECT h FROM events WHERE rowid IN (SELECT place FROM moves)""")
    whose = "p.h IN (SELECT h FROM affected)"
    events.gain_stored(connection, config, whose)
    fold.fold_gains(connection, taken_back=True)
    connection.execute("UPDATE events SET id = m.id, h = m.h FROM moves AS m WHERE events.rowid = m.place")
    events.gain_stored(connection, config, whose)
    fold.fold_gains(connection)
    return True


def _find(connection: DuckDBPyConnection, within: str) -> bool:
    """Fill `incoming` with events that waited and found a prediction, or found one of another model as well."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE incoming AS
        SELECT e.place, e.waits, arg_max(p.id, (p.ts, p.id)) AS id, arg_max(p.h, (p.ts, p.id)) AS h, p.model,
            any_value(e.kind) AS kind, any_value(e.class) AS class, any_value(e.value) AS value,
            any_value(e.currency) AS currency, any_value(e.event_id) AS event_id, any_value(e.ts) AS ts,
            any_value(e.unit) AS unit, any_value(e.any_model) AS any_model
        FROM seekers AS e JOIN asked AS p ON p.unit = e.unit AND {within}
            AND (e.any_model OR e.model = p.model) AND NOT list_contains(e.had, p.model)
        WHERE e.waits OR (e.any_model AND e.model = list_min(e.had))
        GROUP BY e.place, e.waits, p.model""")
    return is_there(connection, "incoming")
