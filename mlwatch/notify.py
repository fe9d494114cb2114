"""Tell people of alerts through Apprise: once when one fires, once when it gets worse and once when it is over.

Nobody is held up by that. What was told is kept in the store, so that a restart repeats nothing, and so is what an
address has not taken yet. Addresses are secrets: they are neither shown nor logged, and may stand in the environment.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.asking import meta_value
from mlwatch.delivery import Delivery, Message
from mlwatch.errors import ConfigError, one_line
from mlwatch.severities import RANKS, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import NotifySettings
    from mlwatch.delivery import Subject
    from mlwatch.snapshot.types import Alert

LONGEST = 1_000
MARK = ": "
"""Stands in the store between the severity that was told and the message."""
OVER = "this is over: "
"""Stands before what was told, where nothing says it in words of its end."""
UNDELIVERED = "undelivered messages"
"""Key of the table `meta` that says what addresses have not taken yet."""
TROUBLE = "[notify] urls: "
"""What a warning about an address begins with."""

Key = tuple[str, str]
"""Rule, and what it is about."""
Undelivered = dict[int, list[Message]]
"""What addresses have not taken yet, by their number: an address itself is a secret."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What people were told, and not yet that it is over."""

    key: Key
    stored: str
    """As the store has it."""
    severity: str
    """Empty where it was told before severities were kept: then nothing is graver, and nothing less grave."""
    message: str


def news(connection: DuckDBPyConnection, alerts: Sequence[Alert], settings: NotifySettings) -> list[Message]:
    """Remember what is told, and return what is to be told now; what is over too where nobody wants to hear of that.

    Args:
        connection: A cursor of this thread; no other thread may remember.
        alerts: Those of the newest data, all of them, with what was said about them.
        settings: Of the configuration.
    """
    told = _told(connection)
    gravest = sorted(alerts, key=lambda alert: rank(alert.severity))  # first, if some are held back
    firing: dict[Key, Alert] = {}
    for alert in gravest:
        if alert.state == "firing":
            firing.setdefault(alert.key, alert)
    over = [one for one in told if _is_over(one, firing)]
    ended = sorted((alert for alert in alerts if alert.state == "resolved"), key=lambda alert: alert.since)
    endings = {alert.key: alert.message for alert in ended}  # of several the last one's
    standing = {(one.key, one.severity) for one in told if one not in over}
    messages = []
    for key, alert in firing.items():
        silent = alert.silence is not None or alert.severity not in settings.severities
        if silent or {(key, alert.severity), (key, "")} & standing:
            continue
        stored = f"{alert.severity}{MARK}{alert.message[:LONGEST]}"
        connection.execute("INSERT INTO told VALUES (?, ?, ?)", [*key, stored])
        subject = (*key, alert.severity)
        messages.append(Message(f"mlwatch: {alert.severity}", alert.message, alert.severity, subject))
    for one in over:
        connection.execute(
            "DELETE FROM told WHERE rule = ? AND about = ? AND message = ?", [*one.key, one.stored]
        )
        ending = endings.get(one.key, one.message)[:LONGEST]
        body = ending if ending != one.message else f"{OVER}{ending}"  # what was told speaks of the present
        messages.append(Message("mlwatch: resolved", body, "success", (*one.key, one.severity)))
    return messages


def silenced(alerts: Sequence[Alert]) -> set[Subject]:
    """Return what fires and is muted or acknowledged."""
    quiet = (alert for alert in alerts if alert.state == "firing" and alert.silence is not None)
    return {(*alert.key, alert.severity) for alert in quiet}


def remember(connection: DuckDBPyConnection, undelivered: Undelivered) -> None:
    """Keep what addresses have not taken yet, in the place of what was kept."""
    kept = {number: [astuple(message) for message in messages] for number, messages in undelivered.items()}
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [UNDELIVERED, json.dumps(kept)])


def remembered(connection: DuckDBPyConnection) -> Undelivered:
    """Return what is kept."""
    kept = json.loads(meta_value(connection, UNDELIVERED) or "{}")
    return {
        int(number): [
            Message(title, body, severity, tuple(alert) if alert else None)
            for title, body, severity, alert in messages
        ]
        for number, messages in kept.items()
    }


def topic_of(number: int) -> str:
    """Return what notices about an address go by."""
    return f"notify address {number}"


def _told(connection: DuckDBPyConnection) -> list[_Told]:
    """Return what was told, and not yet that it is over."""
    found = []
    for rule, about, stored in connection.execute("SELECT rule, about, message FROM told").fetchall():
        severity, mark, message = stored.partition(MARK)
        known = bool(mark) and severity in RANKS
        found.append(_Told((rule, about), stored, *((severity, message) if known else ("", stored))))
    return found


