"""Write what was measured back to MLflow: a monitoring run a version, and the verdict as a tag of the version."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from mlwatch.asking import meta_value
from mlwatch.systems.mlflow_client import RegistryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.types import Rollout, Snapshot, Version
    from mlwatch.systems.mlflow_client import Mlflow
    from mlwatch.systems.mlflow_registry import Registered

EXPERIMENT = "mlwatch"
MOST_METRICS = 500
ABSENT = "RESOURCE_DOES_NOT_EXIST"


async def publish(
    mlflow: Mlflow, connection: DuckDBPyConnection, snapshot: Snapshot, registered: Registered
) -> None:
    """Write live metrics to monitoring runs, and the verdict as a tag of the registered version.

    Args:
        mlflow: Where to.
        connection: Remembers the runs that were made.
        snapshot: The newest numbers.
        registered: The model that is meant; other models of the logs may have versions of the same numbers.

    Raises:
        RegistryError: when the registry does not take them.
    """
    model = registered_one(snapshot, registered)
    if model is None:
        return
    verdicts = {each.candidate: each for each in snapshot.rollouts if each.model == model}
    for version in snapshot.models[model].versions.values():
        entry = registered.entry_of(version.name)
        if entry is not None:
            await _log(mlflow, connection, registered.model, version)
            await _tag(mlflow, registered.model, entry.version, verdicts.get(version.name))


def registered_one(snapshot: Snapshot, registered: Registered) -> str | None:
    """Return the model of the logs that is a registered one: of its name, else the only one that there is."""
    if registered.model in snapshot.models:
        return registered.model
    return next(iter(snapshot.models)) if len(snapshot.models) == 1 else None


async def _tag(mlflow: Mlflow, model: str, version: str, rollout: Rollout | None) -> None:
    if rollout is not None:
        body = {"name": model, "version": version, "key": "mlwatch.verdict", "value": rollout.verdict}
        await mlflow.post("model-versions/set-tag", body)


async def _log(mlflow: Mlflow, connection: DuckDBPyConnection, model: str, version: Version) -> None:
    """Write a version's metrics to its run, which is made once for each server."""
    key = f"mlflow run {json.dumps([mlflow.url, model, version.name])}"
    run = meta_value(connection, key)
    if run is None or not await _is_there(mlflow, run):
        run = await _create(mlflow, model, version.name)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, run])
    await mlflow.post("runs/log-batch", {"run_id": run, "metrics": _metrics(version)})


async def _is_there(mlflow: Mlflow, run: str) -> bool:
    """Tell whether a run can be written to: somebody may have deleted it."""
    try:
        return _said(await mlflow.get("runs/get", run_id=run), "run", "info", "lifecycle_stage") == "active"
    except RegistryError as error:
        if error.code != ABSENT:
            raise
        return False


async def _create(mlflow: Mlflow, model: str, version: str) -> str:
    tags = {"mlwatch.model": model, "mlwatch.version": version}
    body = {
        "experiment_id": await _experiment(mlflow),
        "run_name": f"{model} {version}, monitored",
        "start_time": _now(),
        "tags": [{"key": name, "value": value} for name, value in tags.items()],
    }
    return _said(await mlflow.post("runs/create", body), "run", "info", "run_id")


async def _experiment(mlflow: Mlflow) -> str:
    try:
        found = await mlflow.get("experiments/get-by-name", experiment_name=EXPERIMENT)
        return _said(found, "experiment", "experiment_id")
    except RegistryError as error:
        if error.code != ABSENT:
            raise
    return _said(await mlflow.post("experiments/create", {"name": EXPERIMENT}), "experiment_id")


def _said(found: Any, *path: str) -> str:
    """Return a member of an answer.

    Raises:
        RegistryError: when it is not there.
    """
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise RegistryError(f"its answer has no {'.'.join(path)}: correct [registry] mlflow")
    return found


def _metrics(version: Version) -> list[dict[str, Any]]:
    estimates = {
        **version.performance,
        **{f"estimated_{name}": each for name, each in version.estimated.items()},
        "conversion": version.business.conversion,
    }
    values = {name: each.value for name, each in estimates.items()}
    values |= {
        "error_rate": version.errors.rate,
        "latency_p50_ms": version.latency.p50,
        "latency_p95_ms": version.latency.p95,
        "missing_rate": version.quality.missing_rate,
        "drifted_share": version.quality.drifted_share,
        "predictions": float(version.predictions),
    }
    now = _now()
    known = [(name, value) for name, value in values.items() if value is not None and math.isfinite(value)]
    return [
        {"key": name, "value": value, "timestamp": now, "step": 0} for name, value in known[:MOST_METRICS]
    ]


def _now() -> int:
    return int(time.time() * 1000)
