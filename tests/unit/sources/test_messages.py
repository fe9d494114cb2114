"""Messages become lines: of JSON or delimited, each with its offset; what is neither is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlwatch.sources.files import Found
from mlwatch.sources.messages import Message, pieces

FOUND = Found(Path("kafka://t/0"), "kafka://t/0", -1, -1, 0, 0)


def test_one_record_a_message() -> None:
    (made,) = pieces(FOUND, [Message(5, b'{"a": 1}'), Message(6, b' {"a":\n 2} \r\n')], 5)
    piece = made.plain()
    assert (piece.text, made.dialect, made.refused) == (b'{"a": 1}\n{"a": 2}\n', None, [])
    assert (piece.start, piece.end, piece.first_line, piece.lines, piece.numbers) == (5, 7, 5, 2, ())


def test_gaps_and_arrays_keep_their_offsets() -> None:
    messages = [Message(3, b'[{"a": 1}, {"a": 2}]'), Message(9, None), Message(10, b'{"a": 3}')]
    (made,) = pieces(FOUND, messages, 2)
    piece = made.plain()
    assert piece.text.count(b"\n") == piece.lines == 3
    assert (piece.numbers, made.refused) == ((3, 3, 10), [])
    assert (piece.start, piece.end) == (2, 11)


def test_delimited_messages_with_and_without_header() -> None:
    (made,) = pieces(FOUND, [Message(0, b"id;x\na;1,5\nb;2,5\n")], 0)
    dialect = made.dialect
    assert dialect is not None
    assert (dialect.header, dialect.delimiter, dialect.marks.decimal) == (("id", "x"), ";", ",")
    assert made.plain().text == b"a;1,5\nb;2,5\n"
    (made,) = pieces(FOUND, [Message(0, b"a,1"), Message(1, b"b,2")], 0, ("id", "x"))
    dialect = made.dialect
    assert dialect is not None
    assert (dialect.header, dialect.delimiter, made.plain().text) == (("id", "x"), ",", b"a,1\nb,2\n")


def test_kinds_are_pieces_of_their_own_and_in_order() -> None:
    messages = [Message(0, b'{"a": 1}'), Message(1, b"id,x\na,1"), Message(2, b'{"a": 2}')]
    found = [(made.start, made.end, made.dialect is None) for made in pieces(FOUND, messages, 0)]
    assert found == [(0, 1, True), (1, 2, False), (2, 3, True)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\0\0\0\0\x01\x02binary", "binary"),
        (b"hello", "neither JSON nor delimited"),
        (b"1,2\n3,4", "neither JSON nor delimited"),
        (b"", "neither JSON nor delimited"),
        (b"[1, 2", "not valid JSON"),
        (b'{"a":\n 1', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b" " * (17 << 20), "more than 16 MB"),
    ],
)
def test_what_is_no_record_is_refused_and_the_rest_goes_on(value: bytes, reason: str) -> None:
    (made,) = pieces(FOUND, [Message(7, value), Message(8, b'{"a": 1}')], 7)
    piece, (refused,) = made.plain(), made.refused
    assert refused.line == 7
    assert reason in refused.reason
    assert len(refused.raw) <= 2000
    assert (piece.text, piece.numbers, piece.first_line, piece.end) == (b'{"a": 1}\n', (), 8, 9)


def test_the_header_of_a_schema_registry_is_passed_over() -> None:
    (made,) = pieces(FOUND, [Message(0, b'\0\0\0\0\x07{"a": 1}')], 0)
    assert made.plain().text == b'{"a": 1}\n'


def test_the_time_of_a_message_comes_before_the_fields_of_its_record() -> None:
    messages = [Message(0, b'{ "a": 1}', 1_790_000_000_123), Message(1, b"{}", 5), Message(2, b"[[1]]", 5)]
    (made,) = pieces(FOUND, messages, 0)
    assert made.timed().text == b'{"kafka_timestamp": 1790000000123, "a": 1}\n{}\n[1]\n'
