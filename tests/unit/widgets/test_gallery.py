"""The gallery shows every widget on every kind of screen."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from widgets.gallery import Gallery

TABS = {"f1": "numbers", "f2": "time", "f3": "distributions", "f4": "comparisons"}


def lines(app: Gallery) -> list[str]:
    strips: Any = app.screen._compositor.render_strips()
    return ["".join(part.text for part in strip).rstrip() for strip in strips]


@pytest.mark.usual(1)
@pytest.mark.parametrize(("size", "plainly"), [((120, 40), False), ((80, 24), True)])
async def test_tabs(check_picture: Any, size: tuple[int, int], plainly: bool) -> None:
    app = Gallery(still=True, ascii_only=plainly)
    async with app.run_test(size=size) as pilot:
        for key, name in TABS.items():
            await pilot.press(key)
            await pilot.pause()
            drawn = lines(app)[2:-1]  # without the tabs and the footer, which are Textual's
            check_picture(f"gallery-{name}-{size[0]}x{size[1]}", drawn)


async def test_moves_and_holds() -> None:
    app = Gallery(still=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        before = lines(app)[2:]  # the mark below the tabs moves by itself
        app._tick()
        await pilot.pause()
        assert lines(app)[2:] == before
        await pilot.press("space")
        app._tick()
        await pilot.pause()
        assert lines(app)[2:] != before
        await pilot.press("f2", "m", "t")
        await pilot.pause()
        assert "⠀" < max("".join(lines(app))) <= "⣿"  # braille now


def test_help_of_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "widgets", "--help"], capture_output=True, text=True, check=True
    )
    assert "--ascii" in done.stdout
