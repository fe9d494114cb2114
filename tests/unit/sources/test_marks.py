"""Which marks stand inside of the numbers of delimited text."""

from __future__ import annotations

import pytest

from mlwatch.sources.marks import Marks, marks_of, unmarked


@pytest.mark.parametrize(
    ("fields", "delimiter", "expected"),
    [
        (["1.5", "26.162", "7"], ",", Marks()),
        (["26.162", "3.141"], ",", Marks()),
        (["26.162", "3.141"], "\t", Marks()),
        (["1,5", "26,162"], ";", Marks(",")),
        (["0,7933", "26.162"], ";", Marks(",", ".")),
        (["1.308,11", "26.162", "5"], ";", Marks(",", ".")),
        (["1,308.11", "571.20"], ",", Marks(".", ",")),
        (["26,162", "0.7933"], "\t", Marks(".", ",")),
        (["26,162", "0.7933", "0,5"], "\t", Marks(",")),
        (["26,162", "73,484"], ";", Marks(",", doubtful="26,162")),
        (["26,162", "73,484", "845"], "\t", Marks(",", doubtful="26,162")),
        (["26.162", "73.484"], ";", Marks(".", doubtful="26.162")),
        (["10.0.0.1", "v1.2", "2026-11-03", "a,b"], ";", Marks()),
    ],
)
def test_the_marks_are_told_by_all_numbers_of_a_file(
    fields: list[str], delimiter: str, expected: Marks
) -> None:
    assert marks_of(fields, delimiter) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1.308,11", ",", ".", "1308.11"),
        ("-26.162", ",", ".", "-26162"),
        ("0,5", ",", ".", "0.5"),
        ("1,234,567.5", ".", ",", "1234567.5"),
        ("26.16", ",", ".", "26.16"),
        ("12.34.567", ",", ".", "12.34.567"),
        ("1,5", ",", "", "1.5"),
    ],
)
def test_only_whole_groups_of_three_are_thousands(
    text: str, decimal: str, thousands: str, expected: str
) -> None:
    assert unmarked(text, decimal, thousands) == expected
