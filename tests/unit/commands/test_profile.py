"""`mlwatch profile`: a small file that stands in for the reference, number for number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from leaves import assert_alike, leaves

import mlwatch
from mlwatch.cli import main

if TYPE_CHECKING:
    from logfiles import SampleStore


SAMPLES = Path(__file__).parents[3] / "sample_logs"


def test_a_profile_gives_the_numbers_of_the_rows_that_it_was_made_of(
    tmp_path: Path, sample_store: SampleStore
) -> None:
    profile = tmp_path / "reference.profile.json"
    assert main(["profile", str(SAMPLES / "reference.parquet"), "-o", str(profile)]) == 0
    assert profile.stat().st_size < 200_000
    of_rows = numbers(SAMPLES / "reference.parquet", sample_store())
    of_profile = numbers(profile, ":memory:")
    name = of_profile.pop("reference"), of_profile.pop("estimated_from")
    assert name == ("reference.profile.json (reference.parquet)",) * 2
    assert (of_rows.pop("reference"), of_rows.pop("estimated_from")) == ("reference.parquet",) * 2
    for of_version in of_profile["versions"].values():
        assert of_version["quality"].pop("label_reference") == name[0]
    for of_version in of_rows["versions"].values():
        assert of_version["quality"].pop("label_reference") == "reference.parquet"
    assert_alike(dict(leaves(of_profile)), dict(leaves(of_rows)))


def numbers(reference: Path, store: Path | str) -> dict[str, Any]:
    with mlwatch.open(SAMPLES, db=store, reference=reference) as opened:
        (model,) = opened.snapshot().to_dict()["models"].values()
    found: dict[str, Any] = model
    return found


@pytest.mark.deep
def test_a_profile_of_logs_is_of_one_version_in_a_range(tmp_path: Path, sample_store: SampleStore) -> None:
    profile = tmp_path / "day.profile.json"
    store = str(sample_store())
    asked = ["profile", str(SAMPLES), "--db", store, "--until", "2026-11-03T12:00Z", "-o", str(profile)]
    assert main(asked) == 0
    found = json.loads(profile.read_text())
    assert found["source"] == "v1 of flight-delay, 2026-11-03T00:00Z to 2026-11-03T12:00Z"
    with mlwatch.open(SAMPLES, db=store, reference=profile) as opened:
        drift = opened.snapshot().models["flight-delay"].versions["v1"].quality.features["carrier"].drift
        ((rows,),) = opened.query(
            """SELECT COUNT(carrier) FROM predictions
            WHERE version = 'v1' AND NOT failed AND ts < TIMESTAMP '2026-11-03 12:00'"""
        )[1]
    assert drift is not None
    assert drift.n_reference == rows
    assert drift.psi == pytest.approx(0.0, abs=0.02)


def test_a_profile_of_numbers_knows_their_errors(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    value = random.uniform(0, 10, 2_000)
    table = pd.DataFrame({"x": value, "prediction": value, "label": value + random.normal(0, 1, 2_000)})
    table.to_csv(tmp_path / "given.csv", index=False)
    profile = tmp_path / "p.json"
    assert main(["profile", str(tmp_path / "given.csv"), "-o", str(profile)]) == 0
    errors = json.loads(profile.read_text())["labels"]
    assert sum(row["n"] for row in errors) == 2_000
    assert sum(row["sum_sq"] for row in errors) == pytest.approx(
        ((table.prediction - table.label) ** 2).sum()
    )


@pytest.mark.deep
def test_hundreds_of_features_are_no_trouble(tmp_path: Path) -> None:
    values = np.random.default_rng(4).normal(size=(300, 300))
    pd.DataFrame(values, columns=[f"f{i}" for i in range(300)]).to_parquet(tmp_path / "wide.parquet")
    profile, again = tmp_path / "wide.json", tmp_path / "again.json"
    assert main(["profile", str(tmp_path / "wide.parquet"), "-o", str(profile)]) == 0
    assert len(json.loads(profile.read_text())["features"]) == 300
    assert main(["profile", str(profile), "-o", str(again)]) == 0
    first, second = (json.loads(path.read_text()) for path in (profile, again))
    assert second["features"] == first["features"]


def damaged(change: str, good: dict[str, Any]) -> str:
    if change == "text":
        return json.dumps(good)[:-400]
    if change == "version":
        return json.dumps({**good, "schema": "mlwatch.profile/99"})
    if change == "bins":
        good["features"][0]["edges"] = ["low", "high"]
    elif change == "kind":
        good["features"][0]["kind"] = "'; DROP TABLE predictions; --"
    elif change == "counts":
        good["features"][0]["counts"] = [[1]]
    else:
        del good["labels"]
    return json.dumps(good)


@pytest.mark.usual(2)
@pytest.mark.parametrize("change", ["text", "version", "bins", "kind", "counts", "labels"])
def test_a_damaged_profile_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    pd.DataFrame({"x": np.arange(50.0), "prediction": np.arange(50) % 2}).to_parquet(tmp_path / "t.parquet")
    profile = tmp_path / "p.json"
    assert main(["profile", str(tmp_path / "t.parquet"), "-o", str(profile)]) == 0
    profile.write_text(damaged(change, json.loads(profile.read_text())))
    assert main(["report", str(SAMPLES), "--db", ":memory:", "--reference", str(profile)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "profile" in said
    assert str(profile) in said
