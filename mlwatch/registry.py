"""Keep what a registry says at hand, and write what was measured back to it, from a thread that nobody waits for."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlwatch.systems.mlflow_registry import (
    BASELINE_ALIASES,
    CANDIDATE_ALIASES,
    Client,
    Registered,
    RegistryError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RegistrySettings
    from mlwatch.snapshot.types import Model, Rollout, Snapshot, Version

EXPERIMENT = "mlwatch"
RULE = "registry"
MOST_METRICS = 500


class Registry:
    """Watch one model of a registry.

    Args:
        settings: Of the configuration.
        models: Returns the names of the models in the logs, for where the configuration names none.
        numbers: Returns the newest numbers, for writing back.
        connect: Returns a cursor on the store, which remembers the runs that were made.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        models: Callable[[], list[str]],
        numbers: Callable[[], Snapshot],
        connect: Callable[[], DuckDBPyConnection],
    ) -> None:
        self._settings = settings
        self._models, self._numbers, self._connect = models, numbers, connect
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.current: Registered | None = None
        """What it said last."""
        self.failure: str | None = None
        """Why it says nothing just now, in a sentence."""

    def look(self, *, write: bool = False) -> None:
        """Ask once; what goes wrong is told by `failure`.

        Args:
            write: Also write back what was measured, where the configuration allows it.
        """
        client = Client(self._settings)
        try:
            names = [self._settings.model] if self._settings.model else self._models()
            if names:
                self.current = client.model(names[0])
            if write and self._settings.write and self.current is not None:
                publish(client, self._connect(), self._numbers(), self.current)
            self.failure = None
        except RegistryError as error:
            self.failure = f"the MLflow registry is not used: {error}"
        finally:
            client.close()

    def start(self) -> None:
        """Begin to ask now and then."""
        self._thread = threading.Thread(target=self._follow, name="mlwatch-registry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        while not self._stopping.is_set():
            self.look(write=True)
            self._stopping.wait(self._settings.interval.total_seconds())

    def role(self, role: str, versions: Iterable[str]) -> str | None:
        """Return the version in the logs that an alias makes the baseline or the candidate; None for none."""
        if self.current is None:
            return None
        entry = self.current.by_alias(BASELINE_ALIASES if role == "baseline" else CANDIDATE_ALIASES)
        found = self.current
        return next((v for v in versions if entry is not None and found.entry_of(v) == entry), None)


def with_registered(snapshot: Snapshot, registered: Registered) -> Snapshot:
    """Return a snapshot whose versions know what the registry says of them."""
    models = {
        name: replace(
            model,
            versions={
                key: replace(version, registered=registered.entry_of(key))
                for key, version in model.versions.items()
            },
        )
        if name == registered.model or len(snapshot.models) == 1
        else model
        for name, model in snapshot.models.items()
    }
    return replace(
        snapshot, models=models, provenance={**snapshot.provenance, "registry": registered.summary}
    )


def publish(
    client: Client, connection: DuckDBPyConnection, snapshot: Snapshot, registered: Registered
) -> None:
    """Write live metrics to a monitoring run a version, and the verdict as a tag of the registered version.

    Raises:
        RegistryError: when the registry does not take them.
    """
    verdicts = {rollout.candidate: rollout for rollout in snapshot.rollouts}
    for model in snapshot.models.values():
        for version in model.versions.values():
            entry = registered.entry_of(version.name)
            if entry is not None:
                run = _run(client, connection, model, version)
                client.post("runs/log-batch", {"run_id": run, "metrics": _metrics(version)})
                _tag(client, registered, entry.version, verdicts.get(version.name))


def _tag(client: Client, registered: Registered, version: str, rollout: Rollout | None) -> None:
    if rollout is not None:
        body = {
            "name": registered.model,
            "version": version,
            "key": "mlwatch.verdict",
            "value": rollout.verdict,
        }
        client.post("model-versions/set-tag", body)


def _run(client: Client, connection: DuckDBPyConnection, model: Model, version: Version) -> str:
    """Return the id of the monitoring run of a version, made once."""
    key = f"mlflow run {json.dumps([model.name, version.name])}"
    row = connection.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    if row is not None:
        return str(row[0])
    made = client.post(
        "runs/create",
        {
            "experiment_id": _experiment(client),
            "run_name": f"{model.name} {version.name}, monitored",
            "start_time": _now(),
            "tags": [
                {"key": "mlwatch.model", "value": model.name},
                {"key": "mlwatch.version", "value": version.name},
            ],
        },
    )
    run = str(made.get("run", {}).get("info", {}).get("run_id"))
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, run])
    return run


def _experiment(client: Client) -> str:
    try:
        found = client.get("experiments/get-by-name", experiment_name=EXPERIMENT)
        return str(found["experiment"]["experiment_id"])
    except (RegistryError, KeyError, TypeError):
        return str(client.post("experiments/create", {"name": EXPERIMENT}).get("experiment_id"))


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
    known = [(name, value) for name, value in values.items() if value is not None]
    return [
        {"key": name, "value": value, "timestamp": now, "step": 0} for name, value in known[:MOST_METRICS]
    ]


def _now() -> int:
    return int(time.time() * 1000)
