"""JSON documents are read record by record: what they hold costs no many times its text, and no part of it is cut."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.sources import documents
from mlwatch.sources.files import discover
from mlwatch.sources.segments import Position, UnreadableFileError

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: list[dict[str, Any]] = [{"a": "]},é😀\\", "n": -1.5e300}, {}, {"b": [{"c": []}, None]}, {"n": 12345}]


def read(logs: Path, text: str, at: int = 0, block: int = 20_000) -> list[Any]:
    """Return the records of a document behind a position."""
    (logs / "a.json").write_text(text, encoding="utf-8")
    (found,) = discover(logs, (), (), lambda *_: None)
    pieces = list(documents.document_pieces(found, Position(at), block))
    assert [piece.start for piece in pieces] == [at, *(piece.end for piece in pieces)][: len(pieces)]
    assert all(piece.text.count(b"\n") == piece.lines == piece.end - piece.start for piece in pieces)
    return [json.loads(line) for piece in pieces for line in piece.text.splitlines()]


@pytest.mark.parametrize("part", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_records_are_whole_whatever_parts_they_are_decoded_from(
    logs: Path, monkeypatch: pytest.MonkeyPatch, part: int, indent: int | None
) -> None:
    monkeypatch.setattr(documents, "PART_CHARACTERS", part)
    said = {"model": "m", "count": 4}
    for block in (1, 20_000):
        for at in (0, 2):
            assert read(logs, json.dumps(RECORDS, indent=indent), at, block) == RECORDS[at:]
            around = json.dumps({"count": 4, "rows": RECORDS, "model": "m"}, indent=indent)
            named = [{"model": "m", **one} for one in RECORDS]
            assert read(logs, around, at, block) == named[at:]
        run_on = "\n".join(json.dumps(one, indent=indent) for one in RECORDS)
        assert read(logs, run_on, 0, block) == RECORDS
    assert read(logs, json.dumps([1, -1e300, 12, 1.5], indent=indent)) == [1, -1e300, 12, 1.5]
    lists = json.dumps({**said, "rows": RECORDS, "more": RECORDS}, indent=indent)
    assert read(logs, lists) == [json.loads(lists)]
    assert read(logs, " []") == []


@pytest.mark.parametrize("part", [3, 1 << 20])
@pytest.mark.parametrize(
    "text",
    ["[", "{", '[{"a": 1},   \n  ', '[{"a": 1}, {"a": ', "[{},]", "[{} {}]", '{"rows": [{}', '[{"a": 1}] x'],
)
def test_of_one_that_is_not_whole_nothing_is_taken(
    logs: Path, monkeypatch: pytest.MonkeyPatch, text: str, part: int
) -> None:
    monkeypatch.setattr(documents, "PART_CHARACTERS", part)
    with pytest.raises(UnreadableFileError, match=r"not a complete JSON document \(.*character \d+\)"):
        read(logs, text, block=1)


def test_small_records_take_no_many_times_their_text(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 400_000)  # as much is set aside for reading
    for text in ("[" + "{}," * 100_000 + "{}]", '{"rows": [' + "{}," * 100_000 + "{}]}"):
        (logs / "a.json").write_text(text, encoding="utf-8")
        (found,) = discover(logs, (), (), lambda *_: None)
        tracemalloc.start()
        count = sum(piece.lines for piece in documents.document_pieces(found, Position(), 20_000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 100_001
        assert peak < 8 * len(text)


def test_a_long_record_is_handed_on_with_the_others(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PART_CHARACTERS", 100)
    monkeypatch.setattr(documents, "MAX_LINE_BYTES", 1000)
    for length in (300, 400, 9000):
        records = [{}, {"a": [0] * length}, {"b": "x" * length}, {"c": 1}]
        assert read(logs, json.dumps(records)) == records


def test_the_later_list_of_a_name_holds(logs: Path) -> None:
    assert read(logs, '{"rows": [{"a": 1}], "rows": [{"a": 2}, {"a": 3}]}') == [{"a": 2}, {"a": 3}]


def test_what_is_wrong_is_told_where_it_is(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "PART_CHARACTERS", 100)
    with pytest.raises(UnreadableFileError, match=r"property name.*: character 12,002\b"):
        read(logs, "[" + '{"a": 1000},' * 1000 + "{'x': 1}," + '{"a": 1000},' * 1000 + "{}]")
