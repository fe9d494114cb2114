"""All that reads what others wrote, each with good examples: one that was changed at random may be refused, no more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import servers

from mlwatch.config import EndpointSettings, conditions, parse, topics
from mlwatch.endpoints import address, exposition
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.measures import WANTED
from mlwatch.endpoints.server_metrics import measured, since_start
from mlwatch.endpoints.target import Target
from mlwatch.errors import MlwatchError
from mlwatch.featurestore import constraints
from mlwatch.records import statement
from mlwatch.records.compiling import condition
from mlwatch.records.fields import Field, Fields
from mlwatch.records.lexing import FilterError
from mlwatch.records.paging import Question
from mlwatch.serve import wire
from mlwatch.serve.owner import Answer
from mlwatch.serve.owner import Question as Asked
from mlwatch.sources.files import Found
from mlwatch.sources.formats.tf_serving import decode
from mlwatch.sources.formats.wire import FRAME
from mlwatch.sources.messages import Message, pieces, whole_event
from mlwatch.sources.time_sql import tolerant_time_sql
from mlwatch.store import schema
from mlwatch.store.outcomes import label_joins
from mlwatch.systems import dvc
from mlwatch.systems.feast_registry import FeastError, features_of
from mlwatch.systems.mlflow_client import RegistryError
from mlwatch.systems.mlflow_registry import read_model
from mlwatch.systems.redis_info import scrape_of
from mlwatch.systems.redis_keys import moment
from mlwatch.times import parse_duration, parse_time, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


class Reader(NamedTuple):
    """Something that reads."""

    read: Callable[[bytes], None]
    """Raises only what nobody has foreseen."""
    seeds: tuple[bytes, ...]
    """Good examples."""


def _times(data: bytes) -> None:
    """A time is read by Python and by the engine: neither fails on any text."""
    text = data.decode("utf-8", "replace")
    parse_timestamp(text, "Europe/Berlin")
    for read in (parse_time, parse_duration):
        with contextlib.suppress(ValueError):
            read(text)
    for zone in ("UTC", "Europe/Berlin"):
        engine().execute(f"SELECT {tolerant_time_sql('t', zone)} FROM (SELECT $1 AS t)", [text]).fetchall()


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """Return one empty store for all."""
    connection = duckdb.connect()
    schema.create(connection)
    connection.execute("ALTER TABLE predictions ADD COLUMN age DOUBLE; SET TimeZone = 'UTC'")
    return connection


def _filter(data: bytes) -> None:
    """What is taken for a filter is one that the engine can run."""
    try:
        found = condition(data.decode("utf-8", "replace"), Fields([Field("age", "number", 'p."age"')]), NOW)
    except MlwatchError:
        return
    sql = f"SELECT COUNT(*) FROM predictions AS p {label_joins('p', 'p.model')} WHERE {found.sql}"
    engine().execute(sql, list(found.values)).fetchall()


def _statement(data: bytes) -> None:
    with contextlib.suppress(MlwatchError):
        statement.check(engine(), data.decode("utf-8", "replace"))


def _configuration(data: bytes) -> None:
    with contextlib.suppress(MlwatchError):
        parse(data.decode("utf-8", "replace"))


def _addresses(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for read in (address.parse, topics.parse_topics, conditions.parse):
        with contextlib.suppress(MlwatchError, ValueError):
            read(text)


def _metrics(data: bytes) -> None:
    for kind in ("text/plain", "application/openmetrics-text"):
        with contextlib.suppress(Failure):
            scrape = exposition.read(data, kind, WANTED, 1.0)
            measured([scrape, replace(scrape, at=2.0)])
            since_start(scrape)


def _server(data: bytes) -> None:
    """A server of any kind that answers oddly is one in trouble: what it says is not lost on us."""
    try:
        answers = json.loads(data)["answers"]
        replies = {
            str(asked): servers.Reply(str(each["body"]), int(each["status"]), dict(each["headers"]))
            for asked, each in answers.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return
    asyncio.run(_look(replies))


async def _look(replies: dict[str, servers.Reply]) -> None:
    running = await servers.replaying(replies)
    target = Target("e", address.parse(running.url), EndpointSettings(url=running.url, model="churn"), Path)
    try:
        for _ in range(2):
            probe = await target.probe(asyncio.get_running_loop().time())
            assert "not understood" not in probe.error, probe.error
        scraped = await target.scrape(asyncio.Semaphore())
        assert scraped is None or "not understood" not in scraped.error, scraped
    finally:
        await target.aclose()
        await running.aclose()
        await asyncio.sleep(0)  # for those who still answered


class _Registry:
    """Stands for a registry's client: answers in order, whatever is asked."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self._at = 0

    async def get(self, path: str, **asked: str) -> dict[str, Any]:
        self._at += 1
        found = self._answers[self._at % len(self._answers)]
        if not isinstance(found, dict):  # as the client does
            raise RegistryError(path)
        return found


def _registry(data: bytes) -> None:
    with contextlib.suppress(ValueError, RecursionError):
        answers = json.loads(data)
        if isinstance(answers, list) and answers:
            with contextlib.suppress(RegistryError):
                found = asyncio.run(read_model(_Registry(answers), "churn"))  # type: ignore[arg-type]
                assert found.summary.isprintable()


def _features(data: bytes) -> None:
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(data)
        with contextlib.suppress(FeastError):
            constraints(features_of(document))


def _cache(data: bytes) -> None:
    moment(data)
    with contextlib.suppress(ValueError, RecursionError):
        told = json.loads(data)
        if isinstance(told, dict):
            since_start(scrape_of(told, told, 1.0))


