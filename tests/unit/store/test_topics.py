"""Topics are taken in exactly once: from librdkafka's mock cluster, which speaks the real protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

import mlwatch
from mlwatch import following
from mlwatch.cli import main
from mlwatch.config import parse
from mlwatch.config.topics import parse_topics
from mlwatch.errors import InputError
from mlwatch.session import Options, Session
from mlwatch.sources import kafka
from mlwatch.sources.kafka import Reader
from mlwatch.store import feeding, topics
from mlwatch.store.topic_works import TopicWorks
from mlwatch.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.store.ingest import Progress

pytest.importorskip("confluent_kafka")
from brokers import PARTITIONS, Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as found:
        yield found


def prediction(number: int, **more: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-11-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "request_id": f"r{number}",
        "model_version": f"v{number % 2 + 1}",
        "prediction": number % 2,
        "score": (number % 100) / 100,
        "amount": number * 0.5,
        **more,
    }


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look at topics more often than people need."""
    monkeypatch.setattr(following, "QUIET_S", 0.02)
    monkeypatch.chdir(tmp_path)
    Path("often.toml").write_text('[watch]\ninterval = "20ms"')


def opened(url: str, db: Path | str = ":memory:") -> Session:
    where = Path(db) if db != ":memory:" else ":memory:"
    return Session(Options(Path(), topics=parse_topics(url), db=where, config=Path("often.toml")))  # type: ignore[arg-type]


def test_every_partition_is_read_once_and_gone_on_with(cluster: Cluster, tmp_path: Path) -> None:
    cluster.send("fraud", map(prediction, range(1000)))
    with opened(cluster.url("fraud"), tmp_path / "s.duckdb") as session:
        session.ingest_all()
        found = session.snapshot()
    assert found.ingest.predictions == found.ingest.records == 1000
    assert {name: version.predictions for name, version in found.models["fraud"].versions.items()} == {
        "v1": 500,
        "v2": 500,
    }
    assert set(found.models["fraud"].versions["v1"].quality.features) == {"amount"}
    cluster.send("fraud", map(prediction, range(1000, 1100)))
    with opened(cluster.url("fraud"), tmp_path / "s.duckdb") as session:
        session.ingest_all()
        ingest = session.snapshot().ingest
        assert ingest.predictions == 1100
        cluster.send("fraud", map(prediction, range(1100, 1200)))
        session.ingest_all()
        ingest = session.snapshot().ingest
    assert (ingest.predictions, ingest.duplicates) == (1200, 0)
    assert [(one.topic, one.partition, one.offset, one.lag) for one in ingest.streams] == [
        ("fraud", number, 300, 0) for number in range(PARTITIONS)
    ]


def test_labels_of_a_second_topic_are_joined_though_only_their_messages_have_a_time(cluster: Cluster) -> None:
    began = time.time()
    cluster.send("answers", map(prediction, range(200)))
    cluster.send("labels", [{"request_id": f"r{number}", "label": 1} for number in range(200)])
    with opened(cluster.url("answers,labels")) as session:
        session.ingest_all()
        _, ((first, last),) = session.query("SELECT epoch(MIN(ts)), epoch(MAX(ts)) FROM outcomes")
        assert began - 1 < first <= last < time.time() + 1
        (model,) = session.snapshot().models.values()
    assert sum(version.labelled for version in model.versions.values()) == 200
    assert {name: version.performance["accuracy"].value for name, version in model.versions.items()} == {
        "v1": 0.0,
        "v2": 1.0,
    }


def test_bad_messages_are_in_quarantine_with_partition_and_offset(cluster: Cluster) -> None:
    cluster.send("m", map(prediction, range(40)), partition=2)
    values = [b'{"a": ', [prediction(50), prediction(51), {"request_id": "x"}], b"\0avro", None, b"oops"]
    cluster.send("m", values, partition=2)
    cluster.send("m", [prediction(60)], partition=2)
    with opened(cluster.url("m")) as session:
        session.ingest_all()
        _, rows = session.query("SELECT file, line, reason FROM quarantine ORDER BY line")
        ingest = session.snapshot().ingest
    assert [(file, line) for file, line, _ in rows] == [("kafka://m/2", at) for at in (40, 41, 42, 44)]
    assert [reason.partition(" (")[0].partition(":")[0] for *_, reason in rows] == [
        "not valid JSON",
        "no usable time",
        "binary",
        "neither JSON nor delimited text with a header",
    ]
    assert (ingest.predictions, ingest.rejected, ingest.records) == (43, 4, 47)
    assert ingest.rows + ingest.rejected + ingest.duplicates == ingest.records


def test_delimited_messages(cluster: Cluster) -> None:
    rows = [f"2026-11-01T10:00:{number:02d}Z,r{number},v1,{number % 2},0.5".encode() for number in range(60)]
    cluster.send("plain", rows)
    url = cluster.url("plain", "?columns=timestamp,request_id,version,prediction,amount")
    with opened(url) as session:
        session.ingest_all()
        assert session.snapshot().models["plain"].versions["v1"].predictions == 60


