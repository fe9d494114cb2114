"""`mlwatch serve` as a real process, in a real headless Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DEADLINE_S = 60.0
START = datetime(2026, 3, 14, tzinfo=UTC)
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|[@-Z\\-_])")


def record(at: int) -> str:
    """Return one prediction as a JSON line."""
    fields = {
        "timestamp": (START + timedelta(seconds=30 * at)).isoformat(), "request_id": f"r{at}", "model": "fraud",
        "version": f"v{1 + at % 2}", "prediction": at % 2, "score": 0.3 + 0.4 * (at % 2), "latency_ms": 20 + at % 7,
        "status": 200, "features": {"amount": at % 13},
    }  # fmt: skip
    return json.dumps(fields) + "\n"


@contextmanager
def serving(logs: Path) -> Iterator[str]:
    """Run the server; yield the address that it prints."""
    command = [sys.executable, "-m", "mlwatch", "serve", str(logs), "--db", ":memory:", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout is not None
        said = ""
        while (found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)) is None:
            line = server.stdout.readline()
            assert line, f"the server has ended: {said}"
            said += line
        yield found[0]
    finally:
        server.terminate()
        server.wait(timeout=30)
        server.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser with an empty profile."""
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, headless=True, args=FLAGS,
            viewport={"width": 1280, "height": 720},
        )  # fmt: skip
        yield context
        context.close()


class Tab:
    """A page with the app, and what its terminal received."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.text = ""
        self.hosts: set[str] = set()
        page.on("request", lambda request: self._ask(request.url))
        page.on("websocket", self._listen)

    def _ask(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.hosts.add(url.split("/")[2])

    def _listen(self, socket: Any) -> None:
        self._ask(socket.url)
        socket.on("framereceived", self._receive)

    def _receive(self, payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            self.text += ESCAPES.sub("", payload.decode(errors="replace"))

    def press(self, key: str) -> None:
        """Press a key, and forget what was received."""
        self.text = ""
        self.page.keyboard.press(key)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, f"{what} does not come; received {self.text[-2000:]!r}"
            self.page.wait_for_timeout(50)

    def shows(self, text: str) -> None:
        """Wait until a text was received."""
        self.until(lambda: text in self.text, text)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text("".join(record(at) for at in range(300)))
    return directory


def test_a_browser_shows_live_numbers_takes_keys_and_asks_no_other_host(
    logs: Path, browser: BrowserContext
) -> None:
    with serving(logs) as url:
        tab = Tab(browser.new_page())
        blank = tab.page.screenshot()
        tab.page.goto(url)
        tab.shows("Latency")
        assert "token" not in tab.page.url
        tab.page.wait_for_selector(".xterm-screen", state="visible")
        assert tab.page.screenshot() != blank
        tab.page.click("#terminal")
        tab.press("7")
        tab.shows("300 records")
        with (logs / "a.jsonl").open("a") as file:
            file.write("".join(record(at) for at in range(300, 407)))
        tab.until(lambda: "407" in tab.text, "the new number of records")
        tab.press("?")
        tab.shows("Which requests are behind the numbers?")
        host = url.split("/")[2]
        assert tab.hosts == {host}


def test_a_browser_without_the_token_or_from_a_foreign_page_is_refused(
    logs: Path, browser: BrowserContext
) -> None:
    with serving(logs) as url:
        base = url.split("?")[0]
        page = browser.new_page()
        for address in (base, f"{base}?token=wrong"):
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 403
            assert page.locator("#terminal").count() == 0
        tab = Tab(browser.new_page())
        tab.page.goto(url)
        tab.shows("Latency")  # the cookie is there now: only the origin can tell a foreign page
        page.route(
            "http://evil.example/", lambda route: route.fulfill(body="<p>evil</p>", content_type="text/html")
        )
        page.goto("http://evil.example/")
        ended = page.evaluate(
            """address => new Promise(resolve => {
                const socket = new WebSocket(address);
                socket.onopen = () => resolve("open");
                socket.onerror = () => resolve("refused");
            })""",
            base.replace("http", "ws", 1) + "ws",
        )
        assert ended == "refused"
