"""The poller against real servers, sound and broken."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import ssl
import subprocess
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import certifi
import pytest
import servers
from servers import Reply, as_json

from mlwatch.config import EndpointSettings
from mlwatch.endpoints import poller, recognition, resolving
from mlwatch.endpoints.adapters.fastapi import FastApi
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.client import Client, _is_same_origin
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.poller import Poller
from mlwatch.endpoints.types import Probe, ServedVersion
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


INTERVAL = 0.1


def settings(url: str, **other: Any) -> EndpointSettings:
    given: dict[str, Any] = {
        "interval": timedelta(seconds=INTERVAL),
        "timeout": timedelta(seconds=0.3),
        "kind": "http",
    } | other
    return EndpointSettings(url=url, **given)


@asynccontextmanager
async def polling(*endpoints: EndpointSettings) -> AsyncIterator[list[Probe]]:
    probes: list[Probe] = []
    poller = Poller(endpoints, probes.append)
    task = asyncio.create_task(poller.run())
    try:
        yield probes
    finally:
        await poller.aclose()
        await asyncio.wait_for(task, 5)


async def until(holds: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


async def first(endpoint: EndpointSettings) -> Probe:
    async with polling(endpoint) as probes:
        await until(lambda: probes)
    return probes[0]


async def test_a_sound_server_is_up_with_latency_and_time() -> None:
    server = await servers.replaying({"/healthz": Reply("ok")})
    probe = await first(settings(server.url, health="/healthz", name="mine"))
    await server.aclose()
    assert (probe.endpoint, probe.up, probe.status, probe.error) == ("mine", True, 200, "")
    assert probe.latency_ms is not None
    assert 0 < probe.latency_ms < 300
    assert probe.at.tzinfo is not None


@pytest.mark.parametrize(
    ("reply", "ready", "error"),
    [
        (Reply('{"status": "loading"}', 503), False, "503 while loading"),
        (Reply("", 503), False, "503: not available"),
        (Reply("", 404), False, "404: no such path"),
        (Reply("", 401), None, "401: not authorised"),
        (Reply("", 302, {"Location": "/login"}), None, "302: redirected, and redirects are off"),
        (Reply("<html>Sign in</html>"), None, "HTML where its health belongs"),
    ],
)
async def test_a_status_is_said_in_words(reply: Reply, ready: bool | None, error: str) -> None:
    server = await servers.replaying({"/health": reply})
    probe = await first(settings(server.url, health="/health"))
    await server.aclose()
    assert (probe.live, probe.ready, probe.error) == (True, ready, error)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.transport.abort()


async def test_connecting_has_a_limit_of_its_own() -> None:
    """A listener whose queue is full answers no handshake; what connects is not told for as long as a whole request."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        for _ in range(4):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(place)
        client = Client(parse(f"http://127.0.0.1:{place[1]}"), timeout=30.0, connect_timeout=0.2)
        with pytest.raises(Failure, match=r"^no connection after 200 ms$"):
            await client.get("/")
        await client.aclose()


async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await reader.readline()


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (hang, "timed out after 300 ms"),
        (drip, "timed out after 300 ms, "),
        (reset, "not HTTP, or closed before its answer|connection reset"),
        (huge, "answer larger than 1 MB"),
        (no_http, "not HTTP, or closed before its answer"),
    ],
)
async def test_a_fault_is_said_in_words(handler: Any, error: str) -> None:
    server = await servers.raw(handler)
    probe = await first(settings(server.url))
    await server.aclose()
    assert any(part in probe.error for part in error.split("|")), probe.error
    assert not probe.up


async def test_refused_and_unknown_names_are_said_in_words() -> None:
    server = await servers.replaying({})
    await server.aclose()
    assert (await first(settings(server.url))).error == "refused"
    assert (await first(settings("http://no-such-host.invalid"))).error.startswith("DNS: no ")


async def test_endless_redirects_end() -> None:
    server = await servers.replaying({"/a": Reply("", 307, {"Location": "/a"})})
    probe = await first(settings(server.url, health="/a", follow_redirects=True))
    await server.aclose()
    assert probe.error == "more than 3 redirects"


