"""Events that are told beside what predictions brought: those that were there before, and those that look repeated.

They stand in the rollup of the business as classes of their own. Only times tell whether an event without an id of its
own came twice: two equal items of a cart may be two events of one moment, so that each of them is counted.
"""

from __future__ import annotations

EARLY, REPEATED = "early", "repeated"
"""Classes of events that are dated before their prediction, and of those that equal an earlier one."""
_MINUTE = 60_000_000


def gains(joined: str) -> str:
    """Write rows of `gains` from events with their predictions.

    Repeated are those without an id that equal another one in all that is kept, the time included. Times of whole
    minutes or days tell nothing apart.

    Args:
        joined: FROM item with `ts, model, version, id, kind, class, value, currency, event_id, event_at, is_early,
            is_new`; the class is NULL for what does not count.
    """
    alike = f"""(
        SELECT ts, model, version, SUM(CASE WHEN is_new THEN 1 ELSE 0 END) AS n_new,
            MAX(CASE WHEN is_new THEN 0 ELSE 1 END) AS any_old
        FROM {joined}
        WHERE event_id IS NULL AND class <> 'other' AND epoch_us(event_at) % {_MINUTE} <> 0
        GROUP BY ts, model, version, id, kind, value, currency, event_at) AS alike"""
    return f"""
        SELECT ts, model, version, '{EARLY}' AS class, 1 AS n_events, 0 AS n_first, 0 AS value, 0 AS value_sq
        FROM {joined} WHERE is_early AND is_new
        UNION ALL
        SELECT ts, model, version, '{REPEATED}' AS class, n_new - 1 + any_old AS n_events, 0 AS n_first, 0 AS value,
            0 AS value_sq
        FROM {alike} WHERE n_new > 1 - any_old"""
