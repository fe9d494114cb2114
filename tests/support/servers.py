"""Real HTTP servers on 127.0.0.1 for tests of polling: one that replays answers, and ones that misbehave."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Reply:
    """One answer."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


HANG = Reply("never sent")
"""No answer at all, while the connection stays open."""


@dataclass
class Server:
    """A server that runs; close it with `aclose`."""

    port: int
    asked: list[str]
    """`METHOD path` of each request."""
    seen: list[dict[str, str]]
    """Headers of each request, names in lower case."""
    _server: asyncio.Server
    _writers: set[asyncio.StreamWriter]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def aclose(self) -> None:
        """Stop listening and cut all connections, as a killed process does."""
        self._server.close()
        closed = asyncio.ensure_future(self._server.wait_closed())
        while not closed.done():
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0.01)  # a connection may have been made just now


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value), status, {"Content-Type": "application/json"})


def recorded(name: str) -> dict[str, Reply]:
    """Return the answers of a server kept in tests/fixtures/endpoints, by `METHOD path`; `*` is any other."""
    path = Path(__file__).parents[1] / "fixtures" / "endpoints" / f"{name}.json"
    answers = json.loads(path.read_text("utf-8"))["answers"]
    return {asked: Reply(each["body"], each["status"], each["headers"]) for asked, each in answers.items()}


async def replaying(
    replies: Mapping[str, Reply],
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    other: Reply | None = None,
) -> Server:
    """Serve answers by `path`, or by `METHOD path` where that is there; everything else is 404."""
    asked: list[str] = []
    seen: list[dict[str, str]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ", 2)
            headers: dict[str, str] = {}
            while (row := await reader.readline()).strip():
                name, _, value = row.decode().partition(":")
                headers[name.lower()] = value.strip()
            await reader.readexactly(int(headers.get("content-length", 0)))
            asked.append(f"{method} {path}")
            seen.append(headers)
            missing = replies.get("*") or other or as_json({"detail": "Not Found"}, 404)
            reply = replies.get(f"{method} {path}") or replies.get(path) or missing
            if reply is HANG:
                await asyncio.Event().wait()
            body = reply.body.encode()
            head = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(body)}"]
            head += [f"{name}: {value}" for name, value in reply.headers.items()]
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            await writer.drain()

    return await raw(answer, port=port, tls=tls, asked=asked, seen=seen)


async def raw(
    handler: Handler,
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    asked: list[str] | None = None,
    seen: list[dict[str, str]] | None = None,
) -> Server:
    """Serve whatever a handler of streams does."""
    writers: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    found = server.sockets[0].getsockname()[1]
    return Server(
        found, asked if asked is not None else [], seen if seen is not None else [], server, writers
    )
