"""One line about the reading itself: how fast, how far behind, what was refused, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from mlwatch.app.drawing import Piece, clean, line, progress_bar
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import counted, show_bytes, show_count, show_duration, show_rate

if TYPE_CHECKING:
    from textual.content import Content
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the line says."""

    rate: str
    lag: str
    files: int
    partitions: int
    unread: int
    """Messages of topics."""
    rows: int
    rejected: int
    duplicates: int
    bytes_done: int
    bytes_total: int
    eta: str
    backfilling: bool
    note: str
    glyphs: Glyphs


NARROW = 100
"""Cells below which a note shares the line of the figures."""


class FeedLine(Panel[FeedState]):
    """Show rows a second, lag, files, rejects and duplicates, and the progress while much is left to read."""

    can_focus = True
    HELP_TEXT = (
        "rows/s: records taken in. lag: from a record's own time to its arrival here. rejected: records that "
        "could not be read, kept with file, line and reason. "
        "duplicates: the same request id again, counted once."
    )

    def digest(self, view: View) -> FeedState:
        """Return how the ingest stands."""
        feed, ingest = view.snapshot.feed, view.snapshot.ingest
        return FeedState(
            rate=show_rate(feed.rows_per_s) if feed.rows_per_s else "0 /s",
            lag="" if feed.lag_s is None else show_duration(feed.lag_s),
            files=ingest.files,
            partitions=len(ingest.streams),
            unread=sum(one.lag for one in ingest.streams),
            rows=ingest.rows,
            rejected=ingest.rejected,
            duplicates=ingest.duplicates,
            bytes_done=feed.bytes_done,
            bytes_total=feed.bytes_total,
            eta="" if feed.eta_s is None else show_duration(feed.eta_s),
            backfilling=feed.backfilling,
            note=clean(feed.note or "", 200),
            glyphs=view.glyphs,
        )

    def lines(self, state: FeedState, size: Size) -> list[Content]:
        """Draw the line, and above it the progress or a note."""
        width = size.width
        drawn = [line(_progress(state, width), width, state.glyphs)] if state.backfilling else []
        if state.note and width >= NARROW:
            drawn.append(line([(f"{state.glyphs.warning} {state.note}", "$unclear")], width, state.glyphs))
        return [*drawn, line(_figures(state, width), width, state.glyphs)]


def _figures(state: FeedState, width: int) -> list[Piece]:
    dot: Piece = (state.glyphs.dot, "$quiet")
    pieces: list[Piece] = [("Feed  ", "bold $heading"), (state.rate.replace(" /", " rows/"), "")]
    if state.lag:
        pieces += [dot, (f"lag {state.lag}", "")]
    if width >= NARROW or not state.note:
        pieces += _places(state, dot)
    if width >= 76 and not (state.note and width < NARROW):
        pieces += [dot, (counted(state.rows, "row"), "$quiet")]
    pieces += [
        dot,
        (f"{show_count(state.rejected)} rejected", "bold $unclear" if state.rejected else "$quiet"),
    ]
    pieces += [dot, (counted(state.duplicates, "duplicate"), "$quiet")]
    if state.note and width < NARROW:
        pieces += [dot, (f"{state.glyphs.warning} {state.note}", "$unclear")]
    last = len(pieces)
    if not (state.note and width < NARROW):  # a note is rather cut than left out
        while last > 4 and sum(cell_len(text) for text, _ in pieces[:last]) > width:
            last -= 2
    return pieces[:last]


def _places(state: FeedState, dot: Piece) -> list[Piece]:
    """Say where records come from: files, or topics and how much of them is left to read."""
    pieces: list[Piece] = []
    if state.files or not state.partitions:
        pieces += [dot, (counted(state.files, "file"), "$quiet")]
    if state.partitions:
        pieces += [dot, (counted(state.partitions, "partition"), "$quiet")]
        pieces += [dot, (f"{show_count(state.unread)} unread", "$quiet")]
    return pieces


def _progress(state: FeedState, width: int) -> list[Piece]:
    share = state.bytes_done / state.bytes_total if state.bytes_total else 0.0
    amount = f" {100 * share:3.0f} %  {show_bytes(state.bytes_done)} of {show_bytes(state.bytes_total)}"
    left = f", {state.eta} left" if state.eta else ""
    text = amount + left if width >= 60 else f" {100 * share:3.0f} %{left}"
    title = "Reading the past  " if width >= 60 else ""
    bar = max(4, width - len(text) - len(title))
    return [(title, "bold $heading"), *progress_bar(share, bar, state.glyphs), (text, "$foreground")]
