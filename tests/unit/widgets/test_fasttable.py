"""The table: order, filter, widths, and what keys and mouse do."""

from __future__ import annotations

import math
from typing import Any

import pytest

from widgets.drawn import plain
from widgets.fasttable import Cell, Column, FastTable, Row
from widgets.tabledrawing import View, draw_table
from widgets.tablerows import arranged, column_widths

COLUMNS = (Column("name", "Name"), Column("size", "Size", "right"), Column("note", "Note", sortable=False))
ROWS = (
    Row("a", (Cell("alpha"), Cell("12 k", "bad", 12_000.0), "first")),
    Row("b", (Cell("Beta"), Cell("9", order=9.0), "second")),
    Row("c", (Cell("gamma"), Cell("n/a", order=math.nan), "third")),
)


def cursor(table: FastTable) -> str | None:
    return table.cursor_key


def many(count: int) -> list[Row]:
    return [Row(str(at), (f"row {at:03d}", Cell(str(at), order=float(at)), "")) for at in range(count)]


@pytest.mark.parametrize(
    ("sort", "reverse", "needle", "keys"),
    [
        (None, False, "", "abc"),
        ("size", False, "", "bac"),
        ("size", True, "", "abc"),  # NaN stays last
        ("name", True, "", "cba"),  # case does not matter
        (None, False, "BET", "b"),
        (None, False, "ir", "ac"),  # first, third
        ("absent", False, "", "abc"),
        (None, False, "nothing", ""),
    ],
)
def test_order_and_filter(sort: str | None, reverse: bool, needle: str, keys: str) -> None:
    assert "".join(row.key for row in arranged(ROWS, COLUMNS, sort, reverse, needle)) == keys


def test_drawing() -> None:
    widths = column_widths(COLUMNS, ROWS, 40)
    view = View(cursor=1, sort="size", reverse=True)
    assert plain(draw_table(ROWS, COLUMNS, widths, view, 40, 4)) == (
        " Name    Size ▼  Note\n alpha     12 k  first\n▸Beta         9  second\n gamma      n/a  third"
    )


def test_cell_styles_and_cursor_combine() -> None:
    line = draw_table(ROWS, COLUMNS, [5, 6, 6], View(cursor=0), 40, 4)[1]
    assert ("  12 k", "bad row") in line


def test_scroll_mark() -> None:
    rows = many(20)
    drawn = draw_table(rows, COLUMNS, [7, 6, 0], View(top=15), 20, 6)
    assert [line[-1][0] for line in drawn[1:]] == ["│", "│", "│", "│", "┃"]
    assert all(sum(len(text) for text, _ in line) == 20 for line in drawn[1:])


@pytest.mark.parametrize(
    ("width", "widths"),
    [(40, [6, 6, 6]), (18, [4, 5, 5]), (16, [4, 4, 4]), (15, [6, 6, 0]), (5, [5, 0, 0]), (2, [2, 0, 0])],
)
def test_widths_give_way(width: int, widths: list[int]) -> None:
    assert column_widths(COLUMNS, ROWS, width) == widths


def test_hostile_cells_and_ascii() -> None:
    row = Row("x", ("a\x1b[2J\nb", "größe", ""))
    drawn = plain(draw_table([row], COLUMNS, [6, 6, 6], View(cursor=0, ascii_only=True), 40, 2))
    assert drawn.splitlines()[1] == ">a b      gr??e"


async def test_keys_move_and_post(stage: Any) -> None:
    table = FastTable(COLUMNS, many(30))
    app = stage(table)
    async with app.run_test(size=(40, 10), message_hook=app.on_message_hook) as pilot:
        await pilot.press("down", "j", "j", "k", "enter")
        await pilot.pause()
        assert cursor(table) == "2"
        assert app.heard(FastTable.RowSelected)[-1].key == "2"
        assert app.heard(FastTable.RowHighlighted)[-1].key == "2"
        await pilot.press("end")
        assert cursor(table) == "29"
        assert "▸row 029" in "\n".join(app.lines())
        await pilot.press("pageup", "pageup")
        assert cursor(table) == "13"
        await pilot.press("g")
        assert app.lines()[1].startswith("▸row 000")


