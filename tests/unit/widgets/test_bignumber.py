"""One number, large: what it shows at which size."""

from __future__ import annotations

from typing import Any

import pytest

from widgets.bignumber import BigNumber, Delta, Figure, big_digits, draw_figure
from widgets.drawn import plain

FIGURE = Figure(
    "Latency p95",
    "177",
    "ms",
    "95 % interval 168 to 186 ms",
    Delta("+55 ms", "up", "bad"),
    (1.0, 2.0, None, 4.0),
)


def test_four_lines() -> None:
    assert plain(draw_figure(FIGURE, 30, 4)) == (
        "Latency p95\n177 ms  ▲ +55 ms worse\n95 % interval 168 to 186 ms\n" + " " * 26 + "▁▃ █"
    )


def test_six_lines_draw_large_digits() -> None:
    assert plain(draw_figure(FIGURE, 30, 6)).splitlines()[:5] == [
        "Latency p95",
        "╺┓ ╺━┓╺━┓",
        " ┃   ┃  ┃",
        "╺┻╸  ╹  ╹ ms",
        "▲ +55 ms worse",
    ]


def test_a_prefix_stands_with_the_unit() -> None:
    assert plain(draw_figure(Figure("Requests", "12 k", "/min"), 30, 6)).splitlines()[3] == "╺┻╸┗━╸ k /min"


def test_one_line() -> None:
    assert plain(draw_figure(FIGURE, 34, 1)) == "Latency p95 177 ms  ▲ +55 ms worse"
    assert plain(draw_figure(FIGURE, 20, 1)) == "Latency p… 177 ms  ▲"
    assert plain(draw_figure(FIGURE, 5, 1)) == "177…"


@pytest.mark.parametrize(
    ("room", "change"), [(22, "  ▲ +55 ms worse"), (16, "  ▲ +55 ms"), (10, "  ▲"), (8, "")]
)
def test_words_go_before_the_arrow(room: int, change: str) -> None:
    assert plain(draw_figure(FIGURE, room, 3)).splitlines()[1] == "177 ms" + change


def test_colour_is_not_the_only_sign_of_good_and_bad() -> None:
    better = Figure("x", "1", delta=Delta("−1", "down", "good"))
    assert draw_figure(better, 40, 3)[1][1] == ("  ▼ −1 better", "good")
    assert plain(draw_figure(better, 40, 3, ascii_only=True)).splitlines()[1] == "1  v -1 better"


def test_empty_and_hostile() -> None:
    assert draw_figure(FIGURE, 0, 3) == []
    assert plain(draw_figure(Figure("a\x1b[2Jb\n"), 20, 4)) == "ab\nn/a"
    assert all(len(line) <= 1 for line in plain(draw_figure(FIGURE, 1, 9)).splitlines())


def test_big_digits_leave_other_characters_on_the_last_line() -> None:
    assert big_digits("1.5") == ["╺┓  ┏━╸", " ┃  ┗━┓", "╺┻╸.╺━┛"]


async def test_widget_updates(stage: Any) -> None:
    number = BigNumber(FIGURE)
    async with stage(number).run_test(size=(40, 6)) as pilot:
        assert pilot.app.lines()[1] == "177 ms  ▲ +55 ms worse"
        strips = number._strips
        number.update(FIGURE)
        assert number._strips is strips
        number.update(Figure("Latency p95", "90", "ms"))
        await pilot.pause()
        assert pilot.app.lines()[1] == "90 ms"
