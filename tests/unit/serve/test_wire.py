from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logfiles import lines, prediction

import mlwatch
from mlwatch.errors import InputError, StoreError
from mlwatch.records.lexing import FilterError
from mlwatch.serve.owner import Answer, Question
from mlwatch.serve.wire import packed, unpacked

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.tuples(st.text(), st.text())
MOMENTS = st.datetimes(timezones=st.sampled_from((None, UTC))).map(lambda at: at.replace(fold=0))
VALUES = st.recursive(
    PLAIN | MOMENTS | st.timedeltas() | st.dates(),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(VALUES)
def test_what_is_sent_arrives_as_it_was(value: Any) -> None:
    found = unpacked(packed(Answer(value)))
    assert found == Answer(value)
    assert repr(found) == repr(Answer(value))  # 1, 1.0 and True are equal, and not the same


def test_kinds_that_are_rare_arrive_too() -> None:
    given_values = (
        Decimal("1.10"),
        date(2026, 11, 3),
        datetime(2026, 11, 3, tzinfo=timezone(timedelta(hours=2))),
        MappingProxyType({"a": (1, 2)}),
        [1, [2]],
        "\ud800",
    )
    assert unpacked(packed(given_values)) == (*given_values[:3], {"a": (1, 2)}, (1, (2,)), "\ud800")


@pytest.mark.parametrize(
    "error", [InputError("what", "where", "todo"), StoreError("closed"), FilterError("unknown field", 7, "x")]
)
def test_errors_arrive_as_they_were(error: Any) -> None:
    found = unpacked(packed(Answer(error=error))).error
    assert type(found) is type(error)
    assert vars(found) == vars(error)
    assert str(found) == str(error)


def test_a_whole_snapshot_arrives(tmp_path: Path) -> None:
    hostile = '{"0": ["x"]}'
    records = [prediction(n, version=f"v{n % 2}", features={"a": n, hostile: "pairs"}) for n in range(300)]
    (tmp_path / "a.jsonl").write_text(lines([{**one, "label": n % 3 == 0} for n, one in enumerate(records)]))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        shown = watch.snapshot()
    found = unpacked(packed(shown))
    assert found == shown
    assert found.to_dict() == shown.to_dict()


def test_what_is_of_no_known_kind_is_not_sent() -> None:
    with pytest.raises(TypeError, match="a builtin_function_or_method is not sent"):
        packed(Question("ticket", "page", (os.system,)))


@pytest.mark.parametrize(
    ("kinds", "value"),
    [
        (["os:system"], {"0": ["true"]}),
        (["builtins:eval"], {"0": ["1"]}),
        (["mlwatch.serve.owner:os"], {"0": []}),
        (["mlwatch.serve.owner:Owner"], {"0": []}),
        (["mlwatch.serve.owner:Path"], {"0": ["/"]}),
        (["mlwatch.nowhere:Alert"], {"0": []}),
        (["mlwatch.serve.owner:Question"], {"0": ["a", "b"]}),
        ([], {"0": []}),
        ([], {"length": [10**12, 0, 0]}),
        ([], {"time": "yesterday"}),
        ([], {"decimal": "x"}),
        ([], {"pairs": [[{"pairs": []}, 1]]}),
        ([], {}),
        (5, 5),
    ],
)
def test_anything_else_is_refused(kinds: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="not a message"):
        unpacked(f"{json.dumps(kinds)}\n{json.dumps(value)}".encode())
