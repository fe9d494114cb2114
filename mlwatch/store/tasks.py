"""What models are for: a task that the configuration, or more predictions, say later than the logs began."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value, number
from mlwatch.config import OutputSettings
from mlwatch.sources.sql import literal
from mlwatch.store import evidence, fold, notices, rankings, rollups, slices, touched
from mlwatch.store.evidence import Evidence
from mlwatch.store.rollup import HOUR
from mlwatch.store.schema import NOT_PLACED, RANKINGS_AS
from mlwatch.times import now_in_store

WITH_WORDS = ", words by bucket"
"""What was counted of answers in words; stores of before did not count it."""
NOT_COUNTED = "not counted yet"
"""What is written for settings in a store of before there were outputs."""

_TOPIC = "task of {}"
"""What notices about an inferred task go by."""
_WORDS = {
    "binary": "two classes",
    "multiclass": "several classes",
    "unknown": "free text",
    "regression": "numbers",
}

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


def begin(connection: DuckDBPyConnection, registry: Registry, task: str | None) -> None:
    """Learn from the kept rows of a store of before what it does not know yet of inferred tasks.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns it.
        task: Of the configuration, which ends what was said of inferred ones.
    """
    if task is not None:
        notices.resolve(connection, *map(_TOPIC.format, registry.models))
        return
    bare = [
        model
        for model, row in registry.models.items()
        if model not in registry.evidence and row.task != "regression"
    ]
    if bare:
        looked = evidence.look(connection, "predictions", bare)
        settled = {
            model: Evidence(each.total) for model, each in looked.items() if each.total >= evidence.YOUNG
        }
        with all_or_nothing(connection):
            registry.keep_evidence({model: Evidence() for model in bare} | looked | settled)


def outgrown(registry: Registry) -> dict[str, str]:
    """Return the tasks that predictions tell by now, of models that are counted by less; none of what stays."""
    told = {}
    for model, known in registry.evidence.items():
        was = registry.models[model].task if model in registry.models else "regression"
        if was in evidence.RANK[:-1] and (model, was) not in registry.stays:
            now = fold.task_by(known.counts)
            if not _is_stray(known) and evidence.RANK.index(now) > evidence.RANK.index(was):
                told[model] = now
    return told


def _is_stray(known: Evidence) -> bool:
    """Tell whether only a few fractions, or a long text, speak against classes."""
    few = len(known.classes) <= fold.REGRESSION_CLASSES and known.fractions <= evidence.STRAY * known.total
    long = known.longest > evidence.LONGEST and len(known.classes) <= evidence.MAX_CLASSES
    return (few and known.fractions > 0) or long


def grow(connection: DuckDBPyConnection, registry: Registry, settings: OutputSettings) -> None:
    """Give models the tasks that their predictions tell by now, count their rows again by these, and say so.

    What cannot be counted again, since rows are gone or are in a lake, stays as it was counted; that is said, too.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns the tasks.
        settings: What the configuration says of outputs.
    """
    told = outgrown(registry)
    if not told:
        return
    whole = {model: now for model, now in told.items() if _are_kept(connection, registry, model)}
    with all_or_nothing(connection):
        for model, now in told.items():
            row = registry.models[model]
            said = (
                f"the predictions of {model} were taken for {_WORDS[row.task]} ([roles] task = {row.task!r})"
            )
            if model in whole:
                registry.add_model(model, replace(row, task=now))
                since = (
                    f"since {now_in_store():%Y-%m-%d %H:%M} UTC they are counted as {_WORDS[now]} ({now!r})"
                )
                said += f" by the first of them; {since}, all again: if that is wrong, say [roles] task"
                notices.post(connection, "info", _TOPIC.format(model), said)
                continue
            registry.stays.add((model, row.task))
            said += f" and are {_WORDS[now]} by now; what was counted stays, as its records are not kept here"
            said += f": say [roles] task = {now!r} to count what is left by that"
            if _TOPIC.format(model) not in notices.standing(connection, said):
                notices.post(connection, "warning", _TOPIC.format(model), said)
        if whole:
            parts = slices.columns(connection, registry, settings=settings)
            fold.recount_labels(connection, registry, parts, settings, list(whole))
            fold.recount_answers(connection, registry, list(whole))


def _are_kept(connection: DuckDBPyConnection, registry: Registry, model: str) -> bool:
    """Tell whether all that was counted of a model can be counted again.

    A store that goes on with a lake, whose bins stay, does not have the records of its days.
    """
    if registry.heard is None:
        return False
    mine = f"WHERE model = {literal(model)}"
    counted = number(connection, f"SELECT COALESCE(SUM(n), 0) FROM {rollups.TRAFFIC.table(HOUR)} {mine}")
    return number(connection, f"SELECT COUNT(*) FROM predictions {mine}") >= counted


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
        kept = [model for model in other if _are_kept(connection, registry, model)]
        if kept:
            fold.recount_answers(connection, registry, kept)
    same = before.removesuffix(WITH_WORDS) == repr(settings)
    again = [
        model
        for model, row in registry.models.items()
        if model not in other and (row.task == "unknown" or not same)
    ]
    if again:
        fold.recount_outputs(connection, registry, parts, settings, again)
