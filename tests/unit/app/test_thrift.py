"""What is sent to the terminal: less than everything, and never a wrong picture."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from mlwatch.app.thrift import Difference, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
WIDTH, HEIGHT = 12, 3
CONSOLE = Console(color_system="truecolor", force_terminal=True)
STYLES = [Style(color="red"), Style(bgcolor="blue"), Style(bold=True, color="#123456"), Style()]

strips = st.lists(st.tuples(st.sampled_from("ab │漢"), st.sampled_from(STYLES)), min_size=WIDTH, max_size=WIDTH).map(
    lambda cells: Strip([Segment(text, style) for text, style in cells]).simplify().crop(0, WIDTH)
)  # fmt: skip
pictures = st.lists(strips, min_size=HEIGHT, max_size=HEIGHT)
cuts = st.lists(st.integers(1, WIDTH - 1), max_size=2, unique=True).map(sorted)


@st.composite
def updates(draw: st.DrawFn) -> CompositorUpdate:
    """A repaint of everything, or of some rows cut into pieces, as Textual makes them."""
    picture = draw(pictures)
    if draw(st.booleans()):
        return LayoutUpdate([iter([strip]) for strip in picture], Region(0, 0, WIDTH, HEIGHT))
    edges = [0, *draw(cuts), WIDTH]
    chops = [dict(zip(edges[:-1], strip.divide(edges[1:]), strict=True)) for strip in picture]
    spans = [
        (y, draw(st.sampled_from(edges[:-1])), WIDTH) for y in range(HEIGHT) if y == 0 or draw(st.booleans())
    ]
    return ChopsUpdate(chops, spans, [edges[1:]] * HEIGHT)


class Screen:
    """A terminal that is fed escape sequences."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._screen.reset_mode(pyte.modes.DECAWM)  # as Textual does
        self._stream = pyte.Stream(self._screen)

    def feed(self, text: str) -> None:
        self._stream.feed(text)

    def cells(self) -> list[list[tuple[object, ...]]]:
        rows = self._screen.buffer
        return [[tuple(rows[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]


def once(update: CompositorUpdate) -> CompositorUpdate:
    """Return an update that can be drawn twice."""
    if isinstance(update, LayoutUpdate):
        update.strips = [list(row) for row in update.strips]
    return update


@pytest.mark.deep
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(updates(), min_size=2, max_size=6))
def test_the_picture_is_that_of_a_full_repaint(sequence: Sequence[CompositorUpdate]) -> None:
    whole, sparing, shown = Screen(), Screen(), Shown()
    for update in map(once, sequence):
        whole.feed(update.render_segments(CONSOLE))
        sparing.feed(Difference(update, shown).render_segments(CONSOLE))
        assert sparing.cells() == whole.cells()


def test_what_is_shown_already_is_not_sent() -> None:
    red, blue = STYLES[:2]
    rows = [[Strip([Segment("accuracy ", red), Segment(value, blue)])] for value in ("0.9", "0.8")]
    shown = Shown()
    first, second = (LayoutUpdate([iter(row)], Region(0, 0, WIDTH, 1)) for row in rows)
    assert "accuracy" in Difference(first, shown).render_segments(CONSOLE)
    sent = Difference(second, shown).render_segments(CONSOLE)
    assert sent == "\x1b[1;10H\x1b[44m0.8\x1b[0m"
    again = LayoutUpdate([iter(rows[1])], Region(0, 0, WIDTH, 1))
    assert Difference(again, shown).render_segments(CONSOLE) == ""


def test_what_changed_is_not_cut() -> None:
    """Of each text that is cut rich remembers both halves, of the last 16,384: the app would grow for hours."""
    red, blue = STYLES[:2]
    first, second = (
        Strip([Segment("rows ", red), Segment(rows, blue), Segment(" · lag ", red), Segment(lag, blue)])
        for rows, lag in (("1,000", "2 s"), ("1,200", "3 s"))
    )
    shown = Shown()
    assert list(shown.news((0, 0, first))) == [(0, 0, first)]
    told = [(x, list(strip), strip.cell_length) for x, _, strip in shown.news((0, 0, second))]
    rows, lag = list(second)[1::2]
    assert told == [(5, [rows], 5), (17, [lag], 3)]
    assert told[0][1][0] is rows
    assert told[1][1][0] is lag


@pytest.mark.slow
def test_a_terminal_behind_a_slow_line_gets_less_than_it_can_carry(tmp_path: Path) -> None:
    """A screen that refreshes each second sends less than the 40 kB that a slow line carries in it."""
    log = tmp_path / "log.jsonl"

    def record(number: int) -> str:
        return (
            f'{{"ts": {1_773_446_400 + number}, "id": "{number}", "version": "v{number % 2}", '
            f'"prediction": {number % 2}, "score": {number % 97 / 97}, "latency_ms": {number % 53}}}\n'
        )

    log.write_text("".join(record(number) for number in range(500)))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        sizes = {"COLUMNS", "LINES"}  # would hide the terminal's own
        environment = {name: value for name, value in os.environ.items() if name not in sizes}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        command = [sys.executable, "-m", "mlwatch", str(tmp_path), "--db", ":memory:"]
        os.execve(sys.executable, command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    screen = pyte.Screen(120, 40)
    stream = pyte.ByteStream(screen)
    sent: list[int] = []
    try:
        rows, deadline = 500, time.monotonic() + 60
        while len(sent) < 5:
            assert time.monotonic() < deadline, "\n".join(screen.display)
            counted, until = 0, f" {rows:,} rows "
            while until not in " ".join(screen.display):
                assert time.monotonic() < deadline, "\n".join(screen.display)
                if select.select([terminal], [], [], 0.2)[0]:
                    data = os.read(terminal, 65_536)
                    counted += len(data)
                    stream.feed(data)
            sent.append(counted)
            with log.open("a") as file:
                file.write("".join(record(number) for number in range(rows, rows + 50)))
            rows += 50
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)
        os.close(terminal)
    assert "Accuracy" in "\n".join(screen.display)
    assert max(sent[1:]) < 20_000
