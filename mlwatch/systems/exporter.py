"""A small HTTP server that Prometheus scrapes: `/metrics`, on the loopback interface unless told otherwise."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from mlwatch.errors import InputError, one_line
from mlwatch.systems.openmetrics import OPENMETRICS, PLAIN, openmetrics, plain

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.snapshot.types import Snapshot

SPAN = timedelta(hours=1)
"""Range of the metrics, up to the newest data, where no other is asked for."""
IDLE_S = 10
"""Time after which a client that says nothing is dropped."""


class Source(Protocol):
    """What answers with snapshots from any thread."""

    @property
    def generation(self) -> int:
        """A number that grows when there is something new."""

    def snapshot(self, span: timedelta | None = None, at: datetime | None = None) -> Snapshot:
        """Return the newest numbers over a range."""


def parse_address(text: str) -> tuple[str, int]:
    """Read `:9464`, `9464` or `HOST:PORT`; without a host it is the loopback interface.

    Raises:
        InputError: when it is no address.
    """
    host, _, port = text.rpartition(":")
    if "/" in host or "@" in host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        shown = "" if "/" in text or "@" in text else f" {text}"  # a URL may hold a password
        raise InputError("not an address", f"--exporter{shown}", "give :9464 or HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


class Exporter:
    """Serves the metrics of a source until it is closed.

    Raises:
        InputError: when the address cannot be listened on.
    """

    def __init__(self, source: Source, address: str, span: timedelta | None = None) -> None:
        host, port = parse_address(address)
        try:
            self._server = _Server((host, port), _Pages(source, span or SPAN))
        except OSError as error:
            raise InputError(
                f"cannot listen ({error.strerror or error})", f"--exporter {address}", "give another address"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="mlwatch-exporter", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}/metrics"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Pages:
    """The text of the metrics, made once for the same data however many scrape."""

    def __init__(self, source: Source, span: timedelta) -> None:
        self._source, self._span = source, span
        self._lock = threading.Lock()
        self._made: tuple[int, Snapshot] | None = None

    def text(self, *, new_format: bool) -> str:
        """Return the text, of the newest data."""
        with self._lock:
            generation = self._source.generation
            if self._made is None or self._made[0] != generation:
                self._made = generation, self._source.snapshot(self._span)
            snapshot = self._made[1]
        return openmetrics(snapshot) if new_format else plain(snapshot)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: _Pages) -> None:
        import socket  # noqa: PLC0415  only for this

        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.pages = pages
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a client that hung up; the base class would print a traceback, onto the app's screen too."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "mlwatch"
    sys_version = ""
    timeout = IDLE_S

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, PLAIN, "# the metrics are at /metrics\n")
            return
        new_format = "application/openmetrics-text" in self.headers.get("Accept", "")
        try:
            text = self.server.pages.text(new_format=new_format)
        except Exception as error:  # noqa: BLE001  a scrape must never end the exporter
            self._answer(503, PLAIN, f"# {one_line(str(error))}\n")
            return
        self._answer(200, OPENMETRICS if new_format else PLAIN, text)

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it so
        """Write nothing: the screen belongs to the app."""
