"""A snapshot as offline runs of Weights & Biases, one a version: live metrics as history, the verdict as summary.

Nothing is sent: the runs are files, and `wandb sync` is the user's.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError, one_line, reason_of
from mlwatch.systems.numbers import known, version_numbers, window_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.snapshot.types import Model, Rollout, Snapshot, Version

PROJECT = "mlwatch"
MOST_RUNS = 50
MOST_FEATURES = 100
LONGEST_NAME = 128
"""What W&B takes as the name of a run or group."""


def load() -> Any:
    """Return the module `wandb`, told to report nothing.

    Raises:
        InputError: when it is not installed.
    """
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # it is read at the import
    try:
        import wandb  # noqa: PLC0415  an extra
    except ImportError as error:
        todo = "pip install 'mlwatch[wandb]'"
        raise InputError("W&B runs need one more package", "--to wandb", todo) from error
    return wandb


def write_runs(wandb: Any, snapshot: Snapshot, directory: Path) -> list[Path]:
    """Write a run a version and return their directories.

    Args:
        wandb: The module.
        snapshot: What is written; the first `MOST_RUNS` versions of it.
        directory: Where `wandb/` is made, if it is not there.

    Raises:
        InputError: when the directory cannot be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):  # else the package would write to a temporary directory
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return [_write(wandb, snapshot, *one, directory) for one in _versions(snapshot)]
    except (OSError, wandb.Error) as error:
        raise InputError(
            f"cannot write a run ({reason_of(error)})", str(directory), "give another directory with -o"
        ) from error
    finally:
        wandb.teardown()


def _versions(snapshot: Snapshot) -> list[tuple[Model, Version]]:
    pairs = [(model, version) for model in snapshot.models.values() for version in model.versions.values()]
    return pairs[:MOST_RUNS]


def _write(wandb: Any, snapshot: Snapshot, model: Model, version: Version, directory: Path) -> Path:
    """Write one run; no process, host or source is looked at."""
    settings = wandb.Settings(
        console="off", disable_code=True, disable_git=True, quiet=True, save_code=False, silent=True,
        x_disable_machine_info=True, x_disable_meta=True, x_disable_stats=True, x_disable_viewer=True,
        x_save_requirements=False,
    )  # fmt: skip
    run = wandb.init(
        mode="offline",
        dir=str(directory),
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        name=_named(f"{model.name} {version.name}"),
        group=_named(model.name),
        job_type="monitoring",
        config=_config(snapshot, model, version),
        reinit="create_new",
        settings=settings,
    )
    # the summary is of the whole range, not the last window
    run.define_metric("*", step_metric="time", summary="none")
    for step, window in enumerate(version.windows):
        if window.predictions:
            run.log(
                {"time": window.start.timestamp(), **window_numbers(window)},
                step=step,
                commit=True,
            )
    rollout = next(
        (one for one in snapshot.rollouts if (one.model, one.candidate) == (model.name, version.name)), None
    )
    run.summary.update({**version_numbers(version), **_drifts(version), **_verdict(rollout)})
    run.finish()
    return Path(run.dir).parent


def _config(snapshot: Snapshot, model: Model, version: Version) -> dict[str, Any]:
    limits = snapshot.range
    return {
        "model": one_line(model.name),
        "version": one_line(version.name),
        "role": version.role,
        "task": model.task,
        "reference": one_line(model.reference or "n/a"),
        "start": limits.start.isoformat() if limits else None,
        "end": limits.end.isoformat() if limits else None,
        "provenance": {name: one_line(value or "n/a") for name, value in snapshot.provenance.items()},
    }


def _drifts(version: Version) -> dict[str, float]:
    """Return the drift of the features that moved farthest."""
    found = [
        (one_line(name), feature.drift.told)
        for name, feature in version.quality.features.items()
        if feature.drift is not None and feature.drift.told is not None
    ]
    found.sort(key=lambda each: -each[1])
    return {f"drift/{name}": score for name, score in found[:MOST_FEATURES]}


def _verdict(rollout: Rollout | None) -> dict[str, Any]:
    """Return the verdict on a candidate with what it rests on; nothing for others."""
    if rollout is None:
        return {}
    return {
        "verdict": rollout.verdict,
        "verdict_state": rollout.state,
        "verdict_reasons": "; ".join(map(one_line, rollout.reasons)),
        "baseline": one_line(rollout.baseline),
        **dict(_differences(rollout)),
    }


def _differences(rollout: Rollout) -> Iterator[tuple[str, float | str]]:
    for name, metric in rollout.metrics.items():
        yield f"rollout/{name}/status", metric.status
        ends = {"difference": metric.difference, "low": metric.low, "high": metric.high}
        for end, value in known({**ends, "limit": metric.limit}).items():
            yield f"rollout/{name}/{end}", value


def _named(name: str) -> str:
    return one_line(name)[:LONGEST_NAME]
