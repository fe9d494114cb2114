"""Tell people of alerts through Apprise: once when one fires, once when it gets worse and once when it is over.

Nobody is held up by that. What was told is kept in the store, so that a restart repeats nothing. Addresses are secrets:
they are neither shown nor logged, and may stand in the environment.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.errors import ConfigError, one_line
from mlwatch.severities import RANKS, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import NotifySettings
    from mlwatch.snapshot.types import Alert

WAITING = 50
"""Messages that may wait; further ones are counted and told of in one."""
MINUTE = 60.0
LONGEST = 1_000
MARK = ": "
"""Stands in the store between the severity that was told and the message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told."""

    title: str
    body: str
    severity: str
    """`critical`, `warning`, `info`, or `success` for what is over."""


Key = tuple[str, str]
"""Rule, and what it is about."""


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
    """Remember what is told, and return what is to be told now.

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
    standing = {(one.key, one.severity) for one in told if one not in over}
    messages = []
    for key, alert in firing.items():
        silent = alert.silence is not None or alert.severity not in settings.severities
        if silent or {(key, alert.severity), (key, "")} & standing:
            continue
        stored = f"{alert.severity}{MARK}{alert.message[:LONGEST]}"
        connection.execute("INSERT INTO told VALUES (?, ?, ?)", [*key, stored])
        messages.append(Message(f"mlwatch: {alert.severity}", alert.message, alert.severity))
    for one in over:
        connection.execute(
            "DELETE FROM told WHERE rule = ? AND about = ? AND message = ?", [*one.key, one.stored]
        )
        if settings.resolved:
            messages.append(Message("mlwatch: resolved", one.message, "success"))
    return messages


def _told(connection: DuckDBPyConnection) -> list[_Told]:
    """Return what was told, and not yet that it is over."""
    found = []
    for rule, about, stored in connection.execute("SELECT rule, about, message FROM told").fetchall():
        severity, mark, message = stored.partition(MARK)
        known = bool(mark) and severity in RANKS
        found.append(_Told((rule, about), stored, *((severity, message) if known else ("", stored))))
    return found


def _is_over(one: _Told, firing: Mapping[Key, Alert]) -> bool:
    """Tell whether nothing as grave as what was told fires any more."""
    alert = firing.get(one.key)
    return alert is None or (bool(one.severity) and rank(alert.severity) > rank(one.severity))


class Notifier:
    """Send messages from a thread of its own, no more than so many a minute.

    Args:
        settings: Addresses and limits.
        say: Takes severity, topic and sentence of what came of it; called in the notifier's thread.

    Raises:
        ConfigError: when the extra is not installed, or an address refers to nothing or is none.
    """

    def __init__(self, settings: NotifySettings, say: Callable[[str, str, str], None]) -> None:
        self._settings = settings
        self._say = say
        self._targets = [] if settings.dry_run else _targets(settings.urls)
        self._waiting: queue.Queue[Message] = queue.Queue(WAITING)
        self._held = 0
        self._sent: list[float] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlwatch-notify", daemon=True)
        self._thread.start()

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages in their turn; returns at once."""
        for message in messages:
            try:
                self._waiting.put_nowait(message)
            except queue.Full:
                self._held += 1

    def stop(self, timeout: float = 5.0) -> None:
        """Let the message that is on its way arrive, up to a time in seconds."""
        self._ending.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        while not self._ending.is_set() or not self._waiting.empty():
            try:
                message = self._waiting.get(timeout=0.2)
            except queue.Empty:
                self._tell_held()
                continue
            if self._may_send():
                self._deliver(message)
            else:
                self._held += 1
        self._tell_held(last=True)

    def _may_send(self) -> bool:
        now = time.monotonic()
        self._sent = [at for at in self._sent if now - at < MINUTE]
        return len(self._sent) < self._settings.most_per_minute

    def _tell_held(self, *, last: bool = False) -> None:
        """Tell how many messages were held back, once there is room again, or at the last moment."""
        if self._held and (last or self._may_send()):
            count, self._held = self._held, 0
            self._deliver(Message("mlwatch: more alerts", f"{count} more messages were held back", "warning"))

    def _deliver(self, message: Message) -> None:
        self._sent.append(time.monotonic())
        if self._settings.dry_run:
            self._say("info", "notify", f"would tell: {one_line(message.body)}")
            return
        for number, target in enumerate(self._targets, 1):
            if not _notify(target, message):
                self._say("warning", "notify", f"[notify] urls: address {number} took no message")


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