async def test_a_token_does_not_follow_a_redirect_to_another_host() -> None:
    other = await servers.replaying({"/there": Reply("ok")})
    target = f"http://localhost:{other.port}/there"
    server = await servers.replaying({"/a": Reply("", 302, {"Location": target})})
    url = server.url.replace("http://", "http://user:hunter2@")
    probe = await first(settings(url, health="/a", follow_redirects=True))
    await server.aclose()
    await other.aclose()
    assert probe.status == 200
    assert server.seen[0]["authorization"] == "Basic " + base64.b64encode(b"user:hunter2").decode()
    assert "authorization" not in other.seen[0]


async def test_a_token_follows_a_redirect_to_the_same_port_only() -> None:
    other = await servers.replaying({"/a": Reply("", 302, {"Location": "/b"}), "/b": Reply("ok")})
    there = f"{other.url}/a"
    server = await servers.replaying(
        {"/a": Reply("", 302, {"Location": "/b"}), "/b": Reply("", 302, {"Location": there})}
    )
    probe = await first(
        settings(server.url.replace("//", "//user:hunter2@"), health="/a", follow_redirects=True)
    )
    await server.aclose()
    await other.aclose()
    assert probe.status == 200
    assert ["authorization" in seen for seen in server.seen[:2]] == [True, True]
    assert ["authorization" in seen for seen in other.seen] == [False, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/a", "http://h:80/b", True),
        ("http://h/a", "https://h/b", True),
        ("http://h:8080/a", "https://h:8443/b", False),
        ("https://h/a", "http://h/b", False),
        ("http://h/a", "http://h:81/b", False),
        ("http://h/a", "http://i/b", False),
        ("http://[::1]:8080/a", "http://[::1]:8080/b", True),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert _is_same_origin(one, other) == same


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certified(tmp_path_factory.mktemp("tls"), 30)


def certified(directory: Path, days: int) -> tuple[ssl.SSLContext, Path]:
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


async def test_a_self_signed_certificate_is_refused_unless_it_is_trusted(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    context, certificate = tls
    server = await servers.replaying({"/healthz": Reply("ok")}, tls=context)
    url = server.url.replace("http:", "https:")
    refused = await first(settings(url, health="/healthz"))
    trusted = await first(settings(url, health="/healthz", verify=str(certificate)))
    unchecked = await first(settings(url, health="/healthz", verify=False))
    await server.aclose()
    assert refused.error == "TLS: self-signed"
    assert trusted.up
    assert trusted.certificate_days == pytest.approx(30, abs=0.1)
    assert unchecked.up
    assert unchecked.certificate_days is None


async def test_a_renewed_certificate_is_noticed(tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    renewed, new = certified(tmp_path, 90)
    both = tmp_path / "authorities.pem"
    both.write_text(tls[1].read_text() + new.read_text())
    server = await servers.replaying({"/healthz": Reply("ok")}, tls=tls[0])
    url = server.url.replace("http:", "https:")
    async with polling(settings(url, health="/healthz", verify=str(both))) as probes:
        await until(lambda: probes and probes[-1].up)
        assert probes[-1].certificate_days == pytest.approx(30, abs=0.1)
        await server.aclose()
        server = await servers.replaying({"/healthz": Reply("ok")}, tls=renewed, port=server.port)
        await until(lambda: probes[-1].up and (probes[-1].certificate_days or 0) > 31)
    await server.aclose()
    assert probes[-1].certificate_days == pytest.approx(90, abs=0.1)


async def test_plain_http_at_a_tls_address_is_named() -> None:
    server = await servers.raw(no_tls)
    probe = await first(settings(server.url.replace("http:", "https:")))
    await server.aclose()
    assert probe.error == "TLS: answered without TLS: is it http://?"


async def test_killed_and_restarted_is_seen_within_two_intervals() -> None:
    replies = {"/healthz": Reply("ok")}
    server = await servers.replaying(replies)
    endpoint = settings(server.url, health="/healthz", interval=timedelta(seconds=0.4))
    async with polling(endpoint) as probes:
        await until(lambda: len(probes) >= 2)
        await server.aclose()
        killed = datetime.now(UTC)
        await until(lambda: not probes[-1].up)
        down = next(probe for probe in probes if not probe.up)
        await until(lambda: len([probe for probe in probes if not probe.up]) >= 5)  # the back-off has begun
        server = await servers.replaying(replies, port=server.port)
        restarted = datetime.now(UTC)
        await until(lambda: probes[-1].up)
        up = probes[-1]
    await server.aclose()
    two = 2 * endpoint.interval * (1 + poller.JITTER)
    assert down.at - killed < two
    assert up.at - restarted < two


async def test_a_hanging_server_neither_delays_the_others_nor_hides_its_slowness() -> None:
    """Told by the order of things and not by the clock: the sound one is looked at while all others wait."""
    asked, go_on = [0.0], asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            asked.append(time.monotonic())
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    sound, stuck = await servers.replaying({"/": Reply("ok")}), await servers.raw(hold)
    patient = {"timeout": timedelta(minutes=1), "connect_timeout": timedelta(minutes=1)}
    endpoints = [settings(stuck.url, name=f"stuck {number}", **patient) for number in range(20)]
    async with polling(*endpoints, settings(sound.url, name="sound", **patient)) as probes:
        await until(lambda: len(asked) > 20 * poller.MOST_WAITING, 30)
        begun = len(probes)
        await until(lambda: len(probes) >= begun + 10, 30)
        assert {(each.endpoint, each.up) for each in probes} == {("sound", True)}
        held = time.monotonic() - asked[-1]
        go_on.set()
        await until(lambda: len({each.endpoint for each in probes}) == 21, 30)
        firsts = {each.endpoint: each for each in reversed(probes) if each.endpoint != "sound"}
        await until(lambda: any(each.missed for each in probes), 30)
    await sound.aclose()
    await stuck.aclose()
    assert min(each.latency_ms or 0 for each in firsts.values()) >= 1000 * held


async def test_name_servers_that_hang_hold_up_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """More names than a pool has threads, each asked again and again; the sound one is resolved for each look."""
    ask, over = socket.getaddrinfo, threading.Event()

    def resolve(host: str, *rest: Any, **named: Any) -> Any:
        if "dead" in str(host):
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return ask(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    close = {"Connection": "close"}
    sound = await servers.replaying({"/": Reply("ok", headers=close)})
    dead = [settings(f"http://dead{number}.test", name=f"dead {number}") for number in range(40)]
    by_name = settings(f"http://localhost:{sound.port}", name="sound", timeout=timedelta(seconds=10))
    async with polling(*dead, by_name) as probes:
        await until(lambda: len({each.endpoint for each in probes if "dead" in each.endpoint}) == 40, 30)
        begun = len(probes)
        await until(lambda: len([each for each in probes[begun:] if each.endpoint == "sound"]) >= 10, 30)
    over.set()
    await sound.aclose()
    assert all(each.up for each in probes if each.endpoint == "sound")
    assert {each.error for each in probes if each.endpoint != "sound"} == {"DNS: no answer after 300 ms"}


@pytest.mark.deep
async def test_many_that_hang_wait_among_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than looks that may be under way: once they are known to hang, the others are in time."""
    monkeypatch.setattr(poller, "MOST_AT_ONCE", 8)
    monkeypatch.setattr(poller, "MOST_FAILING", 4)
    sound, stuck = await servers.replaying({"/": Reply("ok")}), await servers.raw(hang)
    endpoints = [settings(stuck.url, name=f"stuck {number}") for number in range(20)]
    async with polling(*endpoints, settings(sound.url, name="sound")) as probes:
        await until(lambda: len({each.endpoint for each in probes if each.error}) == 20)
        begun = len(probes)
        await until(lambda: len([each for each in probes[begun:] if each.endpoint == "sound"]) >= 20)
        found = [each for each in probes[begun:] if each.endpoint == "sound"][-10:]
    await sound.aclose()
    await stuck.aclose()
    assert all(each.up for each in found)
    assert sorted(each.late_ms for each in found)[5] < 100, (
        "with one pool for all, they wait for a timeout of 300 ms"
    )


async def test_latency_counts_from_when_a_look_was_due() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.15)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = await servers.raw(slow)
    async with polling(settings(server.url)) as probes:
        await until(lambda: len(probes) >= 8)
        between = probes[-1].at - probes[0].at
    await server.aclose()
    assert between.total_seconds() < 7 * INTERVAL + 0.1  # the schedule did not wait for answers of 150 ms
    assert min(probe.latency_ms or 0 for probe in probes) >= 149


async def test_tokens_come_from_the_environment_and_show_up_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MLWATCH_TEST_TOKEN", "Bearer s3cret")
    (tmp_path / "key").write_text("k3y\n")
    server = await servers.replaying({"/": Reply("", 500)})
    given = {"Authorization": "env:MLWATCH_TEST_TOKEN", "X-Key": f"file:{tmp_path / 'key'}"}
    probe = await first(settings(server.url, headers=given))
    await server.aclose()
    assert server.seen[0]["authorization"] == "Bearer s3cret"
    assert server.seen[0]["x-key"] == "k3y"
    for secret in ("s3cret", "k3y"):
        assert secret not in repr(probe)
        assert secret not in caplog.text


@pytest.mark.parametrize("refers", ["env", "file", "authorities"])
async def test_what_is_not_there_is_no_outage_of_a_server_that_was_never_asked(
    refers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token, path = "MLWATCH_TEST_LATE", tmp_path / "late"
    monkeypatch.delenv(token, raising=False)
    server = await servers.replaying({"/": Reply("ok")})
    ways: dict[str, dict[str, Any]] = {
        "env": {"headers": {"X-Key": f"env:{token}"}},
        "file": {"management_headers": {"X-Key": f"file:{path}"}},
        "authorities": {"verify": str(path)},
    }
    probes: list[Probe] = []
    poller = Poller([settings(server.url, name="mine", **ways[refers])], probes.append)
    task = asyncio.create_task(poller.run())
    await until(lambda: poller.unasked)
    why = {
        "env": f"header X-Key: the environment has no variable {token}: set {token}",
        "file": f"header X-Key: cannot read the file {path}: make it readable, or name another",
        "authorities": f"cannot read the certificate authorities in {path}: make it readable, or name another",
    }[refers]
    assert poller.unasked == {"mine": why}
    assert (probes, server.asked) == ([], [])
    monkeypatch.setenv(token, "k3y")
    path.write_text(certifi.contents() if refers == "authorities" else "k3y")
    await until(lambda: probes)
    assert (probes[0].up, poller.unasked) == (True, {})
    await poller.aclose()
    await asyncio.wait_for(task, 5)
    await server.aclose()


async def test_credentials_are_stripped_from_the_name() -> None:
    server = await servers.replaying({"/": Reply("ok")})
    probe = await first(settings(server.url.replace("http://", "http://user:hunter2@")))
    await server.aclose()
    assert probe.endpoint == server.url
    assert "hunter2" not in repr(probe)


async def test_each_address_of_a_name_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(host: str, port: int, longest: float) -> tuple[str, ...]:
        return ("127.0.0.1", "127.0.0.2")

    monkeypatch.setattr("mlwatch.endpoints.poller.replicas", two)
    server = await servers.replaying({"/": Reply("ok")})
    async with polling(settings(f"http://model.test:{server.port}")) as probes:
        await until(lambda: len({probe.replica for probe in probes}) == 2)
    await server.aclose()
    state = {probe.replica: probe.error for probe in probes}
    assert state == {"127.0.0.1": "", "127.0.0.2": "refused"}
    assert server.seen[0]["host"] == f"model.test:{server.port}"


async def test_one_name_for_both_families_is_one_server() -> None:
    assert await resolving.replicas("localhost", 80, 2) == ()
    assert await resolving.replicas("127.0.0.1", 80, 2) == ()


def test_it_runs_in_a_thread_of_its_own_and_stops_from_another() -> None:
    probes: list[Probe] = []
    poller = Poller([settings("http://127.0.0.1:9")], probes.append)
    thread = threading.Thread(target=lambda: asyncio.run(poller.run()))
    thread.start()
    deadline = time.monotonic() + 5
    while not probes and time.monotonic() < deadline:
        time.sleep(0.01)
    poller.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert probes[0].error == "refused"


def test_a_wrong_address_or_kind_is_an_input_error() -> None:
    with pytest.raises(InputError, match="not an address"):
        Poller([settings("ftp://x")], print)
    with pytest.raises(InputError, match="no kind of server torchsurf"):
        Poller([settings("http://x", kind="torchsurf")], print)


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "churn-model", "version": "1.4.2"},
    "paths": {"/healthz": {}, "/readyz": {}, "/version": {}, "/predict": {}},
}


async def test_fastapi_is_detected_and_its_version_read() -> None:
    replies = {
        "/openapi.json": as_json(OPENAPI),
        "/readyz": as_json({"status": "ready"}),
        "/version": as_json({"model": "churn", "version": "7", "git_sha": "abc123"}),
    }
    server = await servers.replaying(replies)
    probe = await first(settings(server.url, kind=None))
    await server.aclose()
    assert (probe.server, probe.up, probe.served) == ("fastapi", True, (ServedVersion("churn", "7"),))
    assert all(each.startswith("GET ") for each in server.asked)


async def test_fastapi_that_loads_is_live_and_not_ready() -> None:
    replies = {"/openapi.json": as_json(OPENAPI), "/readyz": as_json({"status": "loading"}, 503)}
    server = await servers.replaying(replies)
    probe = await first(settings(server.url, kind=None))
    await server.aclose()
    assert (probe.live, probe.ready, probe.error) == (True, False, "503 while loading")


async def test_html_where_json_belongs_is_named() -> None:
    server = await servers.replaying({"/openapi.json": Reply("<!doctype html><html>sign in</html>")})
    probe = await first(settings(server.url, kind="fastapi"))
    await server.aclose()
    assert (probe.live, probe.error) == (True, "HTML where JSON belongs")


FASTAPI = {
    "/openapi.json": as_json(OPENAPI),
    "/readyz": as_json({"status": "ready"}),
    "/version": as_json({"model": "churn", "version": "7"}),
}


async def test_a_server_that_changes_kind_is_told_and_looked_at_as_what_it_is() -> None:
    server = await servers.replaying(FASTAPI)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: probes and probes[-1].up)
        assert (probes[-1].server, probes[-1].recognised) == (
            "fastapi", "90 % sure: openapi.json describes churn-model",
        )  # fmt: skip
        await server.aclose()
        await until(lambda: probes[-1].error == "refused")
        other = await servers.replaying(servers.recorded("triton"), port=server.port)
        await until(lambda: probes[-1].server == "triton" and not probes[-1].error)
        told = next(probe for probe in probes if probe.server == "triton")
        assert (told.error, told.up) == ("another kind of server: was fastapi, is triton", True)
        await other.aclose()


async def test_a_server_that_changes_kind_without_an_outage_is_told_after_three_odd_looks() -> None:
    replies = dict(FASTAPI)
    server = await servers.replaying(replies)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: probes and probes[-1].up)
        replies.clear()
        replies.update(servers.recorded("torchserve"))
        await until(lambda: probes[-1].server == "torchserve")
        odd = [probe for probe in probes if probe.error == "404: no such path"]
        assert len(odd) >= 3
    await server.aclose()


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mlflow", "fastapi"),
        ("fastapi", "mlflow"),
        ("mlserver", "triton"),
        ("bentoml", "fastapi"),
        ("mlflow", "feast"),
    ],
)
async def test_a_server_that_changes_kind_behind_the_same_paths_is_told_too(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setattr(recognition, "CONFIRM_S", 0.25)
    replies = servers.recorded(before)
    server = await servers.replaying(replies)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: len(probes) > 4)
        assert {(probe.server, probe.up) for probe in probes} == {(before, True)}
        same = {asked: replies[asked] for asked in ("GET /ping", "GET /readyz") if asked in replies}
        replies.clear()
        replies.update(same | servers.recorded(after))
        await until(lambda: probes[-1].server == after)
        told = next(probe for probe in probes if probe.server == after)
        assert (told.error, told.up) == (f"another kind of server: was {before}, is {after}", True)
    await server.aclose()


@asynccontextmanager
async def becoming_fastapi(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> AsyncIterator[tuple[list[Probe], list[FastApi]]]:
    """Poll a server that becomes another kind, of which something fails twice; yield probes, and what was asked."""
    monkeypatch.setattr(recognition, "CONFIRM_S", 0.1)
    answer, asked = getattr(FastApi, failing), list[FastApi]()

    async def slow_at_first(self: FastApi, client: Client) -> Any:
        asked.append(self)
        if len(asked) < 3:
            raise Failure("timeout")
        return await answer(self, client)

    monkeypatch.setattr(FastApi, failing, slow_at_first)
    replies = servers.recorded("mlflow")
    server = await servers.replaying(replies)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: probes and probes[-1].server == "mlflow")
        replies.clear()
        replies.update(FASTAPI)
        yield probes, asked
    await server.aclose()


async def test_a_change_of_kind_is_told_though_the_other_server_says_nothing_of_itself_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with becoming_fastapi(monkeypatch, "prepare") as (probes, asked):
        await until(lambda: probes[-1].server == "fastapi")
        told = next(probe for probe in probes if probe.server == "fastapi")
        assert (told.error, told.up) == ("another kind of server: was mlflow, is fastapi", True)
    assert len(asked) == 3


async def test_a_change_of_kind_is_told_though_the_first_look_at_the_other_server_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with becoming_fastapi(monkeypatch, "look") as (probes, asked):
        await until(lambda: len(asked) > 3)
        errors = [probe.error for probe in probes if probe.error]
        assert errors[-3:] == ["timeout", "timeout", "another kind of server: was mlflow, is fastapi"]


async def test_another_software_in_the_header_raises_doubt_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "SUSPICIOUS_S", 0.0)
    replies = servers.recorded("mlserver")
    server = await servers.replaying(replies)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: len(probes) > 2)
        replies.update(servers.recorded("triton"))  # says no software
        await until(lambda: probes[-1].server == "triton")
    await server.aclose()


async def test_after_an_outage_the_kind_is_confirmed_with_few_requests() -> None:
    server = await servers.replaying(FASTAPI)
    async with polling(settings(server.url, kind=None)) as probes:
        await until(lambda: probes and probes[-1].up)
        await server.aclose()
        await until(lambda: probes[-1].error == "refused")
        again = await servers.replaying(FASTAPI, port=server.port)
        await until(lambda: probes[-1].up)
        assert not probes[-1].error
        await until(lambda: len(again.asked) > 8)
        assert again.asked[:2] == ["GET /readyz", "GET /version"]
        assert again.asked.count("GET /openapi.json") == 2  # is it still the same, and which paths has it now
        assert set(again.asked) == {"GET /readyz", "GET /version", "GET /openapi.json"}
        await again.aclose()


@pytest.mark.parametrize("skew", [-90.0, 3600.0])
async def test_a_clock_that_is_wrong_is_measured(skew: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=skew), usegmt=True)
    server = await servers.replaying({"/": Reply("ok", headers={"Date": date})})
    probe = await first(settings(server.url))
    await server.aclose()
    assert probe.up
    assert probe.metrics["clock_skew_s"] == pytest.approx(skew, abs=3)


@pytest.mark.parametrize("date", ["", "nonsense", "Tue, 99 Foo 20026 00:00:00 GMT"])
async def test_without_a_time_nothing_is_said_of_the_clock(date: str) -> None:
    server = await servers.replaying({"/": Reply("ok", headers={"Date": date})})
    probe = await first(settings(server.url))
    await server.aclose()
    assert (probe.up, dict(probe.metrics)) == (True, {})


async def test_the_version_that_loads_is_named() -> None:
    server = await servers.replaying({"/health": as_json({"status": "loading", "version": "v2"}, 503)})
    probe = await first(settings(server.url, health="/health"))
    await server.aclose()
    assert probe.error == "503 while loading v2"
