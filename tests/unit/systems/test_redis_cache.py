"""A cache of features: a real Redis, and servers that are none, slow, dead or closed to us."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redises import free_port, needs_redis, plain_client, redis_server
from servers import raw
from waiting import until

import mlwatch
from mlwatch.cli import main
from mlwatch.config import CacheSettings, parse
from mlwatch.endpoints.server_metrics import measured, since_start
from mlwatch.errors import ConfigError
from mlwatch.session import Options, Session
from mlwatch.systems.redis_cache import Cache, shown
from mlwatch.systems.redis_info import scrape_of
from mlwatch.systems.redis_keys import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.endpoints.types import Probe, ServerMetrics


def look(
    settings: CacheSettings, directory: Path, meanwhile: Callable[[], object] = lambda: None
) -> tuple[Probe, ServerMetrics | None]:
    """Look twice with something in between; return the last findings."""

    async def once() -> tuple[Probe, ServerMetrics | None]:
        cache = Cache(settings, directory.joinpath)
        try:
            await cache.probe(asyncio.get_running_loop().time())
            await cache.scrape(asyncio.Semaphore(1))
            meanwhile()
            probe = await cache.probe(asyncio.get_running_loop().time())
            return probe, await cache.scrape(asyncio.Semaphore(1))
        finally:
            await cache.aclose()

    return asyncio.run(once())


def at(port: int, **rest: Any) -> CacheSettings:
    return CacheSettings(f"redis://127.0.0.1:{port}", **rest)


@needs_redis
def test_hits_evictions_memory_and_latency_are_the_servers(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru") as port:
        client = redis.Redis(port=port)
        client.set("here", "1")
        client.get("here")

        def traffic() -> None:
            for _ in range(90):
                client.get("here")
            for _ in range(10):
                client.get("gone")
            for number in range(400):
                client.set(f"filler:{number}", "x" * 10_000)
            client.config_set("maxmemory-policy", "noeviction")  # none goes while it is asked, here and there
            time.sleep(0.01)

        probe, told = look(at(port), tmp_path, traffic)
        info: Any = client.info()
    assert told is not None
    assert (probe.up, probe.error) == (True, "")
    assert probe.server == f"redis {info['redis_version']}"
    assert probe.latency_ms is not None
    values = told.values
    assert values["hit_ratio"] == pytest.approx(0.9)
    assert values["evicted_per_s"] > 0
    assert values["memory_share"] == pytest.approx(info["used_memory"] / 3e6, rel=0.2)
    assert values["keys"] == pytest.approx(info["db0"]["keys"])
    assert values["requests_per_s"] > 100
    assert values["errors_per_s"] == 0
    assert 0 < values["latency_mean_ms"] < 100


@needs_redis
def test_looking_adds_neither_errors_nor_hits_nor_misses(tmp_path: Path) -> None:
    """Not even where keys are of kinds that hold no time."""
    keys = {"user": "user:*", "none": "nothing:*"}
    settings = {"keys": keys, "updated": {"user": "at"}, "keys_interval": timedelta(microseconds=1)}
    with redis_server(tmp_path) as port:
        client = plain_client(port)
        client.hset("user:1", mapping={"at": time.time()})
        client.set("user:2", "no JSON")
        client.rpush("user:3", "x")
        client.get("gone")
        _, told = look(at(port, **settings), tmp_path)
        commands, stats = client.info("commandstats"), client.info("errorstats")
    assert told is not None
    assert told.error == ""
    assert stats == {}, "a name of a library or another protocol would be one on old servers"
    sent = {name.removeprefix("cmdstat_") for name in commands}
    ours = {"ping", "info", "scan", "pttl", "type", "hget", "getrange"}
    assert sent - {"hset", "set", "rpush", "get"} == ours
    assert told.values["keys_sampled.user"] == 3
    assert told.values["keys_sampled.none"] == 0
    assert told.values["feature_absent.user"] == pytest.approx(2 / 3)


@needs_redis
def test_our_own_look_ups_are_not_in_the_share_of_hits(tmp_path: Path) -> None:
    settings = {"keys": {"user": "user:*"}, "keys_interval": timedelta(microseconds=1)}
    with redis_server(tmp_path) as port:
        client = redis.Redis(port=port)
        client.mset({f"user:{number}": "1" for number in range(100)})

        def traffic() -> None:
            client.get("user:1")
            client.mget([f"gone:{number}" for number in range(3)])

        _, told = look(at(port, **settings), tmp_path, traffic)
        hits = client.info()["keyspace_hits"]
    assert hits > 100, "the server counts ours"
    assert told is not None
    assert told.values["hit_ratio"] == 0.25


@needs_redis
def test_keys_tell_how_long_they_live_and_how_old_they_are(tmp_path: Path) -> None:
    now = time.time()
    keys = {"user": "user:*", "json": "json:*", "driver": "*driver_id*"}
    updated = {"user": "updated", "json": "meta.at", "driver": "_ts:driver_stats"}
    with redis_server(tmp_path) as port:
        client = redis.Redis(port=port)
        for number in range(1000):
            client.hset(f"user:{number}", mapping={"updated": now - 60 - (3600 if number == 7 else 0)})
            client.expire(f"user:{number}", 100 if number % 2 else 300)
        client.set("json:1", json.dumps({"meta": {"at": datetime.fromtimestamp(now - 30, UTC).isoformat()}}))
        feast = b"\x08" + _varint(int(now) - 7200)  # Timestamp(seconds=…)
        client.hset(b"\x02\x00driver_id\x00project", mapping={"_ts:driver_stats": feast})
        _, told = look(at(port, keys=keys, updated=updated), tmp_path)
    assert told is not None
    values = told.values
    assert values["keys_sampled.user"] == 100
    assert 90 < values["ttl_min_s.user"] <= 100
    assert 90 < values["ttl_p50_s.user"] <= 300
    assert values["no_ttl_share.user"] == 0
    assert 60 <= values["feature_age_s.user"] < 3700
    assert values["no_ttl_share.json"] == 1
    assert values["feature_age_s.json"] == pytest.approx(30, abs=10)
    assert values["feature_age_s.driver"] == pytest.approx(7200, abs=10)


@needs_redis
@pytest.mark.parametrize(
    ("rights", "settings", "error", "metrics_error"),
    [
        ("+ping", {}, "", "no permission: allow this user +ping +info"),
        ("+ping +info", {"keys": {"user": "*"}}, "", "keys are not looked at: no permission"),
        ("-@all", {}, "no permission: allow this user +ping", None),
        ("+@all", {"password": "file:wrong"}, "it refuses us: set user and password of [[cache]]", None),
        (
            "+@all",
            {"user": None, "password": None},
            "it refuses us: set user and password of [[cache]]",
            None,
        ),
    ],
)
def test_a_lack_of_rights_is_one_clear_line(
    tmp_path: Path, rights: str, settings: dict[str, Any], error: str, metrics_error: str | None
) -> None:
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    with redis_server(tmp_path, "--requirepass", "root") as port:
        client: Any = redis.Redis(port=port, password="root")
        client.execute_command("ACL", "SETUSER", "mlwatch", "on", ">secret", "~*", *rights.split())
        client.set("user:1", "x")
        probe, told = look(at(port, **{"user": "mlwatch", "password": "file:right", **settings}), tmp_path)
    assert probe.error.startswith(error) if error else probe.error == ""
    assert (probe.live, probe.ready) == (True, not error)
    if metrics_error is not None:
        assert told is not None
        assert told.error.startswith(metrics_error)


def test_a_dead_server_is_asked_once_a_look(tmp_path: Path) -> None:
    asked: list[float] = []

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(time.monotonic())
        await reader.read(65536)  # what is left unread would make a reset of the end

    async def once() -> Probe:
        server = await raw(closing)
        cache = Cache(at(server.port), tmp_path.joinpath)
        try:
            return await cache.probe(asyncio.get_running_loop().time())
        finally:
            await cache.aclose()
            await server.aclose()

    probe = asyncio.run(once())
    assert len(asked) == 1
    assert (probe.live, probe.error) == (False, "it closed the connection: is it Redis?")
    nobody, _ = look(at(free_port()), tmp_path)
    assert (nobody.live, nobody.ready, nobody.error) == (False, False, "refused")


@pytest.mark.parametrize(
    ("answer", "error", "live"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers is not Redis: correct url of [[cache]]", False),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading its data", True),
        (b"-ERR no \x1b[31m\r\n", "error: no \\x1b[31m", True),
        (b"-NOAUTH Authentication required.\r\n", "it refuses us: set user and password of [[cache]]", True),
        (b"\xff\xfe\x00garbage\r\n", "what answers is not Redis: correct url of [[cache]]", False),
        (b"", "timed out after 200 ms", False),
        (b"$100000000\r\nx", "timed out after 200 ms", False),
    ],
)
def test_what_is_no_redis_or_no_ready_one_is_told(
    tmp_path: Path, answer: bytes, error: str, live: bool
) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(answer)

    async def once() -> Probe:
        server = await raw(answering)
        cache = Cache(at(server.port, timeout=timedelta(milliseconds=200)), tmp_path.joinpath)
        try:
            return await cache.probe(asyncio.get_running_loop().time())
        finally:
            await cache.aclose()
            await server.aclose()

    probe = asyncio.run(once())
    assert (probe.error, probe.live, probe.ready) == (error, live, False)


def test_info_of_garbage_is_nothing_rather_than_an_error() -> None:
    odd = {"keyspace_hits": "many", "db0": "x", "db1": {"keys": None}, "used_memory": {}}
    assert measured([scrape_of(odd, {"cmdstat_get": 3, "cmdstat_set": {"calls": "x"}}, 1.0)]) == {"keys": 0}


def test_a_restart_is_no_drop_of_counters() -> None:
    before = scrape_of({"keyspace_hits": 1000, "keyspace_misses": 1000}, {}, 0.0)
    after = scrape_of({"keyspace_hits": 30, "keyspace_misses": 10}, {}, 10.0)
    assert measured([before, after])["hit_ratio"] == 0.75
    assert since_start(after)["hit_ratio"] == 0.75


async def test_until_there_is_a_minute_the_share_of_hits_is_that_since_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may have asked for a key in the first seconds, which are all that a check sees."""

    async def said(*_: Any) -> dict[str, Any]:
        return {"keyspace_hits": 30, "keyspace_misses": 10, "total_commands_processed": 41}

    cache = Cache(at(1), tmp_path.joinpath)
    monkeypatch.setattr(cache, "_ask", said)
    for _ in range(2):
        told = await cache.scrape(asyncio.Semaphore(1))
        assert told is not None
        assert told.values["hit_ratio"] == 0.75


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1700000000", 1_700_000_000),
        (b"1700000000123", 1_700_000_000.123),
        (b"2023-11-14T22:13:20Z", 1_700_000_000),
        (b"\x08\x80\xe2\xcf\xaa\x06", 1_700_000_000),
        (b"\x08\x80\xe2\xcf\xaa\x06\x10\x05", 1_700_000_000),
        (b"\x08\xff\xff", None),
        (b"\xff\x00", None),
        (b"soon", None),
        (b"", None),
        (None, None),
    ],
)
def test_times_are_read_as_caches_write_them(value: bytes | None, seconds: float | None) -> None:
    assert moment(value) == seconds


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


