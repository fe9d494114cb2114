"""The composite action: its script run by bash as a runner does, and its inputs handed on as data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "actions" / "mlwatch-check"
LOGS = ROOT / "sample_logs"

GOOD = '[[rule]]\nmetric = "drifted_share"\nwhen = "> 50%"\nversion = "baseline"\n'
BROKEN = '[[rule]]\nname = "few missing"\nmetric = "error_rate"\nwhen = ">= 0%"\nseverity = "critical"\n'

Outputs = dict[str, str]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    command = tmp_path / "bin" / "mlwatch"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlwatch "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def step(environment: Mapping[str, str], **inputs: str) -> tuple[subprocess.CompletedProcess[str], Outputs]:
    given = {f"MLWATCH_{name.upper()}": value for name, value in inputs.items()}
    done = subprocess.run(
        ["bash", str(ACTION / "check.sh")],
        env={**environment, "MLWATCH_INSTALL": "", **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = Path(environment["GITHUB_OUTPUT"]).read_text().splitlines()
    return done, dict(line.split("=", 1) for line in lines)


def one_version(directory: Path) -> Path:
    directory.mkdir()
    (directory / "log.jsonl").write_text(
        "".join(
            f'{{"timestamp": "2026-11-03T10:{i // 60:02d}:{i % 60:02d}Z", "id": "r{i}", "model": "m", '
            f'"version": "v1", "prediction": {i % 2}, "label": {(i + (i % 10 == 0)) % 2}, "age": {i % 50}}}\n'
            for i in range(600)
        )
    )
    return directory


def test_a_bad_rollout_fails_the_step_with_outputs_a_summary_and_a_report(
    tmp_path: Path, environment: dict[str, str], sample_state: Path
) -> None:
    report = tmp_path / "a report.html"
    known = {**environment, "XDG_STATE_HOME": str(sample_state)}
    done, outputs = step(known, path=str(LOGS), report=str(report), wait="1m")
    assert (done.returncode, outputs) == (1, {"outcome": "fail", "exit-code": "1"})
    assert "::error" in done.stdout
    assert Path(environment["GITHUB_STEP_SUMMARY"]).read_text().startswith("## Roll back: flight-delay")
    assert report.read_text().startswith("<!doctype html>")


@pytest.mark.deep
def test_data_validation_passes_and_fails_by_its_rules(tmp_path: Path, environment: dict[str, str]) -> None:
    logs, rules = one_version(tmp_path / "logs"), tmp_path / "rules.toml"
    rules.write_text(GOOD)
    done, outputs = step(environment, path=str(logs), config=str(rules))
    assert (done.returncode, outputs["outcome"]) == (0, "pass"), done.stdout + done.stderr
    rules.write_text(BROKEN)
    done, outputs = step(environment, path=str(logs), config=str(rules))
    assert (done.returncode, outputs["outcome"]) == (1, "fail")
    assert "few missing" in done.stdout


@pytest.mark.deep
@pytest.mark.usual(1)
@pytest.mark.parametrize(("least", "outcome"), [(0.85, "pass"), (0.95, "fail")])
def test_a_model_quality_check_asks_for_its_accuracy(
    least: float, outcome: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    logs, rules = one_version(tmp_path / "logs"), tmp_path / "model.toml"  # one answer in ten is wrong
    rules.write_text(f'[[rule]]\nmetric = "accuracy"\nwhen = "< {least}"\nseverity = "critical"\n')
    done, outputs = step(environment, path=str(logs), config=str(rules))
    assert outputs["outcome"] == outcome, done.stdout + done.stderr


@pytest.mark.deep
def test_a_stage_of_a_deploy_waits_and_then_holds(tmp_path: Path, environment: dict[str, str]) -> None:
    logs = one_version(tmp_path / "logs")
    done, outputs = step(environment, path=str(logs), wait="1s", arguments="--candidate v2")
    assert (done.returncode, outputs["outcome"]) == (3, "hold")
    assert "mlwatch: waiting, up to " in done.stderr


@pytest.mark.deep
def test_the_report_is_of_what_was_judged(tmp_path: Path, environment: dict[str, str]) -> None:
    logs, report = one_version(tmp_path / "logs"), tmp_path / "report.html"
    for version in ("v2", "v3"):
        text = (logs / "log.jsonl").read_text().replace('"v1"', f'"{version}"').replace('"r', f'"{version}-')
        (logs / f"{version}.jsonl").write_text(text)
    done, _ = step(environment, path=str(logs), report=str(report), arguments="--candidate v3 --baseline v2")
    assert "v3 against v2" in done.stdout + Path(environment["GITHUB_STEP_SUMMARY"]).read_text()
    page = report.read_text()
    assert "v3 against v2" in page
    assert "against v1" not in page


def test_the_pipeline_of_the_readme_is_one_of_this_action() -> None:
    text = (ROOT / "README.md").read_text()
    (block,) = [
        part for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "data_validation:" in part
    ]
    jobs = yaml.safe_load(block)["jobs"]
    inputs = yaml.safe_load((ACTION / "action.yml").read_text())["inputs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "data_validation": None,
        "model_quality_check": "data_validation",
        "deploy": "model_quality_check",
    }
    given = {
        name: next(
            step["with"] for step in job["steps"] if step.get("uses") == "./.github/actions/mlwatch-check"
        )
        for name, job in jobs.items()
    }
    for found in given.values():
        assert {name for name, one in inputs.items() if one.get("required")} <= set(found) <= set(inputs)
    assert "wait" in given["deploy"]


@pytest.mark.deep
def test_a_hold_fails_the_step_unless_it_may_pass(tmp_path: Path, environment: dict[str, str]) -> None:
    logs = one_version(tmp_path / "logs")
    done, outputs = step(environment, path=str(logs))
    assert (done.returncode, outputs) == (3, {"outcome": "hold", "exit-code": "3"})
    done, outputs = step(environment, path=str(logs), hold="pass")
    assert (done.returncode, outputs["outcome"]) == (0, "hold")


def test_a_mistake_is_an_error_with_its_line(tmp_path: Path, environment: dict[str, str]) -> None:
    done, outputs = step(environment, path=str(tmp_path / "no such; touch ran"), arguments="--model a")
    assert (done.returncode, outputs["outcome"]) == (2, "error")
    assert done.stderr.startswith("mlwatch: ")
    assert not (tmp_path / "ran").exists()


def test_every_input_reaches_the_script_and_none_its_text() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    (only,) = action["runs"]["steps"]
    handed = {name: re.findall(r"inputs\.([\w-]+)", value) for name, value in only["env"].items()}
    assert {name for names in handed.values() for name in names} == set(action["inputs"])
    assert handed == {f"MLWATCH_{name.upper()}": [name] for name in action["inputs"]}
    assert "inputs." not in only["run"]
    script = (ACTION / "check.sh").read_text()
    assert set(re.findall(r"MLWATCH_[A-Z]+", script)) == set(handed)
    for output in action["outputs"]:
        assert f"{output}=$" in script
