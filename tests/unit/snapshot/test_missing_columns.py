"""A feature that one kind of file lacks, or has no value of, is missing there, whatever is read first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ROWS = 1500


def records(version: str, start: int, **changes: Any) -> list[dict[str, Any]]:
    made = []
    for i in range(start, start + ROWS):
        amount = None if i % 20 == 0 else float(i % 50)
        features = {"amount": amount, "age": float(i % 40), "city": "abc"[i % 3], **changes}
        features = {name: value for name, value in features.items() if value != "absent"}
        made.append(prediction(i, version=version, features=features))
    return made


def write(logs: Path, files: Mapping[str, list[dict[str, Any]]], order: tuple[str, ...]) -> None:
    logs.mkdir(exist_ok=True)
    for name, made in files.items():
        (logs / f"{name}.jsonl").write_text(lines(made))
        os.utime(logs / f"{name}.jsonl", (1.7e9 + order.index(name),) * 2)


def missing(watch: mlwatch.session.Session, filter_text: str = "") -> dict[str, tuple[int, float]]:
    """Return of each version how many records it has and what share of them lacks the amount."""
    choice = Choice(filter=filter_text)
    versions = watch.snapshot(choice=choice).models["m"].versions
    found = {}
    for name, version in versions.items():
        amount = version.quality.features["amount"]
        found[name] = (amount.n, round(amount.missing / amount.n, 12))
    return found


def by_pandas(files: Mapping[str, list[dict[str, Any]]]) -> dict[str, tuple[int, float]]:
    rows = pd.DataFrame(
        {"version": one["version"], "amount": one["features"].get("amount")}
        for made in files.values()
        for one in made
    )
    found = rows.assign(gone=rows["amount"].isna()).groupby("version")["gone"].agg(["size", "mean"])
    return {str(name): (int(n), round(float(share), 12)) for name, n, share in found.itertuples()}


@pytest.mark.usual(1)
@pytest.mark.parametrize("amount", [None, "absent"])
@pytest.mark.parametrize("order", [("canary", "stable"), ("stable", "canary")])
def test_it_is_missing_whichever_file_is_read_first(
    tmp_path: Path, amount: str | None, order: tuple[str, ...]
) -> None:
    files = {"stable": records("v1", 0), "canary": records("v2", ROWS, amount=amount)}
    write(tmp_path / "logs", files, order)
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        assert missing(watch) == by_pandas(files) == {"v1": (ROWS, 0.05), "v2": (ROWS, 1.0)}
        alerts = {alert.message for alert in watch.snapshot().alerts}
    assert "v2 logs no value of amount" in alerts


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", [("b", "a"), ("a", "b")])
def test_one_of_two_hosts_that_lost_it_counts(tmp_path: Path, order: tuple[str, ...]) -> None:
    files = {"a": records("v1", 0, amount=None), "b": records("v1", ROWS)}
    write(tmp_path / "logs", files, order)
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        assert missing(watch) == by_pandas(files)


def test_what_comes_later_is_counted_as_what_was_there(tmp_path: Path) -> None:
    files = {"stable": records("v1", 0), "canary": records("v2", ROWS, amount="absent")}
    write(tmp_path / "logs", {"stable": files["stable"]}, ("stable",))
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        assert missing(watch)["v1"][0] == ROWS
        write(tmp_path / "logs", {"canary": files["canary"]}, ("stable", "canary"))
        watch.ingest_all()
        assert missing(watch) == by_pandas(files)


@pytest.mark.usual(1)
@pytest.mark.parametrize("text", ["version = v2", "amount is missing", "city = a"])
def test_of_chosen_records_it_is_missing_too(tmp_path: Path, text: str) -> None:
    files = {"stable": records("v1", 0), "canary": records("v2", ROWS, amount=None)}
    write(tmp_path / "logs", files, ("stable", "canary"))
    keeps: dict[str, Callable[[dict[str, Any]], bool]] = {
        "version = v2": lambda one: one["version"] == "v2",
        "amount is missing": lambda one: one["features"]["amount"] is None,
        "city = a": lambda one: one["features"]["city"] == "a",
    }
    chosen = {name: [one for one in made if keeps[text](one)] for name, made in files.items()}
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        assert missing(watch, text) == by_pandas(chosen)


def test_what_only_the_candidate_has_is_not_missing_in_the_baseline(tmp_path: Path) -> None:
    files = {"stable": records("v1", 0, amount="absent"), "canary": records("v2", ROWS)}
    write(tmp_path / "logs", files, ("stable", "canary"))
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        for text in ("", "city = a"):
            choice = Choice(filter=text)
            versions = watch.snapshot(choice=choice).models["m"].versions
            assert ["amount" in version.quality.features for version in versions.values()] == [False, True]


def test_what_a_version_begins_to_log_was_not_missing_before(tmp_path: Path) -> None:
    late = [*records("v2", ROWS), *records("v2", 2 * ROWS, device="a")]
    write(tmp_path / "logs", {"a": [*records("v1", 0), *late]}, ("a",))
    with mlwatch.open(tmp_path / "logs", db=":memory:") as watch:
        versions = watch.snapshot().models["m"].versions
    for name in ("v1", "v2"):
        assert versions[name].quality.missing_rate == pytest.approx(0.05 / 3)
        assert {
            round(window.missing_rate or 0.0, 3) for window in versions[name].windows if window.predictions
        } == {0.017}, name
    assert versions["v2"].quality.appeared == ("device",)
    assert versions["v2"].quality.features["device"].missing == ROWS
