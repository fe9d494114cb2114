"""How files are parted, and what of a block is looked at."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.config import RoleSettings
from mlwatch.sources.parquet import FIRST_ROWS, GROUP_ROWS, PARQUET_ROWS, cut_rows
from mlwatch.sources.shapebook import ShapeBook, signature
from mlwatch.sources.streams import Stream
from mlwatch.sources.time_sql import zoned_sql
from mlwatch.store.memory import recall


@pytest.mark.parametrize("start", [0, 7, FIRST_ROWS, 3 * GROUP_ROWS])
@pytest.mark.parametrize("total", [0, 5, FIRST_ROWS + 1, PARQUET_ROWS, 10 * PARQUET_ROWS + 12_345])
def test_rows_are_parted_without_gaps(start: int, total: int) -> None:
    pieces = list(cut_rows(start, total))
    assert [n for first, last in pieces for n in (first, last)][1:-1:2] == [first for first, _ in pieces][1:]
    assert all(first < last for first, last in pieces)
    if start < total:
        assert (pieces[0][0], pieces[-1][1]) == (start, total)
    assert all(last % GROUP_ROWS == 0 for first, last in pieces[:-1] if first)
    assert all(last - first <= PARQUET_ROWS * 3 // 2 + GROUP_ROWS for first, last in pieces)


@pytest.mark.parametrize("open_", [open, gzip.open])
def test_plain_files_are_read_up_to_a_line(tmp_path: Path, open_: Any) -> None:
    text, parts = b"".join(b"%06d" % n * 100 + b"\n" for n in range(500)) + b"unfinished", []
    with open_(tmp_path / "log", "wb") as file:
        file.write(text)
    with Stream(tmp_path / "log") as stream:
        while part := stream.read(stream.up_to_line(100_000)):
            parts.append(part)
    assert b"".join(parts) == text
    if open_ is open:
        assert all(part.endswith(b"\n") and len(part) > 99_000 for part in parts[:-1])


def test_records_of_known_keys_are_not_parsed_again(tmp_path: Path) -> None:
    book = ShapeBook(tmp_path, RoleSettings(), {}, recall)

    def looked(*records: dict[str, object]) -> list[dict[str, object]]:
        text = "".join(json.dumps(record) + "\n" for record in records).encode()
        found = book.records("k", text)
        book.fit("k", "jsonl", found, "a.jsonl")
        return found

    plain: dict[str, object] = {"timestamp": "2026-01-01T00:00:00Z", "prediction": 1, "features": {"a": 1.5}}
    tricky = plain | {"note": 'says "b": {', "features": {"a": 2.5}}
    deeper = plain | {"features": {"a": 1.5, "b": {"c": 1.0}}}
    assert looked(plain, plain) == [plain, plain]
    looked(plain)
    assert looked(plain | {"prediction": 0}) == []
    assert looked(plain, tricky) == [tricky]
    assert looked(plain, deeper, deeper) == [deeper]
    assert ("features", "b", "c") in {feature.path for feature in book.shapes["k"].mapping.features}


WORDS = st.text(st.sampled_from('ab"\\{}:[], \té'), max_size=6)
VALUES = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4), min_size=1, max_size=8), st.data())
def test_no_new_key_is_missed_whatever_is_in_texts(
    records: list[dict[str, object]], data: st.DataObject
) -> None:
    book = ShapeBook(Path(), RoleSettings(), {}, recall)
    book.fit("k", "jsonl", [{"timestamp": "2026-01-01T00:00:00Z", "prediction": 1}], "a.jsonl")
    marks = data.draw(st.sampled_from([(", ", ": "), (",", ":"), (" , ", " \t : ")]))
    text = "".join(json.dumps(record, separators=marks) + "\n" for record in records)
    found = [signature(record) for record in book.records("k", text.encode())]
    assert set(found) == {signature(record) for record in records}


@pytest.mark.parametrize("prompt", ['{"a": {"b": 1}}', "}{", 'say "yes": or "no"', "\\", '\\"'])
def test_what_a_text_says_of_keys_teaches_nothing(tmp_path: Path, prompt: str) -> None:
    book = ShapeBook(tmp_path, RoleSettings(), {}, recall)
    plain = {"timestamp": "2026-01-01T00:00:00Z", "prediction": 1, "prompt": "short"}
    for looked in (1, 1, 0):
        found = book.records("k", json.dumps(plain).encode())
        book.fit("k", "jsonl", found, "a.jsonl")
        assert len(found) == looked
    assert book.records("k", json.dumps(plain | {"prompt": prompt}).encode()) == []


@pytest.mark.deep
def test_what_is_remembered_of_combinations_of_keys_is_small(tmp_path: Path) -> None:
    book = ShapeBook(tmp_path, RoleSettings(), {}, recall)
    every: dict[str, object] = {f"feature {number}": 1.5 for number in range(200)}

    def look(record: dict[str, object]) -> int:
        found = book.records("k", json.dumps(record).encode())
        book.fit("k", "jsonl", found, "a.jsonl")
        return len(found)

    look(every)
    look(every)  # from now on its keys are known
    tracemalloc.start()
    try:
        looked = sum(look({name: every[name] for name in every if name != left_out}) for left_out in every)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert looked == 200
    assert grown < 500_000, "the keys themselves would take megabytes"


@pytest.mark.parametrize(
    "text",
    ["2026-03-29T02:30:00+02:00", "2026-11-03 00:00:00.123456Z", "1999-12-31T23:59:59-09:30", "2026-07-01"],
)
def test_times_with_a_zone_are_utc(text: str) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    (found,) = connection.execute(f"SELECT {zoned_sql('$1')}", [text]).fetchone() or (None,)
    told = datetime.fromisoformat(text)
    utc = ZoneInfo("UTC")
    assert found == (told if told.tzinfo else told.replace(tzinfo=utc)).astimezone(utc).replace(tzinfo=None)
