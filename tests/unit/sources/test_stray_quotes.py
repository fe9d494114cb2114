"""A quote opens a value only where a field begins, a stray one costs its own row; a last row needs no newline."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwatch.session import Options, Session
from mlwatch.sources import readers
from mlwatch.sources.delimited import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlwatch.snapshot.types import Ingest

NAMES = ("timestamp", "request_id", "model", "version", "amount", "item", "prediction", "latency_ms")
LONG_AGO = (1_700_000_000, 1_700_000_000)


def row(n: int, item: str = "tube", delimiter: str = ",") -> str:
    time = pd.Timestamp("2026-11-03T09:00:00Z") + pd.Timedelta(seconds=n)
    return delimiter.join([time.isoformat(), f"r{n}", "m", "v1", f"{n}.5", item, str(n % 2), f"{n % 7}.25"])


def text(rows: Sequence[str], delimiter: str = ",") -> str:
    return "\n".join([delimiter.join(NAMES), *rows]) + "\n"


class Read:
    """What a session has read."""

    def __init__(self, session: Session) -> None:
        self.totals: Ingest = session.snapshot().ingest
        self.quarantine = self._rows(session, "SELECT line, reason FROM quarantine ORDER BY line")
        found = self._rows(session, "SELECT id, item, latency_ms FROM predictions")
        self.items = {name: item for name, item, _ in found}
        self.latencies = {name: latency for name, _, latency in found}

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.totals.records, self.totals.predictions, self.totals.rejected

    @staticmethod
    def _rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = session.connection.execute(sql).fetchall()
        return found


def read(logs: Path) -> Read:
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        return Read(session)


@pytest.mark.usual(1)
@pytest.mark.parametrize("stray", [(100, 250, 400), (0,), (0, 1), (596,)], ids=str)
@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("old", [True, False], ids=["old", "fresh"])
def test_a_stray_quote_costs_its_own_row(
    tmp_path: Path, stray: tuple[int, ...], delimiter: str, *, old: bool
) -> None:
    rows = [row(n, '"NO' if n in stray else "NO", delimiter) for n in range(600)]
    log = tmp_path / "a.csv"
    log.write_text(text(rows, delimiter))
    if old:
        os.utime(log, LONG_AGO)
    found = read(tmp_path)
    assert found.counts == (600, 600 - len(stray), len(stray))
    assert found.quarantine == [(n + 2, "a quote is not closed") for n in stray]


@pytest.mark.usual(1)
@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t")])
def test_a_quote_inside_of_a_field_is_data(tmp_path: Path, name: str, delimiter: str) -> None:
    items = {n: ('pipe 5"', 'N"O', "tube", '5"x7"', '"two ""words"""')[n % 5] for n in range(203)}
    log = tmp_path / name
    log.write_text(text([row(n, item, delimiter) for n, item in items.items()], delimiter))
    expected = pd.read_csv(log, sep=delimiter)
    engine = duckdb.read_csv(str(log), sep=delimiter).fetchall()
    found = read(tmp_path)
    assert found.counts == (203, 203, 0)
    assert found.items == dict(zip(expected.request_id, expected.item, strict=True))
    assert found.items == {one[1]: one[5] for one in engine}


def test_text_behind_a_closing_quote_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text([row(n, '"N"O' if n == 60 else "NO") for n in range(200)]))
    found = read(tmp_path)
    assert found.counts == (200, 199, 1)
    assert found.quarantine == [(62, "text behind a closing quote")]


def test_values_over_lines_stay_whole_beside_a_stray_quote(tmp_path: Path) -> None:
    prompt = '"' + "\n".join(f"line {n}, and more" for n in range(150)).replace('"', '""') + '"'
    items = {n: {20: '"NO', 30: prompt, 40: "NO"}.get(n, "tube") for n in range(60)}
    log = tmp_path / "a.csv"
    log.write_text(text([row(n, item) for n, item in items.items()]))
    found = read(tmp_path)
    assert found.counts == (60, 59, 1)
    assert found.quarantine == [(22, "a quote is not closed")]
    assert found.items["r30"] == next(csv.reader(io.StringIO(prompt)))[0]


@pytest.mark.deep
def test_what_is_written_of_a_value_over_lines_waits_for_the_rest(tmp_path: Path) -> None:
    whole = text([row(n, '"first,\nsecond ""line"",\nthird"' if n % 5 == 2 else "tube") for n in range(12)])
    log = tmp_path / "a.csv"
    with Session(Options(tmp_path, db=":memory:")) as session:
        for end in range(len(text([])), len(whole) + 1, 7):
            log.write_text(whole[:end])
            session._ingest.run_once()
        log.write_text(whole)
        session.ingest_all()
        found = Read(session)
    assert found.counts == (12, 12, 0)
    assert found.items["r7"] == 'first,\nsecond "line",\nthird'


