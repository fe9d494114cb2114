"""A batch on its way in: brought to the canonical form, told apart by kind, freed of duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, number, row
from mlwatch.roles.guards import RECORD_WORDS
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import EARLIEST, LATEST
from mlwatch.store.feature_rollup import QUARTER_OF_TS, WHO, Requests

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection


BY_UNIT = "\x1funit "
"""How the id of an event begins that names a user and no request, before the user."""
_TOLD_FAILURE = """(event IS NOT NULL AND NOT predicted AND label IS NULL AND value IS NULL
    AND (COALESCE(status >= 400, FALSE) OR error IS NOT NULL))"""
"""What a structured logger says of a request that failed, naming its message so: among predictions no business."""
REQUESTS = Requests("batch", "is_request", "who", "quarter")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch brought."""

    records: int = 0
    rows: int = 0
    predictions: int = 0
    outcomes: int = 0
    events: int = 0
    rejected: int = 0
    duplicates: int = 0
    outcomes_unmatched: int = 0
    """New ids without a prediction, less the stored ones that found theirs."""
    events_unmatched: int = 0
    newest: datetime | None = None


def load(
    connection: DuckDBPyConnection,
    table: str,
    select: str,
    *,
    predicts: bool,
    labels: bool = False,
    by_unit: bool = False,
    own_ids: bool = False,
) -> None:
    """Materialise a canonical SELECT as a temporary table, and tell what each record is.

    Args:
        connection: Of the ingest thread.
        table: Name of the temporary table.
        select: See `Canonical.select`.
        predicts: The records' file holds predictions, so one without is a failed request.
        labels: It holds labels and no predictions, so one without waits for its label, and says nothing yet.
        by_unit: Whether an event without a request id may name its user instead; see `event_units`.
        own_ids: The ids are those of the events themselves, not of requests.
    """
    classes = classified(select, predicts=predicts, labels=labels, by_unit=by_unit, own_ids=own_ids)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {classes}")


def classified(
    select: str, *, predicts: bool, labels: bool = False, by_unit: bool = False, own_ids: bool = False
) -> str:
    """Return a canonical SELECT with columns that tell what each record is; for the arguments see `load`."""
    failed = "COALESCE(status >= 400, FALSE)" + (" OR NOT predicted" if predicts else "")
    lost = "OR (id IS NOT NULL AND label IS NULL)" if predicts else ""
    silent = "" if predicts else "AND label IS NULL"
    words = ", ".join(literal(word) for word in sorted(RECORD_WORDS))
    named = f"lower(event) IN ({words})" + ("" if predicts else " AND label IS NOT NULL")
    kind = f"CASE WHEN {named} THEN NULL ELSE event END AS event"
    if by_unit:
        lone = f"event IS NOT NULL AND NOT ({named}) AND prediction IS NULL AND score IS NULL"
        lone += " AND label IS NULL AND unit IS NOT NULL" if own_ids else " AND id IS NULL"
        kind += f", CASE WHEN {lone} THEN {literal(BY_UNIT)} || unit ELSE id END AS id"
        kind += f", CASE WHEN {lone} THEN COALESCE(event_id, id) ELSE event_id END AS event_id"
    waits = "WHEN id IS NOT NULL AND label IS NULL AND event IS NULL THEN NULL" if labels else ""
    told = _TOLD_FAILURE if predicts else "FALSE"
    request = f"""predicted OR (event IS NULL {silent}
        AND (status IS NOT NULL OR latency_ms IS NOT NULL OR error IS NOT NULL {lost})) OR {told}"""
    return f"""
        SELECT * EXCLUDE (own_model) REPLACE (CASE WHEN {request} THEN model ELSE own_model END AS model),
            {failed} AS failed, hash(id) AS h, {WHO} AS who, {QUARTER_OF_TS} AS quarter,
            {request} AS is_request,
            label IS NOT NULL AND id IS NOT NULL AND NOT predicted AS is_outcome,
            event IS NOT NULL AND id IS NOT NULL AND NOT {told} AS is_event,
            FALSE AS duplicate,
            CASE {waits} WHEN ts IS NULL OR NOT ts BETWEEN {EARLIEST} AND {LATEST} THEN 'no usable time'
                 WHEN {request} THEN NULL
                 WHEN label IS NULL AND event IS NULL THEN 'neither a prediction, an outcome nor an event'
                 WHEN id IS NULL THEN 'an outcome or event without a request id' END AS bad
        FROM (SELECT * REPLACE ({kind}), prediction IS NOT NULL OR score IS NOT NULL AS predicted FROM ({select}))"""


