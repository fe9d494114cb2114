"""Where a regression errs more is learnt from the reference, and says what to expect before labels come."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from leaves import assert_alike
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.metrics.loss_estimation import BY_LEAF, BY_VALUE
from mlwatch.session import Options, Session
from mlwatch.store import profiles, rollups
from mlwatch.store.loss_trees import KEY, LossTree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Snapshot
    from mlwatch.store.registry import Kind

HARD = 'o\'hare "2"'


def flights(count: int, seed: int, hard: float) -> list[dict[str, Any]]:
    """Return predictions of a regression that errs five times as much at one place, and where the age is missing."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        place = HARD if rng.random() < hard else str(rng.choice(["lga", "jfk", "ewr"]))
        age = None if rng.random() < 0.1 else round(float(rng.uniform(0, 30)), 2)
        guess = round(float(rng.uniform(0, 100)), 3)
        scale = (5 if place == HARD else 1) * (4 if age is None else 1)
        features = {"age": age, "place": place, "noise": float(rng.normal())}
        label = guess + scale * float(rng.normal())
        found.append(prediction(number, prediction=guess, score=None, label=label, features=features))
    return found


BEFORE, NOW = flights(6_000, 1, 0.1), flights(4_000, 2, 0.6)
REALISED = float(np.mean([abs(one["prediction"] - one["label"]) for one in NOW]))


def blind(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "label"} for record in records]


def estimates(found: Snapshot) -> dict[str, Estimate]:
    return dict(found.models["m"].versions["v1"].estimated)


def watched(logs: Path, reference: Path | None, store: Path | str = ":memory:") -> dict[str, Estimate]:
    with Session(Options(logs, db=store, reference=reference)) as session:  # type: ignore[arg-type]
        session.ingest_all()
        return estimates(session.snapshot())


def assert_told_alike(found: dict[str, Estimate], expected: dict[str, Estimate]) -> None:
    """Assert that estimates are equal, but for the order in which the losses of the reference were added up."""
    one, other = (
        {f"{name}.{key}": value for name, each in side.items() for key, value in asdict(each).items()}
        for side in (found, expected)
    )
    assert_alike(one, other)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "before.jsonl"
    path.write_text(lines(BEFORE))
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    path = tmp_path / "logs"
    path.mkdir()
    (path / "a.jsonl").write_text(lines(blind(NOW)))
    return path


def test_inputs_that_move_to_where_the_model_errs_more_are_seen(logs: Path, reference: Path) -> None:
    found = watched(logs, reference)
    assert found["mae"].value == pytest.approx(REALISED, rel=0.04)
    assert found["mae"].method == BY_LEAF
    before = float(np.mean([abs(one["prediction"] - one["label"]) for one in BEFORE]))
    assert before < 0.6 * REALISED, "which the predictions alone do not show"


@pytest.mark.deep
def test_a_profile_and_a_lake_say_the_same(tmp_path: Path, logs: Path, reference: Path) -> None:
    of_rows = watched(logs, reference)
    profile, lake = tmp_path / "profile.json", tmp_path / "lake"
    assert main(["profile", str(reference), "--db", ":memory:", "-o", str(profile)]) == 0
    arguments = ["--db", ":memory:", "--reference", str(profile)]
    assert main(["rollup", str(logs), "-o", str(lake), *arguments]) == 0
    assert_told_alike(watched(logs, profile), of_rows)
    for name, value in watched(lake, None).items():
        assert value.value == pytest.approx(of_rows[name].value, rel=1e-12)


