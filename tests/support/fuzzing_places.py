"""Whole places that are read, changed at random: exports, rows of other engines, a store; and a server of a page."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import io
import json
import socket
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from fuzzing import Reader
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.errors import MlwatchError
from mlwatch.serve.server import Site
from mlwatch.session import Options, Session
from mlwatch.systems.neptune import COLUMNS, NeptuneError, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable

EXPORTED = (
    *("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "DECIMAL(18, 6)", "BIGINT"),
    *("DOUBLE", "VARCHAR", "BOOLEAN", "TIMESTAMPTZ", "VARCHAR[]"),
)
"""Types of an export's columns, in their order."""


def _neptune(data: bytes) -> None:
    """An export with odd values in its rows, and one whose file is damaged."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "run.parquet")
        if data.startswith(b"PAR1"):
            file.write_bytes(data)
        else:
            Path(place, "rows.json").write_bytes(data)
            columns = ", ".join(f"{name}: '{kind}'" for name, kind in zip(COLUMNS, EXPORTED, strict=True))
            with duckdb.connect() as engine, contextlib.suppress(duckdb.Error):
                engine.execute(f"""COPY (FROM read_json('{place}/rows.json', columns = {{{columns}}},
                    format = 'newline_delimited', ignore_errors = true)) TO '{file}'""")
        with contextlib.suppress(NeptuneError):
            for entry in read_runs(Path(place), ["v1", "v2"], {"v2": "RUN-2"}).values():
                json.dumps(dict(entry.metrics), allow_nan=False)


def _rows_of_engines(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        for line in data.splitlines(keepends=True):
            name, _, row = line.partition(b" ")
            below = Path(
                place, name.decode("ascii", "replace").replace("/", "").replace("\0", "")[:40] or "x"
            )
            below.mkdir(exist_ok=True)
            with (below / "part-0-0").open("ab") as file:
                file.write(row)
        with contextlib.suppress(MlwatchError), Session(Options(Path(place), db=":memory:")) as session:
            session.ingest_all()
            session.snapshot()


def _store(data: bytes) -> None:
    """A damaged store is opened or refused, in one line."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, "logs").mkdir()
        store = Path(place, "store.duckdb")
        store.write_bytes(data)
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main(["report", str(Path(place, "logs")), "--db", str(store)])
        assert code in {0, 2, 3}, said.getvalue()
        assert "unexpected" not in said.getvalue(), said.getvalue()


