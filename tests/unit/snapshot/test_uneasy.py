"""Logs that leave metrics nothing to stand on: each says so, none is NaN, and order and parts change nothing."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import mlwatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 11, 3, tzinfo=UTC)
Records = list[dict[str, Any]]


def records(n: int = 120, **changes: Any) -> Records:
    dice = random.Random(n)
    rows = []
    for i in range(n):
        score = dice.random()
        row = {
            "ts": (START + timedelta(minutes=i)).isoformat(),
            "request_id": f"r{i}",
            "model": "m",
            "version": "v1",
            "prediction": int(score >= 0.5),
            "score": score,
            "label": int(dice.random() < score),
            "latency_ms": 5.0 + i % 7,
            "age": float(i % 13),
            "country": f"c{i % 3}",
        }
        rows.append({**row, **{name: f(i) for name, f in changes.items()}})
    return rows


def document(root: Path, *files: Records) -> dict[str, Any]:
    root.mkdir(exist_ok=True)
    for number, rows in enumerate(files):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (root / f"{number}.jsonl").write_text(text.replace("Infinity", "1e999"))
    with mlwatch.open(root, db=":memory:") as watch:
        found = watch.snapshot().to_dict()
    json.dumps(found, allow_nan=False)
    return found


def version(found: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = found["models"]["m"]["versions"]["v1"]
    return one


def nulls(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "value" in value and value["value"] is None and "n" in value:
            yield value
        for inner in value.values():
            yield from nulls(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nulls(inner)


NO_NUMBERS = {"method", "currency", "maturity_note", "label_reference", "text_reference"}


def unexplained(value: Any, path: str = "") -> Iterator[str]:
    """Yield the numbers that are null without a reason, in the blocks that give reasons."""
    if isinstance(value, dict):
        if "reasons" in value:
            known = {*value["reasons"], *NO_NUMBERS}
            yield from (f"{path}.{name}" for name, one in value.items() if one is None and name not in known)
            assert all(value["reasons"].values())
        for name, inner in value.items():
            yield from unexplained(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from unexplained(inner, path)


STATES: dict[str, Records] = {
    "no labels": records(label=lambda _: None),
    "one class": records(label=lambda _: 1),
    "all missing": records(age=lambda _: None, country=lambda _: None),
    "all equal": records(
        age=lambda _: 4.0, country=lambda _: "se", score=lambda _: 0.7, prediction=lambda _: 1
    ),
    "three rows": records(3),
    "2,000 categories": records(2000, country=lambda i: f"c{i}"),
    "infinite values": records(age=lambda i: math.inf if i % 5 else 1.0),
    "the future": records(ts=lambda i: (START + timedelta(days=20_000, minutes=i)).isoformat()),
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("state", STATES)
def test_what_is_undefined_is_null_with_a_reason(tmp_path: Path, state: str) -> None:
    found = version(document(tmp_path, STATES[state]))
    assert found["predictions"] == len(STATES[state])
    assert all(one["reason"] for one in nulls(found))
    assert list(unexplained(found)) == []
    performance = found["performance"]
    if state == "no labels":
        assert {one["value"] for one in performance.values()} == {None}
        assert performance["accuracy"]["reason"] == "no labels yet"
    elif state == "one class":
        for name in ("roc_auc", "mcc", "specificity", "balanced_accuracy"):
            assert performance[name]["value"] is None
        assert performance["recall"]["value"] is not None
    elif state == "all equal":
        assert performance["mcc"] == {
            "value": None,
            "n": len(STATES[state]),
            "reason": "only one class in the predictions",
        }
    else:
        assert performance["accuracy"]["n"] == len(STATES[state])


def test_blocks_say_why_their_numbers_are_null(tmp_path: Path) -> None:
    found = version(document(tmp_path, records(label=lambda _: None, latency_ms=lambda _: None)))
    assert found["latency_ms"]["reasons"]["p95"] == "no latencies in the logs"
    assert found["label_lag_s"]["reasons"]["p50"] == "no labels came in records of their own"
    assert (
        found["business"]["revenue"]["reasons"]["per_prediction"] == "no conversion in the logs of this model"
    )
    assert found["business"]["reasons"]["maturity"] == "no conversions yet"
    assert found["quality"]["score_drift"]["reason"] is None, "the first day is what it is compared with"
    assert found["errors"]["reasons"] == {}


def test_missing_features_are_all_missing(tmp_path: Path) -> None:
    rows = [*records(60), *records(120, age=lambda _: None)[60:]]
    feature = version(document(tmp_path, rows))["quality"]["features"]["age"]
    assert (feature["n"], feature["missing"]) == (120, 60)


def close(one: Any, two: Any, path: str = "") -> None:
    """Hold two documents equal, numbers to nine digits."""
    if isinstance(one, dict):
        assert one.keys() == two.keys(), path
        for key, inner in one.items():
            close(inner, two[key], f"{path}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(two), path
        for place, (left, right) in enumerate(zip(one, two, strict=True)):
            close(left, right, f"{path}[{place}]")
    elif isinstance(one, float):
        assert two == pytest.approx(one, rel=1e-9, abs=1e-9), path
    else:
        assert one == two, path


FAMILIES = (
    *("performance", "latency_ms", "errors", "confusion", "label_coverage", "curves", "windows", "quality"),
    *("business", "segments", "estimated", "outputs", "throughput", "label_lag_s"),
)


def deeds() -> Records:
    """Return the records of 240 requests, of labels that come late, and of what they led to."""
    rows = records(240, label=lambda _: None, input_tokens=lambda i: 100 + i)
    late = [
        {
            "ts": (START + timedelta(minutes=2 * i)).isoformat(),
            "request_id": f"r{i}",
            "model": "m",
            "label": i % 2,
        }
        for i in range(200)
    ]
    events = [
        {"ts": one["ts"], "request_id": f"r{i}", "event": kind, "value": i + 0.5}
        for i, one in enumerate(late)
        for kind in ("click", "purchase", "refund")[: i % 4]
    ]
    return [*rows, *late, *events]


@pytest.mark.usual(1)
@pytest.mark.parametrize("seed", range(3))
def test_order_and_parts_change_no_metric(tmp_path: Path, seed: int) -> None:
    """Labels and events before their prediction, or long after; a reference, so that bins do not depend on order."""
    rows, reference = deeds(), records(400)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "reference.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reference))
    whole = version(
        document(tmp_path / "whole", *(rows[a:b] for a, b in ((0, 240), (240, 440), (440, None))))
    )
    dice = random.Random(seed)
    mixed = dice.sample(rows, len(rows))
    cuts = sorted(dice.sample(range(1, len(rows)), 4))
    parts = [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    other = version(document(tmp_path / "parts", *parts))
    for family in FAMILIES:
        close(whole[family], other[family], family)
    assert whole["labelled"] == 200
    assert whole["estimated"]["accuracy"]["value"] is not None
    assert whole["business"]["revenue"]["total"] != 0
    assert whole["quality"]["features"]["age"]["drift"]["psi"] is not None


def test_a_version_of_which_all_requests_failed_says_so(tmp_path: Path) -> None:
    requests = records(prediction=lambda _: None, score=lambda _: None, status=lambda _: 503)
    labels = [
        {"request_id": one["request_id"], "ts": one["ts"], "label": one.pop("label")} for one in requests
    ]
    one = version(document(tmp_path, requests, labels))
    assert (one["predictions"], one["errors"]["count"]) == (120, 120)
    assert {each["reason"] for each in one["performance"].values()} == {"all requests failed"}


def test_a_range_without_requests_of_a_version_says_so(tmp_path: Path) -> None:
    last = (START + timedelta(days=2)).isoformat()
    other = records(5, version=lambda _: "v2", ts=lambda _: last, request_id=lambda i: f"late{i}")
    for number, rows in enumerate((records(), other)):
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        one = version(watch.snapshot(timedelta(hours=1)).to_dict())
        whole = version(watch.snapshot().to_dict())
    assert one["predictions"] == 0
    assert {each["reason"] for each in one["performance"].values()} == {"no requests in this time range"}
    assert one["performance"].keys() == whole["performance"].keys()
