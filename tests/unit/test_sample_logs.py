"""The sample logs are what their script makes, and hold what their facts say."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "sample_logs"
FACTS: dict[str, Any] = json.loads((ROOT / "tests" / "fixtures" / "sample_facts.json").read_text())
LOG_FILES = [path for path in LOGS.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
SUFFIXES = {".jsonl", ".gz", ".csv", ".parquet"}


def load_facts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_logs_facts", LOGS / "facts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The facts, read from the files now."""
    return load_facts().compute(LOGS)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """One row a request, with its label."""
    return load_facts().read_all(LOGS)["rows"]  # type: ignore[no-any-return]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}")
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from leaves(child, f"{path}.{number}")
    else:
        yield path, value


def content(path: Path) -> str:
    """Return a hash of what a file holds, whatever wrote or compressed it."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        data = table.to_json(orient="records", date_format="iso", double_precision=15).encode()
    else:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return hashlib.sha256(data).hexdigest()


def test_everything_is_below_four_megabytes() -> None:
    assert sum(path.stat().st_size for path in LOGS.rglob("*") if path.suffix != ".pyc") < 4_000_000


def test_every_kind_of_file_is_there() -> None:
    kinds = {"".join(path.suffixes) for path in (LOGS / "predictions").iterdir()}
    assert kinds == {".jsonl", ".jsonl.gz", ".csv", ".parquet"}
    assert len(list((LOGS / "predictions").iterdir())) == 24


def test_facts_hold(found: dict[str, Any]) -> None:
    now, stated = dict(leaves(found)), dict(leaves(FACTS))
    del now[".made_with.scikit-learn"], stated[".made_with.scikit-learn"]
    numbers = {path: value for path, value in stated.items() if not isinstance(value, str)}
    assert {path: now[path] for path in numbers} == pytest.approx(numbers, rel=1e-12)
    assert {path: now.get(path) for path in stated.keys() - numbers} == {
        path: stated[path] for path in stated.keys() - numbers
    }
    assert now.keys() == stated.keys()


def test_every_record_is_accounted_for() -> None:
    ingest = FACTS["ingest"]
    taken = ingest["predictions"] + ingest["outcomes"] + ingest["events"]
    lines = 0
    for path in LOG_FILES:
        if path.suffix in {".jsonl", ".gz"}:
            raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            lines += raw.count(b"\n")
        elif path.suffix == ".csv":
            lines += path.read_bytes().count(b"\n") - 1
        elif path.parent.name == "predictions" and path.suffix == ".parquet":
            lines += len(pd.read_parquet(path))
    assert lines == ingest["records"] == taken + ingest["rejected"] + ingest["duplicates"]
    assert ingest["rejected"] == 6
    assert ingest["duplicates"] == 15


def test_a_user_can_find_the_fault() -> None:
    before, after = FACTS["before_fault"], FACTS["after_fault"]
    assert before["v2"]["performance"]["accuracy"] > before["v1"]["performance"]["accuracy"]
    counts = []
    for version in ("v1", "v2"):
        n = after[version]["labelled"]
        right = round(after[version]["performance"]["accuracy"] * n)
        counts.append([right, n - right])
    assert counts[0][0] / sum(counts[0]) - counts[1][0] / sum(counts[1]) > 0.1
    assert stats.chi2_contingency(counts).pvalue < 1e-15
    assert after["v2"]["latency_ms"]["p95"] > 5 * before["v2"]["latency_ms"]["p95"]
    rates = [after[v]["business"]["converted"] / after[v]["predictions"] for v in ("v1", "v2")]
    assert rates[1] < 0.5 * rates[0]


def test_only_the_faulty_feature_drifts(rows: pd.DataFrame) -> None:
    reference = pd.read_parquet(LOGS / "reference.parquet")
    broken = rows["timestamp"] >= pd.Timestamp(FACTS["fault"]["from"])
    phases = {
        "v2 before": ~broken & (rows["version"] == "v2"),
        "v2 after": broken & (rows["version"] == "v2"),
    }
    moved = {
        (phase, name)
        for phase, mine in phases.items()
        for name in reference.columns.drop(["prediction", "score", "label"])
        if psi(reference[name], rows.loc[mine, f"features.{name}"]) > 0.1
    }
    assert moved == {("v2 after", FACTS["fault"]["feature"])}


def psi(reference: pd.Series, current: pd.Series) -> float:
    """Population stability index over ten quantile bins, or the ten most frequent categories."""
    if pd.api.types.is_numeric_dtype(reference):
        edges = np.unique(np.quantile(reference.dropna(), np.linspace(0, 1, 11)))[1:-1]
        shares = [
            np.bincount(np.digitize(x.dropna(), edges), minlength=len(edges) + 1)
            for x in (reference, current)
        ]
    else:
        top = reference.value_counts().index[:10]
        shares = [np.array([*(x == k for k in top), ~x.isin(top)]).sum(axis=1) for x in (reference, current)]
    p, q = (np.maximum(share / share.sum(), 1e-4) for share in shares)
    return float(((p - q) * np.log(p / q)).sum())


def test_the_configuration_names_the_events_that_are_there() -> None:
    settings = tomllib.loads((LOGS / "mlwatch.toml").read_text())
    business, rollout = settings["business"], settings["rollout"]
    named = {kind for key in ("conversion", "engagement", "refund") for kind in business[key]}
    lines = (line for path in (LOGS / "events").iterdir() for line in path.read_text().splitlines())
    assert {json.loads(line)["event"] for line in lines} == named
    assert {rollout["baseline"], rollout["candidate"]} == set(FACTS["versions"])


@pytest.mark.deep
@pytest.mark.slow
@pytest.mark.skipif(
    sklearn.__version__.split(".")[:2] != FACTS["made_with"]["scikit-learn"].split(".")[:2],
    reason="another scikit-learn may grow other trees",
)
def test_the_script_makes_the_same_logs_again(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(LOGS / "generate.py"), str(tmp_path)], check=True, capture_output=True
    )
    made = {
        path.relative_to(tmp_path): content(path) for path in tmp_path.rglob("*") if path.suffix in SUFFIXES
    }
    kept = {path.relative_to(LOGS): content(path) for path in LOG_FILES if path.suffix in SUFFIXES}
    assert made == kept
