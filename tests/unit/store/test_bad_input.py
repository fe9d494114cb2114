"""A bad line never stops a file, a bad file never stops a directory, and nothing is lost without a word."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
import zlib
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import frugal
import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logfiles import Take, lines, prediction

from mlwatch.errors import InputError, StoreError
from mlwatch.session import Options, Session
from mlwatch.sources import blocks, shapes
from mlwatch.store import database, feeding, registry, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = lines(prediction(n) for n in range(10))


def quarantine(opened: Callable[[], Any]) -> list[tuple[Any, ...]]:
    with opened() as session:
        rows: list[tuple[Any, ...]] = session.connection.execute(
            "SELECT file, line, reason, raw FROM quarantine ORDER BY file, line"
        ).fetchall()
    return rows


def test_bad_lines_are_named_and_the_others_are_taken(
    logs: Path, opened: Callable[[], Any], take: Take
) -> None:
    bad = [
        ('{"timestamp": "2026-', "not valid JSON"),
        ('["a", "list"]', "not a JSON object"),
        ("free text", "not valid JSON"),
        (json.dumps(prediction(90, timestamp="yesterday")), "no usable time"),
        (json.dumps(prediction(91, timestamp="1812-01-01T00:00:00Z")), "no usable time"),
        (
            json.dumps({"timestamp": "2026-11-03T10:00:00Z", "level": "info", "step": "started"}),
            "neither a prediction",
        ),
    ]
    content = GOOD.splitlines()
    for place, (text, _) in enumerate(bad):
        content.insert(3 * place, text)
    (logs / "a.jsonl").write_text("\n".join(content) + "\n")
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (10, 6, 16)
    rows = quarantine(opened)
    assert [row[1] for row in rows] == [3 * place + 1 for place in range(6)]
    for (file, _, reason, raw), (text, expected) in zip(rows, bad, strict=True):
        assert file == "a.jsonl"
        assert reason.startswith(expected)
        assert raw == text


def test_the_text_of_the_newest_bad_lines_is_kept_and_all_are_counted(
    logs: Path, opened: Callable[[], Any], take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "QUARANTINE_ROWS", 3)
    kept = []
    for name, bad in (("c", 2), ("b", 2), ("a", 5), ("d", 1)):
        (logs / f"{name}.jsonl").write_text(
            lines([prediction(ord(name))]) + "".join(f"bad {n}\n" for n in range(bad))
        )
        found = take()
        kept.append([(row[0], row[1], row[3]) for row in quarantine(opened)])
    assert kept == [
        [("c.jsonl", 2, "bad 0"), ("c.jsonl", 3, "bad 1")],
        [("b.jsonl", 2, "bad 0"), ("b.jsonl", 3, "bad 1"), ("c.jsonl", 3, "bad 1")],
        [("a.jsonl", 4, "bad 2"), ("a.jsonl", 5, "bad 3"), ("a.jsonl", 6, "bad 4")],
        [("a.jsonl", 5, "bad 3"), ("a.jsonl", 6, "bad 4"), ("d.jsonl", 2, "bad 0")],
    ]
    assert (found.ingest.rejected, found.ingest.predictions) == (10, 4)


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["jsonl", "csv"])
@pytest.mark.parametrize("bad", [(0,), (8,), (3, 4), (0, 8), (6, 7), tuple(range(9))], ids=str)
def test_bad_lines_in_some_files_of_a_batch_are_named(
    logs: Path, opened: Callable[[], Any], take: Take, bad: tuple[int, ...], name: str
) -> None:
    for at in range(9):
        records = [prediction(n) for n in range(10 * at, 10 * at + 10)]
        if name == "csv":
            content = pd.DataFrame(records).to_csv(index=False).splitlines()
        else:
            content = [json.dumps(record) for record in records]
        if at in bad:
            content.insert(4, "no record")
        (logs / f"{at}.{name}").write_text("\n".join(content) + "\n")
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (90, len(bad))
    assert [row[:2] for row in quarantine(opened)] == [(f"{at}.{name}", 5) for at in bad]


def test_bad_rows_of_csv_are_named(logs: Path, opened: Callable[[], Any], take: Take) -> None:
    rows = [f"2026-11-03T10:00:0{i}Z,r{i},{i % 2},{i}.5" for i in range(5)]
    rows[2:2] = ["2026-11-03T10:00:00Z,too,few", "not a time,r9,1,2.5"]
    (logs / "a.csv").write_text("timestamp,request_id,prediction,age\n" + "\n".join(rows) + "\n")
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (5, 2)
    assert [(row[1], row[2]) for row in quarantine(opened)] == [
        (4, "3 fields, expected 4"),
        (5, "no usable time"),
    ]


def test_outcomes_need_an_id(logs: Path, opened: Callable[[], Any], take: Take) -> None:
    records = [{"request_id": "r1", "label": 1, "timestamp": "2026-11-03T10:00:00Z"}] * 1
    (logs / "l.jsonl").write_text(lines([*records, {"label": 1, "timestamp": "2026-11-03T10:00:00Z"}]))
    assert take().ingest.rejected == 1
    assert quarantine(opened)[0][2] == "an outcome or event without a request id"


def test_bad_files_are_named_and_the_others_are_taken(logs: Path, take: Take) -> None:
    (logs / "good.jsonl").write_text(GOOD)
    (logs / "bad.parquet").write_bytes(b"PAR1 this is no parquet PAR1")
    (logs / "cut.jsonl.gz").write_bytes(gzip.compress(os.urandom(200_000))[:5000])
    (logs / "binary.bin").write_bytes(os.urandom(5000) + b"\0" * 10)
    (logs / "notes.txt").write_text("nothing to see here\n")
    (logs / "empty.jsonl").write_text("")
    os.mkfifo(logs / "pipe.jsonl")
    found = take()
    assert found.ingest.predictions == 10
    named = {alert.message.split(" is not read")[0] for alert in found.alerts}
    assert {"bad.parquet", "notes.txt", "binary.bin"} <= named
    assert len(take().alerts) == len(found.alerts)


def flushed(text: bytes) -> bytes:
    """Return a zstd frame of a writer that flushes after every few records."""
    packer = zstandard.ZstdCompressor().compressobj()
    step = 5000
    parts = (text[at : at + step] for at in range(0, len(text), step))
    blocks = [packer.compress(part) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts]
    return b"".join([*blocks, packer.flush()])


def framed(text: bytes) -> bytes:
    """Return zstd frames, with one to be passed over between them."""
    between = (0x184D2A5A).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"own"
    half = text.index(b"\n", len(text) // 2) + 1
    checked = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    return checked.compress(text[:half]) + between + zstandard.compress(text[half:])


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "flushed.zst": flushed,
    "framed.zst": framed,
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("cuts", [(0.5, 0.9, 1), (0.02, 0.98, 1), (0.6,)], ids=str)
def test_what_is_good_of_a_cut_file_is_taken_and_the_rest_once_it_is_whole(
    logs: Path, opened: Callable[[], Any], take: Take, name: str, cuts: tuple[float, ...]
) -> None:
    log = logs / f"a.jsonl.{name}"
    packed = PACKED[name](lines(prediction(n, note=os.urandom(40).hex()) for n in range(3000)).encode())
    read = 0
    for cut in cuts:
        log.write_bytes(packed[: int(len(packed) * cut)])
        found = take()
        told = [alert for alert in found.alerts if alert.rule.startswith("ingest: ")]
        standing = [alert.message for alert in told if alert.state != "resolved"]
        assert found.ingest.rejected == 0
        assert found.ingest.records == found.ingest.predictions >= read
        read = found.ingest.predictions
        if cut == 1:
            assert (read, standing) == (3000, [])
        else:
            message = "".join(standing)
            assert "the compressed data is damaged" in message
            assert ("is not read to its end:" in message) == (read > 0)
    with opened() as session:
        state = session.connection.execute("SELECT state FROM files WHERE state <> 'replaced'").fetchall()
    assert state == [("open",) if cuts[-1] == 1 else ("damaged",)]


@pytest.mark.usual(1)
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_records_without_lines_between_them_are_not_whole_where_the_compressed_data_is_cut(
    logs: Path, take: Take, pack: Callable[[bytes], bytes]
) -> None:
    records = lines(prediction(n, note=os.urandom(40).hex()) for n in range(300)).replace("\n", "")
    half = records.index("{", len(records) // 2)  # behind a record
    packer = (
        zstandard.ZstdCompressor().compressobj() if pack is zstandard.compress else zlib.compressobj(wbits=31)
    )
    flush = (zstandard.COMPRESSOBJ_FLUSH_BLOCK,) if pack is zstandard.compress else (zlib.Z_SYNC_FLUSH,)
    first = packer.compress(records[:half].encode()) + packer.flush(*flush)
    (logs / "a.json").write_bytes(first)
    found = take()
    assert found.ingest.records == 0
    assert "the compressed data is damaged" in found.alerts[0].message
    (logs / "a.json").write_bytes(first + packer.compress(records[half:].encode()) + packer.flush())
    assert take().ingest.predictions == 300


def test_an_endless_line_is_skipped_and_counted(logs: Path, opened: Callable[[], Any], take: Take) -> None:
    (logs / "a.jsonl").write_text(GOOD + '{"a": "' + "x" * (17 << 20) + '"}\n' + lines([prediction(50)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (11, 1)
    assert [row[:3] for row in quarantine(opened)] == [("a.jsonl", 11, "a line of more than 16 MB")]


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of more than 2,000 bytes is too long, and such lines take several reads."""
    monkeypatch.setattr(blocks, "MAX_LINE_BYTES", 2000)
    monkeypatch.setattr(feeding, "BLOCK_BYTES", 500)


