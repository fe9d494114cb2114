"""The gate as a step of Kubeflow Pipelines: run by kfp itself, in a process of its own, without cluster or network."""

# no postponed annotations: those of components are read by kfp

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.cli import main
from mlwatch.errors import InputError
from mlwatch.kfp import GateClosedError, check_component, gate, let_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from logfiles import SampleStore

LOGS = Path(__file__).resolve().parents[3] / "sample_logs"


def document(capsys: pytest.CaptureFixture[str], store: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", str(LOGS), "--db", str(store), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def local(tmp_path: Path, sample_state: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """kfp's own runner of steps, with what is installed here, and the logs taken in before."""
    from kfp import local

    monkeypatch.setenv("XDG_STATE_HOME", str(sample_state))
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(tmp_path / "root"),
        raise_on_error=False,
    )
    return local


@pytest.mark.deep
@pytest.mark.slow
def test_a_step_has_outcome_metrics_and_report(
    local: Any, capsys: pytest.CaptureFixture[str], sample_store: "SampleStore"
) -> None:
    check = check_component(packages=())
    task = check(logs=str(LOGS), candidate="v2", stop=False)
    assert task.outputs["outcome"] == "fail"
    versions = document(capsys, sample_store())["models"]["flight-delay"]["versions"]
    metrics = task.outputs["metrics"].metadata
    assert metrics["checks/fail"] == 1
    for name, version in versions.items():
        assert metrics[f"{name}/performance/accuracy"] == pytest.approx(
            version["performance"]["accuracy"]["value"]
        )
        assert metrics[f"{name}/health/latency_p95_ms"] == pytest.approx(version["latency_ms"]["p95"])
    page = Path(task.outputs["report"].path).read_text(encoding="utf-8")
    assert "▼ Roll back v2" in page
    assert "<svg" in page


@pytest.fixture
def mark() -> Any:
    """A step that leaves a file, to see that it ran and with what."""
    from kfp import dsl

    def mark(path: str, text: str = "") -> None:
        from pathlib import Path

        Path(path).write_text(text)

    return dsl.component(mark, base_image="python:3.12", packages_to_install=[], install_kfp_package=False)


@pytest.mark.deep
def test_a_later_step_gets_the_outcome(local: Any, mark: Any, tmp_path: Path) -> None:
    from kfp import dsl

    check = check_component(packages=())

    def rollout(logs: str, path: str) -> None:
        mark(path=path, text=check(logs=logs, stop=False).outputs["outcome"])

    dsl.pipeline(rollout)(logs=str(LOGS), path=str(tmp_path / "outcome"))
    assert (tmp_path / "outcome").read_text() == "fail"


def test_a_condition_may_ask_for_the_outcome(mark: Any, tmp_path: Path) -> None:
    """Compiled only: kfp's local runner asks conditions for no output but one that is called `Output`."""
    import yaml
    from kfp import compiler, dsl

    check = check_component()

    def rollout(logs: str) -> None:
        with dsl.If(check(logs=logs, stop=False).outputs["outcome"] == "pass"):
            mark(path="promoted")

    compiler.Compiler().compile(dsl.pipeline(rollout), str(tmp_path / "rollout.yaml"))
    tasks = yaml.safe_load((tmp_path / "rollout.yaml").read_text())["root"]["dag"]["tasks"]
    condition = tasks["condition-1"]
    asked = condition["inputs"]["parameters"]["pipelinechannel--mlwatch-check-outcome"]
    assert asked["taskOutputParameter"] == {
        "outputParameterKey": "outcome",
        "producerTask": "mlwatch-check",
    }
    assert condition["triggerPolicy"]["condition"].endswith("== 'pass'")


@pytest.mark.deep
def test_a_failed_check_stops_the_pipeline(local: Any, mark: Any, tmp_path: Path) -> None:
    from kfp import dsl

    check = check_component(packages=())

    def rollout(logs: str, marks: str) -> None:
        mark(path=f"{marks}/deployed").after(check(logs=logs))

    (tmp_path / "marks").mkdir()
    dsl.pipeline(rollout)(logs=str(LOGS), marks=str(tmp_path / "marks"))
    assert list((tmp_path / "marks").iterdir()) == []


def test_the_component_compiles_for_a_cluster(tmp_path: Path) -> None:
    import yaml
    from kfp import compiler

    file = tmp_path / "check.yaml"
    compiler.Compiler().compile(check_component(image="lab/mlwatch:1"), str(file))
    found = yaml.safe_load(file.read_text())
    inputs = found["root"]["inputDefinitions"]["parameters"]
    assert [name for name, one in inputs.items() if not one.get("isOptional")] == ["logs"]
    outputs = found["components"]["comp-mlwatch-check"]["outputDefinitions"]
    assert outputs["artifacts"]["metrics"]["artifactType"]["schemaTitle"] == "system.Metrics"
    assert outputs["artifacts"]["report"]["artifactType"]["schemaTitle"] == "system.HTML"
    assert set(outputs["parameters"]) == {"outcome"}
    container = found["deploymentSpec"]["executors"]["exec-mlwatch-check"]["container"]
    assert container["image"] == "lab/mlwatch:1"
    assert "mlwatch[report]==" in " ".join(container["command"])


@pytest.mark.parametrize(
    ("outcome", "hold", "closed"),
    [("pass", "fail", False), ("fail", "pass", True), ("hold", "fail", True), ("hold", "pass", False)],
)
def test_what_is_let_through(outcome: str, hold: str, closed: bool) -> None:
    from mlwatch.kfp import Gate

    found = Gate(outcome, "HOLD  not yet\nlabels are missing\n", {}, "")
    if closed:
        with pytest.raises(GateClosedError, match=f"the check says {outcome}: mlwatch: HOLD not yet labels"):
            let_through(found, hold)
    else:
        let_through(found, hold)


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda: gate("/nowhere/logs"), "/nowhere/logs"),
        (lambda: gate(str(LOGS), wait="soon"), "wait: give a length such as 30m"),
        (lambda: gate(str(LOGS), config="/nowhere.toml"), "/nowhere.toml"),
    ],
)
def test_bad_input_is_one_line(ask: "Callable[[], object]", line: str) -> None:
    with pytest.raises(InputError if "nowhere.toml" not in line else Exception, match=line) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kfp", None)
    with pytest.raises(InputError, match=r"one more package: mlwatch.kfp: pip install 'mlwatch\[kfp\]'"):
        check_component()