class _Served:
    """A server for as long as the process lives, with nothing in its logs."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory()
        self._session = Session(Options(Path(self._place.name), db=":memory:"))
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.site = self._run(self._made())
        self.port = self._run(self.site.start("127.0.0.1", 0))
        atexit.register(self.close)

    async def _made(self) -> Site:
        return Site(self._session)

    def _run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    def close(self) -> None:
        self._run(self.site.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._session.stop()
        self._place.cleanup()


@cache
def _served() -> _Served:
    return _Served()


def _request(data: bytes) -> None:
    """Who asks oddly is refused or gets what the token opens; nothing fails inside."""
    server = _served()
    token = server.site.token.encode()
    asked = data.replace(b"TOKEN", token).replace(b"PORT", str(server.port).encode())
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        answer = b""
        with contextlib.suppress(OSError):
            line.sendall(asked)
            line.shutdown(socket.SHUT_WR)
            while piece := line.recv(65_536):
                answer += piece
    codes = [int(part.split(b" ")[1]) for part in answer.split(b"\r\n") if part.startswith(b"HTTP/1.1 ")]
    assert not [code for code in codes if code >= 500], answer[:500]
    assert token in asked or not [code for code in codes if code < 400], answer[:500]


def _seeds_of_store() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as place:
        logs, store = Path(place, "logs"), Path(place, "store.duckdb")
        logs.mkdir()
        (logs / "a.jsonl").write_text(lines(prediction(number) for number in range(50)))
        with Session(Options(logs, db=store)) as session:
            session.ingest_all()
            session.connection.execute("CHECKPOINT")
        return (store.read_bytes(),)


def _exported() -> tuple[bytes, ...]:
    rows: list[dict[str, object]] = [
        {"attribute_path": "sys/name", "attribute_type": "string", "string_value": "v1"},
        {"attribute_path": "sys/tags", "attribute_type": "string_set", "string_set_value": ["v1", "best"]},
        {"attribute_path": "sys/creation_time", "attribute_type": "datetime", "datetime_value": "2026-10-01"},
        {"attribute_path": "val/accuracy", "attribute_type": "float_series", "step": 1, "float_value": 0.9},
        {"attribute_path": "metrics/f1", "attribute_type": "float", "float_value": 0.8},
        {"attribute_path": "params/depth", "attribute_type": "int", "int_value": 7},
    ]
    text = "".join(json.dumps({"project_id": "p", "run_id": "RUN-2", **row}) + "\n" for row in rows)
    with tempfile.TemporaryDirectory() as place, duckdb.connect() as engine:
        Path(place, "a.json").write_text(text)
        listed = ", ".join(
            f"CAST(NULL AS {kind}) AS {name}" for name, kind in zip(COLUMNS, EXPORTED, strict=True)
        )
        engine.execute(f"""COPY (SELECT {listed} UNION ALL BY NAME FROM read_json('{place}/a.json',
            columns = {{run_id: 'VARCHAR', attribute_path: 'VARCHAR', attribute_type: 'VARCHAR',
            float_value: 'DOUBLE'}})) TO '{place}/a.parquet'""")
        return (text.encode(), Path(place, "a.parquet").read_bytes())


_ROW = '{"bucket": "2026-11-03T10:00:00", "model": "m", "version": "v1", '
_FLINK = "".join(
    [
        f'r_traffic {_ROW}"n": 12, "failed": 1, "n_latency": 12, "sum_latency": 3.5, "max_latency": 1.5}}\n',
        f'r_latency {_ROW}"bin": 7, "n": 12}}\n',
        f'r_outcomes {_ROW}"label": "1", "prediction": "0", "n": 3, "n_score": 3, "sum_score": 1.5}}\n',
        f'r_features {_ROW}"feature": -2, "bin": 3, "n": 12, "total": 5.5}}\n',
    ]
)
_REQUESTS = tuple(
    (first + "\r\nHost: 127.0.0.1:PORT\r\n" + "".join(f"{each}\r\n" for each in further) + "\r\n").encode()
    for first, *further in (
        ("GET /?token=TOKEN HTTP/1.1",),
        ("GET / HTTP/1.1", "Cookie: mlwatch-PORT=TOKEN", "Origin: http://127.0.0.1:PORT"),
        ("GET /?token=wrong&fontsize=12 HTTP/1.1", "Accept-Encoding: gzip"),
        ("GET /static/js/textual.js HTTP/1.1", "Cookie: mlwatch-PORT=TOKEN", "Range: bytes=0-5"),
        (
            "GET /ws?width=80 HTTP/1.1",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
        ),
        ("POST /page.js HTTP/1.1", "Transfer-Encoding: chunked", "Cookie: mlwatch-PORT=wrong"),
    )
)
_KINDS: dict[str, tuple[Callable[[bytes], None], Callable[[], tuple[bytes, ...]]]] = {
    "exports of runs": (_neptune, _exported),
    "rows of engines": (_rows_of_engines, lambda: (_FLINK.encode(),)),
    "stores": (_store, _seeds_of_store),
    "requests of browsers": (_request, lambda: _REQUESTS),
}
PLACES = tuple(_KINDS)


@cache
def place(name: str) -> Reader:
    """Return the reader of a kind of place; its examples are made then."""
    read, seeds = _KINDS[name]
    return Reader(read, seeds())