def test_a_stray_quote_holds_no_more_than_a_few_rows_of_a_log_that_is_followed(tmp_path: Path) -> None:
    log, seen = tmp_path / "a.csv", []
    log.write_text(text([row(n) for n in range(10)]))
    with Session(Options(tmp_path, db=":memory:")) as session:
        for n in range(10, 20):
            with log.open("a") as file:
                file.write(row(n, '"NO' if n == 12 else "NO") + "\n")
            session._ingest.run_once()
            seen.append(session.snapshot().ingest.records)
    assert seen == [11, 12, 12, 12, 12, 16, 17, 18, 19, 20]


@pytest.mark.usual(1)
@pytest.mark.parametrize("end", ["", "\r"], ids=["lf", "crlf"])
def test_a_last_row_without_newline_is_read_where_nothing_follows(tmp_path: Path, end: str) -> None:
    log = tmp_path / "a.csv"
    rows = [row(n) for n in range(200)]
    log.write_text(text(rows).replace("\n", f"{end}\n").rstrip(), newline="")
    with Session(Options(tmp_path, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        assert Read(session).counts == (200, 200, 0)
    with log.open("a", newline="") as file:
        file.write(f"{end}\n" + row(200) + f"{end}\n" + "no row\n")
    with Session(Options(tmp_path, db=tmp_path / "store.duckdb")) as session:
        session.ingest_all()
        found = Read(session)
    assert found.counts == (202, 201, 1)
    assert found.quarantine == [(203, "1 fields, expected 8")]


def test_a_last_row_that_goes_on_is_not_counted_twice_and_its_end_is_told(tmp_path: Path) -> None:
    log = tmp_path / "a.csv"
    log.write_text(text([row(n) for n in range(20)]).removesuffix("25\n"))
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all()
        assert Read(session).counts == (20, 20, 0)
        with log.open("a") as file:
            file.write("25\n" + row(20) + "\n")
        session.ingest_all()
        found = Read(session)
    assert found.counts == (22, 21, 1)
    assert found.quarantine == [(21, "the end of a row that was read before it was written")]


@pytest.mark.usual(1)
@pytest.mark.parametrize("cut", [1, 3, 5, 12])
def test_a_last_row_that_lacks_a_field_waits(tmp_path: Path, cut: int) -> None:
    whole = text([row(n) for n in range(20)])
    log = tmp_path / "a.csv"
    log.write_text(whole[: -4 - cut])
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all()
        assert Read(session).counts == (19, 19, 0)
        log.write_text(whole)
        session.ingest_all()
        assert Read(session).counts == (20, 20, 0)


def test_a_last_row_waits_where_a_writer_holds_back_the_rest_of_its_buffer(tmp_path: Path) -> None:
    rows = [row(n) for n in range(70)]
    room = readers.BUFFER_BYTES + 2 - len(text(rows))
    padded = text([row(0, "t" * (4 + room)), *rows[1:]])[: readers.BUFFER_BYTES]
    assert rows[-1] == padded.rpartition("\n")[2] + "5"
    log = tmp_path / "a.csv"
    log.write_text(padded)
    records = padded.count("\n") - 1
    assert read(tmp_path).counts == (records, records, 0)


def test_a_last_row_is_read_once_its_file_is_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.csv"
    log.write_text(text([row(n) for n in range(20)]).rstrip())
    with Session(Options(tmp_path, db=":memory:")) as session:
        for _ in range(2):
            session._ingest.run_once()
            assert Read(session).counts == (19, 19, 0)
        monkeypatch.setattr(readers, "SETTLED_S", -1.0)
        session._ingest.run_once()
        assert Read(session).counts == (20, 20, 0)
        assert session._ingest.run_once() == 0


FIELDS = st.text(st.sampled_from('a",\n x'), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_rows_are_told_apart_as_by_the_csv_module(table: list[list[str]], data: st.DataObject) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    written = out.getvalue()
    rows = Rows(",", 3)
    assert [found.fields for found in rows.split(written)] == table
    assert rows.whole(written.encode()) == len(written)
    cut = data.draw(st.integers(0, len(written)))
    ends = [0]
    for one in rows.split(written):
        ends.append(ends[-1] + len(one.raw) + 1)
    assert rows.whole(written[:cut].encode()) == max(end for end in ends if end <= cut)


def test_lines_that_open_and_close_as_they_like_are_no_rows_and_take_no_squares() -> None:
    """Each such line is inside of a value as seen from the one before: by squares, these take hours."""
    rows, written = Rows(",", 2), 'a","b\n' * 200_000
    found = list(rows.split(written))
    assert len(found) == 200_000
    assert {one.fields is None for one in found} == {True}
    assert rows.whole(written.encode()) == len(written)


def test_one_line_that_is_none_behind_a_stray_quote_does_not_hold_the_others_back() -> None:
    lines = [row(n) for n in range(30)]
    lines[5] = row(5, '"NO')
    lines[8] = "half a line"
    written = ("\n".join(lines) + "\n").encode()
    assert Rows(",", len(NAMES)).whole(written) == len(written)
