"""What an MLflow registry says of a model: which versions there are, what they are for, and how they did in training.

Aliases are read at the level of the model, where all of them are listed; asked for one by one, a missing alias is an
error. Whatever a server says is taken as it comes: what is not of the form that MLflow documents counts as not said.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwatch.errors import one_line
from mlwatch.systems.mlflow_client import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlwatch.systems.mlflow_client import Mlflow

MOST_VERSIONS = 20
"""The newest versions, of which the runs are asked for."""
MOST_PARAMS = 8
"""Parameters of a run that are told in one line; the document has all of them."""
BASELINE_ALIASES = ("champion", "production", "prod")
CANDIDATE_ALIASES = ("challenger", "candidate", "staging")
_BEFORE = ("test_", "holdout_", "eval_", "validation_", "val_", "", "training_", "train_")
"""What stands before the names of metrics in runs, those of unseen data first."""
_ALSO = {
    "roc_auc": ("auc", "auroc"),
    "pr_auc": ("average_precision", "precision_recall_auc"),
    "mae": ("mean_absolute_error",),
    "rmse": ("root_mean_squared_error",),
    "mcc": ("matthews_corrcoef",),
    "brier": ("brier_score_loss",),
    "kappa": ("cohen_kappa",),
    "macro_precision": ("precision_macro",),
    "macro_f1": ("f1_macro",),
    "weighted_f1": ("f1_weighted", "f1"),
}
"""Further names of metrics, as scikit-learn and MLflow's evaluation call them; `_score` at their end is known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered version."""

    version: str
    run_id: str | None = None
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Of the run that made it."""
    params: Mapping[str, str] = field(default_factory=dict)
    data: str | None = None
    """Name and digest of the data that it was trained on."""

    @property
    def made(self) -> str:
        """Say what made it; empty where that is not known."""
        found = [f"run {self.run_id}"] if self.run_id else []
        found += [f"data {self.data}"] if self.data else []
        return ", ".join(
            found + [f"{name}={value}" for name, value in list(self.params.items())[:MOST_PARAMS]]
        )

    def in_training(self, metric: str) -> float | None:
        """Return a live metric as the run measured it, on unseen data where it did; None where it did not."""
        names = [name for one in (metric, *_ALSO.get(metric, ())) for name in (one, f"{one}_score")]
        return next(
            (
                self.metrics[before + name]
                for before in _BEFORE
                for name in names
                if before + name in self.metrics
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """A model as the registry knows it."""

    model: str
    entries: tuple[Entry, ...] = ()
    """Newest first."""

    def by_alias(self, names: Iterable[str]) -> Entry | None:
        """Return the version that has the first of some aliases that is given."""
        return next((entry for name in names for entry in self.entries if name in entry.aliases), None)

    def entry_of(self, version: str) -> Entry | None:
        """Return the registered version that a version in the logs is: `2` and `v2` are the same."""
        return next((entry for entry in self.entries if is_same(version, entry.version)), None)

    @property
    def summary(self) -> str:
        """Say which versions have aliases, and the runs, data and parameters that made them."""
        named = [
            f"{', '.join(entry.aliases)} {entry.version}" + (f" ({made})" if (made := entry.made) else "")
            for entry in self.entries
            if entry.aliases
        ]
        return one_line(f"{self.model}: " + ("; ".join(named) or "no aliases"))


def is_same(logged: str, registered: str) -> bool:
    """Tell whether a version in the logs is a registered one."""
    return logged == registered or logged.lower().removeprefix("v") == registered


async def read_model(mlflow: Mlflow, name: str) -> Registered:
    """Return a registered model with its newest versions and their runs.

    Raises:
        RegistryError: when the registry does not say.
    """
    found = _table(await mlflow.get("registered-models/get", name=name), "registered_model")
    aliases: dict[str, list[str]] = {}
    for each in _rows(found, "aliases"):
        aliases.setdefault(str(each.get("version")), []).append(str(each.get("alias")))
    quoted = name.replace("'", "\\'")
    listed = await mlflow.get(
        "model-versions/search", filter=f"name='{quoted}'", order_by="version_number DESC",
        max_results=str(MOST_VERSIONS),
    )  # fmt: skip
    versions = _rows(listed, "model_versions")[:MOST_VERSIONS]
    entries = await asyncio.gather(
        *(_entry(mlflow, each, tuple(aliases.get(str(each.get("version")), ()))) for each in versions)
    )
    return Registered(name, tuple(sorted(entries, key=lambda entry: -_number(entry.version))))


async def _entry(mlflow: Mlflow, version: dict[str, Any], aliases: tuple[str, ...]) -> Entry:
    number, run_id = str(version.get("version")), version.get("run_id") or None
    if run_id is None:
        return Entry(number, None, aliases)
    try:
        run = _table(await mlflow.get("runs/get", run_id=str(run_id)), "run")
    except RegistryError:  # deleted, or not ours to see: the version is there all the same
        return Entry(number, str(run_id), aliases)
    data = _table(run, "data")
    inputs = [_table(each, "dataset") for each in _rows(_table(run, "inputs"), "dataset_inputs")]
    digests = [f"{each.get('name')}@{each.get('digest')}" for each in inputs if each.get("digest")]
    return Entry(
        number,
        str(run_id),
        aliases,
        dict(_numbers(_rows(data, "metrics"))),
        {str(each["key"]): str(each.get("value")) for each in _rows(data, "params") if "key" in each},
        ", ".join(digests) or None,
    )


def _numbers(metrics: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield metrics that are numbers: MLflow also has NaN and infinities, as numbers and as text."""
    for each in metrics:
        try:
            value = float(each["value"])
        except (KeyError, TypeError, ValueError):
            continue
        if "key" in each and math.isfinite(value):
            yield str(each["key"]), value


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _rows(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = found.get(name)
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _number(version: str) -> int:
    return int(version) if version.isascii() and version.isdigit() else -1
