"""Toasts of alerts: what has just begun to fire, or got worse, pops up, unless that was muted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.drawing import clean
from mlwatch.app.travel import TimeTravel
from mlwatch.severities import RANKS, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from mlwatch.app.options import Toasts
    from mlwatch.snapshot.types import Alert, Severity

LEVELS: tuple[Toasts, ...] = ("all", "critical", "none")
"""What pops up: warnings and critical alerts, critical ones alone, nothing."""
SEVERITIES: dict[Toasts, frozenset[Severity]] = {
    "all": frozenset({"warning", "critical"}),
    "critical": frozenset({"critical"}),
    "none": frozenset(),
}
SAID: dict[Toasts, str] = {
    "all": "Toasts: warnings and critical alerts pop up.",
    "critical": "Toasts: only critical alerts pop up.",
    "none": "Toasts are muted; {alerts} lists all alerts.",
}
MOST = 3
"""Toasts at once; of more, their number is said."""
LONGEST = 200


def loud(alerts: Iterable[Alert], level: Toasts) -> tuple[Alert, ...]:
    """Return the alerts that may pop up: firing, not silenced, and severe enough."""
    firing = (alert for alert in alerts if alert.state == "firing" and alert.silence is None)
    return tuple(alert for alert in firing if alert.severity in SEVERITIES[level])


def _ranks(alerts: Iterable[Alert]) -> dict[tuple[str, str], int]:
    """Return how grave the gravest alert of each rule and subject is."""
    found: dict[tuple[str, str], int] = {}
    for alert in alerts:
        found[alert.key] = min(rank(alert.severity), found.get(alert.key, len(RANKS)))
    return found


def _is_graver(alert: Alert, known: Mapping[tuple[str, str], int]) -> bool:
    return rank(alert.severity) < known.get(alert.key, len(RANKS))


class Toasting(TimeTravel):
    """The part of the app that says at once what has begun to fire."""

    toasts: Toasts = "all"
    _known: dict[tuple[str, str], int] | None = None
    """By rule and subject, the rank of what fired when alerts were last looked at; None before the first look."""
    _span: timedelta | None = None
    """Length of the range that was looked at then."""

    def toast(self, alerts: Iterable[Alert], span: timedelta | None) -> None:
        """Pop up what fires now and did not before; what fired at the first look is on the screen anyway.

        Args:
            alerts: Of the present; those of the past are no news.
            span: Length of the range. What another one has to say of its own records has not just begun.
        """
        firing = loud(alerts, "all")
        known, self._known = self._known, _ranks(firing)
        another, self._span = span != self._span, span
        if known is None:
            return
        fresh = [alert for alert in loud(firing, self.toasts) if _is_graver(alert, known)]
        if another:
            fresh = [alert for alert in fresh if not alert.is_of_range]
        for alert in fresh[:MOST]:
            severe = alert.severity == "critical"
            self.notify(
                clean(alert.message, LONGEST), title="Critical" if severe else "Warning",
                severity="error" if severe else "warning", markup=False,
            )  # fmt: skip
        if len(fresh) > MOST:
            text = f"{len(fresh) - MOST} more alerts: {self.key_of('alerts')} lists them."
            self.notify(text, severity="warning", markup=False)

    def action_toasts(self) -> None:
        """Mute warnings, then everything, then nothing."""
        self.toasts = LEVELS[(LEVELS.index(self.toasts) + 1) % len(LEVELS)]
        self.notify(SAID[self.toasts].format(alerts=self.key_of("alerts")), markup=False)
