"""Records made to break a reader: what is no record goes to quarantine, the rest is taken in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def captured(name: str, given: str, answer: str = "0.5") -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {"data": given, "encoding": "JSON"},
            "endpointOutput": {"data": answer, "encoding": "JSON"},
        },
        "eventMetadata": {"eventId": name, "inferenceTime": "2026-11-03T10:00:00Z"},
    }


INPUTS = {
    "deep": "[" * 3000 + "]" * 3000,
    "huge": json.dumps({"instances": [[1e308, 10**40]]}),
    "infinite": '{"instances": [[1e999, -1e999]]}',
    "not a number": '{"instances": [[NaN, Infinity]]}',
    "quotes": json.dumps({"instances": [{"a'b\"c": "x'; DROP TABLE predictions; --", "$.x": 1, "/y": 2}]}),
    "control": json.dumps({"instances": [{"\u001b[31m": "\u0000\u202e"}]}),
    "empty": "",
    "ragged": '{"dataframe_split": {"columns": ["a", "b"], "data": [[1], [1, 2, 3]]}}',
    "twice": '{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}',
    "tensor": '{"inputs": [{"name": "a", "shape": [-5], "datatype": "FP32", "data": [1]}]}',
    "tall": '{"inputs": [{"name": "a", "shape": ["x"], "datatype": "FP32", "data": 7}]}',
    "base64": "%%%",
    "list": '{"data": {"data": {"data": []}}}',
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", INPUTS)
def test_no_input_stops_the_others(name: str, logs: Path, take: Callable[[], Any]) -> None:
    records = [captured("before", "[1]"), captured(name, INPUTS[name]), captured("after", "[1]")]
    where = logs / "o'brien\"s" / "v'1" / "2026" / "11" / "03" / "10"
    where.mkdir(parents=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (where / "a.jsonl").write_bytes(text.encode() + b'{"captureData": {"x": "\xff\xfe"}}\n')
    with take() as taken:
        assert taken.totals.records >= 4
        ids = {row[0].partition("/")[0] for row in taken.predictions("id")}
        refused = {line for _, line, _ in taken.quarantined()}
        assert {"before", "after"} <= ids
        assert (name in ids) != (2 in refused)
        assert 4 in refused
        assert set(taken.predictions("model", "version")) == {("o'brien\"s", "v'1")}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "answer",
    [
        "[[0.5, 0.5, 0.5]]",
        '{"predictions": []}',
        '{"predictions": {}}',
        '{"a": {"b": 1}, "c": 2}',
        "true",
        '"x"',
    ],
)
def test_any_answer_is_some_class(answer: str, logs: Path, take: Callable[[], Any]) -> None:
    (logs / "a.jsonl").write_text(json.dumps(captured("r", "[[1, 2, 3]]", answer)) + "\n")
    with take() as taken:
        assert taken.totals.records == 1


def test_a_key_without_a_name_is_passed_over(logs: Path, take: Callable[[], Any]) -> None:
    """`csv.DictReader` makes one of the index of a table that pandas wrote."""
    plain = {"timestamp": "2026-11-03T10:00:00Z", "prediction": 1, "features": {"age": 30}}
    inside = {**plain, "features": {"age": 40, "": 2}}
    with (logs / "a.jsonl").open("w", encoding="utf-8") as log:
        log.writelines(json.dumps({**plain, "request_id": f"a{number}"}) + "\n" for number in range(3))
    with take() as taken:
        assert len(taken.predictions("id")) == 3
    with (logs / "a.jsonl").open("a", encoding="utf-8") as log:
        log.writelines(
            json.dumps({"": 7, **inside, "request_id": f"b{number}"}) + "\n" for number in range(3)
        )
    with take() as taken:
        rows = taken.predictions("id", "age")
        assert rows == [
            *((f"a{number}", 30.0) for number in range(3)),
            *((f"b{number}", 40.0) for number in range(3)),
        ]
        assert taken.rows("SELECT name FROM features") == [("age",)]
        assert not taken.quarantined()