def count_bad(connection: DuckDBPyConnection, table: str) -> int:
    """Return how many records of a loaded table are to be rejected."""
    return number(connection, f"SELECT COUNT(bad) FROM {table}")


def models(connection: DuckDBPyConnection) -> list[str]:
    """Return the models that the batch has requests of, failed ones too: they tell as well whose file it is."""
    rows = connection.execute("SELECT DISTINCT model FROM batch WHERE is_request").fetchall()
    return [model for (model,) in rows]


def mark_duplicates(connection: DuckDBPyConnection) -> int:
    """Mark requests that were seen before, in this batch or in the store, and return how many.

    The same request id of the same model and version is the same prediction, and one that was answered has not failed,
    whatever was said of it before; where that is stored already, both count. A repeated record that carries a label
    counts as an outcome too, since the first one may have been written before the label was known.
    """
    named, distinct = row(
        connection,
        """SELECT COUNT(*), COUNT(DISTINCT hash(h, model, version))
        FROM batch WHERE is_request AND id IS NOT NULL""",
    )
    if named == 0:
        return 0
    if named != distinct:
        connection.execute("""
            UPDATE batch SET duplicate = TRUE WHERE rowid IN (
                SELECT row FROM (
                    SELECT rowid AS row,
                        row_number() OVER (PARTITION BY id, model, version ORDER BY failed, ts, line) AS place
                    FROM batch
                    WHERE is_request AND id IS NOT NULL
                        AND h IN (SELECT h FROM batch WHERE is_request GROUP BY h HAVING COUNT(*) > 1))
                WHERE place > 1)""")
    _mark_stored(connection)
    duplicates = number(connection, "SELECT COUNT(*) FROM batch WHERE duplicate")
    if duplicates:
        connection.execute("""
            UPDATE batch SET is_request = FALSE, is_event = FALSE, is_outcome = label IS NOT NULL WHERE duplicate""")
    return duplicates


def _mark_stored(connection: DuckDBPyConnection) -> None:
    """Mark what the store has already; one narrow scan of the hashes when it has nothing of it.

    A failure that is stored is let go of by its id where the answer comes now: labels and events are of the answer.
    """
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE seen AS
        SELECT DISTINCT h FROM predictions WHERE h IN (SELECT h FROM batch WHERE is_request AND id IS NOT NULL)""")
    seen = number(connection, "SELECT COUNT(*) FROM seen")
    if not seen:
        return
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE met AS
        SELECT b.rowid AS row, p.place, p.failed AND NOT b.failed AS answered FROM batch AS b
        JOIN (
            SELECT rowid AS place, id, h, model, version, failed FROM predictions
            WHERE h IN (SELECT h FROM seen)) AS p
        ON p.h = b.h AND p.id = b.id AND p.model IS NOT DISTINCT FROM b.model
            AND p.version IS NOT DISTINCT FROM b.version
        WHERE b.is_request AND NOT b.duplicate""")
    connection.execute(
        "UPDATE batch SET duplicate = TRUE WHERE rowid IN (SELECT row FROM met WHERE NOT answered)"
    )
    if is_there(connection, "met WHERE answered"):
        connection.execute(
            "UPDATE predictions SET h = NULL WHERE rowid IN (SELECT place FROM met WHERE answered)"
        )


def count(connection: DuckDBPyConnection, duplicates: int) -> Counts:
    """Count what is in the batch and what was rejected from it."""
    rejected = number(connection, "SELECT COUNT(*) FROM rejects")
    total, predictions, outcomes, events, newest = connection.execute(
        """SELECT COUNT(*), COUNT(*) FILTER (is_request),
            COUNT(*) FILTER (NOT duplicate AND (is_outcome OR (is_request AND label IS NOT NULL))),
            COUNT(*) FILTER (is_event), MAX(ts) FROM batch"""
    ).fetchall()[0]
    return Counts(
        records=total + rejected,
        rows=total - duplicates,
        predictions=predictions,
        outcomes=outcomes,
        events=events,
        rejected=rejected,
        duplicates=duplicates,
        newest=newest,
    )
