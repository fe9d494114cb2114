"""The thread that stores probes and samples: nothing lost, nothing twice, and no trouble ends it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from waiting import until

import mlwatch
from mlwatch.endpoints.types import Probe
from mlwatch.host.types import HostSample
from mlwatch.recorder import Recorder
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def count(store: DuckDBPyConnection, table: str) -> int:
    row = store.cursor().execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_every_probe_of_every_thread_is_stored_once(store: DuckDBPyConnection) -> None:
    recorder = Recorder(store.cursor, lambda: HostSample(NOON), 3600)
    recorder.start()

    def poll(name: str) -> None:
        for n in range(500):
            recorder.take(Probe(name, NOON + timedelta(milliseconds=n), live=True))

    threads = [threading.Thread(target=poll, args=(f"http://{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()
    assert count(store, "probes") == 2000
    assert store.execute("SELECT SUM(n) FROM probe_minutes").fetchone() == (2000,)
    assert count(store, "host_samples") == 1


def test_what_cannot_be_stored_waits_and_is_said(store: DuckDBPyConnection) -> None:
    recorder = Recorder(store.cursor, lambda: HostSample(NOON), 3600)
    store.execute("ALTER TABLE probes RENAME TO away")
    recorder.take(Probe("http://one", NOON, live=True))
    recorder.flush(store)
    assert "cannot be stored" in (recorder.failure or "")
    recorder.take(Probe("http://one", NOON + timedelta(seconds=1), live=True))
    store.execute("ALTER TABLE away RENAME TO probes")
    recorder.flush(store)
    assert not recorder.failure
    assert count(store, "probes") == 2


def test_a_host_that_cannot_be_sampled_does_not_end_the_recording(store: DuckDBPyConnection) -> None:
    def broken() -> HostSample:
        raise RuntimeError("no /proc here")

    recorder = Recorder(store.cursor, broken, 3600)
    recorder.start()
    until(lambda: "no /proc here" in (recorder.failure or ""))
    recorder.take(Probe("http://one", NOON, live=True))
    until(lambda: count(store, "probes") == 1)
    recorder.stop()


def test_a_session_that_follows_shows_the_host_and_keeps_its_past(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "mlwatch.toml").write_text('[system]\ninterval = "100ms"\nprocesses = ["no-such-process"]\n')
    (logs / "a.jsonl").write_text(
        '{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "request_id": "a"}\n'
    )
    session = Session(Options(logs, db=tmp_path / "store.duckdb"))
    session.start()
    try:
        until(lambda: session.snapshot().system.cpu is not None)
        system = session.snapshot().system
        assert system.sample is not None
        assert [process.wanted for process in system.sample.processes] == ["no-such-process"]
        assert system.history
        before = session.generation
        until(lambda: session.generation > before)
    finally:
        session.stop()
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as again:
        assert again.query("SELECT COUNT(*) > 0 FROM host_samples")[1] == [(True,)]
