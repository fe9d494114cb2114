"""A lake whose logs go bit by bit loses none of what it has counted, and says what stays."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.session import Options, Session
from mlwatch.store import lake

if TYPE_CHECKING:
    from pathlib import Path

STAY = "these days stay as they were"
LEFT = "these days are counted from the logs that are left"


def requests(day: int, first: int, end: int) -> str:
    """Return requests of a day, two a minute."""
    return lines(
        prediction(
            n, request_id=f"{day}-{n}", timestamp=f"2026-11-{day:02d}T{n // 120:02d}:{n // 2 % 60:02d}:00Z"
        )
        for n in range(first, end)
    )


def labels(day: int, first: int, end: int) -> str:
    records = (
        {"timestamp": "2026-11-09T00:00:00Z", "request_id": f"{day}-{n}", "label": n % 2}
        for n in range(first, end)
    )
    return "".join(json.dumps(record) + "\n" for record in records)


def counts(path: Path, rollup: str = "r_traffic") -> dict[str, int]:
    """Return what a lake has of each day."""
    found: Counter[str] = Counter()
    for name in lake.manifest(path)["days"]:
        kind, _, day = name.partition("/")
        if kind == rollup:
            (row,) = duckdb.execute(
                "SELECT SUM(n) FROM read_parquet(?)", [str(path / f"{name}.parquet")]
            ).fetchall()
            found[day[-2:]] = int(row[0])
    return dict(found)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    place = tmp_path / "logs"
    place.mkdir()
    for name, text in (
        ("1a", requests(1, 0, 100)),
        ("1b", requests(1, 100, 200)),
        ("2", requests(2, 0, 200)),
    ):
        (place / f"{name}.jsonl").write_text(text)
    return place


def roll(logs: Path, capsys: pytest.CaptureFixture[str], store: str = ":memory:") -> str:
    capsys.readouterr()
    assert main(["rollup", str(logs), "-o", str(logs.parent / "lake"), "--db", store]) == 0
    return capsys.readouterr().err


@pytest.mark.deep
def test_a_day_of_which_a_log_is_gone_stays(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = logs.parent / "lake"
    assert STAY not in roll(logs, capsys)
    (logs / "1a.jsonl").unlink()
    (logs / "3.jsonl").write_text(requests(3, 0, 10))
    (logs / "late.jsonl").write_text(labels(1, 100, 120) + labels(2, 0, 20))
    said = roll(logs, capsys)
    assert STAY in said
    assert said.splitlines()[0].endswith(": 2026-11-01")
    assert counts(path) == {"01": 200, "02": 200, "03": 10}
    assert counts(path, "r_outcomes") == {"02": 20}, "late labels of a day that stays are left out"


@pytest.mark.deep
def test_what_is_left_is_counted_where_that_is_more(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a day that goes on after the logs of its first hours are gone."""
    path = logs.parent / "lake"
    roll(logs, capsys)
    (logs / "1a.jsonl").unlink()
    (logs / "1c.jsonl").write_text(requests(1, 200, 900))
    said = roll(logs, capsys)
    assert STAY not in said
    assert LEFT in said
    assert said.splitlines()[0].endswith(": 2026-11-01")
    assert counts(path) == {"01": 800, "02": 200}


@pytest.mark.deep
def test_labels_of_logs_that_are_gone_stay(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "labels.jsonl").write_text(labels(2, 0, 20))
    roll(logs, capsys)
    (logs / "labels.jsonl").unlink()
    assert roll(logs, capsys).splitlines()[0].endswith(": 2026-11-02")
    assert counts(logs.parent / "lake", "r_outcomes") == {"02": 20}


