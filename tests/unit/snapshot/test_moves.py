"""Each drift says how, and `[drift]` decides what is one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from logfiles import lines, prediction

from mlwatch.faces.html import html
from mlwatch.faces.markdown import markdown
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import FeatureQuality, Snapshot


def rows(n: int, shift: float, cities: str, seed: int, **changes: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        prediction(
            i,
            features={"age": float(rng.normal(40 + shift, 5)), "city": str(rng.choice(list(cities)))},
            **changes,
        )
        for i in range(n)
    ]


def snapshot(tmp_path: Path, shift: float, cities: str, settings: str = "", n: int = 3000) -> Snapshot:
    logs = tmp_path / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "reference.jsonl").write_text(lines(rows(3000, 0.0, "abc", 1)))
    (logs / "a.jsonl").write_text(lines(rows(n, shift, cities, 2)))
    (logs / "mlwatch.toml").write_text(settings)
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        return session.snapshot()


def feature(found: Snapshot, name: str) -> FeatureQuality:
    return found.models["m"].versions["v1"].quality.features[name]


def test_a_number_says_where_its_mean_and_median_went(tmp_path: Path) -> None:
    found = snapshot(tmp_path, 4.0, "abc")
    age = feature(found, "age")
    assert age.drift is not None
    assert age.drift.drifted
    assert age.move is not None
    before, after = (
        np.array([row["features"]["age"] for row in made])
        for made in (rows(3000, 0.0, "abc", 1), rows(3000, 4.0, "abc", 2))
    )
    assert age.move.reference.mean == pytest.approx(before.mean(), rel=1e-9)
    assert age.move.current.mean == pytest.approx(after.mean(), rel=1e-9)
    assert age.move.current.median == pytest.approx(np.median(after), rel=0.02)
    assert age.move.sentence.startswith("median 39.95 → 43.94, mean 39.93 → 43.96, ")
    assert (
        age.move.sentence
        in found.to_dict()["models"]["m"]["versions"]["v1"]["quality"]["features"]["age"]["drift"].values()
    )


@pytest.mark.usual(1)
@pytest.mark.parametrize(("shift", "sign", "word"), [(60.0, ">", "above"), (-60.0, "<", "below")])
def test_a_median_beyond_all_that_the_reference_had_is_a_bound(
    tmp_path: Path, shift: float, sign: str, word: str
) -> None:
    found = snapshot(tmp_path, shift, "abc")
    moved = feature(found, "age").move
    assert moved is not None
    ages = [row["features"]["age"] for row in rows(3000, 0.0, "abc", 1)]
    edge = max(ages) if shift > 0 else min(ages)
    assert moved.sentence.startswith(f"median 39.95 → {sign} {edge:.4g}, mean 39.93 → ")
    quality = found.to_dict()["models"]["m"]["versions"]["v1"]["quality"]
    drift = quality["features"]["age"]["drift"]
    assert drift["median_current"] is None
    assert drift["median_current_reason"].startswith(f"it is {word} {edge:.4g}, where the bins")
    assert drift["median_reference"] == pytest.approx(39.95, abs=0.01)
    assert drift["median_reference_reason"] is None


def test_categories_are_named_and_new_ones_are_said(tmp_path: Path) -> None:
    found = snapshot(tmp_path, 0.0, "aaaad")
    city = feature(found, "city")
    assert city.move is not None
    parts = {part.values: (part.reference, part.current) for part in city.move.parts}
    assert list(parts["new values"]) == pytest.approx([0.0, 0.2], abs=0.03)
    assert list(parts["a"]) == pytest.approx([1 / 3, 0.8], abs=0.03)
    assert "new values (0.0 % → " in markdown(found).replace("\\", "")
    assert "How it moved" in html(found)
    assert not (feature(found, "age").drift or pytest.fail("no drift")).drifted


def test_a_frequent_value_is_named_by_itself(tmp_path: Path) -> None:
    def spiked(n: int, zeros: int) -> list[dict[str, Any]]:
        numbers = np.random.default_rng(6).gamma(2, 1, n)
        return [
            prediction(i, features={"delay": 0.0 if i % 10 < zeros else float(x)})
            for i, x in enumerate(numbers)
        ]

    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "reference.jsonl").write_text(lines(spiked(3000, 3)))
    (logs / "a.jsonl").write_text(lines(spiked(3000, 8)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        move = feature(session.snapshot(), "delay").move
    assert move is not None
    assert (move.parts[0].values, round(move.parts[0].reference, 1), round(move.parts[0].current, 1)) == (
        "0",
        0.3,
        0.8,
    )
    assert "e-" not in move.sentence


def test_hostile_categories_stay_text_in_reports(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    logs = tmp_path / "logs"
    logs.mkdir()
    made = [prediction(i, features={"city": evil if i % 2 else "a"}) for i in range(600)]
    (logs / "reference.jsonl").write_text(lines(made))
    (logs / "a.jsonl").write_text(lines(prediction(i, features={"city": evil}) for i in range(600)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot()
    assert evil in (feature(found, "city").move or pytest.fail("no move")).sentence
    assert evil not in html(found)
    assert evil not in markdown(found)


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("settings", "drifted"),
    [("", True), ("[drift]\nthreshold = 0.9\n", False), ('[drift]\nmethod = "ks"\nthreshold = 0.2\n', True),
     ('[drift]\nmethod = "ks"\nthreshold = 0.6\n', False), ("[drift]\nfloor = 5000\n", False)],
)  # fmt: skip
def test_the_configuration_decides_what_counts(tmp_path: Path, settings: str, drifted: bool) -> None:
    found = snapshot(tmp_path, 4.0, "abc", settings)
    age = feature(found, "age").drift
    assert age is not None
    assert age.drifted is drifted
    assert (age.state == "too_few") is ("floor" in settings)
    assert (feature(found, "city").drift or pytest.fail("no drift")).method == "js"


def test_fifty_rows_do_not_alarm(tmp_path: Path) -> None:
    found = snapshot(tmp_path, 0.0, "abc", n=50)
    assert {
        one.drift.state for one in found.models["m"].versions["v1"].quality.features.values() if one.drift
    } == {"too_few"}


def test_the_largest_numbers_there_are_have_a_place(tmp_path: Path) -> None:
    """Differences of such numbers overflow, their halves do not."""
    given = [-1.7e308, 1e-300, 5.0, 1e308, 1.7e308]
    made = [
        [prediction(n, features={"age": factor * given[n % 5]}) for n in range(1000)] for factor in (1, 0.9)
    ]
    (tmp_path / "reference.jsonl").write_text(lines(made[0]))
    (tmp_path / "a.jsonl").write_text(lines(made[1]))
    with warnings.catch_warnings(), Session(Options(tmp_path, db=":memory:")) as session:
        warnings.simplefilter("error", RuntimeWarning)
        session.ingest_all()
        age = feature(session.snapshot(), "age")
    assert age.shape is not None
    assert (age.shape.edges[0], age.shape.edges[-1]) == (-1.7e308, 1.7e308)
    assert np.isfinite(age.shape.edges).all()
    assert [sum(age.shape.reference), sum(age.shape.current)] == pytest.approx([1000, 1000])
    assert age.move is not None
    assert age.move.reference.median is not None
    assert 1e-300 < age.move.reference.median < 1e308, "within the bin of the middle row, whose value is 5"


def test_predictions_and_scores_say_how_they_moved_too(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, share in (("reference.jsonl", 4), ("a.jsonl", 10)):
        made = [prediction(i, prediction=int(i % 20 < share), score=(i % 20) / 20) for i in range(2000)]
        (logs / name).write_text(lines(made))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot().to_dict()["models"]["m"]["versions"]["v1"]["quality"]
    moved = {
        part["values"]: (part["reference"], part["current"]) for part in found["prediction_drift"]["parts"]
    }
    assert moved == {"1": (0.2, 0.5), "0": (0.8, 0.5)}
    assert found["prediction_drift"]["how"].startswith(("0 (80.0 % → 50.0 %)", "1 (20.0 % → 50.0 %)"))
    means = [found["score_drift"][f"mean_{side}"] for side in ("reference", "current")]
    assert means == pytest.approx([0.475, 0.475], rel=1e-12)
