"""A gate for Kubeflow Pipelines: judge prediction logs as a step, with metrics and a report as its outputs.

```python
from kfp import dsl
from mlwatch.kfp import check_component

check = check_component()

@dsl.pipeline
def rollout(logs: str) -> None:
    gate = check(logs=logs, candidate="v2", stop=False)
    with dsl.If(gate.outputs["outcome"] == "pass"):
        ...
```
"""

# no postponed annotations: those of the component are read by kfp

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import mlwatch
from mlwatch.errors import InputError, MlwatchError, one_line
from mlwatch.times import parse_duration

if TYPE_CHECKING:
    from mlwatch.faces.check import Check
    from mlwatch.snapshot.types import Snapshot

IMAGE = "python:3.12-slim"
PACKAGES = (f"mlwatch[report]=={mlwatch.__version__}",)
MOST_METRICS = 200


class Gate(NamedTuple):
    """What a check came to."""

    outcome: str
    """`pass`, `fail` or `hold`."""
    summary: str
    """The verdict and what was checked, in words."""
    metrics: dict[str, float]
    """Numbers of each version, such as `v2/performance/accuracy`."""
    report: str
    """An HTML page."""


class GateClosedError(MlwatchError):
    """The step is to stop the pipeline."""


def check_component(*, image: str = IMAGE, packages: Sequence[str] = PACKAGES) -> Any:
    """Return `mlwatch check` as a component of Kubeflow Pipelines 2.

    Its inputs are those of `gate`, and `stop` and `hold`: by default a failed check fails the step, as does a hold,
    unless `hold="pass"`. With `stop=False` the step succeeds whatever the outcome, which a condition can then ask for.
    Its outputs are `outcome`, `metrics` and `report`; a step that fails leaves none.

    Args:
        image: That the step runs in.
        packages: What pip installs there first; none where the image has mlwatch.

    Raises:
        InputError: when the package `kfp` is missing.
    """
    try:
        from kfp import dsl  # noqa: PLC0415  an extra
    except ImportError as error:
        todo = "pip install 'mlwatch[kfp]'"
        raise InputError("components need one more package", "mlwatch.kfp", todo) from error

    # its source travels into the pipeline: everything that it uses is imported in it
    def mlwatch_check(
        logs: str,
        outcome: dsl.OutputPath(str),  # type: ignore[valid-type]
        metrics: dsl.Output[dsl.Metrics],
        report: dsl.Output[dsl.HTML],
        config: str = "",
        reference: str = "",
        model: str = "",
        baseline: str = "",
        candidate: str = "",
        wait: str = "",
        hold: str = "fail",
        stop: bool = True,
    ) -> None:
        """Judge prediction logs: promote, hold or roll back."""
        from pathlib import Path  # noqa: PLC0415

        from mlwatch.kfp import gate, let_through  # noqa: PLC0415

        found = gate(logs, config, reference, model, baseline, candidate, wait)
        for name, value in found.metrics.items():
            metrics.log_metric(name, value)
        Path(report.path).write_text(found.report, encoding="utf-8")
        Path(outcome).write_text(found.outcome, encoding="utf-8")
        if stop:
            let_through(found, hold)

    return dsl.component(
        mlwatch_check,
        base_image=image,
        packages_to_install=list(packages),
        install_kfp_package=bool(packages),
    )


def gate(
    logs: str,
    config: str = "",
    reference: str = "",
    model: str = "",
    baseline: str = "",
    candidate: str = "",
    wait: str = "",
) -> Gate:
    """Judge prediction logs once, and print the answer into the step's log.

    Args:
        logs: A directory of prediction logs, one file, or `kafka://BROKER:9092/TOPIC`.
        config: Configuration with the rules; `mlwatch.toml` in the directory where it is empty.
        reference: Data that drift is measured against.
        model: Only this model.
        baseline: The version in service; the oldest where it is empty.
        candidate: The version under test.
        wait: Time to wait for a verdict, such as `30m`.

    Raises:
        MlwatchError: with one line that says what is wrong, where, and what to do.
    """
    from mlwatch.commands.check import checked  # noqa: PLC0415
    from mlwatch.faces.check import text  # noqa: PLC0415
    from mlwatch.faces.html import html  # noqa: PLC0415

    patience = _patience(wait)
    options = {"config": config, "reference": reference, "model": model}
    options |= {"baseline": baseline, "candidate": candidate}
    with mlwatch.open(
        logs, db=":memory:", **{key: value or None for key, value in options.items()}
    ) as session:
        session.look_around(stay=patience is not None)
        check = checked(session, patience)
        snapshot = session.snapshot()
    said = text(check)
    sys.stdout.write(said)
    return Gate(check.outcome, said, _metrics(check, snapshot), html(snapshot))


def let_through(found: Gate, hold: str = "fail") -> None:
    """Do nothing after a pass, nor after a hold where `hold` is `pass`.

    Raises:
        GateClosedError: when the pipeline is to stop.
    """
    if found.outcome == "fail" or (found.outcome == "hold" and hold != "pass"):
        raise GateClosedError(f"the check says {found.outcome}", "mlwatch", one_line(found.summary))


def _patience(wait: str) -> timedelta | None:
    try:
        return parse_duration(wait) if wait else None
    except ValueError as error:
        raise InputError(str(error), "wait", "give a length such as 30m") from error


def _metrics(check: "Check", snapshot: "Snapshot") -> dict[str, float]:
    """Return how many checks came to what, and the numbers of each version."""
    from mlwatch.systems.numbers import version_numbers  # noqa: PLC0415

    count = Counter(finding.outcome for finding in check.findings)
    found = {f"checks/{outcome}": float(count[outcome]) for outcome in ("pass", "fail", "hold")}
    several = len(snapshot.models) > 1
    for model in snapshot.models.values():
        for version in model.versions.values():
            name = f"{model.name}/{version.name}" if several else version.name
            found |= {f"{one_line(name)}/{key}": value for key, value in version_numbers(version).items()}
    return dict(list(found.items())[:MOST_METRICS])
