"""No row twice, none missed: growth, rotation, truncation, compression, copies, renaming."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import zstandard
from logfiles import Take, lines, prediction

from mlwatch.session import Options, Session
from mlwatch.sources.room import HEADROOM, make_room
from mlwatch.store import binning
from mlwatch.store.feeding import Feeder
from mlwatch.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.store.ingest import Progress
    from mlwatch.store.items import Work


def some(first: int, last: int) -> str:
    return lines(prediction(n) for n in range(first, last))


def count(take: Take) -> tuple[int, int, int]:
    total = take().ingest
    return total.predictions, total.duplicates, total.rejected


def test_a_file_that_grows_is_read_on(logs: Path, take: Take) -> None:
    log = logs / "a.jsonl"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    with log.open("a") as out:
        out.write(some(5, 8))
    assert count(take) == (8, 0, 0)
    assert count(take) == (8, 0, 0)


def test_a_log_that_is_written_all_the_time_is_read_to_what_there_was(tmp_path: Path) -> None:
    """`mlwatch check` beside a service answers, and leaves what came later to the next look."""
    log = tmp_path / "a.jsonl"
    log.write_text(some(0, 5))
    written = 5

    def write_on(_: Progress) -> None:
        nonlocal written
        assert written < 50, "it is read for ever"
        with log.open("a") as out:
            out.write(some(written, written + 1))
        written += 1

    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all(write_on)
        assert 5 <= session.snapshot().ingest.predictions < written
        session.ingest_all()
        assert session.snapshot().ingest.predictions == written


def test_what_is_read_but_not_taken_in_yet_is_not_said_to_be_done(tmp_path: Path) -> None:
    """Kinds of files that are read together are taken in one after the other."""
    (tmp_path / "a.jsonl").write_text(some(0, 50))
    for kind in ("labels", "more"):
        (tmp_path / kind).mkdir()
    (tmp_path / "labels" / "a.jsonl").write_text(
        lines({"request_id": f"r{n}", "label": 1} for n in range(50))
    )
    (tmp_path / "more" / "b.csv").write_text("request_id,model,prediction\nx1,m,0\nx2,m,1\n")
    seen: list[Progress] = []
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all(seen.append)
        records = session.snapshot().ingest.records
    assert records == 102
    assert [one.bytes_done < one.bytes_total for one in seen] == [True, True, False]
    assert seen[0].bytes_done < seen[1].bytes_done < seen[2].bytes_done == seen[2].bytes_total


def test_files_that_the_configuration_names_are_no_logs(logs: Path, take: Take) -> None:
    (logs / "mlwatch.toml").write_text(
        '[[endpoint]]\nurl = "http://127.0.0.1:9"\nprobe = {input = "in[1].json", expect = "sub/out.jsonl"}\n'
    )
    (logs / "sub").mkdir()
    for name in ("in[1].json", "sub/out.jsonl", "in1.json"):
        (logs / name).write_text(some(0, 1))
    (logs / "a.jsonl").write_text(some(1, 3))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        known = session.connection.execute("SELECT path FROM files ORDER BY path").fetchall()
    assert known == [("a.jsonl",), ("in1.json",)]


def test_an_unfinished_line_waits_for_its_rest(logs: Path, take: Take) -> None:
    log, text = logs / "a.jsonl", some(0, 3)
    for cut in range(len(some(0, 2)) + 1, len(text) - 2, 37):
        log.write_text(text[:cut])
        assert count(take) == (2, 0, 0)
    log.write_text(text)
    assert count(take) == (3, 0, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("steps", [1, 3])
def test_rotation_by_renaming(logs: Path, take: Take, steps: int) -> None:
    log = logs / "app.log"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    with log.open("a") as out:
        out.write(some(5, 7))
    for step in range(steps):
        for number in range(step, 0, -1):
            (logs / f"app.log.{number}").rename(logs / f"app.log.{number + 1}")
        log.rename(logs / "app.log.1")
        log.write_text(some(10 * (step + 1), 10 * (step + 1) + 4))
    assert count(take) == (7 + 4 * steps, 0, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("regrown", [2, 30])
def test_copy_and_truncate(logs: Path, take: Take, regrown: int) -> None:
    log = logs / "app.log"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    with log.open("a") as out:
        out.write(some(5, 8))
    shutil.copyfile(log, logs / "app.log.1")
    with log.open("r+") as out:
        out.truncate(0)
        out.write(some(100, 100 + regrown))
    assert count(take) == (8 + regrown, 0, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compression_of_a_rotated_file(logs: Path, take: Take, kind: str) -> None:
    log = logs / "app.log.1"
    log.write_text(some(0, 50))
    assert count(take) == (50, 0, 0)
    data = log.read_bytes() + some(50, 53).encode()
    (logs / f"app.log.1.{kind}").write_bytes(
        gzip.compress(data) if kind == "gz" else zstandard.compress(data)
    )
    log.unlink()
    assert count(take) == (53, 0, 0)


def test_copies_links_and_deletion(logs: Path, take: Take, tmp_path: Path) -> None:
    log = logs / "a.jsonl"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    shutil.copyfile(log, logs / "copy.jsonl")
    os.link(log, logs / "hard.jsonl")
    (logs / "soft.jsonl").symlink_to(log)
    (logs / "loop").symlink_to(logs)
    assert count(take) == (5, 0, 0)
    log.unlink()
    (logs / "hard.jsonl").unlink()
    assert count(take) == (5, 0, 0)


def test_a_file_replaced_by_another_is_read_anew(logs: Path, take: Take) -> None:
    log = logs / "a.jsonl"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    (logs / "new").write_text(some(20, 23))
    (logs / "new").replace(log)
    assert count(take) == (8, 0, 0)


def test_a_file_written_over_in_place_is_read_anew(logs: Path, take: Take) -> None:
    log = logs / "a.jsonl"
    log.write_text(some(0, 5))
    assert count(take) == (5, 0, 0)
    log.write_text(some(30, 37))
    assert count(take) == (12, 0, 0)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "name", ['it\'s "x".jsonl', "a*?[b].jsonl", "néw\nline.jsonl", "$(x) %s {0}.jsonl", "a'b.parquet"]
)
def test_names_are_only_names(logs: Path, take: Take, name: str) -> None:
    import pandas as pd

    if name.endswith("parquet"):
        pd.DataFrame(
            [{k: v for k, v in prediction(n).items() if k != "features"} for n in range(4)]
        ).to_parquet(logs / name)
    else:
        (logs / name).write_text(some(0, 4))
    assert count(take) == (4, 0, 0)


def test_directories_are_read_in_depth_and_give_the_model_its_name(logs: Path, take: Take) -> None:
    for model in ("fraud", "churn"):
        directory = logs / model / "2026" / "11"
        directory.mkdir(parents=True)
        records = [
            {k: v for k, v in prediction(n).items() if k not in {"model", "version"}} for n in range(3)
        ]
        (directory / "a.jsonl").write_text(lines(records))
    (logs / ".hidden").mkdir()
    (logs / ".hidden" / "b.jsonl").write_text(some(50, 60))
    models = take().models
    assert {name: list(model.versions) for name, model in models.items()} == {"fraud": ["-"], "churn": ["-"]}


def test_versions_may_come_from_the_path(logs: Path, take: Take) -> None:
    for version in ("v7", "v8"):
        (logs / "fraud" / version).mkdir(parents=True)
        records = [
            {k: v for k, v in prediction(n).items() if k not in {"model", "version"}} for n in range(3)
        ]
        (logs / "fraud" / version / "a.jsonl").write_text(lines(records))
    (logs / "mlwatch.toml").write_text(
        '[roles]\nmodel = "path:{model}/{version}/*"\nversion = "path:{model}/{version}/*"\n'
    )
    assert set(take().models["fraud"].versions) == {"v7", "v8"}


def test_a_restart_reads_no_row_again(logs: Path, take: Take, opened: Callable[[], Any]) -> None:
    (logs / "a.jsonl").write_text(some(0, 20))
    take()
    with opened() as session:
        assert session.connection.execute("SELECT COUNT(*) FROM batches").fetchone() == (1,)


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_that_was_read_in_part_is_read_on_though_it_did_not_change(
    logs: Path, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    text = tmp_path / "all.jsonl"
    text.write_text("".join(lines([prediction(n, request_id=None)]) for n in range(60)))
    if suffix == "parquet":
        duckdb.connect().execute(
            f"COPY (FROM read_json('{text}')) TO '{logs / 'a.parquet'}' (FORMAT parquet)"
        )
    else:
        shutil.copy(text, logs / "a.jsonl")
    for name in ("feeding.BLOCK_BYTES", "feeding.FIRST_BYTES", "feeding.BATCH_BYTES"):
        monkeypatch.setattr(f"mlwatch.store.{name}", 2000)
    monkeypatch.setattr("mlwatch.sources.parquet.FIRST_ROWS", 10)
    monkeypatch.setattr("mlwatch.sources.parquet.PARQUET_ROWS", 20)
    monkeypatch.setattr("mlwatch.sources.parquet.GROUP_ROWS", 10)

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
        with pytest.raises(KeyboardInterrupt):
            session.ingest_all(interrupt)
        assert 0 < session.snapshot().ingest.predictions < 60
    assert count(take) == (60, 0, 0)
    assert count(take) == (60, 0, 0)


def test_features_may_come_go_and_change(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(some(0, 5))
    take()
    changed = [
        prediction(10, features={"age": 3.5, "new": 1.0}),
        prediction(11, features={"age": "n/a", "new": 2.0, "Age": 7}),
        prediction(12, features={"age": "many", "city": 7, "new": {"deep": 1}}),
        prediction(13, features={"age": "4.5", "id": 9, "ts": 8, "label": 1, "bad": 2, "line": 3, "h": 4}),
    ]
    with (logs / "a.jsonl").open("a") as out:
        out.write(lines(changed))
    found = take()
    quality = found.models["m"].versions["v1"].quality.features
    assert found.ingest.predictions == 9
    assert (quality["age"].n, quality["age"].missing, quality["age"].invalid) == (9, 1, 1)
    assert quality["city"].missing == 3
    assert {"id", "ts", "label", "bad", "line", "h"} <= set(quality)
    assert found.models["m"].versions["v1"].labelled == 0


def test_failed_requests_count_in_traffic_but_not_in_performance_or_quality(logs: Path, take: Take) -> None:
    records = [
        prediction(0, label=0),
        prediction(1, status=503, prediction=None, score=None, label=1, features={"age": None}),
        prediction(2, prediction=None, score=None, status=None),
        prediction(3, status=404, label=1),
    ]
    (logs / "a.jsonl").write_text(lines(records))
    version = take().models["m"].versions["v1"]
    assert (version.predictions, version.labelled) == (4, 1)
    assert (version.errors.count, version.errors.client, version.errors.server) == (3, 1, 1)
    assert version.latency.n == 4
    assert (version.quality.features["age"].n, version.quality.features["age"].missing) == (1, 0)


def test_old_raw_rows_go_and_rollups_stay(logs: Path, take: Take, opened: Callable[[], Any]) -> None:
    old = [prediction(n, timestamp="2026-01-01T00:00:00Z", request_id=f"old{n}") for n in range(10)]
    (logs / "a.jsonl").write_text(lines(old) + some(0, 5))
    (logs / "mlwatch.toml").write_text('[store]\nkeep = "30d"\n')
    with opened() as session:
        assert session.connection.execute("SELECT COUNT(*) FROM predictions").fetchone() == (5,)
        assert session.snapshot().models["m"].versions["v1"].predictions == 15


def test_a_feature_that_comes_late_gets_bins(logs: Path, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binning, "SAMPLE_ROWS", 1000)
    (logs / "a.jsonl").write_text(some(0, 1500))
    take()
    late = [prediction(n, features={"age": 1.0, "late": float(n % 100)}) for n in range(2000, 4000)]
    (logs / "b.jsonl").write_text(lines(late))
    feature = take().models["m"].versions["v1"].quality.features["late"]
    assert (feature.kind, feature.n, feature.missing) == ("numeric", 3500, 1500)
    with Session(Options(logs, db=logs.parent / "store.duckdb")) as session:
        (edges,) = session.connection.execute(
            "SELECT LEN(edges) FROM bins JOIN features USING (feature) WHERE name = 'late'"
        ).fetchone() or (0,)
    assert edges >= 50


def test_a_row_group_larger_than_the_memory_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT random() AS x FROM range(500_000)) TO '{path}' (ROW_GROUP_SIZE 500_000)"
        )
        connection.execute("SET memory_limit = '20MB'")
        make_room(connection, f"'{path}'")
        (limit,) = connection.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
        number, unit = limit.split()
        assert unit == "MiB"
        assert float(number) == pytest.approx((HEADROOM + 3 * 4_000_000) / 2**20, rel=0.02)


def test_what_waited_while_a_batch_failed_is_not_taken_in_twice(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that were read ahead are read again with the one that could not be taken in."""
    for i in range(3):
        text = lines([prediction(n, request_id=None) for n in range(3 * i, 3 * i + 3)])
        (logs / f"seen{i}.jsonl").write_text(text)
    for limit, size in (
        ("BLOCK_BYTES", 2000),
        ("FIRST_BYTES", 6000),
        ("BATCH_BYTES", 6000),
        ("QUIET_BYTES", 1),
    ):
        monkeypatch.setattr(f"mlwatch.store.feeding.{limit}", size)
    take, lay_down, waits = Transaction.take, Feeder._lay_down, threading.Event()
    failed: list[bool] = []

    def laying(self: Feeder, work: Work) -> None:
        lay_down(self, work)
        if work.entry.path == "small.jsonl":
            waits.set()

    def failing(self: Transaction, *arguments: Any) -> Any:
        if not failed:
            failed.append(waits.wait(60))
            raise duckdb.IOException("the disk is full")
        return take(self, *arguments)

    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        monkeypatch.setattr(Transaction, "take", failing)
        monkeypatch.setattr(Feeder, "_lay_down", laying)
        (logs / "big.jsonl").write_text(lines([prediction(n, request_id=None) for n in range(100, 200)]))
        (logs / "small.jsonl").write_text(lines([prediction(n, request_id=None) for n in range(20, 30)]))
        for age, name in enumerate(("big", "small", "seen0", "seen1", "seen2")):  # the newest is read first
            os.utime(logs / f"{name}.jsonl", (2_000_000_000 - age, 2_000_000_000 - age))
        with pytest.raises(duckdb.IOException):
            session.ingest_all()
        session.ingest_all()
        ingest = session.snapshot().ingest
    assert failed == [True]
    assert (ingest.predictions, ingest.rejected, ingest.duplicates) == (119, 0, 0)