@needs_redis
def test_over_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    port, files = free_port(), ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with redis_server(tmp_path, "--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        url = f"rediss://127.0.0.1:{port}"
        trusted, told = look(CacheSettings(url, verify="certificate.pem"), tmp_path)
        stranger, _ = look(CacheSettings(url), tmp_path)
        blind, _ = look(CacheSettings(url, verify=False), tmp_path)
        plain, _ = look(CacheSettings(url.replace("rediss", "redis")), tmp_path)
    assert (trusted.up, trusted.error, blind.up) == (True, "", True)
    assert told is not None
    assert told.values["keys"] == 0
    assert (stranger.up, stranger.error) == (False, "TLS: self-signed")
    assert not plain.up
    assert plain.error


@needs_redis
def test_a_cache_that_dies_is_an_alert_until_it_is_back(tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    logs.mkdir()
    (logs / "a.jsonl").write_text('{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "version": "v1"}\n')
    (logs / "mlwatch.toml").write_text(
        f'[[cache]]\nurl = "redis://127.0.0.1:{port}"\nname = "features"\ninterval = "100ms"\n'
    )

    def down(session: Session) -> list[str]:
        return [one.message for one in session.snapshot().alerts if one.rule == "endpoint: features"]

    with Session(Options(logs, db=":memory:")) as session:
        with redis_server(tmp_path, port=port):
            session.start()
            until(lambda: any(one.state == "ok" for one in session.snapshot().endpoints))
        until(lambda: "features is down: refused" in down(session))
        with redis_server(tmp_path, port=port):
            until(lambda: not any("is down" in message for message in down(session)))
        assert session.snapshot().ingest.predictions == 1, "the rest goes on"


@needs_redis
def test_a_cache_is_watched_like_an_endpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text('{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "version": "v1"}\n')
    with redis_server(tmp_path) as port:
        redis.Redis(port=port).set("user:1", "x", ex=50)
        (logs / "mlwatch.toml").write_text(
            f'[[cache]]\nurl = "redis://127.0.0.1:{port}"\nname = "features"\nkeys = {{user = "user:*"}}\n'
            'conditions = ["metrics.ttl_min_s.user > 600", "metrics.keys == 1"]\n'
        )
        with Session(Options(logs, db=":memory:")) as session:
            session.ingest_all()
            session.look_around()
            document = session.snapshot().to_dict()
        (cache,) = document["endpoints"]
        assert (cache["url"], cache["state"], cache["server"][:6]) == ("features", "up", "redis ")
        assert cache["metrics"]["ttl_min_s.user"] == pytest.approx(50, abs=10)
        states = {each["condition"]: each["state"] for each in cache["conditions"]}
        assert states == {"metrics.ttl_min_s.user > 600": "firing", "metrics.keys == 1": "ok"}
        (alert,) = (one for one in document["alerts"] if one["rule"].startswith("endpoint: features"))
        assert alert["message"].startswith(
            "features does not keep its condition metrics.ttl_min_s.user > 600"
        )
        assert main(["probe", f"redis://127.0.0.1:{port}", "--format", "json"]) == 0
        (said,) = json.loads(capsys.readouterr().out)
        assert (said["live"], said["server_metrics"]["keys"]) == (True, 1)
    command = ["check", str(logs), "--db", ":memory:", "--endpoint", f"redis://127.0.0.1:{port}/1"]
    assert main(command) == 1
    out = capsys.readouterr().out
    assert "features is down: refused" in out
    assert f"redis://127.0.0.1:{port}/1 is down: refused" in out


def test_without_the_client_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1}\n')
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    assert main(["check", str(tmp_path), "--db", ":memory:", "--endpoint", "redis://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err == (
        "mlwatch: watching a cache needs one more package: [[cache]]: pip install 'mlwatch[redis]'\n"
    )
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        assert opened.snapshot().endpoints == (), "who watches none needs no client"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('url = "http://cache"', 'must be an address such as "redis://localhost:6379/0"'),
        ('url = "redis://cache/zero"', 'must be an address such as "redis://localhost:6379/0"'),
        ('url = "redis://c"\npassword = "abc"', "must be a reference"),
        ('url = "redis://c"\nkeys = {"a b" = "x"}', "must name patterns of keys"),
        ("interval = '1s'", "add url ="),
        ('url = "redis://c"\nconditions = ["hits > 3"]', "hits is unknown"),
    ],
)
def test_settings_are_checked(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse(f"[[cache]]\n{text}\n")


def test_a_group_that_is_dated_has_to_have_a_pattern(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="updated names users, which has no pattern"):
        Cache(CacheSettings("redis://c", updated={"users": "at"}), tmp_path.joinpath)


def test_credentials_are_never_shown() -> None:
    assert shown("redis://ann:pa:ss@cache:6379/2") == "redis://cache:6379/2"
