"""Two distributions on one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.drawn import plain
from widgets.histogram import (
    Bins,
    Categories,
    CategoryPair,
    HistogramPair,
    draw_bins,
    draw_categories,
    shares,
)

PAIR = Bins.of([0, 1, 2, 3, 4], [4, 2, 1, 1], [1, 1, 2, 4], "ms")
WHERE = Categories(("DE", "FR", "other\x1b[2J"), np.array([6.0, 3.0, 1.0]), np.array([3.0, 3.0, 4.0]))


def test_shares() -> None:
    assert shares(np.array([1.0, 3.0, np.nan, -1.0, np.inf])).tolist() == [0.25, 0.75, 0, 0, 0]
    assert shares(np.array([0.0, 0.0])).tolist() == [0, 0]


def test_bars_in_blocks() -> None:
    drawn = draw_bins(PAIR, 4, 3)
    # in eighths of a line: 16 8 4 4 against 4 4 8 16
    assert drawn[0] == [("█", "reference"), ("  ", ""), ("█", "current")]
    assert drawn[1][0] == ("▄▄", "both on-reference")
    assert drawn[1][1] == ("▄▄", "both on-current")


def test_bars_in_ascii() -> None:
    assert plain(draw_bins(PAIR, 8, 3, ascii_only=True)) == "..    ++\n########\n0 ms"


def test_bars_by_texture() -> None:
    assert plain(draw_bins(PAIR, 8, 2, textured=True)) == "░░    ▒▒\n████████"


def test_legend_and_edges() -> None:
    lines = plain(draw_bins(PAIR, 60, 8)).splitlines()
    assert lines[0] == "█ reference n 8   █ current n 8   █ both"
    assert lines[-1].split("  ")[0] == "0 ms"
    assert lines[-1].split() == ["0", "ms", "1", "ms", "2", "ms", "3", "ms", "4", "ms"]
    assert lines[-1].index("1 ms") == 13  # its middle stands at the first cell of the second bin


def test_the_legend_gives_up_counts_then_both() -> None:
    assert plain(draw_bins(PAIR, 36, 8)).splitlines()[0] == "█ reference   █ current   █ both"
    assert plain(draw_bins(PAIR, 24, 8)).splitlines()[0] == "█ reference   █ current"
    assert plain(draw_bins(PAIR, 20, 8)).splitlines()[0] == ""


def test_infinite_edges_are_named() -> None:
    open_ended = Bins.of([-np.inf, 0, 1.5, np.inf], [1, 2, 1], [1, 1, 2])
    assert plain(draw_bins(open_ended, 40, 6)).splitlines()[-1].split() == ["−∞", "0.0", "1.5", "∞"]


@given(
    st.lists(st.floats(0, 1e6), max_size=80),
    st.integers(1, 60),
    st.integers(1, 12),
    st.booleans(),
    st.booleans(),
)
def test_any_bins_keep_the_size(
    counts: list[float], width: int, height: int, plainly: bool, textured: bool
) -> None:
    edges = np.arange(len(counts) + 1 if counts else 0)
    bins = Bins.of(edges, counts, counts[::-1])
    picture = draw_bins(bins, width, height, ascii_only=plainly, textured=textured)
    assert len(picture) <= height
    assert all(sum(len(text) for text, _ in line) <= width for line in picture)


def test_more_bins_than_cells_keep_the_mass() -> None:
    counts = np.zeros(1000)
    counts[::10] = 1.0  # every hundredth cell would miss some
    drawn = plain(draw_bins(Bins.of(np.arange(1001), counts, counts), 50, 2, ascii_only=True))
    assert drawn == "\n".join(["#" * 50] * 2)


def test_without_values() -> None:
    assert plain(draw_bins(Bins.of([], [], []), 40, 5)) == "no values yet"
    assert plain(draw_bins(Bins.of([0, 1], [0], [np.nan]), 40, 5)) == "no values yet"
    assert draw_bins(PAIR, 0, 5) == []
    assert plain(draw_categories(Categories((), np.array([]), np.array([])), 40, 5)) == "no values yet"


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="have shapes"):
        Bins.of([0, 1], [1, 2], [1, 2])


def test_categories() -> None:
    lines = plain(draw_categories(WHERE, 60, 4, ascii_only=True)).splitlines()
    assert lines[1:] == [
        "DE    #################.................    60.0 % -> 30.0 %",
        "FR    #################                     30.0 % -> 30.0 %",
        "other ######+++++++++++++++++               10.0 % -> 40.0 %",
    ]


def test_categories_without_room() -> None:
    assert plain(draw_categories(WHERE, 20, 2, ascii_only=True)).splitlines()[-1] == "2 more"
    assert all(len(line) <= 3 for line in plain(draw_categories(WHERE, 3, 3)).splitlines())


@pytest.mark.parametrize("size", [(50, 10), (20, 6)])
async def test_pictures(stage: Any, check_picture: Any, size: tuple[int, int]) -> None:
    middles = np.linspace(-3, 3, 24)
    bins = Bins.of(np.linspace(-3, 3.25, 25), np.exp(-(middles**2)), np.exp(-((middles - 1) ** 2)))
    histogram = HistogramPair(bins)
    async with stage(histogram).run_test(size=size) as pilot:
        check_picture(f"histogram-{size[0]}x{size[1]}", pilot.app.lines())
        strips = histogram._strips
        histogram.update(Bins.of(bins.edges.copy(), bins.reference.copy(), bins.current.copy()))
        assert histogram._strips is strips is not None


async def test_without_colour_textures_tell(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(CategoryPair(WHERE)).run_test(size=(60, 6)) as pilot:
        assert "█░" in pilot.app.lines()[1]