def compressed(name: str, text: str) -> bytes:
    """Return a file's content by how it is named."""
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(Path(name).suffix, bytes)
    packed: bytes = pack(text.encode())
    return packed


@pytest.mark.usual(1)
@pytest.mark.usefixtures("short_lines")
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_an_endless_line_at_the_end_of_a_finished_file_is_counted(
    logs: Path, opened: Callable[[], Any], take: Take, name: str
) -> None:
    (logs / name).write_bytes(compressed(name, GOOD + '{"a": "' + "x" * 5000))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (10, 1, 11)
    assert [row[:3] for row in quarantine(opened)] == [(name, 11, "a line of more than 16 MB")]


@pytest.mark.usefixtures("short_lines")
def test_an_endless_row_at_the_end_of_a_settled_table_is_counted(
    logs: Path, opened: Callable[[], Any], take: Take
) -> None:
    rows = [f"2026-11-03T10:00:0{i}Z,r{i},{i % 2},{i}.5" for i in range(5)]
    text = "\n".join(["timestamp,request_id,prediction,age", *rows, "x" * 5000])
    (logs / "a.csv").write_text(text)
    os.utime(logs / "a.csv", (1_700_000_000, 1_700_000_000))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (5, 1, 6)
    assert [row[:3] for row in quarantine(opened)] == [("a.csv", 7, "a line of more than 16 MB")]


