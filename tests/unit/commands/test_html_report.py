"""The HTML report read back by parsers: nothing of a log becomes markup, nothing is fetched."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

import mlwatch
from mlwatch.faces.html import html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' style='background:url(//e.example)",
    "</style><svg onload=alert(1)>\u202e\x1b[31m&lt;",
)
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "div", "p"),
    *("h1", "h2", "h3", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "span"),
    *("figure", "figcaption", "svg", "line", "polyline", "circle", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "role", "aria-label", "viewbox"),
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "points", "width", "height", "fill", "stroke"),
    *("stroke-width", "stroke-dasharray", "font-size", "text-anchor"),
}


class Reader(HTMLParser):
    """Collects what a browser would build."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("logs")
    records = [
        {
            "timestamp": f"2026-11-03T{10 + number // 60:02d}:{number % 60:02d}:00Z",
            "id": f"r{number}",
            "model": EVIL[0],
            "version": EVIL[number % 3 + 1],
            "prediction": EVIL[number // 2 % 2 + 2],
            "label": EVIL[number // 3 % 2 + 2],
            "latency_ms": 5.0 + number % 7,
            "status": 200 if number % 9 else 500,
            "features": {EVIL[3]: EVIL[number % 2] if number < 200 else EVIL[2], "x": float(number)},
        }
        for number in range(400)
    ]
    (directory / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (directory / "bad.jsonl").write_text(f"{EVIL[0]}\n" * 3)
    with mlwatch.open(directory, db=":memory:") as watch:
        yield html(watch.snapshot())


def test_nothing_of_the_logs_becomes_markup(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= KNOWN
    assert reader.attributes <= ATTRIBUTES
    text = "".join(reader.text)
    assert EVIL[0] in text
    assert EVIL[1] in text
    assert "\\u202e\\x1b[31m" in text
    assert not set(page) & {"\x1b", "\u202e"}


def test_nothing_is_fetched(page: str) -> None:
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in unescape(page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|expression", style[1])
    assert page.count("<style>") == 1


def test_the_page_is_well_formed_and_tells_the_verdict_first(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!doctype html>\n"))
    heads = ["".join(head.itertext()) for head in root.iter("h2")]
    assert heads[0].startswith("■ Hold ")
    assert heads[2] == EVIL[0]
    captions = [caption.text for caption in root.iter("figcaption")]
    assert captions[:3] == ["Accuracy", "Latency p95", "Error rate"]
    for label in root.iter("polyline"):
        points = [tuple(map(float, point.split(","))) for point in label.attrib["points"].split()]
        assert len(points) > 1
        assert all(0 <= x <= 340 and 0 <= y <= 130 for x, y in points)


def test_an_empty_store_makes_a_page_too(tmp_path: Path) -> None:
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        page = html(watch.snapshot())
    assert "No predictions. 0 records read" in page
    ET.fromstring(page.removeprefix("<!doctype html>\n"))
