"""What people said about alerts, kept in the store: seen by somebody (acknowledged), or to be quiet (muted).

An alert is named by its rule and what it is about. A mute without an end, and an acknowledgement, last until the alert
is over; the next time it fires it is loud again. An alert that has become graver than it was then is loud too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from mlwatch.severities import RANKS, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.types import Alert

Word = Literal["mute", "acknowledge", "lift"]
Silence = Literal["mute", "acknowledge"]
SILENCES: dict[str, Silence] = {"mute": "mute", "acknowledge": "acknowledge"}


def say(
    connection: DuckDBPyConnection, alert: Alert, word: Word, now: datetime, length: timedelta | None = None
) -> None:
    """Write down what somebody said about an alert; it takes the place of what was said before.

    Args:
        connection: A cursor of this thread.
        alert: Which.
        word: `lift` takes back what was said.
        now: When it was said, aware.
        length: How long a mute lasts; None until the alert is over.
    """
    connection.execute("DELETE FROM silences WHERE rule = ? AND about = ?", list(alert.key))
    if word != "lift":
        until = _naive(now + length) if length is not None else None
        connection.execute(
            "INSERT INTO silences VALUES (?, ?, ?, ?, ?)",
            [*alert.key, f"{word} {alert.severity}", _naive(now), until],
        )


def marked(connection: DuckDBPyConnection, alerts: Sequence[Alert], now: datetime) -> tuple[Alert, ...]:
    """Return the alerts with what was said about them.

    Args:
        connection: A cursor of this thread.
        alerts: All of them.
        now: The moment, aware: a mute that has ended is none.
    """
    rows = connection.execute(
        "SELECT rule, about, word FROM silences WHERE until IS NULL OR until > ?", [_naive(now)]
    ).fetchall()
    said = {(rule, about): word for rule, about, word in rows}
    if not said:
        return tuple(alerts)
    return tuple(replace(alert, silence=_silence(alert, said)) for alert in alerts)


def _silence(alert: Alert, said: Mapping[tuple[str, str], str]) -> Silence | None:
    """Return what was said about an alert as grave as this one, or graver; before that was kept, about any."""
    word, _, severity = said.get(alert.key, "").partition(" ")
    if alert.state == "resolved" or (severity in RANKS and rank(alert.severity) < rank(severity)):
        return None
    return SILENCES.get(word)


def misses(connection: DuckDBPyConnection, alerts: Iterable[Alert]) -> bool:
    """Tell whether something lasts until an alert is over that is not among these."""
    return bool(_lasting(connection) - _standing(alerts))


def tidy(connection: DuckDBPyConnection, alerts: Iterable[Alert], now: datetime) -> None:
    """Forget what was said about alerts that are over, and mutes that have ended.

    Args:
        connection: A cursor of this thread.
        alerts: Those of the newest data, all of them.
        now: The moment, aware.
    """
    connection.execute("DELETE FROM silences WHERE until <= ?", [_naive(now)])
    for key in _lasting(connection) - _standing(alerts):
        connection.execute("DELETE FROM silences WHERE rule = ? AND about = ?", list(key))


def _lasting(connection: DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return the alerts of which something is said until they are over."""
    return set(connection.execute("SELECT rule, about FROM silences WHERE until IS NULL").fetchall())


def _standing(alerts: Iterable[Alert]) -> set[tuple[str, str]]:
    return {alert.key for alert in alerts if alert.state != "resolved"}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