def test_logs_that_are_compressed_renamed_or_longer_lack_nothing(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roll(logs, capsys)
    (logs / "1a.jsonl.1.gz").write_bytes(gzip.compress((logs / "1a.jsonl").read_bytes()))
    (logs / "1a.jsonl").unlink()
    (logs / "1b.jsonl").rename(logs / "old.jsonl")
    with (logs / "2.jsonl").open("a") as file:
        file.write(requests(2, 200, 250))
    said = roll(logs, capsys)
    assert said.count("\n") == 1, said
    assert counts(logs.parent / "lake") == {"01": 200, "02": 250}


def test_a_store_that_lives_on_needs_no_logs_of_before(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, path = str(logs.parent / "kept.duckdb"), logs.parent / "lake"
    roll(logs, capsys, store)
    for name in ("1a", "1b", "2"):
        (logs / f"{name}.jsonl").unlink()
    (logs / "late.jsonl").write_text(labels(1, 0, 20) + requests(1, 200, 210))
    assert STAY not in roll(logs, capsys, store)
    assert (counts(path), counts(path, "r_outcomes")) == ({"01": 210, "02": 200}, {"01": 20})


@pytest.mark.deep
def test_a_store_that_begins_later_never_takes_a_day_for_its_own(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lives on, and still knows a part of the day alone."""
    store, path = str(logs.parent / "kept.duckdb"), logs.parent / "lake"
    roll(logs, capsys)
    (logs / "1a.jsonl").unlink()
    for _ in range(2):
        assert STAY in roll(logs, capsys, store)
        assert counts(path) == {"01": 200, "02": 200}


@pytest.mark.deep
def test_an_earlier_lake_does_not_say_who_wrote_it(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, path = str(logs.parent / "kept.duckdb"), logs.parent / "lake"
    roll(logs, capsys, store)
    found = json.loads((path / lake.MANIFEST).read_text())
    del found["writer"]
    (path / lake.MANIFEST).write_text(json.dumps(found))
    (logs / "1a.jsonl").unlink()
    assert STAY in roll(logs, capsys)
    assert counts(path) == {"01": 200, "02": 200}


def test_a_day_is_counted_from_what_is_left_once_its_files_are_deleted(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = logs.parent / "lake"
    roll(logs, capsys)
    (logs / "1a.jsonl").unlink()
    assert "delete" in roll(logs, capsys)
    for file in path.glob("r_*/2026-11-01.parquet"):
        file.unlink()
    assert STAY not in roll(logs, capsys)
    assert counts(path) == {"01": 100, "02": 200}


def test_days_that_were_counted_again_lose_what_is_not_of_them_any_more(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Spark does of logs that have changed."""
    path = logs.parent / "lake"
    (logs / "labels.jsonl").write_text(labels(1, 0, 20) + labels(2, 0, 20))
    roll(logs, capsys)
    (logs / "2.jsonl").unlink()
    (logs / "labels.jsonl").unlink()
    with Session(Options(logs, db=":memory:", lake=path)) as session:
        session.ingest_all()
        written = lake.write(session.connection, path, again={"2026-11-01", "2026-11-02"})
    assert (written.kept, written.fewer) == ((), ())
    assert (counts(path), counts(path, "r_outcomes")) == ({"01": 200}, {})
    assert not (path / "r_outcomes" / "2026-11-01.parquet").exists()
    assert not list(path.glob("r_*/2026-11-02.parquet"))


@pytest.mark.deep
def test_a_request_that_is_answered_at_last_takes_its_failures_place(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is counted in a later minute than before, and nothing is gone."""
    failed = json.loads(requests(2, 200, 201)) | {"prediction": None, "status": 500}
    (logs / "first.jsonl").write_text(json.dumps(failed) + "\n")
    roll(logs, capsys)
    again = json.loads(requests(2, 200, 201)) | {"timestamp": "2026-11-02T12:00:00Z", "status": 200}
    (logs / "second.jsonl").write_text(json.dumps(again) + "\n")
    assert STAY not in roll(logs, capsys)
    file = logs.parent / "lake" / "r_traffic" / "2026-11-02.parquet"
    assert duckdb.execute("SELECT SUM(n), SUM(failed) FROM read_parquet(?)", [str(file)]).fetchall() == [
        (201, 0)
    ]


def test_a_day_that_cannot_be_read_is_counted_anew(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its file has a beginning and an end, and nothing sensible between."""
    roll(logs, capsys)
    file = logs.parent / "lake" / "r_traffic" / "2026-11-01.parquet"
    damaged = bytearray(file.read_bytes())
    damaged[4:-8] = bytes(len(damaged) - 12)
    file.write_bytes(damaged)
    (logs / "1c.jsonl").write_text(requests(1, 200, 210))
    assert LEFT in roll(logs, capsys)
    assert counts(logs.parent / "lake") == {"01": 210, "02": 200}


@pytest.mark.deep
def test_a_request_that_is_answered_the_next_day_leaves_the_first_one_as_it_is_now(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A retry across midnight: its failure was counted on the day before."""
    failed = json.loads(requests(1, 200, 201)) | {"prediction": None, "status": 500}
    (logs / "first.jsonl").write_text(json.dumps(failed) + "\n")
    roll(logs, capsys)
    again = json.loads(requests(1, 200, 201)) | {"timestamp": "2026-11-02T00:00:01Z", "status": 200}
    (logs / "second.jsonl").write_text(json.dumps(again) + "\n" + labels(1, 0, 100))
    said = roll(logs, capsys)
    assert said.count("\n") == 1, said
    path = logs.parent / "lake"
    assert (counts(path), counts(path, "r_outcomes")) == ({"01": 200, "02": 201}, {"01": 100})


@pytest.mark.deep
def test_one_request_more_takes_no_labels_away(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = logs.parent / "lake"
    (logs / "labels.jsonl").write_text(labels(2, 0, 200))
    roll(logs, capsys)
    (logs / "labels.jsonl").unlink()
    (logs / "2b.jsonl").write_text(requests(2, 200, 201))
    assert roll(logs, capsys).splitlines()[0].endswith(": 2026-11-02")
    assert (counts(path), counts(path, "r_outcomes")) == ({"01": 200, "02": 200}, {"02": 200})


@pytest.mark.deep
def test_a_restored_copy_of_a_store_has_not_read_what_the_lake_has(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, path = logs.parent / "kept.duckdb", logs.parent / "lake"
    (logs / "1b.jsonl").rename(logs.parent / "1b.jsonl")
    roll(logs, capsys, str(store))
    backup = store.read_bytes()
    (logs.parent / "1b.jsonl").rename(logs / "1b.jsonl")
    roll(logs, capsys, str(store))
    (logs / "1b.jsonl").unlink()
    store.write_bytes(backup)
    (logs / "3.jsonl").write_text(requests(3, 0, 500))
    assert STAY in roll(logs, capsys, str(store))
    assert counts(path) == {"01": 200, "02": 200, "03": 500}


def test_another_configuration_counts_all_days_again(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may find fewer labels in the same logs."""
    path = logs.parent / "lake"
    (logs / "labels.jsonl").write_text(labels(1, 0, 100).replace("}", ', "final": null}') + labels(2, 0, 5))
    roll(logs, capsys)
    assert counts(path, "r_outcomes") == {"01": 100, "02": 5}
    (logs / "mlwatch.toml").write_text('[roles]\nlabel = "final"\n')
    said = roll(logs, capsys)
    assert STAY not in said
    assert LEFT in said
    assert counts(path, "r_outcomes") == {}


@pytest.mark.deep
def test_a_day_whose_file_is_cut_short_is_named_where_less_of_it_is_left(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roll(logs, capsys)
    file = logs.parent / "lake" / "r_traffic" / "2026-11-01.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    (logs / "1a.jsonl").unlink()
    said = roll(logs, capsys)
    assert LEFT in said
    assert said.splitlines()[0].endswith(": 2026-11-01")
    assert counts(logs.parent / "lake") == {"01": 100, "02": 200}
