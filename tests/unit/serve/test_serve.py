from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from argparse import Namespace
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from logfiles import lines, prediction

from mlwatch.app.options import AppOptions
from mlwatch.commands.serve import looks_of
from mlwatch.commands.watch import app_options
from mlwatch.config import parse
from mlwatch.serve.page import SCRIPT
from mlwatch.serve.server import Site
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b.")


class Served:
    """A server with a browser's cookies."""

    def __init__(self, site: Site, port: int, http: aiohttp.ClientSession) -> None:
        self.site, self.port, self.http = site, port, http
        self.url = f"http://127.0.0.1:{port}"

    async def login(self) -> None:
        async with self.http.get(f"{self.url}/?token={self.site.token}") as response:
            assert response.status == 200

    def socket(self, **headers: str) -> Any:
        given = {"Origin": self.url, **headers}
        return self.http.ws_connect(f"{self.url}/ws?width=120&height=40", headers=given)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "<flights>"
    directory.mkdir()
    (directory / "a.jsonl").write_text(lines(prediction(n, version=f"v{1 + n % 2}") for n in range(250)))
    return directory


@asynccontextmanager
async def served(directory: Path, **options: Any) -> AsyncIterator[Served]:
    with Session(Options(directory, db=":memory:")) as session:
        session.start()
        site = Site(session, {"refresh_s": 0.2}, **options)
        port = await site.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                yield Served(site, port, http)
        finally:
            await site.stop()


async def get(place: Served, path: str, **headers: str) -> tuple[int, str]:
    async with place.http.get(place.url + path, headers=headers, allow_redirects=False) as response:
        return response.status, await response.text()


async def test_without_the_token_nobody_gets_anything(logs: Path) -> None:
    async with served(logs) as place:
        for path in (
            "/",
            "/?token=",
            "/?token=wrong",
            "/static/js/textual.js",
            "/ws",
            "/page.js",
            "/nowhere",
        ):
            status, text = await get(place, path)
            assert status == 403, path
            assert place.site.token not in text
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await place.socket()
        assert refused.value.status == 403
        assert place.site.processes == []


async def test_the_token_becomes_a_cookie_and_leaves_the_address(logs: Path) -> None:
    async with served(logs) as place:
        url = f"{place.url}/?token={place.site.token}"
        async with place.http.get(url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        status, text = await get(place, "/")
        assert status == 200
        assert place.site.token not in text


async def test_the_page_loads_nothing_from_other_hosts(logs: Path) -> None:
    async with served(logs) as place:
        await place.login()
        async with place.http.get(place.url) as response:
            text, policy = await response.text(), response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "://" not in text
        assert "&lt;flights&gt;" in text
        assert "<flights>" not in text
        assert not re.search(r"<script>|\son\w+=|javascript:", text)
        _, style = await get(place, "/page.css")
        fonts = re.findall(r'url\("([^"]+)"\)', style)
        for path in [*fonts, *re.findall(r'(?:src|href)="([^"]+)"', text)]:
            assert path.startswith("/")
            status, _ = await read(place, path)
            assert status == 200, path


async def read(place: Served, path: str) -> tuple[int, bytes]:
    async with place.http.get(place.url + path) as response:
        return response.status, await response.read()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_a_foreign_origin_is_refused(logs: Path, origin: str) -> None:
    async with served(logs) as place:
        await place.login()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await place.socket(Origin=origin)
        assert refused.value.status == 403
        assert (await get(place, "/", Origin=origin))[0] == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await place.http.ws_connect(f"{place.url}/ws")  # no origin at all is no browser
        assert place.site.processes == []


async def test_a_rebound_host_name_is_refused_unless_it_was_named(logs: Path) -> None:
    async with served(logs, hosts=["models.internal"]) as place:
        await place.login()
        cookie = f"mlwatch-{place.port}={place.site.token}"
        for name, status in (("evil.example", 403), ("models.internal", 200), ("localhost", 200)):
            host = f"{name}:{place.port}"
            assert (await get(place, "/", Host=host, Cookie=cookie))[0] == status, host
        token = place.site.token
        assert (await get(place, f"/?token={token}", Host="evil.example"))[0] == 403


async def test_a_proxy_that_speaks_tls_may_stand_before_a_name(logs: Path) -> None:
    async with served(logs, hosts=["ml.example.com"]) as place:
        cookie = f"mlwatch-80={place.site.token}"

        async def opens(host: str, origin: str, cookie: str = cookie) -> int:
            headers = {"Host": host, "Origin": origin, "Cookie": cookie, "X-Forwarded-Proto": "https"}
            try:
                async with place.socket(**headers):
                    return 101
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status

        assert await opens("ml.example.com", "https://ml.example.com") == 101
        assert await opens("ml.example.com", "http://ml.example.com") == 101
        for origin in ("https://evil.example", "https://ml.example.com.evil.example", "wss://ml.example.com"):
            assert await opens("ml.example.com", origin) == 403, origin
        assert await opens("ml.example.com", "https://ml.example.com", cookie="") == 403
        assert await opens("evil.example", "https://evil.example") == 403
        own = f"mlwatch-{place.port}={place.site.token}"
        assert await opens(f"127.0.0.1:{place.port}", f"https://127.0.0.1:{place.port}", own) == 403
        assert await opens(f"127.0.0.1:{place.port}", place.url, own) == 101


def test_tabs_look_as_the_configuration_says() -> None:
    text = """
    [app]
    timezone = "Asia/Tokyo"
    toasts = "none"
    refresh = "2s"
    mouse = false
    theme = "mlwatch-light"
    keys = {quit = "f9"}
    """
    arguments = Namespace(
        **dict.fromkeys(("ascii", "theme", "at", "replay")), no_mouse=False, read_only=False
    )
    config = parse(text)
    looks = AppOptions(**looks_of(arguments, config.app))
    watched = app_options(arguments, config)
    assert looks == replace(watched, ascii=looks.ascii, history=None, greeted=None), "but for this machine"
    assert (looks.timezone, looks.toasts, looks.theme) == ("Asia/Tokyo", "none", "mlwatch-light")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("home", "socket"),
    [
        ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
        ("https://ml.example.com", "wss://ml.example.com/ws"),
    ],
)
def test_the_page_opens_its_socket_as_it_was_opened(home: str, socket: str) -> None:
    around = (
        f"const window = {{location: {{origin: {json.dumps(home)}}}}};"
        "const found = {dataset: {}, addEventListener() {}};"
        "const document = {getElementById: () => found};"
    )
    script = f"{around}\n{SCRIPT}\nconsole.log(found.dataset.sessionWebsocketUrl);"
    said = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == socket


