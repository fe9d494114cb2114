"""Offline runs of the real wandb, read back from their files: every number is the document's, and nothing is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hostile import BASELINE, CANDIDATE, MODEL, NUMBER, write_hostile_logs
from wandbfiles import items, records

from mlwatch.cli import main
from mlwatch.errors import one_line
from mlwatch.metrics.drift import Drift
from mlwatch.systems.wandb_runs import _drifts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

LOGS = Path(__file__).resolve().parents[3] / "sample_logs"


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that nobody should ask."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        do_GET = do_POST = do_CONNECT  # noqa: N815

        def log_message(self, *rest: Any) -> None:
            """Be quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def export(logs: Path, directory: Path, proxy: str = "http://127.0.0.1:9", store: str = ":memory:") -> str:
    """Export as a user does, with everything outward through a proxy."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    env |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "HOME": str(directory.parent)}
    command = [sys.executable, "-m", "mlwatch", "export", str(logs), "--db", store, "--to", "wandb"]
    done = subprocess.run(
        [*command, "-o", str(directory)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def runs(directory: Path) -> dict[str, list[Any]]:
    """Return the records of each run, by its name."""
    files = sorted(directory.glob("wandb/offline-run-*/run-*.wandb"))
    found = [records(file) for file in files]
    return {next(each.run.display_name for each in one if each.HasField("run")): one for one in found}


def summary_of(found: list[Any]) -> dict[str, Any]:
    """Return the summary, the last word on each key."""
    return {
        key: value
        for each in found
        if each.HasField("summary")
        for key, value in items(each.summary.update).items()
    }


def history_of(found: list[Any]) -> list[dict[str, Any]]:
    return [items(each.history.item) for each in found if each.HasField("history")]


def test_runs_have_the_documents_numbers_and_nothing_is_sent(
    tmp_path: Path,
    proxy: tuple[str, list[str]],
    capsys: pytest.CaptureFixture[str],
    sample_store: SampleStore,
) -> None:
    (address, asked), store = proxy, str(sample_store())
    said = export(LOGS, tmp_path / "runs", address, store)
    assert said.startswith("2 offline runs are written; nothing is sent. To send them:\nwandb sync ")
    assert asked == []
    assert main(["report", str(LOGS), "--db", store, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    versions = document["models"]["flight-delay"]["versions"]
    found = runs(tmp_path / "runs")
    assert sorted(found) == ["flight-delay v1", "flight-delay v2"]
    for name, version in versions.items():
        each = found[f"flight-delay {name}"]
        summary = summary_of(each)
        for metric, estimate in version["performance"].items():
            assert summary[f"performance/{metric}"] == pytest.approx(estimate["value"])
        assert summary["health/latency_p95_ms"] == pytest.approx(version["latency_ms"]["p95"])
        assert summary["quality/drifted_share"] == pytest.approx(version["quality"]["drifted_share"])
        assert summary["business/conversion"] == pytest.approx(version["business"]["conversion"]["value"])
        windows = [window for window in version["windows"] if window["predictions"]]
        history = history_of(each)
        assert len(history) == len(windows)
        assert [step["traffic/predictions"] for step in history] == [w["predictions"] for w in windows]
        assert [step.get("performance/accuracy") for step in history] == pytest.approx(
            [window["performance"]["accuracy"]["value"] for window in windows]
        )
    (rollout,) = document["rollouts"]
    verdict = summary_of(found["flight-delay v2"])
    assert (verdict["verdict"], verdict["verdict_reasons"]) == ("rollback", "; ".join(rollout["reasons"]))
    assert verdict["rollout/accuracy/low"] == pytest.approx(rollout["metrics"]["accuracy"]["low"])
    assert verdict["rollout/accuracy/status"] == "worse"
    assert "verdict" not in summary_of(found["flight-delay v1"])
    run = next(each.run for each in found["flight-delay v2"] if each.HasField("run"))
    config = items(run.config.update)
    assert (config["role"], config["provenance"]["git"]) == ("candidate", document["provenance"]["git"])
    assert (run.project, run.run_group, run.job_type) == ("mlwatch", "flight-delay", "monitoring")


@pytest.mark.deep
def test_hostile_names_are_names(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_hostile_logs(logs)
    export(logs, tmp_path / "runs")
    found = runs(tmp_path / "runs")
    assert set(found) == {f"{one_line(MODEL)} {one_line(name)}"[:128] for name in (BASELINE, CANDIDATE)}
    assert f"drift/{one_line(NUMBER)}" in summary_of(found[f"{one_line(MODEL)} {one_line(CANDIDATE)}"[:128]])


def test_a_drift_of_a_few_rows_is_not_told() -> None:
    features = {
        "few": SimpleNamespace(drift=Drift(score=0.9, state="too_few")),
        "many": SimpleNamespace(drift=Drift(score=0.2, state="ok")),
        "none": SimpleNamespace(drift=None),
    }
    assert _drifts(SimpleNamespace(quality=SimpleNamespace(features=features))) == {"drift/many": 0.2}  # type: ignore[arg-type]


def test_a_missing_package_and_a_wrong_directory_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sample_store: SampleStore,
) -> None:
    (tmp_path / "file").write_text("")
    store = str(sample_store())
    command = ["export", str(LOGS), "--db", store, "--to", "wandb", "-o", str(tmp_path / "file")]
    assert main(command) == 2
    assert capsys.readouterr().err.endswith("/file: give another directory with -o\n")
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "mlwatch: W&B runs need one more package: --to wandb: pip install 'mlwatch[wandb]'\n"
    )
