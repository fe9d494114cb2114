"""What models are for: a task that the configuration says later than the logs began."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.store import fold, slices

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.store.registry import Registry


def ensure(connection: DuckDBPyConnection, registry: Registry, task: str | None) -> None:
    """Give every model the configured task, and count the stored labels and scores again where it was another.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns the tasks.
        task: Of the configuration; None leaves what was inferred.
    """
    other = [model for model, row in registry.models.items() if task is not None and row.task != task]
    if task is None or not other:
        return
    connection.execute("BEGIN")
    for model in other:
        connection.execute("UPDATE models SET task = ? WHERE model = ?", [task, model])
        registry.models[model] = replace(registry.models[model], task=task)
    fold.recount_labels(connection, registry, slices.columns(connection, registry))
    connection.execute("COMMIT")
