"""What engagements of each kind bring: how many requests have one, and what they measure, such as seconds of dwell.

They stand in the rollup of the business as classes of their own, `kind click` and `value dwell`; kinds are compared
without case. Logs may hold kinds without end: those that the configuration lists are followed and `KINDS` others, in
each batch the most frequent first. The rest count as engagement alone.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from mlwatch.asking import meta_value
from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import BusinessSettings

KINDS = 20
LONGEST = 60
"""Characters of the longest name that is followed, unless the configuration lists it."""
KIND, VALUE = "kind ", "value "
"""What the classes of a kind begin with: its events, and those of them that carry a value."""
FOLLOWED, SINCE = "engagement_kinds", "engagement_since"
"""Keys of what a store follows, and since when, where it is older than that."""


def followed(connection: DuckDBPyConnection) -> list[str]:
    """Return the kinds that a store follows, in lower case."""
    told = meta_value(connection, FOLLOWED)
    kinds: list[str] = json.loads(told) if told is not None else []
    return kinds


def follow(
    connection: DuckDBPyConnection, met: Iterable[tuple[str, int]], settings: BusinessSettings
) -> list[str]:
    """Follow further kinds while there is room, and return all that are followed.

    Args:
        connection: Inside the ingest transaction.
        met: Kinds of engagements, and how many of each.
        settings: Which kinds are listed.
    """
    known, listed = followed(connection), {kind.lower() for kind in settings.engagement}
    counts: Counter[str] = Counter()
    for kind, n in met:
        counts[kind.lower()] += n
    fresh = sorted(counts.keys() - set(known), key=lambda kind: (-counts[kind], kind))
    room = KINDS - len(set(known) - listed)
    others = [kind for kind in fresh if kind not in listed and len(kind) <= LONGEST]
    new = [*(kind for kind in fresh if kind in listed), *others[: max(room, 0)]]
    if new:
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [FOLLOWED, json.dumps([*known, *new])]
        )
    return [*known, *new]


def among(kinds: Sequence[str]) -> str:
    """Return the condition for events of some kinds, compared without case."""
    listed = ", ".join(literal(kind.lower()) for kind in kinds)
    return f"LOWER(kind) IN ({listed})" if listed else "FALSE"


def measured(joined: str, kinds: Sequence[str]) -> str:
    """Write rows of `measured` from events with their predictions; see `gains`, but there may be no kind.

    Args:
        joined: See `gains`.
        kinds: Those that are followed.
    """
    return f"""
        SELECT ts, model, version, LOWER(kind) AS kind, value FROM {joined}
        WHERE class = 'engagement' AND value IS NOT NULL AND is_new AND {among(kinds)}"""


def gains(joined: str, kinds: Sequence[str]) -> str:
    """Write rows of `gains` from events with their predictions.

    Args:
        joined: FROM item with `ts, model, version, id, kind, value, class, is_new`.
        kinds: Those that are followed; at least one.
    """
    by_kind = f"""(
        SELECT ts, model, version, LOWER(kind) AS kind, SUM(CASE WHEN is_new THEN 1 ELSE 0 END) AS n_new,
            SUM(CASE WHEN is_new THEN 0 ELSE 1 END) AS n_old, COUNT(CASE WHEN is_new THEN value END) AS n_values,
            SUM(CASE WHEN is_new THEN value END) AS value, SUM(CASE WHEN is_new THEN value * value END) AS value_sq
        FROM {joined} WHERE class = 'engagement' AND {among(kinds)}
        GROUP BY ts, model, version, id, LOWER(kind)) AS by_kind"""
    return f"""
        SELECT ts, model, version, '{KIND}' || kind AS class, n_new AS n_events,
            CASE WHEN n_old = 0 THEN 1 ELSE 0 END AS n_first, 0 AS value, 0 AS value_sq
        FROM {by_kind} WHERE n_new > 0
        UNION ALL
        SELECT ts, model, version, '{VALUE}' || kind AS class, n_values AS n_events, 0 AS n_first, value, value_sq
        FROM {by_kind} WHERE n_values > 0"""
