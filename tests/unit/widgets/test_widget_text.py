"""Hostile text is harmless, and numbers read like those of a person."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.text import format_duration, format_number, format_percent, pad, sanitize, shorten, truncate


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("plain", "plain"),
        ("red \x1b[31mtext\x1b[0m", "red text"),
        ("title\x1b]0;owned\x07!", "title!"),
        ("link\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "linktext"),
        ("\x9b31mC1\x9b0m", "C1"),
        ("half \x1b[", "half "),
        ("two\nlines\r\n", "two lines  "),
        ("a\u202egnp.exe", "agnp.exe"),  # right-to-left override
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("bell\x07\x08\x00", "bell"),
        ("\u3164filler\u2800", " filler "),
        ("private \ue000", "private �"),
        ("lone \ud800", "lone �"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 3),
        ("[bold]markup[/]", "[bold]markup[/]"),
        ("日本", "日本"),
    ],
)
def test_sanitize(hostile: str, safe: str) -> None:
    assert sanitize(hostile) == safe


@given(st.text(max_size=200), st.integers(0, 30))
def test_sanitized_text_is_printable_and_fits(text: str, width: int) -> None:
    safe = sanitize(text, width)
    assert cell_len(safe) <= width
    assert safe.isprintable()


def test_sanitize_for_ascii() -> None:
    assert sanitize("größer als…", ascii_only=True) == "gr??er als~"
    assert sanitize("−1 ± 2 µs → ok", ascii_only=True) == "-1 +/- 2 us -> ok"
    assert sanitize("longer text", 6, ascii_only=True) == "longe~"


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 4, "日…"),
        ("日本語", 5, "日本…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_truncate_counts_cells(text: str, width: int, cut: str) -> None:
    assert truncate(text, width) == cut


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("xgb-2026.11.03-77ab", 40, "xgb-2026.11.03-77ab"),
        ("xgb-2026.11.03-77ab", 11, "xgb-2…-77ab"),
        ("xgb-2026.11.03-77ab", 6, "xgb…ab"),
        ("xgb-2026.11.03-77ab", 5, "xgb-…"),
        ("日本語の名前です", 9, "日本…です"),
        ("", 9, ""),
    ],
)
def test_shorten_keeps_both_ends(text: str, width: int, cut: str) -> None:
    assert shorten(text, width) == cut


def test_pad_takes_exactly_the_cells() -> None:
    assert pad("日", 5) == "日   "
    assert pad("日", 5, "right") == "   日"
    assert pad("日", 5, "center") == " 日  "
    assert pad("too long", 4) == "too…"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0, "", "0"),
        (7, "", "7"),
        (999, "", "999"),
        (999.96, "", "1.00 k"),  # rounds up into the next prefix
        (12_345, "", "12.3 k"),
        (-12_345, "", "−12.3 k"),
        (1_200_000_000, "B", "1.20 GB"),
        (0.00012, "s", "120 µs"),
        (0.00012, "", "1.20e-04"),
        (0.012, "", "0.0120"),
        (0.2, "USD", "0.200 USD"),  # there are no milli-dollars
        (0.2, "pt", "0.200 pt"),
        (1.5, "", "1.50"),
        (3e21, "", "3000 E"),
        (math.nan, "ms", "n/a"),
        (None, "ms", "n/a"),
        (math.inf, "ms", "∞ ms"),
        (-math.inf, "", "−∞"),
    ],
)
def test_format_number(value: float | None, unit: str, written: str) -> None:
    assert format_number(value, unit) == written


def test_format_number_digits_sign_and_ascii() -> None:
    assert format_number(12_345, digits=5) == "12.345 k"
    assert format_number(2.5, "ms", 2, signed=True) == "+2.5 ms"
    assert format_number(-2e-6, "s", ascii_only=True) == "-2.00 us"


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.914, "91.4 %"),
        (-0.0004, "0.0 %"),
        (1, "100.0 %"),
        (-0.5, "−50.0 %"),
        (math.nan, "n/a"),
        (None, "n/a"),
    ],
)
def test_format_percent(share: float | None, written: str) -> None:
    assert format_percent(share) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (0.12, "120 ms"),
        (2.5, "2.5 s"),
        (9.97, "10 s"),
        (41, "41 s"),
        (125, "2 min 05 s"),
        (3600, "1 h"),
        (3599.7, "1 h"),
        (7500, "2 h 05 min"),
        (273_600, "3 d 04 h"),
        (-90, "−1 min 30 s"),
        (math.inf, "∞"),
        (None, "n/a"),
    ],
)
def test_format_duration(seconds: float | None, written: str) -> None:
    assert format_duration(seconds) == written
