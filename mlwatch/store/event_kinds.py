"""What engagements of each kind bring: how many requests have one, and what they measure, such as seconds of dwell.

They stand in the rollup of the business as classes of their own, `kind click` and `value dwell`. Logs may hold kinds
without end: the first `KINDS` that are met are followed, the others count as engagement alone.
"""

from __future__ import annotations

from mlwatch.store.rollup import HOUR

KINDS = 20
LONGEST = 60
"""Characters of the longest name that is followed."""
KIND, VALUE = "kind ", "value "
"""What the classes of a kind begin with: its events, and those of them that carry a value."""

_KNOWN = f"""SELECT DISTINCT substr(class, {len(KIND) + 1}) AS kind, 0 AS fresh FROM r_business_{HOUR}
    WHERE substr(class, 1, {len(KIND)}) = '{KIND}'"""
"""The kinds that a store follows."""


def gains(joined: str, *, known: bool = True) -> str:
    """Write rows of `gains` from events with their predictions.

    Args:
        joined: FROM item with `ts, model, version, id, event_model, kind, value, class, is_new`.
        known: Whether the store may follow some kinds already.
    """
    met = f"SELECT DISTINCT kind, 1 AS fresh FROM {joined} WHERE class = 'engagement' AND LENGTH(kind) <= {LONGEST}"
    every = f"{_KNOWN} UNION ALL {met}" if known else met
    followed = f"SELECT kind FROM ({every}) AS kinds GROUP BY kind ORDER BY MIN(fresh), kind LIMIT {KINDS}"
    by_kind = f"""(
        SELECT ts, model, version, kind, SUM(CASE WHEN is_new THEN 1 ELSE 0 END) AS n_new,
            SUM(CASE WHEN is_new THEN 0 ELSE 1 END) AS n_old, COUNT(CASE WHEN is_new THEN value END) AS n_values,
            SUM(CASE WHEN is_new THEN value END) AS value, SUM(CASE WHEN is_new THEN value * value END) AS value_sq
        FROM {joined} WHERE class = 'engagement' AND kind IN ({followed})
        GROUP BY ts, model, version, id, event_model, kind) AS by_kind"""
    return f"""
        SELECT ts, model, version, '{KIND}' || kind AS class, n_new AS n_events,
            CASE WHEN n_old = 0 THEN 1 ELSE 0 END AS n_first, 0 AS value, 0 AS value_sq
        FROM {by_kind} WHERE n_new > 0
        UNION ALL
        SELECT ts, model, version, '{VALUE}' || kind AS class, n_values AS n_events, 0 AS n_first, value, value_sq
        FROM {by_kind} WHERE n_values > 0"""
