"""The HTML report read back by parsers: nothing of a log becomes markup, nothing is fetched."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hostile import BASELINE, CANDIDATE, CATEGORY, MODEL, NUMBER, write_hostile_logs

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import one_line
from mlwatch.faces import html as faces
from mlwatch.faces import pictures
from mlwatch.faces.html import html

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "div", "p"),
    *("h1", "h2", "h3", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "span", "i"),
    *("figure", "figcaption", "svg", "g", "path", "rect", "line", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "role", "aria-label", "viewbox"),
    *("x", "y", "x1", "x2", "y1", "y2", "d", "width", "height", "transform", "fill", "stroke", "opacity"),
    *("stroke-width", "stroke-dasharray", "stroke-miterlimit", "fill-opacity", "stroke-opacity"),
    *("font-size", "font-weight", "text-anchor"),
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
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    directory = tmp_path_factory.mktemp("logs")
    write_hostile_logs(directory)
    with mlwatch.open(directory, db=":memory:") as watch:
        return watch.snapshot()


@pytest.fixture(scope="module")
def page(snapshot: Snapshot) -> str:
    return html(snapshot)


def test_nothing_of_the_logs_becomes_markup(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= KNOWN
    assert reader.attributes <= ATTRIBUTES
    text = "".join(reader.text)
    for name in (MODEL, BASELINE, CANDIDATE, NUMBER, CATEGORY):
        assert one_line(name) in text
    assert not set(page) & {"\x1b", "\u202e"}


def test_nothing_is_fetched(page: str) -> None:
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in unescape(page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|expression", style[1])
    assert page.count("<style>") == 1


def test_the_page_is_well_formed_and_tells_the_story_in_order(page: str) -> None:
    root = ET.fromstring(page.removeprefix("<!doctype html>\n"))
    heads = ["".join(head.itertext()) for head in root.iter() if head.tag in {"h2", "h3"}]
    assert heads[0].startswith("▼ Roll back ")
    assert heads[1:] == [
        MODEL,
        "Model performance",
        "Data quality",
        "System health",
        "Business",
        "Segments that do worse",
        "Drifted features",
        "Alerts",
        "Where this comes from",
    ]
    captions = [caption.text or "" for caption in root.iter("figcaption")]
    assert captions[0].startswith(one_line(CANDIDATE))
    order = [captions.index(title) for title in ("Accuracy", "ROC", "Missing values", "Latency p95, ms")]
    assert order == sorted(order)
    assert {caption for caption in captions if caption.endswith(one_line(CANDIDATE))} == {
        f"{one_line(name)}, {one_line(CANDIDATE)}" for name in (NUMBER, CATEGORY)
    }


@pytest.mark.deep
def test_the_gravest_verdict_is_the_first(snapshot: Snapshot) -> None:
    (worst,) = snapshot.rollouts
    others = [replace(worst, candidate=verdict, verdict=verdict) for verdict in ("promote", "hold")]
    told = html(replace(snapshot, rollouts=(*others, worst)))
    places = [told.index(f"<h2>{word}") for word in ("▼ Roll back", "■ Hold hold", "▲ Promote promote")]
    assert places == sorted(places)


def test_the_longest_names_make_no_larger_page(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "can_draw", lambda: False)
    (model,) = snapshot.models.values()
    version = model.versions[CANDIDATE]
    features = {f"{number}{'<' * 390}": version.quality.features[NUMBER] for number in range(200)}
    wide = replace(version, quality=replace(version.quality, features=features))
    models = {str(n): replace(model, name=str(n), versions={CANDIDATE: wide}) for n in range(30)}
    page = html(replace(snapshot, models=models))
    assert 300_000 < len(page.encode()) < 1_000_000
    assert "25 more models are not shown; choose one with --model." in page


def test_without_the_extra_there_are_no_charts_and_the_page_says_so(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hostile_logs(tmp_path)
    monkeypatch.setattr(pictures, "can_draw", lambda: False)
    monkeypatch.setattr(faces, "can_draw", lambda: False)
    assert main(["report", str(tmp_path), "--db", ":memory:", "--format", "html"]) == 0
    out, err = capsys.readouterr()
    assert err == (
        "mlwatch: note: Charts are left out: they need two more packages, pip install 'mlwatch[report]'\n"
    )
    assert "pip install &#x27;mlwatch[report]&#x27;" in out
    assert "<svg" not in out
    assert out.count("<table") == page.count("<table")


@pytest.mark.deep
def test_a_page_of_many_models_stays_below_a_megabyte(tmp_path: Path) -> None:
    records = [
        {
            "timestamp": f"2026-11-03T10:{number % 60:02d}:00Z",
            "id": f"r{number}",
            "model": f"fraud-{number % 22}",
            "version": f"v{number // 22 % 2}",
            "prediction": number % 2,
            "score": number % 100 / 100,
            "label": number // 2 % 2,
            "latency_ms": 5.0 + number % 7,
            "features": {f"feature {n}": (number * n) % 17 for n in range(5)},
        }
        for number in range(1100)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "mlwatch.toml").write_text('[roles]\nmodel = "model"\nversion = "version"\n')
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        page = html(watch.snapshot())
    assert len(page.encode()) < 1_000_000
    assert page.count("<figure") == pictures.MOST_CHARTS
    assert "2 more models are not shown; choose one with --model." in page
    assert "further charts are left out." in page


def test_an_empty_store_makes_a_page_too(tmp_path: Path) -> None:
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        page = html(watch.snapshot())
    assert "No predictions. 0 records read" in page
    ET.fromstring(page.removeprefix("<!doctype html>\n"))
