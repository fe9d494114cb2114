"""Alerts: what rules and verdicts say, with a memory: pending, firing, resolved.

A rule that is broken becomes pending, and firing once it has been broken for as long as it asks. It is resolved only
after it has been kept for as long again, so that a value that dances around its limit is one alert and not fifty.
Time is event time, so a backfill tells the same story as watching did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from mlwatch.asking import all_or_nothing
from mlwatch.lasting import SPAN, stretch_of
from mlwatch.rules import DEFAULT_RULES, Ruling, named, past, rulings
from mlwatch.severities import rank
from mlwatch.validation import validations
from mlwatch.words import whose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RuleSettings
    from mlwatch.snapshot.types import Alert, Rollout, Severity, Snapshot

CALM = timedelta(minutes=2)
"""Time for which a rule must be kept, at least, before its alert is resolved."""
ROLLOUT = "rollout"
"""Name of the rule that every verdict is."""
BLOCKED = frozenset({"roles_unknown", "sample_ratio_mismatch", "one_arm_silent", "started_apart"})
"""States of a rollout that somebody must look at, though nothing is shown to be worse."""
STATES = ("firing", "pending", "resolved")
"""Of an alert, what matters most first."""

Key = tuple[str, str, str]
"""Rule, model, version."""


@dataclass(frozen=True, slots=True)
class _Open:
    """An alert that is not resolved."""

    state: str
    since: datetime
    breached: datetime
    """When the rule was last seen broken, naive UTC as `since`."""
    message: str


def span_of(rules: Sequence[RuleSettings]) -> timedelta:
    """Return the longest range over which one of these rules is evaluated, whatever range is on the screen."""
    return max([SPAN, *map(stretch_of, rules)])


def update(
    connection: DuckDBPyConnection,
    snapshot: Snapshot,
    look: Callable[[timedelta], Snapshot],
    rules: Sequence[RuleSettings],
) -> bool:
    """Evaluate rules and verdicts, and bring the stored alerts up to date.

    Args:
        connection: A cursor of this thread; no other thread may write alerts.
        snapshot: Of the newest data, over `span_of(rules)`.
        look: Returns one of another length; asked once for each.
        rules: Of the configuration; the default rules when empty.

    Returns:
        Whether an alert began, changed its state or ended.

    Raises:
        ConfigError: when a rule cannot be understood.
    """
    if snapshot.range is None:
        return False
    now = snapshot.range.end.replace(tzinfo=None)
    chosen = named(rules or DEFAULT_RULES)
    patience = {rule.name: max(rule.for_, CALM) for rule in chosen}
    found = [*_verdicts(snapshot), *_rulings(snapshot, look, chosen), *validations(snapshot)]
    known = _open(connection)
    with all_or_nothing(connection):
        changed = [
            _step(connection, ruling, known.get(_key(ruling)), now, patience.get(ruling.name, timedelta(0)))
            for ruling in found
        ]
        gone = set(known) - {_key(ruling) for ruling in found}
        for key in gone:  # its rule or its version is no more
            _end(connection, key, known[key], now)
    return any(changed) or bool(gone)


def _rulings(
    snapshot: Snapshot, look: Callable[[timedelta], Snapshot], rules: Sequence[RuleSettings]
) -> Iterable[Ruling]:
    """Evaluate each rule over its own stretch: the windows of a longer one would be coarser than it asks for."""
    for stretch in sorted(set(map(stretch_of, rules))):
        newest = snapshot if stretch == span_of(rules) else look(stretch)
        yield from rulings(newest, [rule for rule in rules if stretch_of(rule) == stretch])


def _key(ruling: Ruling) -> Key:
    return ruling.name, ruling.model, ruling.version


def _open(connection: DuckDBPyConnection) -> dict[Key, _Open]:
    rows = connection.execute(
        "SELECT rule, model, version, state, since, breached, message FROM alerts WHERE state <> 'resolved'"
    ).fetchall()
    return {(rule, model, version): _Open(*found) for rule, model, version, *found in rows}


def _verdicts(snapshot: Snapshot) -> Iterable[Ruling]:
    """Return each verdict as a ruling: a roll back is critical, a comparison that is blocked a warning."""
    for rollout in snapshot.rollouts:
        broken = _is_broken(rollout)
        severity: Severity = "critical" if rollout.verdict == "rollback" else "warning"
        word = {"rollback": "roll back", "hold": "hold", "promote": "promote"}[rollout.verdict]
        reason = rollout.reasons[0] if rollout.reasons else rollout.state
        message = f"{word} {rollout.candidate}{whose(snapshot.models, rollout.model)}: {reason}"
        state: Literal["breach", "ok"] = "breach" if broken else "ok"
        yield Ruling(
            ROLLOUT, rollout.model, rollout.candidate, state, None, message, severity, _turned(rollout)
        )


def _is_broken(rollout: Rollout) -> bool:
    return rollout.verdict == "rollback" or rollout.state in BLOCKED


def is_dated(snapshot: Snapshot) -> bool:
    """Tell whether nothing was put off that alerts need: what records say, or the course of a verdict to look at."""
    late = any(_is_broken(rollout) and rollout.course is None for rollout in snapshot.rollouts)
    return not late and not any(model.is_put_off for model in snapshot.models.values())


def as_of_then(snapshot: Snapshot) -> Snapshot:
    """Let alerts of verdicts say what the verdicts of a snapshot of the past do; stored is what was said last."""
    said = {f"{ruling.model} {ruling.version}": ruling for ruling in _verdicts(snapshot)}
    alerts = []
    for alert in snapshot.alerts:
        ruling = said.get(alert.about) if alert.rule == ROLLOUT and alert.state == "firing" else None
        if ruling is None:
            alerts.append(alert)
        elif ruling.state == "breach":
            alerts.append(replace(alert, message=ruling.message, severity=ruling.severity))
    return replace(snapshot, alerts=tuple(alerts))


def gravest_first(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return alerts as people read them: those that fire, the gravest first, then what is pending and what is over.

    Alike ones stand newest first.
    """
    newest = sorted(alerts, key=lambda alert: alert.since, reverse=True)

    def place(alert: Alert) -> tuple[int, int]:
        return STATES.index(alert.state), rank(alert.severity) if alert.state != "resolved" else 0

    return tuple(sorted(newest, key=place))