def labelled_apart(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what tells of every second label in a record of its own, after a label that was wrong."""
    late = records[::2]
    told = [{**record, "label": 0.0} if at % 2 == 0 else record for at, record in enumerate(records)]
    names = ("request_id", "model", "label")
    return [*told, *({"timestamp": "2026-11-04T10:00:00Z", **{n: one[n] for n in names}} for one in late)]


def profile_of_logs(tmp_path: Path, records: list[dict[str, Any]], *options: str, settings: str = "") -> Path:
    directory, profile = tmp_path / "earlier", tmp_path / "logs.profile.json"
    directory.mkdir()
    (directory / "a.jsonl").write_text(lines(records))
    (directory / "mlwatch.toml").write_text(settings)
    asked = ["profile", str(directory), "--db", ":memory:", "--model", "m", *options]
    assert main([*asked, "-o", str(profile)]) == 0
    return profile


@pytest.mark.deep
@pytest.mark.usual(1)
@pytest.mark.parametrize("told", [list, labelled_apart])
def test_a_profile_of_logs_says_what_the_same_rows_say_as_a_table(
    tmp_path: Path, logs: Path, reference: Path, told: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    found = watched(logs, profile_of_logs(tmp_path, told(BEFORE)))
    assert found["mae"].method == BY_LEAF
    assert found["mae"].value == pytest.approx(REALISED, rel=0.04)
    # the same rows in the same bins are cut into the same leaves, whatever order they come in
    assert_told_alike(found, watched(logs, reference))


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "change", [{"timestamp": "2026-11-03T11:00:00Z"}, {"model": "other"}, {"version": "v2"}, {"status": 500}]
)
def test_a_profile_of_logs_learns_of_its_own_rows_alone(
    tmp_path: Path, logs: Path, change: dict[str, Any]
) -> None:
    others = [{**one, "label": 0.0, **change} for one in flights(2_000, 3, 0.1)]
    others = [{**one, "request_id": f"o{at}"} for at, one in enumerate(others)]
    profile = profile_of_logs(tmp_path, [*BEFORE, *others], "--until", "2026-11-03T11:00Z")
    losses = json.loads(profile.read_text())["losses"]
    assert sum(n for n, *_ in losses["leaves"]) == len(BEFORE)
    assert watched(logs, profile)["mae"].value == pytest.approx(REALISED, rel=0.04)


@pytest.mark.deep
def test_where_records_of_the_period_are_gone_predictions_alone_tell(tmp_path: Path, logs: Path) -> None:
    early = [
        {**one, "timestamp": "2026-10-01T10:00:00Z", "request_id": f"e{at}"} for at, one in enumerate(BEFORE)
    ]
    profile = profile_of_logs(tmp_path, [*early, *BEFORE], settings='[store]\nkeep = "7d"\n')
    assert json.loads(profile.read_text())["losses"] is None
    assert watched(logs, profile)["mae"].method == BY_VALUE


def test_rows_of_a_store_are_counted_when_a_tree_comes_and_goes(
    tmp_path: Path, logs: Path, reference: Path
) -> None:
    store, unlabelled = tmp_path / "store.duckdb", tmp_path / "unlabelled.jsonl"
    unlabelled.write_text(lines(blind(BEFORE)))

    def counted() -> int:
        with duckdb.connect(str(store), read_only=True) as connection:
            sql = f"SELECT COALESCE(SUM(n), 0) FROM r_features_3600 WHERE feature = {rollups.LOSS}"
            (n,) = connection.execute(sql).fetchall()[0]
            return int(n)

    assert watched(logs, None, store) == {}
    assert counted() == 0
    told = watched(logs, reference, store)
    assert counted() == len(NOW)
    assert_told_alike(told, watched(logs, reference))
    assert watched(logs, unlabelled, store) == {}
    assert counted() == 0


def test_a_store_that_knows_the_reference_already_learns_its_tree(
    tmp_path: Path, logs: Path, reference: Path
) -> None:
    store = tmp_path / "store.duckdb"
    told = watched(logs, reference, store)
    with duckdb.connect(str(store)) as connection:  # as an earlier version left it
        connection.execute("DELETE FROM meta WHERE key IN (?, ?)", [KEY, profiles.LABELLED])
        for level in rollups.FEATURES.levels:
            connection.execute(f"DELETE FROM {rollups.FEATURES.table(level)} WHERE feature = {rollups.LOSS}")
    assert_told_alike(watched(logs, reference, store), told)


def test_labels_of_the_logs_teach_by_predicted_value(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(BEFORE))
    assert watched(logs, None)["mae"].method == BY_VALUE


def leaf_of(tree: LossTree, columns: str, row: dict[str, Any]) -> int:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows ({columns}, prediction VARCHAR)")
        connection.execute(f"INSERT INTO rows VALUES ({', '.join('?' * len(row))})", list(row.values()))
        quoted: dict[tuple[str, Kind], str] = {
            ("age", "numeric"): '"age"',
            ("it's", "categorical"): '"place"',
        }
        (leaf,) = connection.execute(f"SELECT {tree.leaf_sql(quoted)} FROM rows").fetchall()[0]
        return int(leaf)


ASKED = LossTree.of_document(
    {
        "tree": {
            "feature": "age",
            "upto": 40.0,
            "open": True,
            "yes": {"feature": "age", "yes": 0, "no": 1},
            "no": {
                "feature": "it's",
                "among": [HARD],
                "missing": True,
                "yes": 2,
                "no": {"upto": 7.0, "open": False, "yes": 3, "no": 4},
            },
        },
        "leaves": [[1, 0, 0, 0]] * 5,
    }
)


@pytest.mark.parametrize(
    ("age", "place", "guess", "leaf"),
    [
        (None, "b", "1", 0),
        (math.nan, "b", "1", 0),
        (39.9, "b", "1", 1),
        (40.0, HARD, "1", 2),
        (40.0, None, "1", 2),
        (40.0, "b", "7", 3),
        (40.0, "b", "7.1", 4),
        (40.0, "b", "no number", -1),
        (40.0, "b", None, -1),
    ],
)
def test_it_is_asked_in_sql(age: float | None, place: str | None, guess: str | None, leaf: int) -> None:
    row = {"age": age, "place": place, "prediction": guess}
    assert leaf_of(ASKED, "age DOUBLE, place VARCHAR", row) == leaf


def test_a_feature_that_a_batch_lacks_is_missing() -> None:
    assert LossTree.of_document(ASKED.document()) == ASKED
    with duckdb.connect() as connection:
        sql = f"SELECT {ASKED.leaf_sql({})} FROM (SELECT '3' AS prediction)"
        assert connection.execute(sql).fetchall() == [(0,)]


def deep(levels: int) -> Any:
    node: Any = 0
    for _ in range(levels):
        node = {"feature": "age", "yes": node, "no": 0}
    return node


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "tree", [7, True, "0", None, [], {}, {"yes": 0}, {"yes": 0, "no": 0, "upto": "x", "open": 1}, deep(500)]
)
def test_a_damaged_profile_is_one_line(
    logs: Path, tmp_path: Path, reference: Path, tree: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "profile.json"
    assert main(["profile", str(reference), "--db", ":memory:", "-o", str(profile)]) == 0
    document = json.loads(profile.read_text())
    profile.write_text(json.dumps({**document, "losses": {"tree": tree, "leaves": [[1, 1, 1, 1]]}}))
    capsys.readouterr()
    assert main(["report", str(logs), "--db", ":memory:", "--reference", str(profile)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "the profile is damaged" in said
