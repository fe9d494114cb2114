"""Logs of gateways to language models, with the answers and without: what requests took and cost, against pandas."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.commands.init import configuration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Model

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
ROWS = 600


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    random = np.random.default_rng(11)
    failed = random.random(ROWS) < 0.1
    tokens = random.integers(1, 90, ROWS)
    return pd.DataFrame(
        {
            "version": np.where(random.random(ROWS) < 0.5, "v1", "v2"),
            "failed": failed,
            "asked": random.integers(50, 900, ROWS),
            "answered": np.where(failed, 0, tokens),
            "first": random.gamma(2, 150, ROWS).round(3),
            "took": random.gamma(9, 100, ROWS).round(3),
            "cost": random.gamma(2, 0.001, ROWS).round(7),
            "text": [" ".join(["word"] * int(n)) for n in tokens],
        }
    )


def base(i: int, row: Any) -> dict[str, Any]:
    time = (START + timedelta(seconds=6 * i)).isoformat()
    record = {"timestamp": time, "request_id": f"c{i}", "model": "chat", "version": row.version}
    return {**record, "status": 500 if row.failed else 200, "latency_ms": row.took}


def silent(i: int, row: Any) -> dict[str, Any]:
    """Return a record without any text, and with columns that say nothing of what it took."""
    tokens = {"prompt_tokens": row.asked, "completion_tokens": row.answered}
    return {**base(i, row), **tokens, "cost": row.cost, "ttft_ms": row.first, "bytes": 5 * i, "tenant": "a"}


def renamed(i: int, row: Any) -> dict[str, Any]:
    """Return one whose columns have names that only the configuration explains."""
    return {**base(i, row), "tin": row.asked, "tout": row.answered, "paid": row.cost, "t1": row.first}


def completed(i: int, row: Any) -> dict[str, Any]:
    usage = {"usage": {"prompt_tokens": row.asked, "completion_tokens": row.answered}, "total_cost": row.cost}
    said = None if row.failed else row.text
    return {**base(i, row), **usage, "ttft": row.first, "prompt": "hi", "completion": said}


def raw(i: int, row: Any) -> dict[str, Any]:
    """Return one with the whole answer of the server, failures with what it said instead."""
    usage = {"prompt_tokens": row.asked, "completion_tokens": row.answered}
    message = {"role": "assistant", "content": row.text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": f"x{i}", "created": 1795593600 + i, "choices": [choice], "usage": usage}
    asked = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}
    wrong = {"error": {"message": "overloaded", "type": "server_error"}}
    more = {"response_cost": row.cost, "ttft_ms": row.first}
    return {**base(i, row), **more, "request": asked, "response": wrong if row.failed else answer}


SET = '[outputs]\ncost = "paid"\ninput_tokens = "tin"\noutput_tokens = "tout"\nfirst_token = "t1"\n'
WRITTEN = '[roles]\nprediction = "response.choices.0.message.content"\n'


def model_of(root: Path, truth: pd.DataFrame, write: Callable[..., dict[str, Any]], config: str) -> Model:
    records = [write(i, row) for i, row in enumerate(truth.itertuples())]
    (root / "log.jsonl").write_text("".join(f"{json.dumps(one, default=int)}\n" for one in records))
    (root / "mlwatch.toml").write_text(config)
    with mlwatch.open(root, db=":memory:") as watch:
        snapshot = watch.snapshot()
    assert not [alert.message for alert in snapshot.alerts if "no record has" in alert.message]
    return snapshot.models["chat"]


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("write", "config", "texts"),
    [
        (silent, "", False),
        (renamed, SET, False),
        (completed, "", True),
        (raw, "", True),
        (raw, WRITTEN, True),
    ],
    ids=["no texts", "no texts, set", "completion", "whole answers", "whole answers, set"],
)
def test_tokens_cost_and_times_are_those_of_the_raw_rows(
    tmp_path: Path, truth: pd.DataFrame, write: Callable[..., dict[str, Any]], config: str, texts: bool
) -> None:
    model = model_of(tmp_path, truth, write, config)
    assert set(model.versions) == {"v1", "v2"}
    for name, version in model.versions.items():
        mine = truth[truth["version"] == name]
        done = mine[~mine["failed"]]
        found = version.outputs.measures
        assert (version.predictions, version.errors.count) == (len(mine), int(mine["failed"].sum()))
        assert version.latency.mean == pytest.approx(mine["took"].mean())
        paid = done if write is raw else mine  # a server that fails says no usage
        for measure, rows, column in (
            ("input_tokens", paid, "asked"),
            ("output_tokens", paid, "answered"),
            ("cost", mine, "cost"),
            ("first_token", done, "first"),
        ):
            assert found[measure].mean.n == len(rows), measure
            assert found[measure].total == pytest.approx(rows[column].sum()), measure
        assert ("characters" in found) is texts
        if texts:
            assert found["characters"].total == done["text"].str.len().sum()


def test_of_requests_without_answers_only_what_they_took_is_kept(tmp_path: Path, truth: pd.DataFrame) -> None:
    model = model_of(tmp_path, truth, silent, "")
    kept = {"prompt_tokens", "completion_tokens", "cost", "ttft_ms"}
    assert set(model.versions["v1"].quality.features) == kept
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        text = configuration(watch)
    assert '# numeric = ["prompt_tokens", "completion_tokens", "cost", "ttft_ms"]' in text
    assert '"tenant"' not in text.split("# not used")[0]


def test_tools_that_are_asked_for_only_later_are_answers_too(tmp_path: Path) -> None:
    call = {"content": None, "tool_calls": [{"function": {"name": "weather"}}]}
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        for part, message in enumerate(({"content": "Yes."}, call)):
            row = {
                "timestamp": START.isoformat(),
                "status": 200,
                "response": {"choices": [{"message": message}]},
            }
            with (tmp_path / "log.jsonl").open("a") as file:
                file.writelines(f"{json.dumps({**row, 'request_id': f'{part}-{i}'})}\n" for i in range(50))
            watch.ingest_all()
        counted = watch.connection.execute(
            "SELECT prediction, COUNT(*), COUNT(*) FILTER (failed) FROM predictions GROUP BY ALL ORDER BY 1"
        ).fetchall()
    assert counted == [("Yes.", 50, 0), ("weather", 50, 0)]
