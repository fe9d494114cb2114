"""Choosing the stretch of time that the whole app shows, and how often it looks for news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.app.ranges import EVERYTHING, Range, cycled, lasting, longer, shorter
from mlwatch.app.travel import TimeTravel, full_minute

if TYPE_CHECKING:
    from textual.timer import Timer

    from widgets.timeseries import TimeSeries

ZOOM = 2.0
"""How many times as long the range is one step of zoom further out."""
PAN = 0.5
"""Share of the range that one step of panning moves by."""
INTERVALS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Times between two looks at the data that the key steps through."""


class Ranging(TimeTravel):
    """The part of the app that chooses the range: by name, by zoom and pan, or as a chart shows it."""

    refresh_s: float
    """Seconds between two looks at the data."""
    _looking: Timer | None = None

    def look(self) -> None:
        """Ask the source for news."""
        raise NotImplementedError

    # --- named ranges --------------------------------------------------------------------------------------

    def action_cycle_range(self) -> None:
        """Show the next longer range, after the longest the shortest."""
        self._change_range(cycled(self.status.range))

    def action_longer_range(self) -> None:
        """Show a longer time range."""
        self._change_range(longer(self.status.range))

    def action_shorter_range(self) -> None:
        """Show a shorter time range."""
        self._change_range(shorter(self.status.range))

    def _change_range(self, chosen: Range) -> None:
        if chosen == self.status.range:
            return
        self.status = replace(self.status, range=chosen)
        self._ask(replace(self._next(), span=chosen.span))

    # --- any stretch ---------------------------------------------------------------------------------------

    def action_zoom_time(self, by: int) -> None:
        """Show half of the range, or twice of it, around the cursor of a chart; without one its end stays."""
        shown = self._stretch()
        if shown is None:
            self.notify(NO_TIME, markup=False)
            return
        start, end = shown
        around = min(max(self._pointed_at() or end, start), end)
        factor = ZOOM**-by
        length = max((end - start) * factor, lasting(timedelta()).span or timedelta())
        last = around + length * ((end - around) / (end - start))
        self.show_stretch(last - length, last)

    def action_pan_time(self, by: int) -> None:
        """Move the range by half of its length."""
        shown = self._stretch()
        if shown is None or self.status.range.span is None:
            text = f"All time is shown: {self.key_of('zoom_in')} zooms in."
            self.notify(NO_TIME if shown is None else text, markup=False)
            return
        start, end = shown
        step = by * PAN * (end - start)
        if by < 0:
            step = max(step, self._first(start) - start)
            if step >= timedelta():
                self.notify("The data begin here.", markup=False)
                return
        self.show_stretch(start + step, end + step, self.status.range)

    def show_stretch(self, start: datetime, end: datetime, chosen: Range | None = None) -> None:
        """Show a stretch of time in the whole app; one that reaches the newest data goes on with them.

        Args:
            start: Of the stretch; from the first data on everything is shown.
            end: Of the stretch.
            chosen: The range, where its length is known.
        """
        shown = self._stretch()
        newest = self._newest or (shown[1] if shown else end)
        first, last = self._first(start), full_minute(newest)
        if chosen is None:
            chosen = EVERYTHING if start <= first else lasting(min(end, last) - start)
        if end >= newest and self.status.frozen_at is None:
            self._pause()
            self.status = replace(self.status, range=chosen, moment=None)
            self._ask(replace(self._next(), span=chosen.span, at=None))
        elif end == self._request.at:  # a frozen picture stays where it is
            self._change_range(chosen)
        else:
            moment = min(end, last)
            self.status = replace(self.status, range=chosen, moment=moment, frozen_at=None)
            self._ask(replace(self._next(), span=chosen.span, at=moment))

    def _stretch(self) -> tuple[datetime, datetime] | None:
        """Return what is shown, or asked for already; None before there is anything."""
        covered = self.view.snapshot.range if self.view is not None else None
        if covered is None:
            return None
        end = self.status.moment or self._request.at or full_minute(covered.end)
        span = self.status.range.span
        start = covered.start if span is None else end - span
        return (start, end) if start < end else None

    def _pointed_at(self) -> datetime | None:
        """Return the time of the charts' cursor."""
        from widgets.timeseries import TimeSeries  # noqa: PLC0415 - pulls NumPy, not for the first paint

        cursors = (chart.cursor for chart in self.screen.walk_children(TimeSeries))
        at = next((cursor for cursor in cursors if cursor is not None), None)
        return None if at is None else datetime.fromtimestamp(at, UTC)

    def on_time_series_stretch_chosen(self, message: TimeSeries.StretchChosen) -> None:
        """Let the whole app show what was marked in a chart."""
        message.stop()
        start, end = (datetime.fromtimestamp(at, UTC) for at in (message.start, message.end))
        shown = self._stretch()
        if message.to_end and shown is not None:
            end = max(end, shown[1])  # a chart ends in the middle of its last step
        message.chart.show_span(None)
        self.show_stretch(start, end)

    def on_time_series_moment_chosen(self, message: TimeSeries.MomentChosen) -> None:
        """Let the whole app show the moment under a chart's cursor."""
        message.stop()
        self.show_moment(datetime.fromtimestamp(round(message.at), UTC))

    # --- how often -----------------------------------------------------------------------------------------

    def action_refresh(self) -> None:
        """Look for news less often, after the longest interval the most often."""
        self.refresh_s = next((one for one in INTERVALS_S if one > self.refresh_s), INTERVALS_S[0])
        self.status = replace(self.status, refresh_s=self.refresh_s)
        self.notify(f"Looks for news every {self.refresh_s:g} s.", markup=False)
        if self._looking is not None:
            self._look_every()
        if self._playing is not None:
            self._play()

    def _look_every(self) -> None:
        """Look at the interval that is chosen."""
        if self._looking is not None:
            self._looking.stop()
        self._looking = self.set_interval(self.refresh_s, self.look)


NO_TIME = "There is no time range to choose from yet."