def _data_version(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        reference = Path(place, "reference.csv")
        reference.write_text("a,b\n1,2\n")
        for name in ("reference.csv.dvc", "dvc.lock"):
            Path(place, name).write_bytes(data)
        said = dvc.data_version(reference)
        assert said is None or said.isprintable()


def _messages(data: bytes) -> None:
    found = Found(Path("topic/0"), "topic/0", 0, 0, 0, 0)
    headers: dict[str, bytes | str | None] = {"ce_type": data[:20], "ce_id": "1"}
    given = [Message(0, data, 1), Message(1, whole_event(data, headers), 2), Message(5, None)]
    for columns in ((), ("a", "b")):
        offsets = set()
        for piece in pieces(found, given, 0, columns):
            offsets |= {*piece.offsets, *(one.line for one in piece.refused)}
            assert piece.timed().text.count(b"\n") == len(piece.lines)
        assert offsets <= {0, 1}


def _record_of_tensors(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        json.dumps(decode(data))


def _said_between_processes(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        wire.unpacked(data)


def _fixtures(pattern: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(FIXTURES.glob(pattern)))


def _lines(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)


def _recorded_answers() -> bytes:
    found = json.loads((FIXTURES / "systems" / "mlflow.json").read_bytes())
    return json.dumps([json.loads(each["body"]) for each in found if each["status"] == 200]).encode()


def _tensors() -> bytes:
    """Return the data of the first record of a file: without its frame, and the checksum behind it."""
    (text,) = _fixtures("formats/tf_serving/requests.tfrecord")
    return text[FRAME : FRAME + int.from_bytes(text[:8], "little")]


CONFIGURATION = """
[roles]
timestamp = "ts"
features = ["a", "b.*"]
[reference]
window = "7d"
[business]
conversion = ["purchase"]
attribution = "1h"
[rollout]
baseline = "v1"
margins = { accuracy = 0.01, latency_p95 = "10%" }
[schema.amount]
min = 5
allowed = [1, 2]
[[rule]]
metric = "accuracy"
when = "drop > 2%"
for = "5m"
[[endpoint]]
url = "http://localhost:8080"
conditions = ["latency.p95 < 80ms"]
[store]
keep = "30d"
"""
READERS = {
    "times": Reader(
        _times,
        _lines(
            *("2026-11-03T10:00:00.123+02:00", "1762164000123", "03/Nov/2026:10:00:00 +0000", "-2h", "1h30m"),
            *(
                "Tue, 03 Nov 2026 10:00:00 GMT",
                "20261103T100000Z",
                "2026-11-03 10:00:00,123",
                "1.762e9",
                "2h ago",
            ),
        ),
    ),
    "filters": Reader(
        _filter,
        _lines(
            "version = v2 and not (latency > 80ms or failed)",
            "age not in (1, 2.5, 'x') and label is missing or time >= -2h",
            "`age` >= 3e5 and correct and model != \"it''s\" and id ~ r1 and prediction = label",
        ),
    ),
    "statements": Reader(
        _statement,
        _lines(
            "SELECT model, COUNT(*) FROM predictions GROUP BY ALL",
            "WITH x AS (FROM range(5)) SELECT * FROM x JOIN predictions ON TRUE; SELECT 1",
            "SELECT * FROM read_csv('/etc/passwd'), (SELECT getenv('HOME')) t ORDER BY 1 LIMIT 1",
        ),
    ),
    "configuration": Reader(_configuration, _lines(CONFIGURATION)),
    "addresses": Reader(
        _addresses,
        _lines(
            "torchserve+http://me:secret@[::1]:8080/base?x=1#y",
            "kafka://a:9092,[::1]:1/t,u?group=g&from=-2h&columns=a,b&prop.sasl.password=env:X",
            'body.a.b == "x"',
            "latency.p95 < 80ms",
        ),
    ),
    "metrics": Reader(_metrics, _fixtures("endpoints/metrics/*.txt")),
    "servers": Reader(_server, _fixtures("endpoints/*.json")),
    "registry": Reader(_registry, (_recorded_answers(),)),
    "features": Reader(_features, _fixtures("systems/feast_*.json")),
    "caches": Reader(
        _cache,
        _lines(
            '{"keyspace_hits": 5, "keyspace_misses": 1, "used_memory": 1, "db0": {"keys": 3, "expires": 1},'
            ' "cmdstat_get": {"calls": 5, "usec": 30}}',
            "2026-11-03T10:00:00Z",
            "\x08\x80\xe2\xfe\xc8\x06",
        ),
    ),
    "data version": Reader(
        _data_version,
        _lines(
            "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  size: 8\n  hash: md5\n  path: reference.csv\n",
            "wdir: ..\nstages:\n  a:\n    outs:\n    - path: reference.csv\n      md5: 0123456789abcdef.dir\n",
        ),
    ),
    "messages": Reader(_messages, (*_lines("a,b\n1,2\n", "\0\0\0\0\1{}"), *_fixtures("formats/kserve/*"))),
    "server and tabs": Reader(
        _said_between_processes,
        (
            wire.packed(Asked("t", "page", (Question("age > 3", since=NOW),), (("replace", True),))),
            wire.packed(
                Answer({"m": (1.5, None, timedelta(hours=1))}, FilterError("unknown field", 3, "write x"))
            ),
        ),
    ),
    "tensors": Reader(_record_of_tensors, (_tensors(),)),
}
"""By what they read."""
