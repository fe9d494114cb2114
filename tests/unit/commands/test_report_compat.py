"""`report --compat`: the numbers and decisions that Evidently 0.7.23 and NannyML 0.13.1 gave on the same columns."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import distance

from mlwatch.cli import main

FIXTURES = Path(__file__).parents[1] / "metrics" / "fixtures"
COLUMNS = runpy.run_path(str(FIXTURES / "record_peers.py"))["columns"]()
EVIDENTLY: dict[str, Any] = json.loads((FIXTURES / "evidently.json").read_text())
NANNYML: dict[str, Any] = json.loads((FIXTURES / "nannyml.json").read_text())["univariate"]
GROUPS = [("radius", "size"), ("ink", "pixel"), ("big",)]


def written(directory: Path, names: tuple[str, ...]) -> Path:
    """Write recorded columns as reference and logs, row by row in their order."""
    logs = directory / "logs"
    logs.mkdir()
    before = pd.DataFrame({name: COLUMNS[name][1] for name in names})
    after = pd.DataFrame({name: COLUMNS[name][2] for name in names})
    before.to_parquet(logs / "reference.parquet")
    times = pd.Timestamp("2026-11-03T10:00:00Z") + pd.to_timedelta(np.arange(len(after)), unit="s")
    after.assign(timestamp=times, prediction=np.arange(len(after)) % 2).to_parquet(logs / "log.parquet")
    return logs


def reported(logs: Path, peer: str, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert main(["report", str(logs), "--db", ":memory:", "--format", "json", "--compat", peer, *more]) == 0
    found = json.loads(capsys.readouterr().out)["compat"]
    assert found["as"] == peer
    ((version,),) = [list(versions.values()) for versions in found["models"].values()]
    result: dict[str, Any] = version
    return result


@pytest.mark.usual(1)
@pytest.mark.parametrize("names", GROUPS)
def test_the_numbers_are_evidentlys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    found = reported(written(tmp_path, names), "evidently", capsys)
    for name in names:
        chosen = EVIDENTLY[name]["chosen"]
        expected = EVIDENTLY[name]["found"][chosen]
        one = found["columns"][name]
        assert one["method"] == chosen
        assert one["score"] == pytest.approx(expected["score"], rel=1e-9, abs=1e-12)
        assert one["drifted"] == expected["drifted"]
    drifted = [one["drifted"] for one in found["columns"].values()]
    assert found["drifted"] == (sum(drifted) / len(drifted) >= 0.5)


@pytest.mark.usual(1)
@pytest.mark.parametrize("names", GROUPS)
def test_the_numbers_are_nannymls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    found = reported(written(tmp_path, names), "nannyml", capsys)
    for name in names:
        one, expected = found["columns"][name], NANNYML[name]["jensen_shannon"]
        assert one["threshold"] == pytest.approx(expected["threshold"], rel=1e-9)
        assert [chunk["score"] for chunk in one["chunks"]] == pytest.approx(expected["value"], rel=1e-9)
        assert [chunk["alert"] for chunk in one["chunks"]] == expected["alert"]
        assert one["drifted"] == any(expected["alert"])


@pytest.mark.parametrize("peer", ["evidently", "nannyml"])
def test_missing_text_is_no_category(tmp_path: Path, capsys: pytest.CaptureFixture[str], peer: str) -> None:
    """Both leave missing values out (as they were seen to do), so the distance is SciPy's of those that are there."""
    random = np.random.default_rng(3)
    logs, names, shares = tmp_path / "logs", ["NO", "SE", "DK", "FI"], [0.5, 0.3, 0.15, 0.05]
    logs.mkdir()
    before, after = (pd.Series(random.choice(names, n, p=shares), dtype=object) for n in (3000, 2000))
    before[random.random(3000) < 0.05] = None
    after[random.random(2000) < 0.22] = None
    pd.DataFrame({"country": before}).to_parquet(logs / "reference.parquet")
    times = pd.Timestamp("2026-11-03T10:00:00Z") + pd.to_timedelta(np.arange(2000), unit="s")
    pd.DataFrame({"country": after, "timestamp": times, "prediction": np.arange(2000) % 2}).to_parquet(
        logs / "log.parquet"
    )
    p, q = (side.value_counts(normalize=True).reindex(names) for side in (before, after))
    base = 2 if peer == "nannyml" else np.e
    one = reported(logs, peer, capsys)["columns"]["country"]
    assert one["score"] == pytest.approx(distance.jensenshannon(p, q, base=base), rel=1e-9)


def test_a_profile_has_no_rows_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = written(tmp_path, ("radius",))
    profile = tmp_path / "p.json"
    assert main(["profile", str(logs / "reference.parquet"), "-o", str(profile)]) == 0
    asked = ["report", str(logs), "--db", ":memory:", "--reference", str(profile), "--compat", "evidently"]
    assert main(asked) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usual(1)
@pytest.mark.parametrize("form", ["md", "html"])
def test_every_form_has_the_section(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    logs = written(tmp_path, ("radius", "size"))
    assert main(["report", str(logs), "--db", ":memory:", "--format", form, "--compat", "evidently"]) == 0
    said = capsys.readouterr().out
    assert "Drift as Evidently says it" in said
    assert "the data set" in said


def test_without_a_reference_the_period_of_the_logs_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = written(tmp_path, ("big",))
    (logs / "reference.parquet").unlink()
    found = reported(logs, "nannyml", capsys)
    assert found["columns"]["big"]["threshold"] > 0


@pytest.mark.parametrize(
    "more", [["--multivariate", "--format", "md"], ["--compat", "nannyml", "--compare", "x.json"]]
)
def test_what_would_not_be_shown_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    logs = written(tmp_path, ("radius",))
    assert main(["report", str(logs), "--db", ":memory:", *more]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_all_features_together_are_compared_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(8)
    names = ["w", "x", "y", "z"]
    joint = rng.multivariate_normal(np.zeros(4), np.full((4, 4), 0.8) + 0.2 * np.eye(4), 4000)
    apart = rng.multivariate_normal(np.zeros(4), np.eye(4), 4000)
    logs = tmp_path / "logs"
    logs.mkdir()
    pd.DataFrame(joint, columns=names).to_parquet(logs / "reference.parquet")
    times = pd.Timestamp("2026-11-03T10:00:00Z") + pd.to_timedelta(np.arange(4000), unit="s")
    live = pd.DataFrame(apart, columns=names).assign(timestamp=times, prediction=rng.integers(0, 2, 4000))
    live.to_parquet(logs / "log.parquet")
    assert main(["report", str(logs), "--db", ":memory:", "--format", "json", "--multivariate"]) == 0
    document = json.loads(capsys.readouterr().out)
    (model,) = document["models"].values()
    ((version,),) = [list(versions.values()) for versions in document["multivariate"].values()]
    (quality,) = [found["quality"] for found in model["versions"].values()]
    assert quality["drifted_share"] == 0
    assert version["drifted"] is True
    assert version["error"] > version["high"]