@pytest.mark.usual(1)
@pytest.mark.parametrize(("begin", "expected"), [("earliest", 40), ("latest", 0), ("2030-01-01T00:00Z", 0)])
def test_where_it_begins_is_kept(cluster: Cluster, tmp_path: Path, begin: str, expected: int) -> None:
    """What comes while nobody reads is read by the next run, wherever the first one began."""
    cluster.send("m", map(prediction, range(40)))
    url = cluster.url("m", f"?from={begin}")
    for first, last, total in ((0, 0, expected), (40, 60, expected + 20)):
        cluster.send("m", map(prediction, range(first, last)))
        with opened(url, tmp_path / "s.duckdb") as session:
            session.ingest_all()
            assert session.snapshot().ingest.predictions == total


def test_a_directory_and_topics_together(cluster: Cluster, tmp_path: Path) -> None:
    cluster.send("m", map(prediction, range(40)))
    (tmp_path / "mlwatch.toml").write_text(f'[source]\nkafka = "{cluster.url("m")}"')
    (tmp_path / "labels.csv").write_text(
        "request_id,label\n" + "".join(f"r{number},1\n" for number in range(40))
    )
    with mlwatch.open(tmp_path, db=":memory:") as session:
        versions = session.snapshot().models["m"].versions
    assert sum(version.labelled for version in versions.values()) == 40


def test_following_reads_what_comes(cluster: Cluster) -> None:
    cluster.make("m")
    with opened(cluster.url("m")) as session:
        session.start()
        for count in (50, 100, 150):
            cluster.send("m", map(prediction, range(count - 50, count)))
            until(lambda count=count: session.snapshot().ingest.predictions == count)  # type: ignore[misc]


HOST = """
import json, sys
from brokers import Cluster
cluster = Cluster()
cluster.make("m")
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.send("m", json.loads(line))
    print("sent", flush=True)
"""
IMPATIENT = "?socket.timeout.ms=1000&socket.connection.setup.timeout.ms=1000&reconnect.backoff.max.ms=500"


@pytest.mark.deep
def test_a_broker_that_hangs_is_an_alert_and_reading_goes_on_when_it_is_back() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as host:  # fmt: skip
        assert host.stdin is not None
        assert host.stdout is not None
        try:
            with opened(f"kafka://{host.stdout.readline().strip()}/m{IMPATIENT}") as session:
                session.start()

                def sent(first: int, last: int) -> None:
                    host.stdin.write(json.dumps([prediction(n) for n in range(first, last)]) + "\n")  # type: ignore[union-attr]
                    host.stdin.flush()  # type: ignore[union-attr]
                    assert host.stdout.readline() == "sent\n"  # type: ignore[union-attr]
                    until(lambda: session.snapshot().ingest.predictions == last)

                sent(0, 40)
                host.send_signal(signal.SIGSTOP)
                until(lambda: session.snapshot().alerts, 40)
                (alert,) = session.snapshot().alerts
                assert (alert.rule, alert.state, alert.severity) == ("ingest: kafka", "firing", "critical")
                host.send_signal(signal.SIGCONT)
                sent(40, 80)
                until(lambda: session.snapshot().alerts[0].state == "resolved", 40)
        finally:
            host.kill()


def test_a_backlog_has_an_end_in_sight(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "FIRST_BYTES", 1 << 18)
    monkeypatch.setattr(kafka, "MESSAGES", 500)
    cluster.send("m", (prediction(number, note="x" * 500) for number in range(8000)))
    seen: list[Progress] = []
    with opened(cluster.url("m")) as session:
        session.ingest_all(seen.append)
    assert len(seen) > 1
    assert all(0 < one.bytes_done <= one.bytes_total for one in seen)
    # the ends of the partitions become known one after the other: the estimate grows to the truth, never beyond
    assert max(one.bytes_total for one in seen) <= 1.1 * seen[-1].bytes_total
    assert seen[-1].bytes_done == seen[-1].bytes_total


