"""`mlwatch probe`: a real server on this machine, recognised, described, found down."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from servers import Reply, as_json, replaying

from mlwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

V2 = {
    "GET /v2": as_json({"name": "mlserver", "version": "1.7.1", "extensions": []}),
    "GET /v2/health/live": Reply(""),
    "GET /v2/health/ready": Reply(""),
    "POST /v2/repository/index": as_json([{"name": "fraud\x1b[31m", "version": "v2", "state": "READY"}]),
    "GET /v2/models/fraud%1B%5B31m/ready": Reply(""),
}


@pytest.fixture
def server() -> Iterator[Any]:
    """A server in a thread of its own, whose replies may be changed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = asyncio.run_coroutine_threadsafe(replaying(V2), loop).result(10)
    yield found
    asyncio.run_coroutine_threadsafe(found.aclose(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_says_what_it_is(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", server.url]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{server.url}\n  server      mlserver, ")
    assert "  live        yes\n  ready       yes\n" in out
    assert "fraud\\x1b[31m v2" in out
    assert "\x1b" not in out
    assert all(asked.startswith("GET") or asked == "POST /v2/repository/index" for asked in server.asked)


def test_json_and_a_server_that_is_down(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "http://user:secret@127.0.0.1:9", server.url, "--format", "json"]) == 1
    out = capsys.readouterr().out
    assert "secret" not in out
    down, up = json.loads(out)
    assert (down["live"], down["error"]) == (False, "refused")
    assert (up["server"], up["live"], up["ready"], up["status"]) == ("mlserver", True, True, 200)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://there", "mlwatch: not an address: an endpoint: give one such as http://localhost:8080"),
        ("iis+http://there", "mlwatch: unknown kind of server iis: an endpoint: known are "),
    ],
)
def test_a_wrong_address_is_refused(url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", url]) == 2
    assert capsys.readouterr().err.startswith(said)
