"""A report of hostile logs in a real browser: nothing runs, nothing is fetched, every name is there as text."""

from __future__ import annotations

import json
import shutil
from html import escape
from typing import TYPE_CHECKING

import pytest
from hostile import BASELINE, CANDIDATE, CHARTED, MODEL, VALUES, write_hostile_logs

import mlwatch
from mlwatch.errors import one_line
from mlwatch.faces import comparison_pages
from mlwatch.faces.comparison import compare
from mlwatch.faces.html import html
from mlwatch.faces.html_page import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open reports with")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report, the same without its policy, and a comparison with an earlier report."""
    logs: Path = tmp_path_factory.mktemp("logs")
    write_hostile_logs(logs)
    with mlwatch.open(logs, db=":memory:") as watch:
        snapshot = watch.snapshot()
    report = html(snapshot)
    open_to_all = report.replace(escape(POLICY), "")
    assert open_to_all != report
    before = json.loads(json.dumps(snapshot.to_dict()).replace('"value": 0.', '"value": 0.1'))
    return {
        "report": report,
        "without policy": open_to_all,
        "comparison": comparison_pages.html(compare(before, snapshot.to_dict())),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        browser.close()


@pytest.mark.parametrize("kind", ["report", "without policy", "comparison"])
def test_nothing_runs_and_nothing_is_fetched(
    kind: str, pages: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(pages[kind], encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(file.as_uri(), wait_until="load")
    assert page.evaluate("window.ran") is None
    assert page.locator("script, img, link, iframe, object, [onload], [onerror], [style]").count() == 0
    page.emulate_media(color_scheme="dark", media="print")
    assert page.pdf()
    page.close()
    assert asked == [file.as_uri()]
    assert said == []


def test_names_are_text_in_tables_and_in_charts(
    pages: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(pages["report"], encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    cells = [" ".join(text.split()) for text in page.locator("h2, h3, th, td, figcaption").all_inner_texts()]
    for name in (MODEL, BASELINE, CANDIDATE, *CHARTED):
        assert any(one_line(name) in cell for cell in cells), name
    labels = page.locator("figure svg text").all_text_contents()
    for value in VALUES:
        assert any(text.startswith(value[:12]) for text in labels), value
    page.close()


def test_dark_and_light_are_two_grounds(pages: dict[str, str], browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(pages["report"], encoding="utf-8")
    grounds, strokes = [], []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(file.as_uri())
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        line = page.locator('svg path[stroke="#0b5f96"]').first
        strokes.append(line.evaluate("line => getComputedStyle(line).stroke"))
        page.close()
    assert grounds == ["rgb(255, 255, 255)", "rgb(16, 22, 29)"]
    assert strokes == ["rgb(11, 95, 150)", "rgb(120, 195, 242)"]