def _turned(rollout: Rollout) -> datetime | None:
    """Return since when the verdict is what it is, a hold for the same cause; None where that is not known.

    A course ends with the present verdict: where that is another one, it turned at some time since the last moment.
    """
    since, course = None, rollout.course
    for change in reversed(course.changes if course is not None else ()):
        same = rollout.verdict == "rollback" or change.state == rollout.state
        if change.verdict != rollout.verdict or not same:
            break
        since = change.time
    return None if course is not None and since in course.times[-1:] else since


def _step(
    connection: DuckDBPyConnection, ruling: Ruling, former: _Open | None, now: datetime, patience: timedelta
) -> bool:
    """Move one alert to its next state and tell whether that is another one."""
    if ruling.state in {"breach", "pending"}:
        firing = ruling.state == "breach" or (former is not None and former.state == "firing")
        return _hold(connection, ruling, former, now, "firing" if firing else "pending")
    if former is not None and ruling.silent:
        return _end(
            connection, _key(ruling), former, now, f"; then {ruling.version} got no requests any more"
        )
    if former is None or ruling.state == "no_data":
        return False
    if former.state == "firing" and now - former.breached < patience:
        return False
    return _end(connection, _key(ruling), former, now)


def _hold(
    connection: DuckDBPyConnection, ruling: Ruling, former: _Open | None, now: datetime, state: str
) -> bool:
    since = ruling.since.astimezone(UTC).replace(tzinfo=None) if ruling.since is not None else None
    if former is not None and (since is None or ruling.name != ROLLOUT):
        since = former.since  # a rule looks back no farther than its range, a verdict over its whole course
    values = [state, ruling.severity, ruling.message, ruling.value, since or now, now]
    if former is None:
        connection.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", [*_key(ruling), *values]
        )
        return True
    connection.execute(
        """UPDATE alerts SET state = ?, severity = ?, message = ?, value = ?, since = ?, breached = ?
        WHERE rule = ? AND model = ? AND version = ? AND state <> 'resolved'""",
        [*values, *_key(ruling)],
    )
    return (former.state, former.since) != (state, since)


def _end(connection: DuckDBPyConnection, key: Key, former: _Open, now: datetime, then: str = "") -> bool:
    """Resolve what fired, and say what came then where it was not mended; what was only pending never was."""
    if former.state == "pending":
        connection.execute(
            "DELETE FROM alerts WHERE rule = ? AND model = ? AND version = ? AND state = 'pending'", list(key)
        )
    else:
        connection.execute(
            """UPDATE alerts SET state = 'resolved', resolved = ?, message = ?
            WHERE rule = ? AND model = ? AND version = ? AND state <> 'resolved'""",
            [now, past(former.message) + then, *key],
        )
    return True
