"""Rankings of which some items have labels: places are those among all logged items, against scikit-learn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from logfiles import lines
from sklearn.metrics import ndcg_score

import mlwatch
from mlwatch.choice import Choice
from mlwatch.store import lake

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.session import Session

    Records = list[dict[str, Any]]

START = datetime(2026, 11, 3, 8, tzinfo=UTC)
NAMES = ("ndcg_10", "mrr", "hit_rate_10")


def item(query: object, position: float | None, at: timedelta, **more: object) -> dict[str, Any]:
    found = {"ts": (START + at).isoformat(), "model": "search", "version": "v1", "query_id": query}
    return found | {"prediction": 0.5, "position": position} | more


def partly_labelled(queries: int, seed: int) -> tuple[Records, Records]:
    """Return items of rankings, some without a position or of a failed request, and labels: of some queries none."""
    random = np.random.default_rng(seed)
    items, labels = [], []
    for query in range(queries):
        many = int(random.integers(1, 26))
        share = random.choice([0.0, 0.1, 0.5, 1.0])
        for position in random.permutation(many).tolist():
            name = f"q{query}-{position}"
            at = timedelta(minutes=query, milliseconds=float(random.integers(0, 900)))
            place = None if random.random() < 0.05 else position + 1
            failed = {"status": 500, "error": "Timeout"} if random.random() < 0.03 else {"status": 200}
            items.append(
                item(f"q{query}", place, at, request_id=name, price=round(random.random(), 3), **failed)
            )
            if random.random() < share:
                later = (START + timedelta(hours=9, minutes=query)).isoformat()
                grade = int(random.choice([0, 0, 0, 1, 2, 3]))
                labels.append({"ts": later, "request_id": name, "label": grade})
    return items, labels


def expected(items: Records, labels: Records, ranking: str = "query_id") -> dict[str, tuple[float, int]]:
    """Return value and number of queries by metric; where there are several labels the last one holds."""
    rows = pd.DataFrame(items)
    rows = rows[rows.position.notna() & (rows.status != 500 if "status" in rows else True)]
    told = {each["request_id"]: each["label"] for each in labels}
    gains, firsts = [], []
    for _, group in rows.groupby(ranking):
        graded = group.sort_values("position").request_id.map(told)
        if graded.isna().all():
            continue
        grades = graded.fillna(0).to_numpy()
        order = -np.arange(len(grades))
        firsts.append(1 / (1 + np.flatnonzero(grades)[0]) if grades.any() else 0.0)
        if grades.any():
            gains.append(ndcg_score([grades], [order], k=10) if len(grades) > 1 else 1.0)
    hits = [first >= 0.1 for first in firsts]
    found = {"ndcg_10": gains, "mrr": firsts, "hit_rate_10": hits}
    return {name: (float(np.mean(values)), len(values)) for name, values in found.items()}


def told(watch: Session, choice: Choice | None = None) -> dict[str, tuple[float, int]]:
    snapshot = watch.snapshot() if choice is None else watch.snapshot(choice=choice)
    (model,) = snapshot.models.values()
    found: Mapping[str, Any] = model.versions["v1"].performance
    return {name: (found[name].value, found[name].n) for name in NAMES}


def close_to(values: dict[str, tuple[float, int]]) -> dict[str, object]:
    return {name: (pytest.approx(value, rel=1e-9), n) for name, (value, n) in values.items()}


def test_a_click_counts_at_its_place_among_all_items(tmp_path: Path) -> None:
    """Only what was clicked has a label, as feedback mostly is."""
    clicks = np.random.default_rng(3).integers(1, 16, 50).tolist()
    items = [
        item(f"q{query}", place, timedelta(minutes=query), request_id=f"q{query}-{place}")
        for query in range(50)
        for place in range(1, 16)
    ]
    later = (START + timedelta(hours=2)).isoformat()
    labels: Records = [
        {"ts": later, "request_id": f"q{query}-{click}", "label": 1} for query, click in enumerate(clicks)
    ]
    (tmp_path / "a.jsonl").write_text(lines(items))
    (tmp_path / "b.jsonl").write_text(lines(labels))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = told(watch)
    assert found == close_to(expected(items, labels))
    assert found["mrr"][0] == pytest.approx(np.mean([1 / click for click in clicks]))
    assert found["mrr"][1] == 50
    assert found["ndcg_10"][0] == pytest.approx(
        np.mean([1 / np.log2(click + 1) if click <= 10 else 0 for click in clicks])
    )


@pytest.mark.usual(1)
@pytest.mark.parametrize("inline", [False, True])
def test_partly_labelled_rankings_are_the_same_however_they_come(tmp_path: Path, inline: bool) -> None:
    """In one go, and piece by piece: items after labels of their query, labels that are corrected; and in a lake."""
    items, labels = partly_labelled(80, seed=7)
    if inline:
        grades = {each["request_id"]: each["label"] for each in labels}
        items = [each | {"label": grades.get(each["request_id"])} for each in items]
    random, whole, parts = np.random.default_rng(8), tmp_path / "whole", tmp_path / "parts"
    wrong = [each | {"ts": START.isoformat(), "label": 3 - each["label"]} for each in labels[::3]]
    for place in (whole, parts):
        place.mkdir()
    (whole / "a.jsonl").write_text(lines(items))
    (whole / "b.jsonl").write_text(lines(labels))
    with mlwatch.open(whole, db=":memory:") as watch:
        at_once = told(watch)
        lake.write(watch.connection, tmp_path / "lake")
    with mlwatch.open(tmp_path / "lake", db=":memory:") as watch:
        assert told(watch) == close_to(at_once)
    pieces: list[Records] = [[], [], [], []]
    for each in items:
        pieces[random.integers(4)].append(each)
    for number, piece in enumerate(pieces):
        (parts / f"{number}.jsonl").write_text(lines(piece))
        (parts / f"l{number}.jsonl").write_text(
            lines([*wrong[number::4]] if number < 3 else [*wrong, *labels])
        )
        with mlwatch.open(parts, db=tmp_path / "s.duckdb") as watch:
            found = told(watch)
    assert found == close_to(at_once)
    assert at_once == close_to(expected(items, labels))


def test_of_a_filter_places_are_among_all_items(tmp_path: Path) -> None:
    items, labels = partly_labelled(60, seed=9)
    (tmp_path / "a.jsonl").write_text(lines(items))
    (tmp_path / "b.jsonl").write_text(lines(labels))
    dear = {each["request_id"] for each in items if each["price"] > 0.5}
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = told(watch, Choice(filter="price > 0.5"))
    assert found == close_to(expected(items, [each for each in labels if each["request_id"] in dear]))


@pytest.mark.usual(1)
@pytest.mark.parametrize("apart_ms", [0, 3])
def test_a_query_that_returns_is_another_ranking(tmp_path: Path, apart_ms: int) -> None:
    """A search term as id: lists of different lengths, clicks in some, items of a list at one time or one by one."""
    random = np.random.default_rng(12)
    items, labels = [], []
    for turn in range(90):
        term, at = f"shoes {turn % 4}", timedelta(minutes=turn)
        many = int(random.integers(1, 21))
        for place in range(1, many + 1):
            name = f"t{turn}-{place}"
            moment = at + timedelta(milliseconds=apart_ms * place)
            items.append(item(term, place, moment, request_id=name) | {"turn": f"t{turn}"})
        clicked = f"t{turn}-{random.integers(1, many + 1)}"
        labels.append({"ts": (START + timedelta(hours=5)).isoformat(), "request_id": clicked, "label": 1})
    logged = [{key: value for key, value in each.items() if key != "turn"} for each in items]
    (tmp_path / "a.jsonl").write_text(lines(logged[::2]))
    (tmp_path / "b.jsonl").write_text(lines([*labels, *logged[1::2]]))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        found = told(watch)
        topics = watch.query("SELECT topic FROM notices WHERE topic LIKE 'rankings%'")[1]
    assert found == close_to(expected(items, labels, "turn"))
    assert found["mrr"][1] == 90
    assert topics == []


def test_rankings_that_cannot_be_told_apart_are_told(tmp_path: Path) -> None:
    """Two of one query at one time: their items take their places one after the other."""
    items = [
        item(
            query,
            place,
            timedelta(minutes=minute),
            request_id=f"{query}-{user}-{place}",
            label=int(place == 2),
        )
        for minute, query in enumerate(["shoes", "bags"])
        for user in range(2 if query == "shoes" else 1)
        for place in range(1, 4)
    ]
    (tmp_path / "a.jsonl").write_text(lines(items))
    with mlwatch.open(tmp_path, db=":memory:") as watch:
        (said,) = (alert.message for alert in watch.snapshot().alerts if "same position" in alert.message)
        found = told(watch)
    assert said.startswith("search: items of one ranking have the same position, such as of query shoes: ")
    grades = [0, 0, 1, 1, 0, 0]
    gains = [ndcg_score([grades], [list(range(6, 0, -1))], k=10), 1 / np.log2(3)]
    assert found == close_to({"ndcg_10": (np.mean(gains), 2), "mrr": (5 / 12, 2), "hit_rate_10": (1.0, 2)})
