"""`mlwatch backtest` and `mlwatch calibrate` on the sample rollout."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlwatch
from mlwatch.cli import main

if TYPE_CHECKING:
    from logfiles import SampleStore

ROOT = Path(__file__).resolve().parents[3]
LOGS = str(ROOT / "sample_logs")
FAULT = datetime.fromisoformat("2026-11-03T17:00:00")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_fault_would_have_been_found_soon(
    capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    store = str(sample_store())
    code, out, _ = run(capsys, "backtest", LOGS, "--db", store, "--format", "json")
    assert code == 0
    (found,) = json.loads(out)
    decided = datetime.fromisoformat(found["decided"])
    assert FAULT <= decided < FAULT + timedelta(minutes=30)
    alarms = {name: metric["alarm"] for name, metric in found["metrics"].items()}
    assert all(datetime.fromisoformat(alarms[name]) >= FAULT for name in ("accuracy", "latency_p99"))
    assert found["verdicts"][0]["verdict"] == "hold"
    assert [each["verdict"] for each in found["verdicts"]].count("promote") == 0
    # the last moment of the timeline is the verdict of today
    with mlwatch.open(LOGS, db=store) as watch:
        (rollout,) = watch.snapshot().rollouts
    assert (found["verdicts"][-1]["verdict"], found["verdicts"][-1]["state"]) == (
        rollout.verdict,
        rollout.state,
    )


def test_the_text_names_times_and_metrics(
    capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    store = str(sample_store())
    _, out, _ = run(capsys, "backtest", LOGS, "--db", store)
    assert out.startswith("flight-delay: v2 against v1, canary\ndecided at 2026-11-03 17:")
    assert "judged every 5 minutes: there is little traffic, or much time\n" in out
    _, out, _ = run(capsys, "backtest", LOGS, "--db", store, "--until", "2026-11-03T16:59:00Z")
    assert "never decided" in out
    assert "ROLL BACK" not in out


def test_a_rollout_that_is_over_is_looked_back_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The candidate was rolled back hours ago: no version under test is left, but there was one."""
    logs = write(tmp_path / "logs", 1200, versions=("v1", "v2"))
    later = (
        (logs / "log.jsonl")
        .read_text()
        .replace('"r', '"s')
        .replace('"v2"', '"v1"')
        .replace("11-01T", "11-02T")
    )
    (logs / "later.jsonl").write_text(later)
    code, out, _ = run(capsys, "check", str(logs), "--db", ":memory:")
    assert (code, "no candidate gets traffic any more" in out) == (3, True)
    code, out, _ = run(capsys, "backtest", str(logs), "--db", ":memory:", "--format", "json")
    assert code == 0
    (found,) = json.loads(out)
    assert (found["baseline"], found["candidate"]) == ("v1", "v2")
    assert found["verdicts"][-1]["state"] == "one_arm_silent"


def write(directory: Path, rows: int, noise: float = 0.0, versions: tuple[str, ...] = ("v1",)) -> Path:
    """Write twenty requests a minute of forty users; with noise, some users are wrong together for an hour."""
    directory.mkdir()
    rng = np.random.default_rng(5)
    lines = []
    for i in range(rows):
        minute = i // 20
        wrong = rng.random() < 0.2
        user = i % 40
        if noise and user < 4:
            wrong = (minute // 60) % 2 == 0
        time = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=3 * i)
        record: dict[str, Any] = {
            "timestamp": time.isoformat(),
            "id": f"r{i}",
            "model": "m",
            "user_id": user,
        }
        record |= {
            "version": versions[i % len(versions)],
            "prediction": int(wrong),
            "label": 0,
            "latency_ms": 5.0,
        }
        lines.append(json.dumps(record) + "\n")
    (directory / "log.jsonl").write_text("".join(lines))
    return directory


def test_requests_ahead_of_the_clock_make_no_longer_history(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", 1200, versions=("v1", "v2"))
    arguments = ("backtest", str(logs), "--db", ":memory:", "--format", "json")
    _, before, _ = run(capsys, *arguments)
    both = "\n".join((logs / "log.jsonl").read_text().splitlines()[:2])
    ahead = both.replace("2026-", f"{datetime.now(UTC).year + 1}-").replace('"r', '"ahead')
    (logs / "later.jsonl").write_text(ahead)
    code, after, _ = run(capsys, *arguments)
    assert code == 0
    assert json.loads(after) == json.loads(before)


@pytest.mark.deep
def test_a_calibration_is_kept_and_labels_the_verdict(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", 6000, versions=("v1", "v2"))
    (logs / "mlwatch.toml").write_text("[rollout]\nmetrics = ['accuracy', 'latency_p95']\n")
    store = str(tmp_path / "store.duckdb")
    code, out, _ = run(capsys, "check", str(logs), "--db", store)
    assert "; uncalibrated" in out
    code, out, _ = run(capsys, "calibrate", str(logs), "--db", store, "--splits", "3", "--format", "json")
    assert code == 0
    (found,) = json.loads(out)
    assert (found["requests"], found["splits"], found["false_alarms"]) == (3000, 3, 0)
    assert 0.5 < found["metrics"]["accuracy"]["ratio"] < 2  # nothing but chance
    assert found["metrics"]["latency_p95"]["ratio"] is None  # all are equal: nothing to measure
    _, out, _ = run(capsys, "check", str(logs), "--db", store)
    assert "; calibrated but for p95 latency" in out
    (logs / "mlwatch.toml").write_text("[rollout]\nmetrics = ['accuracy']\n")
    _, out, _ = run(capsys, "check", str(logs), "--db", store)
    assert "; calibrated" in out


def test_users_that_fail_together_inflate_the_variance(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logs = write(tmp_path / "logs", 12000, noise=1.0)
    (logs / "mlwatch.toml").write_text(
        "[roles]\nunit = 'user_id'\n[rollout]\nunit = 'user_id'\nmetrics = ['accuracy']\n"
    )
    arguments = ("calibrate", str(logs), "--splits", "5", "--format", "json")
    _, out, _ = run(capsys, *arguments, "--db", ":memory:")
    by_user = json.loads(out)[0]["metrics"]["accuracy"]["inflation"]
    (logs / "mlwatch.toml").write_text("[rollout]\nunit = 'request'\nmetrics = ['accuracy']\n")
    _, out, _ = run(capsys, *arguments, "--db", ":memory:")
    by_request = json.loads(out)[0]["metrics"]["accuracy"]["inflation"]
    assert by_user > 1.5 * by_request


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("calibrate", "--splits", "0"), "--splits is out of range"),
        (("calibrate",), "v1 has only 100 requests: m: calibrate with 2,000 or more"),
        (("backtest",), "no rollout"),
        (("backtest", "--candidate", "v9"), "version v9 has no traffic: "),
    ],
)
def test_too_little_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    logs = write(tmp_path / "logs", 100)
    code, _, err = run(capsys, arguments[0], str(logs), "--db", ":memory:", *arguments[1:])
    assert code == 2
    assert part in err
    assert err.count("\n") == 1
