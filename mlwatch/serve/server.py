"""The web server: textual-serve's terminal in the page, a process a tab, one store for all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import textual_serve.server
from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import to_int

from mlwatch.errors import InputError
from mlwatch.serve.guard import Guard
from mlwatch.serve.owner import Owner
from mlwatch.serve.page import SCRIPT, STYLE, page
from mlwatch.serve.tab import PLACE

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Collection, Mapping

    from mlwatch.session import Session

MOST_TABS = 8
PATIENCE_S = 5.0
"""Time that a tab's process has to end by itself."""
STATIC = Path(textual_serve.server.__file__).parent / "static"


class Tab(AppService):
    """The process of a tab; it is started without a shell, and ends at the latest a few seconds after its socket."""

    def place(self, place: Mapping[str, Any]) -> None:
        """Tell the process where the owner is."""
        self._place = json.dumps(place)

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width=width, height=height)
        environment["TEXTUAL_FPS"] = "30"
        environment[PLACE] = self._place
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mlwatch.serve.tab", env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._process = process
        self._stdin = process.stdin
        return process

    async def stop(self) -> None:
        """Ask the process to end, and end it where it does not."""
        process = self._process
        with contextlib.suppress(asyncio.TimeoutError, OSError, RuntimeError):
            await asyncio.wait_for(super().stop(), PATIENCE_S)
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError, asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), 0.5)
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


class Site:
    """Serve a session in the browser.

    Args:
        session: Open and following.
        options: Of the app, as in `AppOptions`; plain values.
        read_only: Let no tab write, not even the first.
        hosts: Names by which the server may be called.
    """

    def __init__(
        self,
        session: Session,
        options: Mapping[str, Any] | None = None,
        *,
        read_only: bool = False,
        hosts: Collection[str] = (),
    ) -> None:
        self.token = secrets.token_urlsafe(32)
        self.title = session.title
        self._owner = Owner(session)
        self._options = dict(options or {})
        self._read_only = read_only
        self._guard = Guard(self.token, hosts)
        self._downloads = DownloadManager()
        self._tabs: set[Tab] = set()
        self._writer: Tab | None = None
        self._runner: web.AppRunner | None = None
        self._terminal = textual_serve.server.Server("")  # reads a socket's messages

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port.

        Raises:
            InputError: The address cannot be used.
        """
        app = web.Application(middlewares=[self._guard.check])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/page.css", _text(STYLE, "text/css")),
                web.get("/page.js", _text(SCRIPT, "text/javascript")),
                web.get("/ws", self._socket),
                web.static("/static", STATIC),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=PATIENCE_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise InputError(
                "cannot listen", f"{host}:{port}", f"{error.strerror or error}; give another --port"
            ) from error
        addresses: list[Any] = self._runner.addresses
        return int(addresses[0][1])

    async def stop(self) -> None:
        """End all tabs and listen no longer."""
        await asyncio.gather(*(tab.stop() for tab in list(self._tabs)), return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        self._owner.close()

    @property
    def processes(self) -> list[int]:
        """Ids of the tabs' processes."""
        return [tab._process.pid for tab in self._tabs if tab._process is not None]  # noqa: SLF001  our subclass

    async def _page(self, request: web.Request) -> web.Response:
        size = min(max(to_int(request.query.get("fontsize", ""), 14), 6), 40)
        return web.Response(text=page(self.title, size), content_type="text/html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if len(self._tabs) >= MOST_TABS:
            return web.Response(status=503, text=f"mlwatch: there are {MOST_TABS} tabs already: close one\n")
        socket = web.WebSocketResponse(heartbeat=15)

        async def close() -> None:
            await socket.close()

        tab = Tab(
            "", write_bytes=socket.send_bytes, write_str=socket.send_str, close=close,
            download_manager=self._downloads,
        )  # fmt: skip
        writable = self._writer is None and not self._read_only
        self._writer = tab if writable else self._writer
        self._tabs.add(tab)
        ticket = self._owner.admit(writable=writable)
        try:
            await socket.prepare(request)
            tab.place(self._place(ticket, writable=writable))
            await tab.start(_size(request, "width", 80), _size(request, "height", 24))
            await self._terminal._process_messages(socket, tab)  # noqa: SLF001  the protocol of its page
        except (ValueError, LookupError, TypeError, AssertionError):
            await socket.close(message=b"not understood")
        finally:
            await asyncio.shield(self._end(tab, ticket))
        return socket

    async def _end(self, tab: Tab, ticket: str) -> None:
        await tab.stop()
        self._owner.dismiss(ticket)
        self._tabs.discard(tab)
        self._writer = None if self._writer is tab else self._writer

    def _place(self, ticket: str, *, writable: bool) -> dict[str, Any]:
        return {
            "address": self._owner.address,
            "key": base64.b64encode(self._owner.key).decode(),
            "ticket": ticket,
            "title": self.title,
            "options": {**self._options, "read_only": not writable},
        }


def _size(request: web.Request, name: str, otherwise: int) -> int:
    return min(max(to_int(request.query.get(name, ""), otherwise), 10), 500)


def _text(text: str, kind: str) -> Any:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return handler
