"""What categories owe to the sample that they were listed after: counted, it is what leaving out each row gives."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.errors import InputError
from mlwatch.metrics.left_out import LeftOut
from mlwatch.session import Options, Session
from mlwatch.snapshot.table_drift import table_drift
from mlwatch.store import left_out

if TYPE_CHECKING:
    from pathlib import Path

TOP, KNOWN = 5, 12


def place_of(category: str, counts: Counter[str]) -> str:
    """Return the bin that a category has where categories are listed after some counts."""
    ranked = sorted((one for one in counts if counts[one]), key=lambda one: (-counts[one], one))
    place = ranked.index(category) if category in ranked else KNOWN
    return "listed" if place < TOP else "tail" if place < KNOWN else "unseen"


def one_by_one(values: list[str]) -> LeftOut:
    counts = Counter(values)
    moves: Counter[tuple[str, str]] = Counter()
    for category, n in counts.items():
        others = counts.copy()
        others[category] -= 1
        moves[place_of(category, counts), place_of(category, others)] += n
    before = {place: sum(n for (old, _), n in moves.items() if old == place) for place in ("listed", "tail")}
    return LeftOut(
        TOP,
        len(values),
        before["listed"],
        moves["listed", "tail"],
        moves["listed", "unseen"],
        before["tail"],
        moves["tail", "unseen"],
    )


@pytest.mark.parametrize("size", [1, 4, 7, 30, 200, 2000])
def test_what_is_counted_is_what_leaving_out_each_row_gives(size: int) -> None:
    for seed in range(8):
        values = [f"k{one}" for one in np.random.default_rng(seed).zipf(1.5, size)]
        with duckdb.connect() as connection:
            connection.execute(
                f"""CREATE TABLE ranked AS
                SELECT category, COUNT(*) AS n, SUM(COUNT(*)) OVER () AS total,
                    row_number() OVER (ORDER BY COUNT(*) DESC, category) AS place
                FROM (SELECT unnest(?::VARCHAR[]) AS category) GROUP BY 1 ORDER BY place LIMIT {KNOWN + 1}""",
                [values],
            )
            assert left_out.count(connection, "ranked", TOP, KNOWN) == one_by_one(values)


def drawn(kind: str, n: int, random: np.random.Generator) -> np.ndarray:
    """Draw categories: "u" of so many equally frequent ones, "z" of a Zipf law."""
    law = float(kind[1:])
    return random.integers(0, int(law), n) if kind[0] == "u" else random.zipf(law, n) % 10**6


KINDS = ("u20", "u60", "u200", "u2000", "u1000000", "z1.3", "z1.4", "z2")
MOVED = ("u200", "u2000", "z1.3", "z1.4", "z2")
REPEATS = 4


def written(folder: Path, name: str, n: int, seed: int, *, moved: bool) -> Path:
    random = np.random.default_rng(seed)
    columns = {f"{kind} {at}": drawn(kind, n, random) for kind in KINDS for at in range(REPEATS)}
    for kind in MOVED:
        values = drawn(kind, n, random)
        columns[f"moved {kind}"] = np.where(
            random.random(n) < 0.5 * moved, 3_000_000, values
        )  # one new value
        # what was frequent is as rare as what was rare, and the other way round
        columns[f"turned {kind}"] = 2_000_000 - values if moved else values
    path = folder / f"{name}.parquet"
    pd.DataFrame({key: [f"k{one}" for one in values] for key, values in columns.items()}).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("n", "m"),
    [
        (150, 150),
        (300, 3000),
        (1000, 5000),
        pytest.param(5000, 1000, marks=pytest.mark.deep),
        (20_000, 20_000),
    ],
)
def test_many_categories_alarm_where_they_moved_and_not_by_chance(tmp_path: Path, n: int, m: int) -> None:
    reference = written(tmp_path, "before", n, 1, moved=False)
    found = table_drift(written(tmp_path, "after", m, 2, moved=True), reference).quality.features
    states = {name: feature.drift.state for name, feature in found.items() if feature.drift is not None}
    same = [name for name in states if name.split()[0] in KINDS]
    alarms = [name for name in same if states[name] == "drifted"]
    assert len(alarms) <= (1 if min(n, m) < 300 else 0), alarms
    turned = [name for name in states if name.split()[0] not in KINDS]
    # nearly every value of so few rows is a new one anyway
    blind = {"turned u2000", "moved u2000"} if n < 1000 else set()
    assert {name for name in turned if states[name] != "drifted"} <= blind


def test_rows_are_no_drift_from_themselves(tmp_path: Path) -> None:
    path = written(tmp_path, "same", 1000, 1, moved=False)
    features = table_drift(path, path).quality.features.values()
    assert {(each.drift.state, each.drift.score) for each in features if each.drift is not None} == {
        ("ok", 0.0)
    }


def test_a_profile_knows_what_its_categories_owe_to_its_rows(tmp_path: Path) -> None:
    reference = written(tmp_path, "before", 1000, 1, moved=False)
    current = written(tmp_path, "after", 1000, 2, moved=True)
    profile = tmp_path / "reference.profile.json"
    assert main(["profile", str(reference), "-o", str(profile)]) == 0
    scores = [
        {name: feature.drift and feature.drift.score for name, feature in one.quality.features.items()}
        for one in (table_drift(current, reference), table_drift(current, profile))
    ]
    assert scores[1] == pytest.approx(scores[0])
    told = json.loads(profile.read_text())
    told["features"][-1]["left_out"] = ["x"]
    profile.write_text(json.dumps(told))
    with pytest.raises(InputError, match="damaged"):
        table_drift(current, profile)


def test_windows_of_live_logs_do_not_drift_by_new_values_alone(logs: Path) -> None:
    """Post codes of which a reference knows three quarters: the heat map stays cold, as the whole range does."""
    random = np.random.default_rng(5)
    codes = [f"{one:05d}" for one in random.integers(0, 3000, 8000)]
    pd.DataFrame({"zip": codes[:4000]}).to_parquet(logs.parent / "reference.parquet")
    rows = [prediction(at, features={"zip": code}) for at, code in enumerate(codes[4000:])]
    (logs / "a.jsonl").write_text(lines(rows))
    with Session(Options(logs, db=":memory:", reference=logs.parent / "reference.parquet")) as session:
        session.ingest_all()
        snapshot = session.snapshot()
    quality = snapshot.models["m"].versions["v1"].quality
    feature = quality.features["zip"]
    assert feature.unseen == sum(code not in set(codes[:4000]) for code in codes[4000:]) > 500
    assert feature.drift is not None
    assert feature.drift.state == "ok"
    assert feature.drift.score == pytest.approx(0, abs=0.05)
    assert not [alert for alert in snapshot.alerts if "does not have" in alert.message]
    windows = [score for score in feature.drift_over if score is not None]
    assert len(windows) > 3
    assert max(windows) < 0.1
