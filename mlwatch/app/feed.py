"""Where the app gets its snapshots from, and when it asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from mlwatch.choice import USUAL, Choice

if TYPE_CHECKING:
    from mlwatch.records.desk import Desk
    from mlwatch.silences import Word
    from mlwatch.snapshot.types import Alert, Snapshot


class Source(Protocol):
    """Something that ingests in threads of its own and answers with snapshots."""

    title: str
    """What is watched, in a word: the directory's name."""

    def start(self) -> None:
        """Begin to ingest in threads of its own."""

    def stop(self) -> None:
        """End those threads and close what they hold."""

    @property
    def generation(self) -> int:
        """A number that grows when there is something new to show; cheap to read."""

    @property
    def desk(self) -> Desk | None:
        """Where raw rows are asked for; None while there is no store."""

    def silence(self, alert: Alert, word: Word, length: timedelta | None = None) -> None:
        """Mute or acknowledge an alert, or take that back; blocks, and may be called from any thread."""

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Return by model and version how far all features together moved; blocks for seconds.

        Args:
            span: Length of the time range; None takes everything.
            at: End of the range; None takes the newest data.
        """

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Return what to show; blocks, and may be called from any thread.

        Args:
            span: Length of the time range; None takes everything.
            at: End of the range; None takes the newest data.
            choice: Versions to compare, and records to look at.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the source; an answer to an older one is thrown away."""

    serial: int = 0
    span: timedelta | None = None
    at: datetime | None = None
    choice: Choice = USUAL


class Schedule:
    """Decide when the source is worth asking."""

    def __init__(self, every_s: float) -> None:
        self._every = timedelta(seconds=every_s)
        self._generation: int | None = None
        self._asked: Request | None = None
        self._asked_at: datetime | None = None

    def due(self, request: Request, generation: int, now: datetime) -> bool:
        """Tell whether the answer to `request` may differ from what was asked for last."""
        if request != self._asked or self._asked_at is None:
            return True
        if request.at is not None:
            return False
        return generation != self._generation or not timedelta() <= now - self._asked_at < self._every

    def asked(self, request: Request, generation: int, now: datetime) -> None:
        """Remember what was asked, and what the source's generation was just before."""
        self._asked, self._generation, self._asked_at = request, generation, now

    def failed(self) -> None:
        """Forget the last question, so that the next look asks again."""
        self._generation = None


class Stopped:
    """What stands in for a source that was stopped, so that nothing holds it any more."""

    generation = 0
    desk = None

    def __init__(self, title: str) -> None:
        self.title = title

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Refuse."""
        raise RuntimeError(f"{self.title} is no longer watched ({span}, {at})")

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Refuse."""
        raise RuntimeError(f"{self.title} is no longer watched ({span}, {at}, {choice})")

    def silence(self, alert: Alert, word: Word, length: timedelta | None = None) -> None:
        """Refuse."""
        raise RuntimeError(f"{self.title} is no longer watched ({alert.rule}, {word}, {length})")