@pytest.mark.usefixtures("short_lines")
def test_an_endless_line_that_still_grows_is_counted_once_it_ends(logs: Path, take: Take) -> None:
    log = logs / "a.jsonl"
    log.write_text(GOOD + "x" * 5000)
    assert take().ingest.records == 10
    with log.open("a") as file:
        file.write("x" * 5000)
    assert take().ingest.records == 10
    with log.open("a") as file:
        file.write("\n" + lines([prediction(50)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (11, 1, 12)


@pytest.mark.usual(1)
@pytest.mark.usefixtures("short_lines")
@pytest.mark.parametrize("end", ["\n", ""], ids=["ended", "open"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_is_read_on_behind_an_endless_line(logs: Path, take: Take, name: str, end: str) -> None:
    text = GOOD + "x" * 5000 + end
    (logs / name).write_bytes(compressed(name, text))
    take()
    (logs / name).write_bytes(compressed(name, text + "\n" + lines([prediction(50)])))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected, found.ingest.records) == (11, 1, 12)


def test_a_line_of_megabytes_is_a_record(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(GOOD + lines([prediction(50, note="x" * (5 << 20)), prediction(51)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (12, 0)


def test_a_missing_path_is_refused() -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        Session(Options(Path("/no/such/place")))


def test_a_newer_store_is_refused_untouched(logs: Path, take: Take, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(GOOD)
    take()
    database = tmp_path / "store.duckdb"
    connection = duckdb.connect(str(database))
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(StoreError, match="schema 99"):
        Session(Options(logs, db=database))
    assert database.read_bytes() == before


def test_a_table_named_as_the_store_is_refused_untouched(logs: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(StoreError, match="not a store of mlwatch"):
        Session(Options(logs, db=table))
    assert table.read_text() == "a,b\n1,2\n"


def test_a_file_that_is_no_store_is_refused(logs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    duckdb.connect(str(other)).execute("CREATE TABLE mine (x INTEGER)").close()
    with pytest.raises(StoreError, match="not a store of mlwatch"):
        Session(Options(logs, db=other))
    text = tmp_path / "text.duckdb"
    text.write_text("hello")
    with pytest.raises(StoreError, match="not a store of mlwatch"):
        Session(Options(logs, db=text))


def test_a_second_holder_reads_into_memory_and_says_so(logs: Path, take: Take, tmp_path: Path) -> None:
    (logs / "a.jsonl").write_text(GOOD)
    take()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "store.duckdb"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with Session(Options(logs, db=tmp_path / "store.duckdb")) as session:
            session.ingest_all()
            found = session.snapshot()
        assert found.ingest.predictions == 10
        assert found.feed.note is not None
        assert "another mlwatch holds this store" in found.feed.note
    finally:
        holder.communicate("")


def test_too_many_features_are_not_taken(logs: Path, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("registry", "ingest"):
        monkeypatch.setattr(f"mlwatch.store.{module}.MAX_FEATURES", 20)
    wide = [prediction(n, features={f"f{i}": float(i + n) for i in range(25)}) for n in range(3)]
    (logs / "a.jsonl").write_text(lines(wide))
    found = take()
    assert found.ingest.predictions == 3
    assert len(found.models["m"].versions["v1"].quality.features) == 20
    assert any("more than 20 features: 5 are not taken" in alert.message for alert in found.alerts)


def test_a_log_that_invents_columns_is_read_on_with_those_that_came_first(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("registry", "ingest"):
        monkeypatch.setattr(f"mlwatch.store.{module}.MAX_FEATURES", 20)
    monkeypatch.setattr(shapes, "MAX_COLUMNS", 40)
    log, documents, last = logs / "a.jsonl", [], 0
    with Session(Options(logs, db=":memory:")) as session:
        for number in (30, 30, 50, 50):
            invented = [
                prediction(n, features={f"c{n}": n * 1.5}, **{f"list {n}": ["x", "y"]})
                for n in range(last, last + number)
            ]
            with log.open("a") as file:
                file.write(lines(invented))
            session.ingest_all()
            last += number
            total = session.snapshot().ingest
            assert (total.predictions, total.rejected, total.records) == (last, 0, last)
            documents += session.connection.execute("SELECT document FROM shapes").fetchall()
        with log.open("a") as file:
            file.write(lines([prediction(last, features={"another": 1.5}, label=1)]))
        session.ingest_all()
        found = session.snapshot()
        (document,) = session.connection.execute("SELECT document FROM shapes").fetchall()[0]
        features = session.connection.execute("SELECT name FROM features ORDER BY feature").fetchall()
    mapping = json.loads(document)["mapping"]
    assert documents[0] != documents[1] == documents[2] == documents[3]
    assert (len(mapping["features"]), len(mapping["ignored"])) == (40, 40)
    assert len([name for name in mapping["reasons"] if name.startswith("ignored:")]) == 40
    assert mapping["roles"]["label"] == ["label"]
    assert features == [(f"c{n}",) for n in range(20)]
    assert found.models["m"].versions["v1"].labelled == 1
    assert [alert.message for alert in found.alerts if "features" in alert.message] == [
        "more than 20 features: 10 are not taken; choose with [roles] features"
    ]


def test_infinite_and_missing_numbers(logs: Path, take: Take) -> None:
    text = (
        GOOD.replace('"age": 1.0', '"age": NaN')
        .replace('"age": 2.0', '"age": Infinity')
        .replace('"age": 3.0', '"age": null')
    )
    (logs / "a.jsonl").write_text(text)
    age = take().models["m"].versions["v1"].quality.features["age"]
    assert (age.n, age.missing, age.invalid) == (10, 2, 0)


LINE = st.one_of(
    st.integers(0, 30).map(lambda n: json.dumps(prediction(n))),
    st.text(alphabet=st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ['{"a": 1}', "{}", "[]", "null", '{"timestamp": 5}', '{"label": 1, "request_id": "r1"}', '"x"']
    ),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(LINE, min_size=1, max_size=40))
def test_nothing_is_ever_lost(tmp_path_factory: pytest.TempPathFactory, content: list[str]) -> None:
    directory = tmp_path_factory.mktemp("logs")
    known = [prediction(n) for n in range(100, 140)]  # enough for the roles to be told
    (directory / "a.jsonl").write_text(lines(known) + "\n".join(content) + "\n")
    with Session(Options(directory, db=":memory:")) as session:
        session.ingest_all()
        total = session.snapshot().ingest
    filled = [line for line in content if line.strip(" \t")]
    ids = {json.loads(line)["request_id"] for line in content if line.startswith('{"timestamp": "2026')}
    assert total.records == len(filled) + 40
    assert total.rows + total.rejected + total.duplicates == total.records
    assert total.predictions == len(ids) + 40


def test_the_frame_of_quarantine_is_pandas(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "a.jsonl").write_text(GOOD + "broken\n")
    with opened() as session:
        frame = session.frame("quarantine")
    assert isinstance(frame, pd.DataFrame)
    assert frame.line.tolist() == [11]


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs Linux' /proc")
def test_links_to_files_of_the_kernel_are_not_read(logs: Path, tmp_path: Path, take: Take) -> None:
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(lines([prediction(1)]))
    with elsewhere.open() as file:
        (logs / "good.jsonl").symlink_to(f"/proc/self/fd/{file.fileno()}")
        (logs / "kernel.jsonl").symlink_to("/proc/version")
        found = take()
    assert found.ingest.predictions == 1
    assert {alert.message for alert in found.alerts} >= {"kernel.jsonl is not read: a file of the kernel"}


def test_what_cannot_be_opened_is_named_and_the_others_are_taken(
    logs: Path, take: Take, refuse: Callable[[str, str], None]
) -> None:
    (logs / "good.jsonl").write_text(lines([prediction(1)]))
    (logs / "shut.jsonl").write_text(lines([prediction(2)]))
    (logs / "closed").mkdir()
    refuse("shut.jsonl", "closed")
    found = take()
    assert found.ingest.predictions == 1
    assert {alert.message for alert in found.alerts} >= {
        "shut.jsonl is not read: cannot be opened (Permission denied)",
        "closed is not read: its files cannot be listed (Permission denied)",
    }


def test_a_document_that_is_no_log_costs_little(logs: Path, take: Take, opened: Callable[[], Any]) -> None:
    deep: dict[str, Any] = {"model": "m"}
    for group in range(12):
        deep[f"group {group}"] = {f"part/{part}": {f"~{n}": n * 1.5 for n in range(8)} for part in range(8)}
    (logs / "facts.jsonl").write_text(json.dumps(deep, indent=1))
    (logs / "good.jsonl").write_text(lines([prediction(1)]))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (1, 1)
    with opened() as session:
        assert session.connection.execute("SELECT COUNT(*) FROM features").fetchone() == (2,)


BOMB_MB = 200
BAD_LINES = 200_000


def write_bombs(place: Path, suffix: str, first: int) -> None:
    """Write small archives of much: zeros, zeros and an endless line behind a record, bad lines that are all the same.

    Args:
        place: Where to.
        suffix: `.gz` or `.zst`.
        first: Number of the first record; those that follow it are used too.
    """
    open_: Any = gzip.open if suffix == ".gz" else zstandard.open
    hollow, endless, many = (lines([prediction(first + n)]).encode() for n in range(3))
    bombs = {
        "zeros": repeat(bytes(1 << 20), BOMB_MB),
        "hollow": chain([hollow], repeat(bytes(1 << 20), BOMB_MB)),
        "endless": chain([endless], repeat(b"x" * (1 << 20), BOMB_MB)),
        "many": chain([many], repeat(b"no record\n" * (BAD_LINES // 50), 50)),
    }
    for name, pieces in bombs.items():
        with open_(place / f"{name}.jsonl{suffix}", "wb") as out:
            for piece in pieces:
                out.write(piece)


@pytest.mark.slow
def test_files_that_pretend_to_be_huge_cost_little(logs: Path, tmp_path: Path) -> None:
    """Archives of hardly anything, a hole on disk, a device, a pipe, links in circles, a name that is no text."""
    (logs / "good.jsonl").write_text(lines([prediction(1)]))
    more = tmp_path / "more"
    more.mkdir()
    write_bombs(more, ".gz", 10)
    write_bombs(more, ".zst", 20)
    with (more / "hole.jsonl").open("wb") as hole:
        hole.seek(50 << 30)
        hole.write(lines([prediction(2)]).encode())
    os.mkfifo(more / "pipe.jsonl")
    (more / "zero.jsonl").symlink_to("/dev/zero")
    (more / "gone.jsonl").symlink_to("nowhere")
    (more / "loop").symlink_to(logs)
    Path(os.fsdecode(os.fsencode(more) + b"/odd\xff\n\x1b[31m.jsonl")).write_text(lines([prediction(3)]))
    given = (frugal.__file__, logs, more, tmp_path / "store.duckdb")
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=own)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    taken = {name: counts for name, counts in found["files"].items() if counts[0] and "odd" not in name}
    expected = {"good.jsonl": [1, 0], "more/hole.jsonl": [1, 0]}
    for suffix in ("gz", "zst"):
        expected |= {
            f"more/hollow.jsonl.{suffix}": [1, 0],
            f"more/endless.jsonl.{suffix}": [2, 1],
            f"more/many.jsonl.{suffix}": [1 + BAD_LINES, BAD_LINES],
        }
        zeros = f"more/zeros.jsonl.{suffix} is not read: it holds zeros, as far as it was looked at"
        assert zeros in found["alerts"]
    assert taken == expected
    assert found["predictions"] == 9
    assert found["grown"] < BOMB_MB, "less than one of the archives holds"


def test_more_columns_than_are_taken_cost_no_record(
    logs: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that invents a column a line, under a memory limit that it does not fit in."""
    monkeypatch.setattr(registry, "MAX_FEATURES", 150)
    monkeypatch.setattr(database, "MEMORY_LIMIT", "24MB")
    records = [prediction(n, features={f"c{n}": n, "age": 1.0}) for n in range(300)]
    (logs / "a.jsonl").write_text(lines(records))
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (300, 0)
    assert any("features: 151 are not taken" in alert.message for alert in found.alerts)


def test_requests_without_answers_belong_to_the_model_of_their_directory(logs: Path, take: Take) -> None:
    record = {"timestamp": "2026-11-03T10:00:00Z", "path": "/predict", "latency_ms": 12.5}
    (logs / "a.jsonl").write_text(json.dumps(record) + "\n")
    (version,) = take().models[logs.name].versions.values()
    assert (version.predictions, version.latency.n, version.latency.max) == (1, 1, 12.5)


def test_a_store_in_a_place_that_is_shut_is_refused(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **_: Any) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(StoreError, match="cannot open the store"):
        database.open_store(logs, tmp_path / "x.duckdb")
