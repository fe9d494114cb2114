"""Rollup rows of another engine: read like a lake, sum by sum, whatever pieces they come in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.store import rollups
from mlwatch.systems.numbers import numbers_of

if TYPE_CHECKING:
    from logfiles import SampleStore

    from mlwatch.snapshot.types import Snapshot

LOGS = Path(__file__).resolve().parents[3] / "sample_logs"
WRITTEN = (rollups.TRAFFIC, rollups.LATENCY, rollups.OUTCOMES, rollups.SCORES)
PERFORMANCE = "performance/"
ELSEWHERE = ("business/", "estimated/")


@pytest.fixture(scope="module")
def snapshot(sample_store: SampleStore) -> Snapshot:
    with mlwatch.open(LOGS, db=sample_store()) as session:
        return session.snapshot()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, sample_store: SampleStore) -> Path:
    """The rows of the samples as JSON lines, each rollup in two files."""
    directory = tmp_path_factory.mktemp("rows")
    with mlwatch.open(LOGS, db=sample_store()) as session:
        for rollup in WRITTEN:
            place = directory / rollup.name / "hour=1"
            place.mkdir(parents=True)
            for half in (0, 1):
                session.connection.execute(
                    f"""COPY (FROM {rollup.table(rollup.levels[0])} WHERE minute(bucket) % 2 = {half})
                    TO '{place}/part-{half}-0' (FORMAT json)"""
                )
    (directory / "r_traffic" / ".part-2-0.inprogress").write_text('{"bucket": "2026-')
    (directory / "r_traffic" / "_SUCCESS").write_text("")
    return directory


def numbers(found: Any) -> dict[str, float]:
    return {name: value for name, value in numbers_of(found).items() if not name.startswith(ELSEWHERE)}


def test_rows_say_what_the_logs_say(rows: Path, snapshot: Snapshot) -> None:
    with mlwatch.open(rows, db=":memory:") as session:
        found = session.snapshot()
    assert (found.ingest.predictions, found.ingest.rejected) == (12_000, 0)
    assert found.models["flight-delay"].task == "binary"
    for name, version in snapshot.models["flight-delay"].versions.items():
        other = found.models["flight-delay"].versions[name]
        assert (other.role, other.labelled) == (version.role, version.labelled)
        assert numbers(other) == pytest.approx(numbers(version))
        assert [numbers(window) for window in other.windows] == [
            pytest.approx(numbers(window)) for window in version.windows
        ]
        assert other.quality.features == {}
    (rollout,) = found.rollouts
    (expected,) = snapshot.rollouts
    assert rollout.verdict == expected.verdict
    for metric in ("error_rate", "latency_p99", "accuracy"):
        assert rollout.metrics[metric].low == pytest.approx(expected.metrics[metric].low)


def test_rows_that_come_later_are_seen(tmp_path: Path) -> None:
    place = tmp_path / "r_traffic"
    place.mkdir()
    row = '{{"bucket": "2026-11-03T10:0{0}:00", "model": "m", "version": "v", "n": {1}}}\n'
    (place / "part-0").write_text(row.format(0, 3))
    with mlwatch.open(tmp_path, db=":memory:") as session:
        assert session.snapshot().models["m"].versions["v"].predictions == 3
        (place / "part-1").write_text(row.format(1, 4) + row.format(1, 5))
        session.ingest_all()
        assert session.snapshot().models["m"].versions["v"].predictions == 12


@pytest.mark.parametrize(
    "content", ["not JSON\n", '{"bucket": "noon", "model": "m", "version": "v", "n": 1}\n']
)
def test_damaged_rows_are_one_line(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r_traffic").mkdir()
    (tmp_path / "r_traffic" / "part-0").write_text(content)
    assert main(["check", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("mlwatch: the rollups are damaged (")
    assert error.count("\n") == 1
