"""Charts place values linearly, leave gaps, and survive the largest numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.svg import BOTTOM, LEFT, RIGHT, TOP, Line, chart

BEGIN = datetime(2026, 11, 3, tzinfo=UTC)


def line(*values: float | None) -> Line:
    return Line(
        "v1", "baseline", tuple((BEGIN + timedelta(hours=n), value) for n, value in enumerate(values))
    )


def points(picture: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (point.split(",") for point in found.split())]
        for found in re.findall(r'points="([^"]*)"', picture)
    ]


def test_values_are_placed_linearly() -> None:
    values = [0.3, 0.9, 0.1, 0.5, 0.7]
    picture = chart("Accuracy", [line(*values)], "{:.1f}".format)
    assert picture is not None
    (found,) = points(picture)
    expected = np.interp(values, [0.1, 0.9], [BOTTOM, TOP])
    assert [y for _, y in found] == pytest.approx(expected, abs=0.051)
    assert [x for x, _ in found] == pytest.approx(np.linspace(LEFT, RIGHT, 5), abs=0.051)
    assert ">0.9<" in picture
    assert ">0.1<" in picture
    assert "03 Nov 00:00 to 03 Nov 04:00" in picture


def test_gaps_stay_gaps_and_a_lone_value_is_a_dot() -> None:
    picture = chart("x", [line(1.0, 2.0, None, 3.0, None, 4.0, 5.0)], str)
    assert picture is not None
    assert [len(stretch) for stretch in points(picture)] == [2, 2]
    assert picture.count("<circle") == 1


def test_the_largest_numbers_and_equal_ones_stay_in_the_frame() -> None:
    for values in ((-1.7e308, 0.0, 1.7e308), (5.0, 5.0), (0.0,), (5e-324, 0.0)):
        picture = chart("x", [line(*values)], str)
        assert picture is not None
        assert all(TOP <= y <= BOTTOM for stretch in points(picture) for _, y in stretch)


def test_nothing_to_draw_is_none() -> None:
    assert chart("x", [line(None, None), line()], str) is None


def test_markup_is_escaped_once() -> None:
    inner = tag("b", '<&"\n')
    assert inner == "<b>&lt;&amp;&quot;</b>"
    assert tag("p", inner, "<") == "<p><b>&lt;&amp;&quot;</b>&lt;</p>"
    assert tag("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert isinstance(joined("a", inner), Markup)
