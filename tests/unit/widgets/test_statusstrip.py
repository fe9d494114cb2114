"""Uptime squares."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from widgets.drawn import plain
from widgets.statusstrip import StatusRow, StatusStrip, condensed, draw_status, share_ok, worst

ROWS = [
    StatusRow("api", ("ok", "ok", "warn", "bad", "ok")),
    StatusRow("database", ("unknown", "ok"), "primary"),
]


def test_rows() -> None:
    assert plain(draw_status(ROWS, 26, 2)) == "api      ····■■◆✖■  60.0 %\ndatabase ········■ primary"
    assert plain(draw_status(ROWS, 26, 2, ascii_only=True)).splitlines()[0] == "api      ....==!X=  60.0 %"


def test_states_differ_in_style_too() -> None:
    assert draw_status(ROWS, 26, 2)[0][1:-1] == [
        ("····", "unknown"),
        ("■■", "good"),
        ("◆", "warn"),
        ("✖", "bad"),
        ("■", "good"),
    ]


def test_remarks_go_where_there_is_no_room() -> None:
    assert plain(draw_status(ROWS, 12, 2)) == "api  ··■■◆✖■\ndat… ······■"


def test_more_rows_than_lines() -> None:
    assert plain(draw_status(ROWS * 3, 26, 3)).splitlines()[2] == "4 more"


def test_empty() -> None:
    assert plain(draw_status([], 40, 3)) == "nothing to watch yet"
    assert draw_status(ROWS, 0, 3) == []
    assert plain(draw_status(ROWS, 1, 2)) == "✖\n■"  # the worst of all


def test_a_cell_with_several_states_shows_the_worst() -> None:
    assert condensed(("ok", "bad", "ok", "warn", "unknown", "ok"), 3) == ["bad", "warn", "ok"]
    assert worst([]) == "unknown"


@given(st.lists(st.sampled_from(["ok", "warn", "bad", "unknown"])), st.integers(1, 30))
def test_condensing_hides_no_outage(states: list[Any], width: int) -> None:
    cells = condensed(states, width)
    assert len(cells) == width
    assert ("bad" in cells) == ("bad" in states)


def test_share_of_known_states() -> None:
    assert share_ok(("ok", "unknown", "bad", "ok", "ok")) == 0.75
    assert math.isnan(share_ok(("unknown",)))


async def test_widget_grows_with_its_rows(stage: Any) -> None:
    strip = StatusStrip(ROWS)
    async with stage(strip).run_test(size=(26, 6)) as pilot:
        assert strip.size.height == 2
        strip.update([*ROWS, StatusRow("cache", ("bad",))])
        await pilot.pause()
        assert strip.size.height == 3
        assert pilot.app.lines()[2].startswith("cache")
