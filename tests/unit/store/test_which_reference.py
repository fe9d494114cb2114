"""What is compared with is what was asked for now, whatever an earlier run left in the store."""

from __future__ import annotations

import hashlib
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

from mlwatch.config import Config
from mlwatch.session import Options, Session
from mlwatch.store import profiles, reference
from mlwatch.store.database import open_store
from mlwatch.store.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

WINDOW = '[reference]\nwindow = "2026-11-03T10:00:00Z/2026-11-03T10:15:00Z"\n'
OF_WINDOW = "the logs from 2026-11-03 10:00 to 2026-11-03 10:15"


@pytest.fixture
def table(tmp_path: Path, logs: Path) -> Path:
    """A reference outside of the log directory, which has an hour of traffic."""
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(0, 3600, 2)))
    path = tmp_path / "training.jsonl"
    path.write_text(lines(prediction(n) for n in range(300)))
    return path


def asked(logs: Path, reference: Path | None = None) -> Snapshot:
    with Session(Options(logs, db=logs.parent / "store.duckdb", reference=reference)) as session:
        session.ingest_all()
        return session.snapshot()


def test_a_file_of_an_earlier_run_is_not_compared_with(logs: Path, table: Path) -> None:
    first = asked(logs, table)
    assert first.models["m"].reference == "training.jsonl"
    without = asked(logs)
    assert without.models["m"].reference == "the first 30 min of v1"
    assert without.provenance["reference_sha256"] is None
    assert without.models["m"].versions["v1"].quality != first.models["m"].versions["v1"].quality
    again = asked(logs, table)
    assert again.models["m"].reference == "training.jsonl"
    assert again.models["m"].versions["v1"].quality == first.models["m"].versions["v1"].quality
    assert again.provenance["reference_sha256"] == first.provenance["reference_sha256"] is not None


def test_a_configured_window_wins_over_a_file_that_lies_there(logs: Path, table: Path) -> None:
    asked(logs, table)
    (logs / "reference.jsonl").write_text(table.read_text())
    (logs / "mlwatch.toml").write_text(WINDOW)
    model = asked(logs).models["m"]
    assert model.reference == OF_WINDOW
    drift = model.versions["v1"].quality.features["age"].drift
    assert drift is not None
    assert drift.n_reference == 450


def test_a_file_that_is_given_wins_over_a_configured_window(logs: Path, table: Path) -> None:
    (logs / "mlwatch.toml").write_text(WINDOW)
    assert asked(logs, table).models["m"].reference == "training.jsonl"


def test_a_window_without_traffic_is_said(logs: Path, table: Path) -> None:
    (logs / "mlwatch.toml").write_text('[reference]\nwindow = "2025-01-01/2025-01-02"\n')
    assert table.exists()
    model = asked(logs).models["m"]
    assert model.reference == "the logs from 2025-01-01 to 2025-01-02, which hold no traffic"
    assert model.versions["v1"].quality.features["age"].drift is None


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("window", "said", "counted"),
    [
        ("T10:01Z/{}T10:14Z", "10:00 to {} 10:15 (whole quarters of an hour)", 450),
        ("T10:10Z/{}T10:50Z", "10:00 to {} 11:00 (whole quarters of an hour)", 1800),
        ("T10:15Z/{}T10:45Z", "10:15 to {} 10:45", 900),
    ],
)
def test_what_is_said_of_a_window_is_what_is_counted(
    logs: Path, table: Path, window: str, said: str, counted: int
) -> None:
    day = "2026-11-03"
    (logs / "mlwatch.toml").write_text(f'[reference]\nwindow = "{day}{window.format(day)}"\n')
    assert table.exists()
    model = asked(logs).models["m"]
    assert model.reference == f"the logs from {day} {said.format(day)}"
    drift = model.versions["v1"].quality.features["age"].drift
    assert drift is not None
    assert drift.n_reference == counted


@pytest.mark.usual(1)
@pytest.mark.parametrize(("minutes", "said", "counted"), [(42, "30", 1800), (3, "3", 180), (26, "15", 900)])
def test_what_is_said_of_the_first_period_is_what_is_counted(
    logs: Path, minutes: int, said: str, counted: int
) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(60 * minutes)))
    model = asked(logs).models["m"]
    assert model.reference == f"the first {said} min of v1"
    drift = model.versions["v1"].quality.features["age"].drift
    assert drift is not None
    assert drift.n_reference == counted


def test_reading_a_reference_leaves_the_engine_frugal(logs: Path, table: Path) -> None:
    with Session(Options(logs, db=":memory:", reference=table)) as session:
        found = session.connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone()
    assert found == (False,)


def test_how_the_model_did_on_a_file_of_an_earlier_run_is_not_shown(logs: Path, table: Path) -> None:
    table.write_text(lines(prediction(n, label=int(n % 3 == 0)) for n in range(300)))
    assert asked(logs, table).models["m"].reference_performance["accuracy"].n == 300
    assert asked(logs).models["m"].reference_performance == {}


def test_a_known_reference_is_looked_at_in_small_pieces(tmp_path: Path) -> None:
    size = 32 << 20
    path = tmp_path / "training.csv"
    with path.open("wb") as file:
        file.truncate(size)
    opened = open_store(tmp_path, ":memory:")
    known = hashlib.sha256(bytes(size)).hexdigest()
    opened.connection.execute("INSERT INTO meta VALUES (?, ?)", [profiles.LABELLED, known])
    registry = Registry(opened.connection)
    tracemalloc.start()
    reference.install(opened.connection, registry, path, Config())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    opened.close()
    assert peak < size // 8
