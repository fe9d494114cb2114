from __future__ import annotations

from rich.cells import cell_len

from mlwatch.app.drawing import clean, fit, line, progress_bar, spread, wrapped
from mlwatch.app.glyphs import ASCII, UNICODE


def test_fit_counts_cells_not_characters() -> None:
    assert fit("模型名称", 5) == "模型…"
    assert fit("ab", 5, "right") == "   ab"
    assert cell_len(fit("模型", 9)) == 9
    assert fit("abc", 0) == ""


def test_clean_leaves_nothing_that_acts() -> None:
    assert not set(clean("a\x1b[2Jb\u202e\u2066\u200b\x07\x9b\n")) & set("\x1b\u202e\u2066\u200b\x07\x9b\n")
    assert len(clean("x" * 10_000, 20)) == 20


def test_wrapped_ends_with_an_ellipsis_where_more_follows() -> None:
    assert wrapped("one two three four", 9, 2) == ["one two", "three …"]
    assert wrapped("one two", 20, 2) == ["one two"]
    assert wrapped("median −2 → −0.31863, mean 1", 20, 1) == ["median −2 → …"], "no number is cut within"
    assert wrapped("incomprehensible words", 9, 1) == ["incompre…"]
    assert wrapped("from 87.5 to 88.7 %, n 11,856", 18, 2) == ["from 87.5 to", "88.7 %, n 11,856"]
    assert wrapped("from 87.5 to 88.7 %, n 11,856", 18, 1) == ["from 87.5 to …"], "nor without its unit"
    assert wrapped("", 20, 2) == []


def test_a_line_is_cut_and_in_ascii_translated() -> None:
    assert line([("a − b · c", "")], 40, ASCII).plain == "a - b | c"
    assert line([("abcdef", "")], 4, UNICODE).plain == "abc…"
    assert [line([("ab", ""), ("cdef", "")], width, ASCII).plain for width in (6, 4, 1)] == [
        "abcdef",
        "abc~",
        "~",
    ]
    assert spread([("left", "")], [("right", "")], 12, UNICODE).plain == "left   right"
    assert spread([("left", "")], [("right", "")], 8, UNICODE).plain == "left"


def test_progress_bar_is_filled_to_its_share() -> None:
    assert [text for text, _ in progress_bar(0.25, 8, ASCII)] == ["==", "......"]
    assert [text for text, _ in progress_bar(7.0, 4, ASCII)] == ["====", ""]
