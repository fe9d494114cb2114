"""`mlwatch check` on the sample rollout, and on what is not enough to judge."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlwatch
from mlwatch.cli import main

ROOT = Path(__file__).resolve().parents[3]
LOGS = str(ROOT / "sample_logs")
BEFORE = "2026-11-03T16:59:00Z"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments, "--db", ":memory:"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write(directory: Path, versions: tuple[str, ...], rows: int = 400, wrong: float = 0.0) -> Path:
    directory.mkdir(exist_ok=True)
    lines = []
    for i in range(rows):
        version = versions[i % len(versions)]
        label = (i // 2) % 2
        bad = version == "v2" and (i % 100) < 100 * wrong
        time = f"2026-11-03T{10 + i // 60:02d}:{i % 60:02d}:00Z"
        record = {"timestamp": time, "id": f"r{i}", "model": "m", "version": version, "latency_ms": 5.0}
        lines.append(json.dumps({**record, "prediction": 1 - label if bad else label, "label": label}))
    (directory / "log.jsonl").write_text("\n".join(lines) + "\n")
    return directory


def test_the_planted_fault_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, LOGS)
    assert code == 1
    assert out.startswith("ROLL BACK  flight-delay: v2 against v1")
    assert "accuracy of v2 is 4.1 points below v1's" in out
    assert "p99 latency of v2 is" in out


def test_before_the_fault_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, LOGS, "--at", BEFORE)
    assert code == 3
    assert out.startswith("HOLD")


def test_logs_that_end_before_the_fault_hold_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cut = tmp_path / "logs"
    for path in Path(LOGS).rglob("2026-11-03T*"):
        hour = int(path.name[11:13])
        if hour < 17 and path.is_file():
            target = cut / path.relative_to(LOGS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    code, out, _ = run(capsys, str(cut))
    assert code in {0, 3}
    assert "ROLL BACK" not in out


def test_the_size_of_the_effect_is_that_of_the_raw_rows() -> None:
    with mlwatch.open(LOGS, db=":memory:") as watch:
        rows = watch.frame("predictions")
        (rollout,) = watch.snapshot().rollouts
        (early,) = watch.snapshot(at=datetime.fromisoformat(BEFORE)).rollouts
    served = rows[~rows.failed & rows.label.notna()]
    right = served.label == served.prediction
    accuracy = right.groupby(served.version).mean()
    metric = rollout.metrics["accuracy"]
    assert metric.candidate == pytest.approx(accuracy["v2"], abs=1e-12)
    assert metric.baseline == pytest.approx(accuracy["v1"], abs=2e-3)  # only the minutes that both share
    assert metric.low is not None
    assert metric.high is not None
    assert metric.low <= accuracy["v2"] - accuracy["v1"] <= metric.high < 0
    minute = pd.to_datetime(served.ts).dt.floor("min")
    table = pd.DataFrame({"minute": minute, "v": served.version, "right": right})
    by = table.groupby(["minute", "v"]).right.agg(["sum", "count"]).unstack(fill_value=0)
    n_c, n_b = by["count"]["v2"], by["count"]["v1"]
    both = (n_c > 0) & (n_b > 0)
    weight = (n_c * n_b / (n_c + n_b))[both]
    difference = (by["sum"]["v2"] / n_c - by["sum"]["v1"] / n_b)[both]
    stratified = float((weight * difference).sum() / weight.sum())
    assert metric.difference == pytest.approx(stratified, abs=0.01)
    assert early.verdict == "hold"
    assert early.metrics["accuracy"].status == "inconclusive"


def test_a_single_version_is_a_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, str(write(tmp_path / "logs", ("v1",))))
    assert code == 3
    assert "only one version has traffic (v1)" in out


def test_an_unknown_version_is_a_hold_that_names_the_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capsys, str(write(tmp_path / "logs", ("v1", "v2"))), "--candidate", "v9")
    assert code == 3
    assert "version v9 has no traffic; the logs know v1, v2" in out


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("[rollout]\nmargins = {accuracy = -1}\n", "accuracy"),
        ("[rollout]\nmetrics = ['acuracy']\n", "no metric acuracy"),
        ("[[rule]]\nmetric = 'speed'\nwhen = '> 1'\n", "no metric speed"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: str, part: str
) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"))
    (logs / "mlwatch.toml").write_text(config)
    code, _, err = run(capsys, str(logs))
    assert code == 2
    assert part in err
    assert err.count("\n") == 1


def test_rules_are_findings_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", ("v1", "v2"), wrong=0.5)
    rules = [
        ("accuracy", "drop > 10%", "candidate"),
        ("latency_p95", "< 100", "candidate"),
        ("roc_auc", "< 1", "v1"),
    ]
    text = "".join(f"[[rule]]\nmetric = '{m}'\nwhen = '{w}'\nversion = '{v}'\n" for m, w, v in rules)
    (logs / "mlwatch.toml").write_text(text)
    code, out, _ = run(capsys, str(logs), "--format", "json")
    assert code == 1
    outcomes = {item["name"]: item["outcome"] for item in json.loads(out)["findings"][1:]}
    assert outcomes == {
        "accuracy drop > 10% (m v2)": "fail",
        "latency_p95 < 100 (m v2)": "fail",
        "roc_auc < 1 (m v1)": "hold",
    }


def test_formats_are_well_formed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, LOGS, "--format", "junit")
    assert code == 1
    suite = ET.fromstring(out)
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    _, out, _ = run(capsys, LOGS, "--format", "github")
    assert out.startswith("::error title=rollout of flight-delay::rollback: ")
    assert out.count("\n") == 1


def test_hostile_versions_stay_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = 'v2"><script>%0A::error::\x1b[31m\n'
    logs = write(tmp_path / "logs", ("v1", "v2"))
    path = logs / "log.jsonl"
    path.write_text(path.read_text().replace('"v2"', json.dumps(name)))
    for form in ("text", "junit", "github"):
        _, out, _ = run(capsys, str(logs), "--format", form)
        assert "\x1b" not in out
        if form == "junit":
            ET.fromstring(out)
        if form == "github":
            assert all(
                line.startswith(("::error title=", "::warning title=", "::notice title="))
                for line in out.splitlines()
            )
            assert "%0A" not in out.replace("%250A", "")


def test_the_order_of_arrival_does_not_change_the_verdict(tmp_path: Path) -> None:
    lines = (write(tmp_path / "a", ("v1", "v2"), wrong=0.3) / "log.jsonl").read_text().splitlines()
    found: list[Any] = []
    for name, order in (("b", lines), ("c", lines[::-1]), ("d", lines[1::2] + lines[::2])):
        directory = tmp_path / name
        directory.mkdir()
        half = len(order) // 2
        (directory / "x.jsonl").write_text("\n".join(order[:half]) + "\n")
        (directory / "y.jsonl").write_text("\n".join(order[half:]) + "\n")
        with mlwatch.open(directory, db=":memory:", model="m") as watch:
            (rollout,) = watch.snapshot().rollouts
        found.append(
            (rollout.verdict, rollout.reasons, {k: m.difference or 0.0 for k, m in rollout.metrics.items()})
        )
    assert found[0][:2] == found[1][:2] == found[2][:2]
    for other in found[1:]:
        assert other[2] == pytest.approx(found[0][2], rel=1e-9, abs=1e-12)


def test_the_verdict_of_a_moment_does_not_depend_on_the_range() -> None:
    at = datetime(2026, 11, 3, 20, tzinfo=UTC)
    with mlwatch.open(LOGS, db=":memory:") as watch:
        (whole,) = watch.snapshot(at=at).rollouts
        (part,) = watch.snapshot(span=pd.Timedelta(hours=1).to_pytimedelta(), at=at).rollouts
    assert whole == part
