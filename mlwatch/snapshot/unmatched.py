"""Labels and events none of which finds its request: that they do not, and what may be the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import first_row, is_there
from mlwatch.errors import one_line
from mlwatch.snapshot.types import Alert
from mlwatch.sources.sql import literal
from mlwatch.store.batch import BY_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.types import Ingest

ENOUGH = 50
"""Requests, and labels or events, from which on it is no chance that none fits."""
MOST = 0.5
"""Least share of all that were ever read, corrections included: rows may be gone by now that found their request."""
LONGEST = 40
"""Characters of an id that are shown."""


def unmatched_alerts(connection: DuckDBPyConnection, ingest: Ingest, now: datetime) -> Iterator[Alert]:
    """Say of labels and of events that none of them finds its request.

    To be asked once everything is read.

    Args:
        connection: A cursor of this thread.
        ingest: Totals.
        now: The moment.
    """
    kinds = (
        ("labels", "outcomes", ingest.outcomes, ingest.outcomes_unmatched),
        ("events", "events", ingest.events, ingest.events_unmatched),
    )
    for name, table, total, unmatched in kinds:
        if ingest.predictions < ENOUGH or unmatched < max(ENOUGH, MOST * total):
            continue
        if is_there(connection, f"{table} WHERE matched"):
            continue
        text = f"{unmatched:,} {name} belong to no request that is logged{_reason(connection, table)}"
        yield Alert(f"quality: unmatched {name}", "firing", "warning", text, now, float(unmatched))


def _reason(connection: DuckDBPyConnection, table: str) -> str:
    """Return what may be the reason, after a colon; empty where that cannot be told."""
    stray = first_row(
        connection,
        f"SELECT id, model FROM {table} WHERE NOT starts_with(id, {literal(BY_UNIT)}) ORDER BY rowid LIMIT 1",
    )
    if stray is None or not is_there(connection, "predictions"):
        return ""
    name, model = stray
    usual = first_row(connection, "SELECT id FROM predictions WHERE id IS NOT NULL ORDER BY rowid LIMIT 1")
    if usual is None:
        return ": the requests have no id; [roles] id names its column"
    own = first_row(
        connection, "SELECT model FROM predictions WHERE h = hash($id) AND id = $id", {"id": name}
    )
    if own is not None:
        return f": that of {quoted(name)} names the model {quoted(model)}, its request {quoted(own[0])}"
    return f": they name ids such as {quoted(name)}, requests have ids such as {quoted(usual[0])}"


def quoted(name: str) -> str:
    """Return a name out of logs in quotation marks, on one line and not too long."""
    said = one_line(name)
    return f'"{said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"}"'