async def test_update_keeps_the_cursor_on_its_row(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS, sort="size")
    async with stage(table).run_test(size=(40, 6)) as pilot:
        await pilot.press("down")
        assert cursor(table) == "a"
        table.update([Row("z", ("zeta", Cell("1", order=1.0), "")), *ROWS])
        assert cursor(table) == "a"
        assert table.visible_keys == ["z", "b", "a", "c"]
        table.update(ROWS[1:])  # the row is gone: the next best place
        assert cursor(table) == "c"
        table.update([])
        assert cursor(table) is None
        await pilot.press("down", "enter")
        await pilot.pause()
        assert pilot.app.lines()[1] == " no rows yet"


async def test_equal_rows_repaint_nothing(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS)
    async with stage(table).run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        strips = table._strips
        table.update(tuple(ROWS))
        assert table._strips is strips is not None


async def test_sort_by_keys_and_heading(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS)
    async with stage(table).run_test(size=(40, 6)) as pilot:
        await pilot.press("greater_than_sign")
        assert table.sorted_by == ("name", False)
        await pilot.press("greater_than_sign", "r")
        assert table.sorted_by == ("size", True)
        await pilot.press("greater_than_sign")  # the note cannot be sorted by
        assert table.sorted_by == ("name", True)
        await pilot.click(table, offset=(10, 0))
        assert table.sorted_by == ("size", False)
        await pilot.click(table, offset=(10, 0))
        assert table.sorted_by == ("size", True)


async def test_click_moves_and_clicks_again_to_select(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS)
    app = stage(table)
    async with app.run_test(size=(40, 6), message_hook=app.on_message_hook) as pilot:
        await pilot.click(table, offset=(3, 3))
        assert cursor(table) == "c"
        assert not app.heard(FastTable.RowSelected)
        await pilot.click(table, offset=(3, 3))
        await pilot.pause()
        assert app.heard(FastTable.RowSelected)[-1].key == "c"


async def test_filter_is_typed(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS)
    app = stage(table)
    app.bind("a", "quit")  # a key of the app is text here
    async with app.run_test(size=(40, 8)) as pilot:
        await pilot.press("slash", *"gax", "backspace")
        await pilot.pause()
        assert table.visible_keys == ["c"]
        assert pilot.app.lines()[-1] == "/ga▏  1 of 3 rows"
        await pilot.press("enter", "j")  # no longer typed
        assert table.needle == "ga"
        await pilot.press("escape")
        assert table.visible_keys == ["a", "b", "c"]
        assert cursor(table) == "c"


async def test_escape_goes_on_where_nothing_is_filtered(stage: Any) -> None:
    table = FastTable(COLUMNS, ROWS)
    app = stage(table)
    asked: list[str] = []
    app.action_leave = lambda: asked.append("leave")
    app.bind("escape", "leave")
    async with app.run_test(size=(40, 8)) as pilot:
        await pilot.press("slash", "escape")
        assert asked == []
        await pilot.press("escape")
        assert asked == ["leave"]


async def test_wheel_scrolls(stage: Any) -> None:
    table = FastTable(COLUMNS, many(30))
    async with stage(table).run_test(size=(40, 6)) as pilot:
        await pilot._post_mouse_events([_scroll_down()], table, offset=(3, 3))
        assert cursor(table) == "3"


def _scroll_down() -> Any:
    from textual.events import MouseScrollDown

    return MouseScrollDown


async def test_picture(stage: Any, check_picture: Any) -> None:
    table = FastTable(COLUMNS, many(30), sort="size", reverse=True)
    async with stage(table).run_test(size=(40, 10)) as pilot:
        await pilot.press("pagedown", "down")
        await pilot.pause()
        check_picture("fasttable-40x10", pilot.app.lines())
        await pilot.resize_terminal(12, 5)
        await pilot.pause()
        check_picture("fasttable-12x5", pilot.app.lines())
