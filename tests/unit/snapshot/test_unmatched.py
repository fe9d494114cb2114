"""Labels and events none of which finds its request are said, with what may be the reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

Rows = list[dict[str, Any]]


def watched(tmp_path: Path, *files: Rows, at: datetime | None = None) -> Snapshot:
    logs = tmp_path / "logs"
    logs.mkdir(parents=True)
    for number, made in enumerate(files):
        (logs / f"{number}.jsonl").write_text(lines(made))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        return session.snapshot(at=at)


def said(found: Snapshot) -> dict[str, str]:
    return {
        alert.rule.removeprefix("quality: "): alert.message
        for alert in found.alerts
        if alert.rule.startswith("quality: unmatched")
    }


def requests(n: int = 60, **more: Any) -> Rows:
    return [prediction(i, **more) for i in range(n)]


def labels(n: int = 60, name: str = "r{}", **more: Any) -> Rows:
    when = {"timestamp": "2026-11-04T10:00:00Z"}
    return [when | {"request_id": name.format(i), "label": i % 2} | more for i in range(n)]


def test_ids_of_another_kind_are_shown(tmp_path: Path) -> None:
    (message,) = said(watched(tmp_path, requests(), labels(name="req-{}"))).values()
    assert re.fullmatch(
        "60 labels belong to no request that is logged: "
        r'they name ids such as "req-\d+", requests have ids such as "r\d+"',
        message,
    )


def test_requests_without_an_id_are_said(tmp_path: Path) -> None:
    bare = [{key: value for key, value in row.items() if key != "request_id"} for row in requests()]
    assert said(watched(tmp_path, bare, labels())) == {
        "unmatched labels": "60 labels belong to no request that is logged: "
        "the requests have no id; [roles] id names its column"
    }


def test_labels_of_another_model_are_said(tmp_path: Path) -> None:
    (message,) = said(watched(tmp_path, requests(model="a"), labels(model="b"))).values()
    assert re.fullmatch(
        "60 labels belong to no request that is logged: "
        r'that of "r\d+" names the model "b", its request "a"',
        message,
    )


def test_events_are_told_of_likewise(tmp_path: Path) -> None:
    sold = [
        {"timestamp": "2026-11-03T11:00:00Z", "request_id": f"order {i}", "event": "purchase", "value": 5}
        for i in range(80)
    ]
    found = said(watched(tmp_path, requests(), labels(), sold))
    assert list(found) == ["unmatched events"]
    assert re.fullmatch(
        "80 events belong to no request that is logged: "
        r'they name ids such as "order \d+", requests have ids such as "r\d+"',
        found["unmatched events"],
    )


@pytest.mark.deep
def test_nothing_is_said_without_cause(tmp_path: Path) -> None:
    strays = labels(name="req-{}")
    assert said(watched(tmp_path / "no labels", requests())) == {}
    assert said(watched(tmp_path / "one fits", requests(), [*strays, *labels(1)])) == {}
    assert said(watched(tmp_path / "few requests", requests(49), strays)) == {}
    assert said(watched(tmp_path / "few labels", requests(), strays[:49])) == {}
    past = datetime(2026, 11, 5, tzinfo=UTC)
    assert said(watched(tmp_path / "past", requests(), strays, at=past)) == {}


def test_hostile_ids_are_made_harmless(tmp_path: Path) -> None:
    (message,) = said(watched(tmp_path, requests(), labels(name="\x1b[31m[bold]{}" + "x" * 100))).values()
    assert "\x1b" not in message
    assert '"\\x1b[31m[bold]' in message
    assert "x" * 40 not in message
