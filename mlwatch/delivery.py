"""Deliver messages to one address: not too many a minute, and again where it took none, after pauses that grow.

An address that took no message hears later of what still stands. It is not told of what was over before it heard of it,
nor of the end of that.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mlwatch.config import NotifySettings

WAITING = 50
"""Messages that may wait for an address; further ones are counted and told of in one."""
MINUTE = 60.0
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0
"""Pauses double up to this: an address that has several receivers may fail for one, and the others are told again."""

Subject = tuple[str, str, str]
"""Rule of an alert, what it is about, and its severity."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told."""

    title: str
    body: str
    severity: str
    """`critical`, `warning`, `info`, or `success` for what is over."""
    alert: Subject | None = None
    """What began or is over; None for a message about messages."""

    @property
    def ends(self) -> bool:
        """Tell whether it says that something is over."""
        return self.severity == "success"


class Delivery:
    """Send messages to one address, from a thread of its own.

    Args:
        deliver: Sends a message, and tells whether the address took it.
        settings: Limits, and whether the address hears of what is over.
        heard: Is told that the address takes no messages, and that it takes them again; called in the thread.
        undelivered: What an earlier run could not deliver.
    """

    def __init__(
        self,
        deliver: Callable[[Message], bool],
        settings: NotifySettings,
        heard: Callable[[bool], None],
        undelivered: Sequence[Message] = (),
    ) -> None:
        self._deliver, self._settings, self._heard = deliver, settings, heard
        self._fresh: list[Message] = []
        self._late = list(undelivered)
        """What waits for the address to take messages again; it is not held back."""
        self._on_its_way: Message | None = None
        self._silenced: Collection[Subject] = ()
        self.held = 0
        """Messages that were held back, and not yet told of."""
        self._sent: list[float] = []
        self._takes: bool | None = None if undelivered else True
        """None where that is not known of an earlier run."""
        self._pause_s = FIRST_PAUSE_S if undelivered else 0.0
        self._again = 0.0
        """When the address is tried next; in seconds, as those of what was sent."""
        self._ending = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def take(self, messages: Iterable[Message], silenced: Collection[Subject]) -> None:
        """Send messages in their turn; returns at once.

        Args:
            messages: What is new.
            silenced: Alerts that are muted or acknowledged now: what waits about them waits on.
        """
        with self._changed:
            self._silenced = silenced
            for message in messages:
                self._put(message)
                self._again = min(self._again, time.monotonic() + FIRST_PAUSE_S)
            if self._thread is None and (self._fresh or self._late):
                self._thread = threading.Thread(target=self._work, name="mlwatch-notify", daemon=True)
                self._thread.start()
            self._changed.notify()

    def undelivered(self) -> list[Message]:
        """Return what the address has not taken yet."""
        with self._changed:
            moving = [self._on_its_way] if self._on_its_way is not None else []
            return [*moving, *self._late, *self._fresh]

    def end(self) -> None:
        """Try nothing again from now on."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, timeout: float) -> None:
        """Wait for what is sent still, up to a time in seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _put(self, message: Message) -> None:
        if self._withdraw_opposite(message) or (message.ends and not self._settings.resolved):
            return
        if len(self._late) + len(self._fresh) >= WAITING:
            self.held += 1
        else:
            (self._late if self._pause_s else self._fresh).append(message)

    def _withdraw_opposite(self, message: Message) -> bool:
        """Take back that an alert began where it is over now, or the reverse; tell whether there was such a message."""
        if message.alert is not None:
            for waiting in (self._late, self._fresh):
                for other in waiting:
                    if other.alert == message.alert and other.ends != message.ends:
                        waiting.remove(other)
                        return True
        return False

    def _work(self) -> None:
        while (message := self._next()) is not None:
            took = self._deliver(message)
            with self._changed:
                self._on_its_way = None
                if took:
                    self._sent.append(time.monotonic())
                    self._pause_s, self._again = 0.0, 0.0
                else:
                    self._wait_for_address(message)
            if took is not self._takes:
                self._takes = took
                self._heard(took)

    def _wait_for_address(self, message: Message) -> None:
        """Let everything wait; what was not taken goes last, as it may be that very message that cannot be taken."""
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) or FIRST_PAUSE_S
        self._again = time.monotonic() + self._pause_s
        self._late += self._fresh
        self._fresh.clear()
        self._put(message)

    def _next(self) -> Message | None:
        """Wait until a message may be sent, and take it from those that wait; None at the end."""
        with self._changed:
            while True:
                now = time.monotonic()
                self._sent = [at for at in self._sent if now - at < MINUTE]
                room = len(self._sent) < self._settings.most_per_minute
                if not room:
                    self.held += len(self._fresh)
                    self._fresh.clear()
                loud = [message for message in (*self._late, *self._fresh) if self._is_loud(message)]
                found = self._due(loud, now, room=room)
                if found is not None or self._ending:
                    self._on_its_way = found
                    return found
                self._changed.wait(self._wait_s(loud, now, room=room))

    def _is_loud(self, message: Message) -> bool:
        return message.ends or message.alert not in self._silenced

    def _due(self, loud: Sequence[Message], now: float, *, room: bool) -> Message | None:
        if loud and room and now >= self._again:
            (self._late if loud[0] in self._late else self._fresh).remove(loud[0])
            return loud[0]
        if self.held and not loud and (room or self._ending):
            count, self.held = self.held, 0
            return Message("mlwatch: more alerts", f"{count} more messages were held back", "warning")
        return None

    def _wait_s(self, loud: Sequence[Message], now: float, *, room: bool) -> float | None:
        """Return after how many seconds there may be something to send, without any news; None for never."""
        if not loud and not self.held:
            return None
        until_room = 0.0 if room else min(self._sent, default=now) + MINUTE - now
        return max(until_room, self._again - now if loud else 0.0, 0.01)
