"""Take a large batch of plain predictions straight into their table, without a table in between.

Plain are records that are requests and nothing else, each new to the store, with a usable time and with numbers where
these belong: what a backfill mostly consists of. Anything else in the batch undoes it, and the batch is taken in the
careful way instead.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mlwatch.asking import number, row
from mlwatch.sources.sql import identifier
from mlwatch.store.batch import classified
from mlwatch.store.feature_rollup import QUARTER_OF_TS, QUARTERS_OF_TS, WHO, Requests
from mlwatch.store.rollup import QUARTER
from mlwatch.store.schema import BASE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.canonical import Slot
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapes import Shape

LEAST_BYTES = 16 << 20
"""Smaller batches gain nothing."""
PATIENCE = 16
"""Batches of a kind that are taken the careful way after one of them was not plain."""


class NotPlainError(Exception):
    """The batch holds something else than new predictions; the transaction is to be rolled back."""


def suits(segments: Sequence[Segment], shape: Shape) -> bool:
    """Tell whether it is worth trying: many records of predictions, none refused so far."""
    refused = any(segment.overlong or segment.refused for segment in segments)
    return shape.predicts and not refused and sum(segment.size for segment in segments) >= LEAST_BYTES


def insert(connection: DuckDBPyConnection, select: str, slots: Sequence[Slot], *, predicts: bool) -> Requests:
    """Insert the records of a canonical SELECT, show them as the view `batch`, and return where they are.

    Args:
        connection: Inside the ingest transaction, which has not changed the table yet.
        select: See `Canonical.select`.
        slots: The features.
        predicts: See `batch.load`.

    Raises:
        NotPlainError: when a record is no prediction, or one that is there already.
        duckdb.Error: when a record does not fit.
    """
    last = number(connection, "SELECT COALESCE(MAX(rowid), -1) FROM predictions")
    connection.execute("DROP TABLE IF EXISTS temp.batch")
    columns = ", ".join([*BASE_COLUMNS, *(identifier(slot.column) for slot in slots)])
    connection.execute(f"""
        INSERT INTO predictions ({columns})
        SELECT {columns.replace("failed", "CASE WHEN is_plain THEN failed ELSE error('not plain') END", 1)}
        FROM (SELECT *, is_request AND bad IS NULL AND NOT is_event AND NOT is_outcome
                AND unread_number IS NULL AS is_plain
            FROM ({classified(select, predicts=predicts)}))""")
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW batch AS
        SELECT *, {WHO} AS who, {QUARTER_OF_TS} AS quarter, TRUE AS is_request, FALSE AS is_outcome,
            FALSE AS is_event, FALSE AS duplicate
        FROM predictions WHERE rowid > {last}""")
    _refuse_known(connection, last)
    return Requests(
        "predictions",
        f"rowid > {last}",
        quarter=QUARTERS_OF_TS,
        start=f"make_timestamp(f.bucket * {QUARTER * 1_000_000})",
    )


def _refuse_known(connection: DuckDBPyConnection, last: int) -> None:
    named, distinct = row(
        connection,
        "SELECT COUNT(id), COUNT(DISTINCT hash(h, model, version)) FILTER (id IS NOT NULL) FROM batch",
    )
    if named != distinct:
        raise NotPlainError
    if named and last >= 0:
        seen = number(
            connection,
            f"""SELECT COUNT(*) FROM predictions
            WHERE rowid <= {last} AND h IN (SELECT h FROM batch WHERE id IS NOT NULL)""",
        )
        if seen:
            raise NotPlainError


def forget(connection: DuckDBPyConnection) -> None:
    """Remove the view, so that the careful way can make its table."""
    import duckdb  # noqa: PLC0415

    with suppress(duckdb.CatalogException):  # undone, it is the table of a batch before that is there again
        connection.execute("DROP VIEW IF EXISTS temp.batch")
