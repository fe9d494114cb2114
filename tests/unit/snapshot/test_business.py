"""Which events are a model's own, where several models stand in the same logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 3, tzinfo=UTC)
NO_ENGAGEMENT = "no engagement in the logs of this model"
NO_CONVERSIONS = "no conversion in the logs of this model"


def requests(model: str, n: int = 120, **more: Any) -> list[dict[str, Any]]:
    """Return a request a minute."""
    return [
        {
            "ts": (START + timedelta(minutes=i)).isoformat(),
            "request_id": f"{model}-{i}",
            "model": model,
            "version": "v1",
            "prediction": i % 2,
            "latency_ms": 5.0,
            **more,
        }
        for i in range(n)
    ]


def event(request: dict[str, Any], kind: str = "conversion", **more: Any) -> dict[str, Any]:
    """Return what a request led to, which names only the request."""
    return {"ts": request["ts"], "request_id": request["request_id"], "event": kind, "value": 2.0, **more}


def businesses(root: Path, **files: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what the requests of each model led to."""
    root.mkdir()
    for name, rows in files.items():
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with mlwatch.open(root, db=":memory:") as watch:
        models = watch.snapshot().to_dict()["models"]
    return {name: model["versions"]["v1"]["business"] for name, model in models.items()}


def test_a_model_without_events_has_no_conversion_beside_one_that_has_some(tmp_path: Path) -> None:
    shop, house = requests("shop"), requests("house")
    found = businesses(
        tmp_path / "logs", shop=shop, house=house, events=[event(shop[i], currency="EUR") for i in range(12)]
    )
    assert found["shop"]["conversion"]["value"] == 0.1
    assert found["shop"]["revenue"]["total"] == 24.0
    for name, why in (("conversion", NO_CONVERSIONS), ("engagement", NO_ENGAGEMENT)):
        assert found["house"][name] == {"value": None, "n": 120, "reason": why}
    revenue = found["house"]["revenue"]
    assert (revenue["total"], revenue["low"], revenue["reasons"]["total"]) == (None, None, NO_CONVERSIONS)


def test_clicks_alone_are_no_conversion_of_zero(tmp_path: Path) -> None:
    shop = requests("shop")
    clicks = [event(shop[i]) | {"event": "click", "value": None} for i in range(12)]
    found = businesses(tmp_path / "logs", shop=shop, events=clicks)["shop"]
    assert found["engagement"]["value"] == 0.1
    assert found["conversion"] == {"value": None, "n": 120, "reason": NO_CONVERSIONS}
    assert (found["revenue"]["total"], found["revenue"]["reasons"]["total"]) == (None, NO_CONVERSIONS)


def test_events_that_find_no_request_are_no_model_s(tmp_path: Path) -> None:
    stray = {"ts": START.isoformat(), "request_id": "unheard of", "event": "conversion"}
    found = businesses(tmp_path / "logs", shop=requests("shop"), events=[stray])
    assert found["shop"]["conversion"] == {"value": None, "n": 120, "reason": NO_CONVERSIONS}


def test_amounts_are_in_the_currency_of_a_model_s_own_events(tmp_path: Path) -> None:
    shop, house, quiet = requests("shop"), requests("house"), requests("quiet", cost=0.5, completion_tokens=9)
    events = [event(shop[1], currency="EUR"), event(house[1], currency="NOK")]
    found = businesses(tmp_path / "logs", shop=shop, house=house, quiet=quiet, events=events)
    currencies = {name: business["revenue"]["currency"] for name, business in found.items()}
    assert currencies == {"shop": "EUR", "house": "NOK", "quiet": None}


def test_costs_are_in_the_currency_that_their_column_names(tmp_path: Path) -> None:
    files = {
        "llm": requests("llm", cost_usd=0.5),
        "shop": (shop := requests("shop", cost=0.5, completion_tokens=9)),
        "both": (both := requests("both", usage={"cost_usd": 0.5})),
    }
    events = [event(each[1], currency="EUR") for each in (shop, both)]
    found = businesses(tmp_path / "logs", **files, events=events)
    assert {name: business["cost"]["currency"] for name, business in found.items()} == {
        "llm": "USD", "shop": "EUR", "both": "USD"
    }  # fmt: skip
    assert found["llm"]["cost"]["per_1000"] == 500.0
