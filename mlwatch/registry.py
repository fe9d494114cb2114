"""Keep what a registry says at hand, and write what was measured back to it, from a thread that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.systems.mlflow_client import Mlflow, RegistryError
from mlwatch.systems.mlflow_monitor import publish, registered_one
from mlwatch.systems.mlflow_registry import BASELINE_ALIASES, CANDIDATE_ALIASES, Registered, read_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.snapshot.types import Snapshot

PATIENCE_S = 15.0
"""For everything that is asked and written in one look: `check` and `report` wait for it."""

NAMELESS_S = 1.0
"""Time between two looks into the logs for the name of a model."""


class Registry:
    """Watch one model of a registry.

    Args:
        config: Its `[registry]`, and where files that it names are.
        models: Returns the names of the models in the logs, for where the configuration names none.
        numbers: Returns the newest numbers, for writing back.
        connect: Returns a cursor on the store, which remembers the runs that were made.
        writable: Whether anything may be written back, if the configuration wants it.
    """

    def __init__(
        self,
        config: Config,
        models: Callable[[], list[str]],
        numbers: Callable[[], Snapshot],
        connect: Callable[[], DuckDBPyConnection],
        *,
        writable: bool,
    ) -> None:
        self._config, self._settings = config, config.registry
        self._models, self._numbers, self._connect = models, numbers, connect
        self._writes = writable and self._settings.write
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked: str | None = None
        """The model that is asked for; None while no log has named one."""
        self.current: Registered | None = None
        """What it said last."""
        self.failure: str | None = None
        """Why it says nothing just now, in a sentence."""

    def look(self, *, write: bool = False) -> None:
        """Ask once; what goes wrong is told by `failure`.

        Args:
            write: Also write back what was measured, where the configuration allows it.
        """
        where = "the MLflow registry"
        try:
            mlflow = Mlflow(self._settings, self._config.resolve)
            where = f"{where} at {mlflow.url}"
            asyncio.run(self._look(mlflow, self._numbers() if write and self._writes else None))
            self.failure = None
        except TimeoutError:
            self.failure = (
                f"{where} is not used: it needs more than {PATIENCE_S:.0f} s to answer: look at its load"
            )
        except RegistryError as error:
            self.failure = f"{where} is not used: {error}"
        except Exception as error:  # noqa: BLE001  an answer that nobody foresaw must end neither thread nor report
            self.failure = f"{where} is not used: its answers are not understood ({type(error).__name__})"

    async def _look(self, mlflow: Mlflow, numbers: Snapshot | None) -> None:
        async with asyncio.timeout(PATIENCE_S), mlflow:
            self._asked = self._settings.model or next(iter(self._models()), None)
            if self._asked is not None:
                self.current = await read_model(mlflow, self._asked)
            if numbers is not None and self.current is not None:
                await publish(mlflow, self._connect(), numbers, self.current)

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
            known = self._asked is not None
            self._stopping.wait(self._settings.interval.total_seconds() if known else NAMELESS_S)

    def role(self, role: str, versions: Iterable[str]) -> str | None:
        """Return the version in the logs that an alias makes the baseline or the candidate; None for none."""
        if self.current is None:
            return None
        entry = self.current.by_alias(BASELINE_ALIASES if role == "baseline" else CANDIDATE_ALIASES)
        found = self.current
        return next((v for v in versions if entry is not None and found.entry_of(v) == entry), None)


def with_registered(snapshot: Snapshot, registered: Registered) -> Snapshot:
    """Return a snapshot whose versions know what the registry says of them."""
    name = registered_one(snapshot, registered)
    models = dict(snapshot.models)
    if name is not None:
        versions = {
            key: replace(version, registered=registered.entry_of(key))
            for key, version in models[name].versions.items()
        }
        models[name] = replace(models[name], versions=versions)
    return replace(
        snapshot, models=models, provenance={**snapshot.provenance, "registry": registered.summary}
    )