def _is_over(one: _Told, firing: Mapping[Key, Alert]) -> bool:
    """Tell whether nothing as grave as what was told fires any more.

    While an endpoint is down, nobody knows how its clock, its golden answers or the like are: that is not over.
    """
    from mlwatch.snapshot.health_alerts import ENDPOINT  # noqa: PLC0415  not before there is something to tell

    alert = firing.get(one.key)
    rule, about = one.key
    down = firing.get((rule, "")) if about and rule.startswith(ENDPOINT) else None
    if alert is None and down is not None and down.severity == "critical":
        return False
    return alert is None or (bool(one.severity) and rank(alert.severity) > rank(one.severity))


class Notifier:
    """Send messages to every address, from threads of their own.

    Args:
        settings: Addresses and limits.
        say: Takes severity, topic and sentence of what came of it; called in those threads.
        undelivered: What an earlier run could not deliver.

    Raises:
        ConfigError: when the extra is not installed, or an address refers to nothing or is none.
    """

    def __init__(
        self,
        settings: NotifySettings,
        say: Callable[[str, str, str], None],
        undelivered: Undelivered | None = None,
    ) -> None:
        self._settings = settings
        self._say = say
        targets = [None] if settings.dry_run else _targets(settings.urls)
        self._deliveries = {
            number: self._delivery(number, target, (undelivered or {}).get(number, ()))
            for number, target in enumerate(targets, 1)
        }

    def send(self, messages: Sequence[Message], silenced: Collection[Subject] = ()) -> None:
        """Send messages in their turn; returns at once.

        Args:
            messages: What is new.
            silenced: What is muted or acknowledged now.
        """
        for number, delivery in self._deliveries.items():
            own = f"ingest: {topic_of(number)}"  # that it took nothing is no news to the address itself
            delivery.take([each for each in messages if not each.alert or each.alert[0] != own], silenced)

    def undelivered(self) -> Undelivered:
        """Return what addresses have not taken yet; nothing of those that took everything."""
        waiting = ((number, delivery.undelivered()) for number, delivery in self._deliveries.items())
        return {number: messages for number, messages in waiting if messages}

    def stop(self, timeout: float = 5.0) -> None:
        """Let the messages that are on their way arrive, up to a time in seconds."""
        deadline = time.monotonic() + timeout
        for delivery in self._deliveries.values():
            delivery.end()
        for delivery in self._deliveries.values():
            delivery.join(max(0.0, deadline - time.monotonic()))

    def _delivery(self, number: int, target: Any, undelivered: Sequence[Message]) -> Delivery:
        def deliver(message: Message) -> bool:
            return self._only_say(message) if target is None else _notify(target, message)

        def hear(takes: bool) -> None:
            severity, what = ("info", "takes messages again") if takes else ("warning", "took no message")
            self._say(severity, topic_of(number), f"{TROUBLE}address {number} {what}")

        return Delivery(deliver, self._settings, hear, undelivered)

    def _only_say(self, message: Message) -> bool:
        self._say("info", "notify", f"would tell: {one_line(message.body)}")
        return True


def _notify(target: Any, message: Message) -> bool:
    import apprise  # noqa: PLC0415  optional, and slow to import

    kinds = {
        "critical": apprise.NotifyType.FAILURE,
        "warning": apprise.NotifyType.WARNING,
        "success": apprise.NotifyType.SUCCESS,
    }
    kind = kinds.get(message.severity, apprise.NotifyType.INFO)
    try:
        return bool(target.notify(title=message.title, body=one_line(message.body), notify_type=kind))
    except Exception:  # noqa: BLE001  whatever a plug-in raises may name the address
        return False


def _targets(urls: Sequence[str]) -> list[Any]:
    try:
        import apprise  # noqa: PLC0415
    except ModuleNotFoundError:
        todo = "pip install 'mlwatch[notify]', or leave [notify] out"
        raise ConfigError("telling people needs Apprise", "[notify] urls", todo) from None
    targets = []
    for number, url in enumerate(urls, 1):
        target = apprise.Apprise()
        if not target.add(_address(url, number)):
            todo = "write it as Apprise does, such as slack://… or mailto://…"
            raise ConfigError(f"address {number} is none", "[notify] urls", todo)
        targets.append(target)
    return targets


def _address(url: str, number: int) -> str:
    kind, colon, name = url.partition(":")
    if not colon or kind != "env":
        return url
    found = os.environ.get(name)
    if not found:
        raise ConfigError(f"address {number} refers to nothing", "[notify] urls", f"set the variable {name}")
    return found
