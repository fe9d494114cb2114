"""Charts place values linearly, leave gaps, survive the largest numbers, and come from no network."""

from __future__ import annotations

import re
import threading
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pytest

from mlwatch.faces import charts, pictures
from mlwatch.faces.charts import Effect, Line, instant
from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.pens import light
from mlwatch.faces.pictures import Pictures, svg_of
from mlwatch.faces.vector import UnfitError, inlined

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN = datetime(2026, 11, 3, tzinfo=UTC)
EVIL = (
    '<script>alert("1")</script>',
    "</text><image href='http://127.0.0.1:9/x'/>",
    "datum['a.b'] ${1}",
    "\x1b[31m",
)


def line(*values: float | None, pen: int = 0) -> Line:
    hours = [instant(BEGIN + timedelta(hours=n)) for n in range(len(values))]
    return Line(pen, tuple(zip(hours, values, strict=True)))


def picture(chart: alt.LayerChart) -> ET.Element:
    return ET.fromstring(inlined(svg_of(chart), "spoken"))


def strokes(root: ET.Element, colour: str) -> list[np.ndarray]:
    """Return the points of each unbroken stretch of the lines of a colour."""
    paths = [path.attrib["d"] for path in root.iter("path") if path.get("stroke") == colour]
    stretches = [stretch for path in paths for stretch in path.split("M") if stretch]
    return [
        np.array(
            [[float(number) for number in pair.split(",")] for pair in re.findall(r"[-\d.]+,[-\d.]+", each)]
        )
        for each in stretches
    ]


def test_values_are_placed_linearly() -> None:
    values = [0.25, 0.75, 0.0, 0.5, 1.0]
    root = picture(charts.over_time([line(*values)], ".2~f", nought=True))
    (found,) = strokes(root, light("baseline"))
    assert found[:, 1] == pytest.approx(np.interp(values, [0.0, 1.0], [charts.HEIGHT, 0.0]), abs=0.06)
    assert found[:, 0] == pytest.approx(np.linspace(0, charts.WIDTH, 5), abs=0.06)
    labels = [text.text for text in root.iter("text")]
    assert {"0", "0.2", "1"} <= set(labels)
    assert "00:00" in labels


def test_gaps_stay_gaps_and_a_lone_value_is_a_dot() -> None:
    root = picture(charts.over_time([line(1.0, 2.0, None, 3.0, None, 4.0, 5.0)], "~g"))
    found = strokes(root, light("baseline"))
    assert [len(stretch) for stretch in found] == [2, 1, 2]
    dots = [path for path in root.iter("path") if path.get("fill") == light("baseline")]
    assert len(dots) == 1


@pytest.mark.parametrize("values", [(-1.7e308, 0.0, 1.7e308), (5.0, 5.0), (0.0,), (5e-324, 0.0)])
def test_the_largest_numbers_and_equal_ones_stay_in_the_frame(values: Sequence[float]) -> None:
    root = picture(charts.over_time([line(*values)], "~g"))
    for stretch in strokes(root, light("baseline")):
        assert (stretch[:, 1] >= 0).all()
        assert (stretch[:, 1] <= charts.HEIGHT).all()


def test_a_forest_has_one_scale_on_which_open_ends_are_at_the_edge() -> None:
    effects = [Effect("a", -10.0, -np.inf, -2.0, "bad"), Effect("b", 0.5, -1.0, 3.0, "good")]
    root = picture(charts.forest(effects))
    reach = 15.0
    width = charts.WIDE - 90

    def place(margins: float) -> float:  # d3's symlog: https://d3js.org/d3-scale/symlog
        bent = np.sign(margins) * np.log1p(abs(margins))
        return float(np.interp(bent, [-np.log1p(reach), np.log1p(reach)], [0, width]))

    rules = {rule.attrib["stroke"]: rule for rule in root.iter("line") if rule.get("stroke-width") == "2"}
    for colour, low, high in ((light("bad"), -reach, -2.0), (light("good"), -1.0, 3.0)):
        rule = rules[colour]
        moved = re.match(r"translate\(([-\d.]+),", rule.attrib["transform"])
        assert moved is not None
        ends = sorted([float(moved[1]), float(moved[1]) + float(rule.attrib["x2"])])
        assert ends == pytest.approx([place(low), place(high)], abs=0.11)
    assert [text.text for text in root.iter("text") if text.text in {"a", "b"}] == ["a", "b"]


def test_names_are_text_however_hostile_and_no_two_are_alike() -> None:
    labels = [*EVIL, EVIL[0], "x" * 100, "x" * 99]
    root = picture(charts.categories(1, labels, [0.1] * 7, [0.2] * 7))
    texts = [text.text or "" for text in root.iter("text")]
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "line", "rect", "text"}
    for name in EVIL[:3]:
        assert any(text.startswith(name[:10]) for text in texts)
    assert len(set(charts.unlike(labels))) == len(labels)
    bars = [path for path in root.iter("path") if path.get("fill") == light("candidate")]
    assert len(bars) == len(labels)


@pytest.mark.parametrize(
    "svg",
    [
        '<svg xmlns="http://www.w3.org/2000/svg"><path fill="url(#a)"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><rect fill="&quot;"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><path d="MNaN,0"/></svg>',
        "<svg",
    ],
)
def test_what_the_library_never_draws_is_refused(svg: str) -> None:
    with pytest.raises(UnfitError):
        inlined(svg, "")


def test_foreign_elements_and_attributes_are_left_out() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1.25 2" onload="x()"><script>x()</script>'
        '<g onclick="x()"><a href="//e.example"><text>y</text></a><text style="z" x="0.333">&lt;b&gt;</text></g></svg>'
    )
    expected = '<svg viewBox="0 0 1.2 2" role="img" aria-label="&lt;"><text x="0.3">&lt;b&gt;</text></svg>'
    assert inlined(svg, "<") == expected


def test_what_is_said_and_written_in_a_picture_has_no_control_characters() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 2"><text>a&#x9b;2J\u202eb</text>'
        "<text>no, \u2066yes</text></svg>"
    )
    expected = (
        '<svg viewBox="0 0 1 2" role="img" aria-label="v1\\x1b[31m\\x07 \\x9b &quot;\\u202e">'
        "<text>a\\x9b2J\\u202eb</text><text>no, \\u2066yes</text></svg>"
    )
    assert inlined(svg, 'v1\x1b[31m\x07\n\x9b "\u202e') == expected


def test_charts_are_drawn_without_a_network() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *rest: Any) -> None:
            """Be quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    data = alt.UrlData(url=f"http://127.0.0.1:{server.server_port}/x.json")
    chart = alt.LayerChart(layer=[alt.Chart(data).mark_point().encode(x="x:Q")])
    with pytest.raises(UnfitError):
        svg_of(chart)
    server.shutdown()
    thread.join()
    server.server_close()
    assert asked == []


def test_a_page_has_room_for_so_many_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_CHARTS", 2)
    drawing = Pictures()
    found = [drawing.figure("t", "s", lambda: charts.over_time([line(1.0, 2.0)], "~g")) for _ in range(3)]
    assert [bool(figure) for figure in found] == [True, True, False]
    assert drawing.left_out == 1


def test_markup_is_escaped_once() -> None:
    inner = tag("b", '<&"\n')
    assert inner == "<b>&lt;&amp;&quot;</b>"
    assert tag("p", inner, "<") == "<p><b>&lt;&amp;&quot;</b>&lt;</p>"
    assert tag("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert isinstance(joined("a", inner), Markup)
