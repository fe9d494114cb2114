"""What the store says about itself: totals of the ingest, notices, where the numbers come from."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from mlwatch import __version__
from mlwatch.asking import is_there, row
from mlwatch.snapshot.types import Alert, Ingest, Lately, Stream
from mlwatch.store import notices
from mlwatch.store.ledger import PARTITION
from mlwatch.store.profiles import value_in_force
from mlwatch.store.upkeep import LATELY, SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.types import Severity


_IS_YOUNGER = "($until < (SELECT MIN(taken_at) FROM batches)) IS TRUE"
"""The store was begun after the moment that is looked at: when it was read does not tell what was there then."""
_OF_THEN = f"(LEAST(taken_at, newest) <= $until OR (newest IS NULL AND {_IS_YOUNGER}))"


def ingest_totals(
    connection: DuckDBPyConnection, now: datetime | None = None, until: datetime | None = None
) -> Ingest:
    """Sum up everything that was read.

    Args:
        connection: A cursor of this thread.
        now: The moment before which an hour is summed up apart, naive UTC; None for none.
        until: The moment to look at, naive UTC; None for none. What was read later is left out, except for batches
            that hold records of until then alone, and for what bears no time in a store that is younger than that.
    """
    sums = ", ".join(f"SUM({name})" for name in SUMS)
    late = ", ".join(f"SUM({each.name}) FILTER (taken_at > $since)" for each in fields(Lately))
    of_then, moments = _then(until, _OF_THEN)
    since = now - LATELY if now is not None else None
    totals = row(connection, f"SELECT {sums}, {late} FROM batches{of_then}", {**moments, "since": since})
    whole, of_hour = (
        [int(value or 0) for value in part] for part in (totals[: len(SUMS)], totals[len(SUMS) :])
    )
    files, partitions = row(
        connection,
        """SELECT COUNT(DISTINCT path) FILTER (records > 0 AND format <> $kind),
            list((path, offset_bytes, size)) FILTER (format = $kind)
        FROM files WHERE state <> 'replaced'""",
        {"kind": PARTITION},
    )
    streams = _streams(partitions or [])
    lately = Lately(*of_hour) if now is not None else None
    return Ingest(int(files), *whole, streams=streams, lately=lately)


def _then(until: datetime | None, condition: str) -> tuple[str, dict[str, object]]:
    """Return what leaves out what was not known at a moment, and its value; of now nothing is, nor asked for."""
    return ("", {}) if until is None else (f" WHERE {condition}", {"until": until})


def _streams(rows: Sequence[tuple[str, int, int]]) -> tuple[Stream, ...]:
    """Return how far the partitions of topics are read; they stand in the ledger like files."""
    places = ((*path.removeprefix("kafka://").rpartition("/")[::2], at, end) for path, at, end in rows)
    return tuple(
        Stream(topic, int(number), at, end)
        for topic, number, at, end in sorted(places, key=lambda each: (each[0], int(each[1])))
    )


def alerts_of(
    connection: DuckDBPyConnection,
    until: datetime | None = None,
    limit: int | None = 50,
    *,
    several: bool = False,
) -> tuple[Alert, ...]:
    """Return what rules and verdicts say, what is not over first, and then notices about the ingest, newest first.

    Args:
        connection: A cursor of this thread.
        until: The moment to look at, naive UTC: rules that were broken later are left out, and what ended later fires.
            What was said of an alert after that moment is left out too, and so are later notices, unless the store is
            younger than that moment: then all of it was read later, but what was done later stays left out.
        limit: Most alerts of either kind; where there are more, what is over is left out first, what is critical last.
            None for all of them.
        several: The logs hold several models: what is not known of an alert's sentence names its model too.
    """
    ruled = _ruled(connection, until, limit) if is_there(connection, "alerts") else []
    said = _said_of_ingest(connection, until, limit)
    of_rules = (
        Alert(
            *(rule, state, severity, _said(rule, model if several else "", version) if later else message),
            *(since.replace(tzinfo=UTC), None if later else value, f"{model} {version}"),
            resolved=ended and ended.replace(tzinfo=UTC),
        )
        for since, severity, rule, message, state, value, model, version, ended, later in ruled
    )
    of_ingest = (
        Alert(
            f"ingest: {topic}",
            "resolved" if resolved else "firing",
            severity,
            message,
            at.replace(tzinfo=UTC),
        )
        for at, severity, topic, message, resolved in said
    )
    return (*of_rules, *of_ingest)


def _ruled(
    connection: DuckDBPyConnection, until: datetime | None, limit: int | None
) -> list[tuple[Any, ...]]:
    """Return the alerts of rules and verdicts, the newest first of what is not over, and the same of what is."""
    shown = """(FROM (SELECT * EXCLUDE state, (breached > $until OR resolved > $until) IS TRUE AS later,
            IF(resolved <= $until IS FALSE, NULL, resolved) AS ended,
            IF(resolved IS NOT NULL AND ended IS NULL, 'firing', state) AS state FROM alerts)"""
    if until is None:
        shown = "(FROM (SELECT *, FALSE AS later, resolved AS ended FROM alerts)"
    of_then, moments = _then(until, "since < $until")
    return connection.execute(
        f"""SELECT since, severity, rule, message, state, value, model, version, ended, later
        FROM {shown}{of_then}
            ORDER BY state = 'resolved' OR severity <> 'critical', state = 'resolved', since DESC,
                model, version, rule LIMIT $limit)
        ORDER BY state = 'resolved', since DESC, model, version, rule""",
        {**moments, "limit": limit},
    ).fetchall()


def _said_of_ingest(
    connection: DuckDBPyConnection, until: datetime | None, limit: int | None
) -> list[tuple[datetime, Severity, str, str, bool]]:
    """Return the notices, the newest first: they are few, and soon sorted without a statement that does it."""
    of_logs = "NOT list_contains($done, topic) AND NOT starts_with(topic, $numbered)"
    of_then, moments = _then(until, f"said_at < $until OR ({_IS_YOUNGER} AND {of_logs})")
    if until is not None:
        moments |= {"done": notices.DONE, "numbered": notices.NUMBERED}
    rows = connection.execute(
        f"SELECT said_at, severity, topic, message, resolved FROM notices{of_then}", moments
    ).fetchall()
    rows.sort(key=lambda each: each[2])
    rows.sort(key=lambda each: each[0], reverse=True)
    grave = sorted(rows, key=lambda each: (each[4] or each[1] != "critical", each[4]))
    kept = {each[2] for each in grave[:limit]}
    return [each for each in rows if each[2] in kept]


def _said(rule: str, model: str, version: str) -> str:
    """Say that a rule is broken, where what was said of it came later than the moment that is looked at."""
    who = f"{version} of {model}" if model else version
    return f"{who} breaks the rule {rule}"


def provenance_of(reader: Reader, config: Config) -> Mapping[str, str | None]:
    """Return which program, configuration and reference made the numbers."""
    digest = partial(value_in_force, reader.connection, "reference_sha256")
    return {
        "mlwatch": __version__,
        "config_sha256": config.sha256 if config.path is not None else None,
        "reference_sha256": reader.fact("reference_sha256", digest),
        "git": None,
        "data": None,
        "registry": None,
    }
