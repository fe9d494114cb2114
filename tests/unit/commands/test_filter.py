"""`report` and `check` of a segment alone, against pandas on its rows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main

if TYPE_CHECKING:
    from logfiles import SampleStore

SAMPLES = Path(__file__).parents[3] / "sample_logs"
EVIL = "carrier = '<b>|x`'"


@pytest.fixture
def store(sample_store: SampleStore) -> str:
    return str(sample_store())


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main([*arguments]) == code
    return capsys.readouterr().out


def test_every_number_is_that_of_the_segment(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(said(capsys, "report", str(SAMPLES), "--db", store, "--filter", "carrier = UA"))
    found: dict[str, Any] = document["models"]["flight-delay"]["versions"]
    with mlwatch.open(SAMPLES, db=store) as watch:
        names, records = watch.query("SELECT * FROM predictions WHERE carrier = 'UA'")
        ids, converted = watch.query("SELECT DISTINCT id FROM events WHERE class = 'conversion'")
    rows = pd.DataFrame(records, columns=names)
    assert ids == ["id"]
    for name, mine in rows.groupby("version"):
        version = found[str(name)]
        assert version["predictions"] == len(mine)
        assert version["errors"]["rate"] == pytest.approx(mine["failed"].mean())
        assert version["latency_ms"]["mean"] == pytest.approx(mine["latency_ms"].mean())
        rate = mine["id"].isin([one for (one,) in converted]).mean()
        assert version["business"]["conversion"]["value"] == pytest.approx(rate)
    assert document["provenance"]["filter"] == "carrier = UA"


@pytest.mark.deep
def test_whose_numbers_they_are_is_said(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["report", str(SAMPLES), "--db", store, "--format"]
    text = said(capsys, *asked, "md", "--filter", "carrier = UA")
    assert "duplicates. The numbers are of the records with carrier = UA alone." in text
    assert "| Only records with | carrier = UA |" in text
    assert "<b>" not in said(capsys, *asked, "md", "--filter", EVIL)
    page = said(capsys, *asked, "html", "--filter", EVIL)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    whole = said(capsys, *asked, "md")
    assert "Only records with" not in whole
    assert "alone." not in whole


def test_the_gate_judges_the_segment(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["check", str(SAMPLES), "--db", store, "--filter"]
    text = said(capsys, *asked, "carrier = UA", code=1)
    assert "PASS  filter: only records with carrier = UA" in text
    assert re.search(r"^error rate +0\.\d\d % +1\.75 % ", text, re.MULTILINE), (
        "13 of 741 requests of v2 failed"
    )
    assert "(flight-delay v2): error_rate of v2 is now 5.556 %" in text
    nothing = said(capsys, *asked, "carrier = XX", code=3)
    assert nothing == "HOLD  data: no predictions with carrier = XX\n"


def carriers(directory: Path) -> Path:
    """Write logs in which features moved far from the reference, and apart, for one of two carriers alone."""
    directory.mkdir()
    rng = np.random.default_rng(4)
    carrier = np.tile(["AA", "UA"], 2000)
    x, noise = rng.normal(size=4000), rng.normal(0, 0.1, 4000)
    table = pd.DataFrame({"x": x, "y": x + noise, "carrier": carrier})
    table.to_parquet(directory / "reference.parquet")
    moved = carrier == "UA"
    times = pd.Timestamp("2026-11-03T10:00:00Z") + pd.to_timedelta(np.arange(4000), unit="s")
    live = table.assign(
        x=np.where(moved, x + 3, x), y=np.where(moved, -x, x + noise), timestamp=times, prediction=1
    )
    live.to_parquet(directory / "log.parquet")
    return directory


@pytest.mark.usual(1)
@pytest.mark.parametrize(("carrier", "drifted"), [("UA", True), ("AA", False)])
def test_what_takes_raw_rows_takes_those_of_the_segment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], carrier: str, drifted: bool
) -> None:
    logs = carriers(tmp_path / "logs")
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("reference", "log"):
        table = pd.read_parquet(logs / f"{name}.parquet")
        chosen = table.carrier == carrier if name == "log" else table.carrier.notna()
        table[chosen].to_parquet(alone / f"{name}.parquet")
    asked = ["--db", ":memory:", "--multivariate", "--compat", "evidently"]
    only = ["--filter", f"carrier = {carrier}"]
    found, expected = (
        json.loads(said(capsys, "report", str(path), *asked, *more))
        for path, more in ((logs, only), (alone, []))
    )
    (version,) = found["compat"]["models"]["logs"].values()
    assert version["columns"]["x"]["drifted"] is drifted
    assert version == next(iter(expected["compat"]["models"]["alone"].values()))
    (together,) = found["multivariate"]["logs"].values()
    assert together == next(iter(expected["multivariate"]["alone"].values()))


def test_a_filter_that_cannot_be_understood_is_one_line(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("report", "check"):
        assert main([command, str(SAMPLES), "--db", store, "--filter", "carier = UA"]) == 2
        assert capsys.readouterr().err == (
            "mlwatch: there is no field carier: filter, character 1: did you mean carrier?\n"
        )


@pytest.mark.deep
def test_rollups_have_no_records_to_filter(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollup", str(SAMPLES), "--db", store, "-o", str(tmp_path / "lake")]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path / "lake"), "--db", ":memory:", "--filter", "carrier = UA"]) == 2
    assert "nothing to filter: a rollup lake has no records" in capsys.readouterr().err
