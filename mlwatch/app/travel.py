"""Time travel: the whole app shows a moment of the past, step by step or played."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual.app import App

from mlwatch.app.keys import key_of

if TYPE_CHECKING:
    from textual.timer import Timer

    from mlwatch.app.feed import Request
    from mlwatch.app.options import AppOptions
    from mlwatch.app.view import Status, View

STEPS = 24
"""So many steps lead through the shown range, where each is as long as `LEAST_STEP`."""
LEAST_STEP = timedelta(minutes=1)
"""Requests are counted by the minute: a shorter step would show the same numbers again, or stay in the present."""
PLAYED = 60.0
"""Seconds of the past that pass in a second when nobody said how fast."""


def full_minute(moment: datetime) -> datetime:
    """Return the full minute that a moment is, or else the next: what was known is counted up to full minutes."""
    return moment + (-(moment - moment.min.replace(tzinfo=moment.tzinfo))) % timedelta(minutes=1)


class TimeTravel(App[None]):
    """The part of the app that chooses which moment is shown."""

    options: AppOptions
    refresh_s: float
    status: Status
    view: View | None
    _request: Request
    _asking: bool
    _newest: datetime | None = None
    """End of the data when they were last shown live."""
    _playing: Timer | None = None
    _replayed = False

    def key_of(self, action: str) -> str:
        """Return what texts call the key of an action."""
        return key_of(self.options.keys, action)

    def _ask(self, request: Request) -> None:
        raise NotImplementedError

    def _next(self) -> Request:
        """Return the last question once more, to be changed: an answer to the last is thrown away then."""
        return replace(self._request, serial=self._request.serial + 1)

    def _began(self) -> None:
        """Begin the replay that was asked for, once there is something to replay."""
        view = self.view
        if self.options.replay is None or self._replayed or view is None or view.model is None:
            return
        self._replayed = True
        first = self._first(self._newest or view.snapshot.generated_at)
        second = first + timedelta(seconds=self.options.replay * self.refresh_s)
        self.show_moment(max(second, full_minute(first + timedelta(microseconds=1))))
        self.action_play()

    def action_earlier(self) -> None:
        """Show the moment one step before."""
        self._step(-1)

    def action_later(self) -> None:
        """Show the moment one step after; behind the newest data it is live again."""
        self._step(1)

    def action_play(self) -> None:
        """Let the shown moment move on by itself, or stop."""
        if self._playing is not None:
            self._pause()
        elif self.status.moment is None:
            self.notify(f"This is the present; {self.key_of('earlier')} goes back in time.", markup=False)
        else:
            self._play()

    def _play(self) -> None:
        """Move on at the interval that is chosen."""
        if self._playing is not None:
            self._playing.stop()
        self._playing = self.set_interval(self.refresh_s, self._tick)
        self.status = replace(self.status, speed=self._speed())

    def go_live(self) -> None:
        """Show the present again."""
        self._pause()
        self.status = replace(self.status, frozen_at=None, moment=None)
        self._ask(replace(self._next(), at=None))

    def _speed(self) -> float:
        return self.options.replay or PLAYED

    def _pause(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._playing = None
        self.status = replace(self.status, speed=0.0)

    def _tick(self) -> None:
        if not self._asking and self.status.moment is not None:  # a slow answer slows the replay, not the app
            self.show_moment(self.status.moment + timedelta(seconds=self._speed() * self.refresh_s))

    def _step(self, direction: int) -> None:
        covered = self.view.snapshot.range if self.view is not None else None
        if covered is None:
            self.notify("There is nothing to go back to yet.", markup=False)
            return
        length = self.status.range.span or (self._newest or covered.end) - self._first(covered.start)
        moment = self.status.moment or self._request.at or full_minute(covered.end)
        moment += direction * max(length / STEPS, LEAST_STEP)
        if direction < 0 and moment < full_minute(self._first(covered.start) + timedelta(microseconds=1)):
            self.notify("The data begin here.", markup=False)
            return
        self.show_moment(moment)

    def _first(self, start: datetime) -> datetime:
        """Return when the data begin; `start` where nobody says so."""
        oldest = self.view.snapshot.oldest if self.view is not None else None
        return oldest or start

    def show_moment(self, moment: datetime) -> None:
        """Show what was known at a moment, in the whole app; behind the newest data it is live again."""
        if self._newest is not None and moment >= self._newest:
            self.go_live()
            return
        self.status = replace(self.status, moment=moment, frozen_at=None)
        self._ask(replace(self._next(), at=moment))
