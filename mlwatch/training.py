"""Keep what an export says of the runs that made the versions, for as long as there are no other versions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.systems.neptune import NeptuneError, read_runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.config import TrainingSettings
    from mlwatch.snapshot.types import Snapshot
    from mlwatch.systems.mlflow_registry import Entry


class Training:
    """Add to snapshots what training runs measured.

    Args:
        settings: Of the configuration.
        directory: Where the export is.
    """

    def __init__(self, settings: TrainingSettings, directory: Path) -> None:
        self._settings, self._directory = settings, directory
        self._asked: frozenset[str] = frozenset()
        self._entries: Mapping[str, Entry] = {}
        self.failure: str | None = None
        """Why it says nothing, in a sentence."""

    def look(self, versions: frozenset[str]) -> None:
        """Read the export, once for each set of versions; what goes wrong is told by `failure`."""
        if versions == self._asked:
            return
        self._asked = versions
        try:
            self._entries = read_runs(self._directory, sorted(versions), self._settings.runs)
            self.failure = None
        except (NeptuneError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            self._entries = {}
            self.failure = one_line(f"the Neptune export {self._directory} is not used: {said}")

    def added(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot whose versions know the runs that made them, where no registry said so."""
        wanted = self._settings.model
        name = wanted if wanted is not None else next(iter(snapshot.models), None)
        model = snapshot.models.get(name) if name is not None else None
        if name is None or model is None or (wanted is None and len(snapshot.models) > 1):
            return snapshot
        self.look(frozenset(model.versions))
        if not self._entries:
            return snapshot
        versions = {
            key: replace(version, registered=version.registered or self._entries.get(key))
            for key, version in model.versions.items()
        }
        runs = "; ".join(f"{version} is run {entry.run_id}" for version, entry in self._entries.items())
        return replace(
            snapshot,
            models={**snapshot.models, name: replace(model, versions=versions)},
            provenance={**snapshot.provenance, "training": one_line(f"Neptune export: {runs}")},
        )