class Browser:
    """What a tab's terminal has received since the last key, as text; read all the time, as a browser does."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.text = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                self.text += ESCAPES.sub("", message.data.decode())

    async def press(self, keys: str) -> None:
        self.text = ""
        await self._socket.send_str(json.dumps(["stdin", keys]))

    async def shows(self, *parts: str) -> None:
        """Wait until all parts were painted."""
        await holds(lambda: all(part in self.text for part in parts), f"{parts} do not come")


async def holds(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
async def test_tabs_share_a_store_and_only_the_first_writes(logs: Path) -> None:
    async with served(logs) as place:
        await place.login()
        first_socket = await place.socket()
        first = Browser(first_socket)
        await first.shows("Latency")
        async with place.socket() as second_socket:
            second = Browser(second_socket)
            await second.shows("Latency")
            for browser in (first, second):
                await browser.press("7")
                await browser.shows("250 records", "r249")
            await second.press("e")
            await second.shows("read-only")
            with (logs / "b.jsonl").open("w") as file:
                file.write(lines(prediction(n) for n in range(300, 310)))
            first.text = ""
            await first.shows("260")
            await first.press("e")
            await first.shows("Write 260 records")
            pids = place.site.processes
            assert len(pids) == 2
        await holds(lambda: len(place.site.processes) == 1, "the second tab's process ends with its socket")
        await first_socket.close()
        await holds(lambda: not any(map(alive, pids)), "no process is left")
        async with place.socket() as third_socket:
            third = Browser(third_socket)
            await third.shows("Latency")
            await third.press("7")
            await third.shows("260 records")
            await third.press("e")
            await third.shows("Write 260 records")  # the writer has gone: this tab may write now


@pytest.mark.slow
async def test_processes_end_with_the_server_and_with_a_lost_owner(logs: Path) -> None:
    async with served(logs) as place:
        await place.login()
        socket = await place.socket()
        await Browser(socket).shows("Latency")
        pids = place.site.processes
        place.site._owner.close()  # as if the server were killed
        await holds(lambda: not any(map(alive, pids)), "a tab without its owner ends")


@pytest.mark.slow
async def test_nonsense_on_the_socket_ends_only_that_tab(logs: Path) -> None:
    async with served(logs) as place:
        await place.login()
        for nonsense in ("not json", "{}", "[]", '["resize", {"width": "x"}]', '["stdin", 5]'):
            async with place.socket() as socket:
                await socket.send_str(nonsense)
                await socket.close()
        await holds(lambda: not place.site.processes, "all tabs are gone")
        assert (await get(place, "/"))[0] == 200


async def test_a_tab_may_ask_only_what_is_listed(logs: Path) -> None:
    from mlwatch.errors import InputError
    from mlwatch.records.paging import Question
    from mlwatch.serve.owner import Owner
    from mlwatch.serve.remote import Line, RemoteDesk

    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        owner = Owner(session)
        reader, writer = owner.admit(writable=False), owner.admit(writable=True)
        line = Line(owner.address, owner.key, reader)
        desk = RemoteDesk(line)
        assert desk.page(Question()).total == 250
        assert line.ask("snapshot", None, None).models
        assert set(line.ask("together", None, None)) == {"m"}
        for method in ("stop", "connect", "__class__", "_cursor"):
            with pytest.raises(InputError, match="no such question"):
                line.ask(method)
        with pytest.raises(InputError, match="read-only"):
            desk.export(Question(), str(logs / "x.csv"))
        with pytest.raises(InputError, match="filter, character 1"):
            desk.page(Question("nothing = 1"))
        other = RemoteDesk(Line(owner.address, owner.key, writer))
        assert other.writable
        assert other.export(Question("version = v1"), str(logs / "x.csv")) == 125
        owner.dismiss(reader)
        with pytest.raises(InputError, match="no longer answered"):
            desk.names()
        owner.close()
    assert not os.path.exists(owner.address)  # noqa: PTH110, ASYNC240