def test_what_init_writes_reads_the_topic(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.send("m", map(prediction, range(40)))
    url = cluster.url("m", "?group=g&sasl.password=env:THE_SECRET")
    monkeypatch.setenv("THE_SECRET", "hush")
    assert main(["init", url, "--stdout", "--db", ":memory:"]) == 0
    written = parse(capsys.readouterr().out)
    assert written.source.kafka == parse_topics(url)
    assert written.roles.version == "model_version"


def test_an_unknown_topic_is_one_line(cluster: Cluster) -> None:
    with pytest.raises(InputError, match="no such topic: nothing"):
        opened(cluster.url("nothing"))


def test_the_command_line_takes_topics(cluster: Cluster, tmp_path: Path) -> None:
    cluster.send("m", map(prediction, range(40)))
    command = [sys.executable, "-m", "mlwatch", "query", cluster.url("m"), "--db", str(tmp_path / "s.duckdb")]
    done = subprocess.run(
        [*command, "SELECT COUNT(*) AS n FROM predictions", "--format", "csv"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["n", "40"], "")
    done = subprocess.run(
        [sys.executable, "-m", "mlwatch", "report", cluster.url("nothing"), "--db", str(tmp_path / "t.duckdb")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mlwatch: no such topic: nothing: kafka://")
    assert done.stderr.count("\n") == 1


@pytest.mark.deep
def test_partitions_that_come_later_are_read_from_their_beginning(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mock cluster cannot add any: it shows two of its four at first."""
    cluster.make("m")
    shown, whole = 2, Reader.look

    def look(self: Reader, wait: float = 10.0) -> Any:
        name, partitions = whole(self, wait)
        return name, partitions[:shown]

    monkeypatch.setattr(Reader, "look", look)
    monkeypatch.setattr(topics, "LOOK_S", 0.2)
    with opened(cluster.url("m", "?from=latest")) as session:
        session.start()
        until(lambda: len(session.snapshot().ingest.streams) == 2)
        cluster.send("m", map(prediction, range(40)))
        until(lambda: session.snapshot().ingest.predictions == 20)
        shown = 4
        until(lambda: session.snapshot().ingest.predictions == 40)
        assert [one.lag for one in session.snapshot().ingest.streams] == [0] * 4


@pytest.mark.deep
def test_messages_that_were_deleted_unread_are_told_of(cluster: Cluster, tmp_path: Path) -> None:
    """The mock cluster keeps no more than five megabytes of a partition."""
    cluster.send("m", map(prediction, range(10)), partition=0)
    with opened(cluster.url("m"), tmp_path / "s.duckdb") as session:
        session.ingest_all()
    for number in range(10, 22):
        cluster.send("m", [prediction(number, note="x" * 700_000)], partition=0)
    with opened(cluster.url("m"), tmp_path / "s.duckdb") as session:
        session.ingest_all()
        found = session.snapshot()
        _, ((first,),) = session.query("SELECT MIN(id) FROM predictions WHERE id >= 'r1' AND id <> 'r1'")
    (alert,) = found.alerts
    lost = 22 - found.ingest.predictions
    assert (
        f"{lost} messages were deleted before they were read; it is read from {10 + lost} on" in alert.message
    )
    assert first == f"r{10 + lost}"
    assert 0 < lost < 12
    assert found.ingest.streams[0].offset == 22


@pytest.mark.usual(1)
@pytest.mark.parametrize("same", [True, False])
def test_a_topic_made_anew_is_read_from_its_beginning_and_so_is_another_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    whole, clusters = Reader.look, 0

    def look(self: Reader, wait: float = 10.0) -> Any:
        return "same" if same else str(clusters), whole(self, wait)[1]

    monkeypatch.setattr(Reader, "look", look)
    for clusters, (count, total) in enumerate(((30, 30), (12, 42))):  # noqa: B007  read by look
        with Cluster() as fresh:  # forgets what the former one had
            fresh.send("m", map(prediction, range(100 * count, 100 * count + count)), partition=1)
            with opened(fresh.url("m"), tmp_path / "s.duckdb") as session:
                session.ingest_all()
                found = session.snapshot()
        assert found.ingest.predictions == total
    assert [one.offset for one in found.ingest.streams] == [0, 12, 0, 0]
    assert ["the topic was made anew" in alert.message for alert in found.alerts] == [True] * same


@pytest.mark.deep
def test_a_batch_that_cannot_be_taken_in_is_left_out_and_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    take = Transaction.take

    def refuse(self: Transaction, parts: Any) -> Any:
        if parts[0].works[0].segment.start == 0:
            raise duckdb.ConversionException("cannot be")
        return take(self, parts)

    monkeypatch.setattr(Transaction, "take", refuse)
    cluster.send("m", map(prediction, range(10)), partition=0)
    with opened(cluster.url("m")) as session:
        session.ingest_all()
        cluster.send("m", map(prediction, range(10, 15)), partition=0)
        session.ingest_all()
        found = session.snapshot()
    assert found.ingest.predictions == 5
    assert "kafka://m/0 from 0 to 9 is left out" in found.alerts[0].message


def test_a_pass_that_breaks_off_takes_nothing_in_twice(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was laid down before the cluster failed is taken in by the next pass, which goes on behind it."""
    whole, failures = TopicWorks.works, [InputError("gone", "for a moment")]

    def works(self: TopicWorks, taken: Any) -> Any:
        yield from whole(self, taken)
        if taken and failures:
            raise failures.pop()

    monkeypatch.setattr(TopicWorks, "works", works)
    cluster.send("m", map(prediction, range(40)))
    with opened(cluster.url("m")) as session:
        session.start()
        until(lambda: session.snapshot().ingest.predictions == 40)
        ingest = session.snapshot().ingest
    assert not failures
    assert (ingest.records, ingest.duplicates) == (40, 0)


def test_a_missing_package_is_one_line(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(InputError, match=r"pip install 'mlwatch\[kafka\]'"):
        opened(cluster.url("m"))


def test_a_secret_is_not_shown(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "hush-hush")
    options = "?security.protocol=hush-hush&sasl.username=me&sasl.password=env:THE_SECRET"
    with pytest.raises(InputError) as raised:
        opened(cluster.url("m", options))
    assert "cannot be set up" in str(raised.value)
    assert "hush" not in str(raised.value)
