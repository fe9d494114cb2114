"""What a model is for, as more of its predictions become known."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaves import assert_alike, leaves

import mlwatch
from mlwatch.store import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence


def append(logs: Path, values: Sequence[Any], first: int = 0, **more: Any) -> None:
    """Log predictions whose labels are those of the requests before, so that some are wrong."""
    logs.mkdir(exist_ok=True)
    with (logs / "p.jsonl").open("a") as file:
        for i, value in enumerate(values, start=first):
            record = {
                "timestamp": f"2026-11-03T{8 + i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z",
                "request_id": f"r{i}",
                "model": "m",
                "version": "v1",
                "prediction": value,
                "label": values[max(0, i - first - (i % 3 == 0))],
                "x": i % 7,
                **more,
            }
            file.write(json.dumps(record) + "\n")


def models(logs: Path, store: Path | str) -> dict[str, Any]:
    """Read what is new, and return what is known of the models."""
    with mlwatch.open(logs, db=store) as opened:
        found: dict[str, Any] = opened.snapshot().to_dict()["models"]
    return found


def test_codes_with_zeros_before_them_are_classes(tmp_path: Path) -> None:
    codes = [f"{i * 7 % 59 + 1:05d}" for i in range(600)]
    append(tmp_path / "logs", codes)
    found = models(tmp_path / "logs", ":memory:")["m"]
    assert found["task"] == "multiclass"
    assert found["versions"]["v1"]["performance"]["accuracy"]["value"] == 1 - 199 / 600
    append(tmp_path / "some", [f"{i % 59 + 1:02d}" for i in range(600)])
    assert models(tmp_path / "some", ":memory:")["m"]["task"] == "multiclass", "of most no zero is written"
    append(tmp_path / "values", [f"{i % 59 / 10}" for i in range(600)])
    assert models(tmp_path / "values", ":memory:")["m"]["task"] == "regression", "0.5 is a value"


def _counts() -> list[Any]:
    dice = random.Random(3)
    return [*[0, 1] * 6, *(dice.randint(0, 50) for _ in range(588))]


def _five() -> list[Any]:
    dice = random.Random(4)
    return [*[0, 1] * 6, *(dice.randint(0, 4) for _ in range(588))]


def _decimals(whole: int) -> list[Any]:
    dice = random.Random(5)
    return [*range(whole), *(round(dice.gauss(5, 2), 2) for _ in range(600 - whole))]


LOGS: dict[str, tuple[list[Any], str]] = {
    "counts that begin with 0 and 1": (_counts(), "regression"),
    "two of five classes first": (_five(), "multiclass"),
    "twelve whole numbers first": (_decimals(12), "regression"),
    "one whole number first": (_decimals(1), "regression"),
    "words, at last too many for classes": ([*["a", "b"] * 6, *(f"w{i}" for i in range(588))], "unknown"),
    "codes": ([f"{i * 7 % 59 + 1:05d}" for i in range(600)], "multiclass"),
    "two classes": ([i * 7 % 5 % 2 for i in range(600)], "binary"),
    "nothing at first": ([*[None] * 20, *(i / 7 for i in range(580))], "regression"),
}
OTHERWISE = {"generated_at", "system", "provenance"}


@pytest.mark.parametrize("name", LOGS)
def test_two_looks_tell_what_one_tells(tmp_path: Path, name: str) -> None:
    values, task = LOGS[name]
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, values[:12])
    models(logs, store)
    append(logs, values[12:], 12)
    late, fresh = models(logs, store), models(logs, ":memory:")
    assert late["m"]["task"] == fresh["m"]["task"] == task
    parts = (".performance", ".confusion", ".labelled", ".predictions", ".outputs", ".estimated")
    found = [
        {
            key: value
            for key, value in dict(leaves(each, OTHERWISE)).items()
            if any(part in key for part in parts)
        }
        for each in (late, fresh)
    ]
    assert len(found[1]) > 20
    assert_alike(*found)


@settings(deadline=None, max_examples=12)
@given(
    name=st.sampled_from(sorted(LOGS)), cuts=st.sets(st.integers(1, 599), max_size=4), seed=st.integers(0, 99)
)
def test_neither_the_order_nor_the_size_of_batches_changes_a_task(
    name: str, cuts: set[int], seed: int
) -> None:
    values, task = LOGS[name]
    values = random.Random(seed).sample(values, len(values)) if seed else values
    with tempfile.TemporaryDirectory() as place:
        logs, store = Path(place) / "logs", Path(place) / "store.duckdb"
        bounds = [0, *sorted(cuts), len(values)]
        for first, last in itertools.pairwise(bounds):
            append(logs, values[first:last], first)
            found = models(logs, store)
        assert found["m"]["task"] == task


def said(store: Path) -> list[tuple[str, str, str]]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(
            "SELECT severity, topic, message FROM notices WHERE NOT resolved AND topic LIKE 'task of %'"
        ).fetchall()


def test_it_is_said_until_the_configuration_says_the_task(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    values = _decimals(12)
    append(logs, values[:12])
    models(logs, store)
    assert said(store) == []
    append(logs, values[12:], 12)
    models(logs, store)
    ((severity, topic, message),) = said(store)
    assert (severity, topic) == ("info", "task of m")
    assert "several classes ([roles] task = 'multiclass')" in message
    assert "counted as numbers ('regression')" in message
    (logs / "mlwatch.toml").write_text('[roles]\ntask = "multiclass"\n')
    append(logs, [0.5], 600)
    assert models(logs, store)["m"]["task"] == "multiclass"
    assert said(store) == []


def test_what_is_no_more_kept_is_not_counted_by_another_task(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, _counts()[:12])
    before = models(logs, store)
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM predictions WHERE id < 'r5'")
    append(logs, _counts()[12:], 12)
    after = models(logs, store)["m"]
    assert before["m"]["task"] == after["task"] == "binary"
    assert after["versions"]["v1"]["labelled"] == 600
    ((severity, _, message),) = said(store)
    assert severity == "warning"
    assert "say [roles] task = 'regression'" in message
    models(logs, store)
    assert len(said(store)) == 1, "it is said once"


def test_what_was_known_when_it_was_killed_is_counted_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, _counts()[:12])
    models(logs, store)
    append(logs, _counts()[12:], 12)
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "grow", lambda *_: None)  # what is due after the batch is never begun
        assert models(logs, store)["m"]["task"] == "binary"
    late, fresh = models(logs, store)["m"], models(logs, ":memory:")["m"]
    assert late["task"] == "regression"
    mae = [each["versions"]["v1"]["performance"]["mae"]["value"] for each in (late, fresh)]
    assert mae[0] == pytest.approx(mae[1], rel=1e-12)


def test_a_store_of_before_learns_from_its_rows(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, _counts())
    models(logs, store)
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'predicted'")
        connection.execute("UPDATE models SET task = 'binary'")
    assert models(logs, store)["m"]["task"] == "regression"


def test_one_model_is_counted_again_without_the_others(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, _decimals(0), model="known")
    append(logs, _five()[:12], 1000, model="two")
    append(logs, _counts()[:12], 2000)
    first = models(logs, store)
    assert [first[name]["task"] for name in ("known", "two", "m")] == ["regression", "binary", "binary"]
    append(logs, _counts()[12:], 2012)
    late = models(logs, store)
    assert [late[name]["task"] for name in ("known", "two", "m")] == ["regression", "binary", "regression"]
    alike = [dict(leaves(each["known"]["versions"]["v1"]["performance"])) for each in (late, first)]
    assert_alike(*alike)
    with duckdb.connect(str(store)) as connection:
        counted = connection.execute(
            "SELECT feature, SUM(n) FROM r_features_86400 WHERE model = 'm' AND feature < 0 GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert (-3, 600) in counted, "all of its values are among those of regressions"
    assert not {-1, -2} & {feature for feature, _ in counted}, "and none is a class any more"


@pytest.mark.parametrize(
    ("usual", "stray", "task"),
    [
        (lambda i: i % 2, 0.5, "binary"),
        (lambda i: ("no", "yes")[i % 2], "Traceback: " + "x" * 140, "binary"),
        (lambda i: i % 3, 0.5, "multiclass"),
    ],
)
def test_a_stray_prediction_makes_no_other_task(tmp_path: Path, usual: Any, stray: Any, task: str) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, [usual(i) for i in range(600)])
    assert models(logs, store)["m"]["task"] == task
    append(logs, [stray], first=600)
    assert models(logs, store)["m"]["task"] == task


def test_a_model_that_has_long_been_one_of_classes_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that logs probabilities is no reason to judge another one by errors."""
    monkeypatch.setattr("mlwatch.store.evidence.YOUNG", 500)
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, [i % 2 for i in range(600)])
    models(logs, store)
    append(logs, [i % 97 / 97 for i in range(600)], first=600, version="v2")
    found = models(logs, store)["m"]
    assert found["task"] == "binary"
    assert found["versions"]["v1"]["performance"]["accuracy"]["n"] == 600


def test_repeated_requests_tell_nothing_of_a_task(tmp_path: Path) -> None:
    logs, store = tmp_path / "logs", tmp_path / "store.duckdb"
    append(logs, [i % 2 for i in range(60)])
    models(logs, store)
    append(logs, [i / 7 for i in range(60)])  # the same ids
    assert models(logs, store)["m"]["task"] == "binary"
