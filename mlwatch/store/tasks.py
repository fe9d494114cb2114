"""What models are for: a task that the configuration says later than the logs began."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value
from mlwatch.config import OutputSettings
from mlwatch.store import fold, slices, touched

WITH_WORDS = ", words by bucket"
"""What was counted of answers in words; stores of before did not count it."""

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.store.registry import Registry


def ensure(
    connection: DuckDBPyConnection, registry: Registry, task: str | None, settings: OutputSettings
) -> None:
    """Give every model the configured task, and count the stored rows again where that or their outputs were others.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns the tasks.
        task: Of the configuration; None leaves what was inferred.
        settings: What the configuration says of outputs.
    """
    before = meta_value(connection, "outputs_as")
    words = any(each.task == "unknown" for each in registry.models.values())
    outputs_as = f"{settings!r}{WITH_WORDS if words else ''}"
    other = [model for model, row in registry.models.items() if task is not None and row.task != task]
    if not other and (before if before is not None else repr(OutputSettings())) == outputs_as:
        return
    with all_or_nothing(connection):
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('outputs_as', ?)", [outputs_as])
        for model in other:
            connection.execute("UPDATE models SET task = ? WHERE model = ?", [task, model])
            touched.note(touched.FACTS, touched.ALL_TIME)
            registry.models[model] = replace(registry.models[model], task=task or "unknown")
        fold.recount_labels(
            connection, registry, slices.columns(connection, registry, settings=settings), settings
        )
