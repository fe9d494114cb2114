"""What models are for: a task that the configuration says later than the logs began."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value
from mlwatch.config import OutputSettings
from mlwatch.store import fold, rankings, slices, touched
from mlwatch.store.schema import NOT_PLACED, RANKINGS_AS

WITH_WORDS = ", words by bucket"
"""What was counted of answers in words; stores of before did not count it."""
NOT_COUNTED = "not counted yet"
"""What is written for settings in a store of before there were outputs."""

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
    before = meta_value(connection, "outputs_as") or repr(OutputSettings())
    words = any(each.task == "unknown" for each in registry.models.values())
    outputs_as = f"{settings!r}{WITH_WORDS if words else ''}"
    other = [model for model, row in registry.models.items() if task is not None and row.task != task]
    if not other and before == outputs_as:
        return
    with all_or_nothing(connection):
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('outputs_as', ?)", [outputs_as])
        for model in other:
            connection.execute("UPDATE models SET task = ? WHERE model = ?", [task, model])
            touched.note(touched.FACTS, touched.ALL_TIME)
            registry.models[model] = replace(registry.models[model], task=task or "unknown")
        _recount(connection, registry, settings, before, other)


def place_rankings(connection: DuckDBPyConnection, registry: Registry, settings: OutputSettings) -> None:
    """Count the rankings of a store that an earlier mlwatch wrote, by the places of items among all that were logged.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
    """
    if meta_value(connection, RANKINGS_AS) != NOT_PLACED:
        return
    with all_or_nothing(connection):
        fold.score_stored(connection, slices.columns(connection, registry, settings=settings))
        rankings.place_stored(connection, registry, settings)
        connection.execute("DELETE FROM meta WHERE key = ?", [RANKINGS_AS])


def _recount(
    connection: DuckDBPyConnection,
    registry: Registry,
    settings: OutputSettings,
    before: str,
    other: list[str],
) -> None:
    """Count again what was counted otherwise, and nothing else: its rows may not be stored any more."""
    parts = slices.columns(connection, registry, settings=settings)
    if before == NOT_COUNTED:
        fold.recount_labels(connection, registry, parts, settings)
        return
    if other:
        fold.recount_labels(connection, registry, parts, settings, other)
    same = before.removesuffix(WITH_WORDS) == repr(settings)
    again = [
        model
        for model, row in registry.models.items()
        if model not in other and (row.task == "unknown" or not same)
    ]
    if again:
        fold.recount_outputs(connection, registry, parts, settings, again)
