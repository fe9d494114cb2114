"""Bins without a reference: models that log into one directory do not hide what happens in each other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.config import Config
from mlwatch.metrics.bin_cells import LEAST_EDGES
from mlwatch.metrics.bins import numeric_bin
from mlwatch.metrics.edges import edges_of, merged
from mlwatch.store import binning, fold
from mlwatch.store.database import cursor, open_store
from mlwatch.store.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.snapshot.types import Version

START = datetime(2026, 11, 3, tzinfo=UTC)
Record = dict[str, Any]


def requests(
    model: str,
    answers: Callable[[np.random.Generator, bool], Any],
    rows: int = 3000,
    **features: Callable[[np.random.Generator, bool], Any],
) -> list[Record]:
    """Return requests of two versions; each value is drawn, knowing whether it is for the second one."""
    random = np.random.default_rng(3)
    records = []
    for number in range(rows):
        new = number > rows / 2 and number % 2 == 0
        records.append(
            {
                "timestamp": (START + timedelta(seconds=10 * number)).isoformat(),
                "id": f"{model}-{number}",
                "model": model,
                "version": "v2" if new else "v1",
                "prediction": answers(random, new),
                **{name: draw(random, new) for name, draw in features.items()},
            }
        )
    return records


def coin(random: np.random.Generator, _: bool) -> int:
    return int(random.integers(2))


def often(random: np.random.Generator, new: bool) -> int:
    return int(random.random() < (0.4 if new else 0.1))


def doubled(random: np.random.Generator, new: bool) -> float:
    return float(random.uniform(5, 30)) * (2 if new else 1)


def large(random: np.random.Generator, _: bool) -> float:
    return float(random.uniform(1e5, 1e6))


def same(*_: Any) -> float:
    return 7.0


def topic(random: np.random.Generator, _: bool) -> str:
    return f"topic {random.integers(70)}"


FRAUD = requests("fraud", often, amount=doubled)
OTHERS = {
    "another scale": requests("big", coin, amount=large),
    "many classes": requests("topics", topic, amount=large),
    "numbers": requests("price", large, amount=large),
}


def write(directory: Path, **files: list[Record]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, records in files.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return directory


def of_fraud(directory: Path) -> Version:
    with mlwatch.open(directory, db=directory.with_suffix(".duckdb")) as watch:
        return watch.snapshot().models["fraud"].versions["v2"]


def scores(version: Version) -> tuple[float, float]:
    amount, predictions = version.quality.features["amount"].drift, version.quality.prediction_drift
    assert amount is not None
    assert predictions is not None
    assert amount.score is not None
    assert predictions.score is not None
    return amount.score, predictions.score


@pytest.mark.usual(1)
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("together", [True, False])
def test_drift_is_that_of_the_model_alone(tmp_path: Path, other: str, together: bool) -> None:
    write(tmp_path / "alone", fraud=FRAUD)
    expected = scores(of_fraud(tmp_path / "alone"))
    assert expected[0] > 0.5
    assert expected[1] > 0.2
    write(tmp_path / "fleet", another=OTHERS[other])
    if not together:
        with mlwatch.open(tmp_path / "fleet", db=tmp_path / "fleet.duckdb") as watch:
            watch.snapshot()
    write(tmp_path / "fleet", fraud=FRAUD)
    assert scores(of_fraud(tmp_path / "fleet")) == pytest.approx(expected, abs=0.01)


def test_a_regression_drifts_beside_one_of_another_scale(tmp_path: Path) -> None:
    records = requests("fraud", doubled, amount=doubled)
    write(tmp_path / "alone", fraud=records)
    expected = scores(of_fraud(tmp_path / "alone"))
    write(tmp_path / "fleet", fraud=records, price=OTHERS["numbers"])
    assert scores(of_fraud(tmp_path / "fleet")) == pytest.approx(expected, abs=0.01)


@pytest.mark.deep
def test_a_feature_that_a_known_model_gains_later_has_bins_of_its_own(tmp_path: Path) -> None:
    """Whether all comes at once or one after the other."""
    logs = {
        "another": OTHERS["another scale"],
        "before": requests("fraud", coin, other=doubled),
        "later": [one | {"id": f"later {one['id']}"} for one in FRAUD],
    }
    found = []
    for name, passes in (("apart", [[one] for one in logs]), ("once", [list(logs)])):
        with mlwatch.open(write(tmp_path / name), db=":memory:") as watch:
            for some in passes:
                write(tmp_path / name, **{one: logs[one] for one in some})
                watch.ingest_all()
            found.append(watch.snapshot().models["fraud"].versions["v2"].quality.features["amount"].drift)
    apart, once = found
    assert apart is not None
    assert once is not None
    assert apart.score == pytest.approx(once.score, abs=0.02)
    assert apart.drifted


def test_what_is_alike_is_not_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[Any] = []
    refold = fold.refold_features

    def counted(*given: Any) -> None:
        again.append(given)
        refold(*given)

    monkeypatch.setattr(fold, "refold_features", counted)
    logs = write(tmp_path / "fleet", one=requests("one", coin, amount=doubled, fixed=same))
    with mlwatch.open(logs, db=":memory:") as watch:
        watch.ingest_all()
        before = len(again)
        write(logs, two=requests("two", coin, amount=doubled, fixed=same))
        watch.ingest_all()
    assert len(again) == before > 0


def test_each_value_is_counted_in_the_bin_whose_edges_it_lies_between(tmp_path: Path) -> None:
    records = requests("fraud", often, amount=doubled)
    records[-1]["amount"], records[-2]["amount"], records[-3]["amount"] = None, 1e300, -1e300
    logs = write(tmp_path, first=records[:2000])
    opened = open_store(logs, tmp_path / "store.duckdb")
    ingest = Ingest(cursor(opened.connection), logs, Config())
    ingest.run_once()
    ingest.settle(enough=1)  # those that are stored are counted again, those that come are counted as they do
    write(tmp_path, later=records[2000:])
    ingest.run_once()
    ingest.close()
    ((number, edges),) = opened.connection.execute(
        "SELECT feature, edges FROM bins JOIN features USING (feature) WHERE name = 'amount'"
    ).fetchall()
    assert len(edges) >= LEAST_EDGES  # fewer would be compared one by one
    for table in ("r_features_900", "r_features_3600", "r_features_86400"):
        counted = opened.connection.execute(
            f"SELECT bin, SUM(n), SUM(total) FROM {table} WHERE feature = ? GROUP BY bin ORDER BY bin",
            [number],
        ).fetchall()
        values = np.array([np.nan if one["amount"] is None else one["amount"] for one in records])
        codes = numeric_bin(values, edges)
        assert {code: n for code, n, _ in counted} == dict(
            zip(*np.unique(codes, return_counts=True), strict=True)
        )
        usual = {code: total for code, _, total in counted if 0 < code < len(edges)}
        assert usual == pytest.approx({code: values[codes == code].sum() for code in usual}, rel=1e-12)
    opened.close()


def test_what_was_counted_before_is_counted_again_and_nothing_twice(tmp_path: Path) -> None:
    write(tmp_path / "fleet", another=OTHERS["another scale"])
    with mlwatch.open(tmp_path / "fleet", db=":memory:") as watch:
        before = watch.snapshot().models["big"].versions
        write(tmp_path / "fleet", fraud=FRAUD)
        watch.ingest_all()
        after = watch.snapshot().models["big"].versions
    for name, version in before.items():
        old, new = version.quality.features["amount"], after[name].quality.features["amount"]
        assert (new.n, new.missing) == (old.n, old.missing)
        assert old.n > 700


def test_bins_stay_where_rows_are_gone(tmp_path: Path) -> None:
    """What cannot be counted again is not thrown away."""
    write(tmp_path / "fleet", another=OTHERS["another scale"])
    with mlwatch.open(tmp_path / "fleet", db=":memory:") as watch:
        watch.snapshot()
        watch.connection.execute(
            "DELETE FROM predictions WHERE ts < ?", [START.replace(tzinfo=None) + timedelta(hours=2)]
        )
        write(tmp_path / "fleet", fraud=FRAUD)
        watch.ingest_all()
        found = watch.snapshot().models
    assert sum(version.quality.features["amount"].n for version in found["big"].versions.values()) == 3000
    assert sum(version.quality.features["amount"].n for version in found["fraud"].versions.values()) == 3000


def test_bins_of_rollups_stay_where_days_are_added_by_a_store_in_memory(tmp_path: Path) -> None:
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    for name, records in (("first", OTHERS["another scale"]), ("second", FRAUD)):
        write(logs, log=records)
        assert main(["rollup", str(logs), "-o", str(lake), "--db", ":memory:"]) == 0, name
        (logs / "log.jsonl").unlink()


@pytest.mark.parametrize(
    ("own", "coarse"),
    [
        (np.linspace(0, 1, 51), False),
        (np.linspace(0, 1.5, 51), True),
        (np.linspace(0.01, 1.01, 51), False),
        (np.linspace(5, 6, 51), True),
        ((0.31, 0.31), True),
        ((7.0, 7.5, 8.0), True),
        ((), False),
    ],
)  # fmt: skip
def test_bins_are_coarse_where_they_lump_values_together(own: Any, coarse: bool) -> None:
    assert binning.are_coarse(tuple(np.linspace(0, 1, 51)), tuple(own)) is coarse


def test_merged_bins_tell_apart_what_each_does() -> None:
    one, other, same = edges_of([1.0, 2.0, 3.0]), edges_of([2.5, 9.0]), edges_of([7.0, 7.0])
    assert merged([one, (), one]) == one
    assert merged([one, other]) == tuple(sorted({*one, *other}))
    assert merged([one, same])[-2:] == (7.0, np.nextafter(7.0, 8.0))
    assert merged([]) == ()


def test_each_model_has_segments_of_its_own(tmp_path: Path) -> None:
    wide: dict[str, Any] = {f"x{number}": doubled for number in range(14)}
    records = requests("fraud", coin, country=lambda random, _: "NSDG"[random.integers(4)])
    for one in records:
        one["label"] = one["prediction"] if one["country"] != "G" else 1 - one["prediction"]
    write(tmp_path / "fleet", aaa=requests("wide", coin, **wide), fraud=records)
    with mlwatch.open(tmp_path / "fleet", db=":memory:") as watch:
        (first, *_) = watch.snapshot().models["fraud"].versions.values()
    assert {segment.column for segment in first.segments} == {"country"}
