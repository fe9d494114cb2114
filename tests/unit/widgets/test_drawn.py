"""The base of the widgets, and what they import."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from widgets.drawn import Drawn, Picture
from widgets.palette import (
    HEAT,
    HEAT_ON_DARK,
    HEAT_ON_LIGHT,
    ON_DARK,
    SERIES_ON_DARK,
    SERIES_ON_LIGHT,
    series_style,
)


class Sample(Drawn):
    drawings = 0

    def draw(self, width: int, height: int) -> Picture:
        self.drawings += 1
        return [[("a", "series-1"), ("b", "bold $error"), ("c\x1b[2J", "bad row")], [("x" * 99, "")]]


def pieces(sample: Sample) -> list[Any]:
    return list(sample.render_line(0))[:3]


async def test_styles_of_pieces(stage: Any) -> None:
    sample = Sample()
    app = stage(sample)
    async with app.run_test(size=(10, 4)) as pilot:
        first, second, third = pieces(sample)
        assert first.style.color.triplet.hex == SERIES_ON_DARK[0]
        assert second.style.bold
        assert second.style.color.triplet.hex == app.theme_variables["error"].lower()
        assert third.style.bgcolor != sample.style_of("").bgcolor
        app.theme = "textual-light"
        await pilot.pause()
        assert pieces(sample)[0].style.color.triplet.hex == SERIES_ON_LIGHT[0]


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "solarized-light"])
async def test_every_style_of_the_palette_can_be_read(stage: Any, theme: str) -> None:
    sample: Any = Sample()
    app = stage(sample)
    async with app.run_test(size=(10, 4)) as pilot:
        app.theme = theme
        await pilot.pause()
        ground = sample.style_of("").bgcolor.triplet.hex
        for name in ("muted", "label", "header"):
            assert contrast(sample.style_of(name).color.triplet.hex, ground) >= 3.0, name
        for step in HEAT:
            style = sample.style_of(f"text-on-{step}")
            assert contrast(style.color.triplet.hex, style.bgcolor.triplet.hex) >= 3.0, step
        names = [name for name in ON_DARK if name.startswith("on-")]
        assert len({sample.style_of(name).bgcolor.triplet.hex for name in names}) == len(names) == 11


async def test_lines_are_cut_and_made_safe(stage: Any) -> None:
    sample = Sample()
    async with stage(sample).run_test(size=(10, 4)):
        assert sample.render_line(0).text == "abc       "
        assert sample.render_line(1).text == "x" * 10
        assert sample.render_line(2).text == " " * 10
        assert sample.render_line(99).cell_length == 10


async def test_draws_once_a_change(stage: Any) -> None:
    sample = Sample()
    async with stage(sample).run_test(size=(10, 4)) as pilot:
        await pilot.pause()
        drawn = sample.drawings
        sample.refresh()
        await pilot.pause()
        assert sample.drawings == drawn
        sample.redraw()
        await pilot.pause()
        assert sample.drawings == drawn + 1


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("series", "background"), [(SERIES_ON_DARK, "#141b24"), (SERIES_ON_LIGHT, "#fafbfc")]
)
def test_series_stand_out(series: tuple[str, ...], background: str) -> None:
    assert min(contrast(colour, background) for colour in series) >= 4.5


def test_heat_is_ordered_by_lightness() -> None:
    lights = [luminance(colour) for colour in HEAT_ON_DARK]
    assert lights == sorted(lights)
    on_light = [luminance(colour) for colour in HEAT_ON_LIGHT]
    assert on_light == sorted(on_light, reverse=True)


def test_series_styles_repeat_after_eight() -> None:
    assert series_style(8) == series_style(0) == "series-1"


def test_the_small_widgets_load_neither_numpy_nor_a_product() -> None:
    code = (
        "import sys, widgets.text, widgets.sparkline, widgets.bignumber, widgets.fasttable, widgets.statusstrip\n"
        "print([m for m in ('numpy', 'pandas', 'duckdb', 'mlwatch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
