"""Columns that may be a role or an input of the model: `duration` is a request's to a server, and a call's to a bank.

A name that is as often a feature's is believed where no plain input stands beside it, and where the records say what
only a server or its logger knows. Else the values have to tell, and what was decided is said.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.errors import one_line
from mlwatch.roles import guards, leftovers, looks
from mlwatch.roles.chats import LONGEST_CATEGORY
from mlwatch.roles.describe import quoted
from mlwatch.roles.names import (
    FEATURE_CONTAINERS,
    container_depth,
    has_affix,
    is_loose,
    latency_factor,
    may_be_role,
    normal,
    rank,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import Column, ColumnPath, Mapping

ROLES = ("model", "latency")
"""Roles of which an input of a model may have the name and such values."""
_TEXTS = frozenset(
    {"text", "prompt", "question", "query", "sentence", "message", "content", "document", "utterance"}
)
"""What texts are called that somebody wrote to a model, however short."""
_ANSWERS = frozenset({"prediction", "score"})
_OF_SERVERS = frozenset({"status", "error"})
_SEVERAL = {
    leftovers.LIST: "a list or map",
    leftovers.LIST_OF_OUTPUTS: "a list",
    leftovers.JSON_TEXT: "JSON as text",
}
"""What holds several values, by why it is left out."""
_NAMED = {"model": "model's name", "latency": "latency"}
_PARENT = "parent_run_id"
"""What LangSmith calls the run that another one is a step of."""


def places_of_inputs(
    columns: Collection[Column], roles: Collection[str], decided: Mapping
) -> frozenset[ColumnPath]:
    """Return the objects in which plain inputs of a model stand among a prediction's other fields.

    There are none where a server or its logger wrote the records: what it adds is named as such things are.

    Args:
        columns: Those that the configuration leaves to be judged.
        roles: Those that are given already.
        decided: What is known from earlier records.
    """
    predicted = not _ANSWERS.isdisjoint(roles) or any(_is_answer(one.path) for one in columns)
    served = not _OF_SERVERS.isdisjoint(roles) or any(map(leftovers.is_log_name, decided.ignored))
    if not predicted or served or any(map(_is_of_server, columns)):
        return frozenset()
    paths = (*(one.path for one in columns if _is_plain(one)), *(one.path for one in decided.features))
    return frozenset(path[:-1] for path in paths if _stands_free(path))


def _is_answer(path: ColumnPath) -> bool:
    return has_affix("prediction", path) or any(rank(role, path) is not None for role in _ANSWERS)


def _is_of_server(column: Column) -> bool:
    """Tell whether a column is such as servers and loggers write, or what only language models are asked for."""
    context = guards.Context(roles=(), names=())
    told = any(
        rank(role, column.path) is not None
        and guards.fits(role, column, context, loose=is_loose(role, column.path))
        for role in _OF_SERVERS
    )
    return told or leftovers.is_logged(column) or words(column.path[-1])[-1:] == ["tokens"]


def _is_plain(column: Column) -> bool:
    """Tell whether a column has the values that an input of a model has."""
    free_text = any(isinstance(one, str) and len(one) > LONGEST_CATEGORY for one in column.samples)
    single = not column.kinds & {"list", "object"} and not looks.holds_json(column)
    return bool(column.samples) and single and not free_text and not looks.is_written_time(column)


def _stands_free(path: ColumnPath) -> bool:
    """Tell whether a name is no role's or text's, nor marked as an input's, as `features.age` and `input_age` are."""
    parts = words(path[-1])
    return (
        not may_be_role(path)
        and not container_depth(path, FEATURE_CONTAINERS)
        and FEATURE_CONTAINERS.isdisjoint(parts[:1])
        and _TEXTS.isdisjoint(parts[-1:])
    )


def doubtful(
    role: str, taken: Column | None, others: Iterable[Column], context: guards.Context
) -> ColumnPath | None:
    """Return the column of which it is not certain whether it has a role or is an input; None where all is clear.

    Args:
        role: One of `ROLES`.
        taken: What was given the role by its name, if anything was.
        others: Columns that became features.
        context: What is decided.
    """
    if taken is not None:
        measured = role == "latency" and guards.is_among_inputs(taken, context)
        return taken.path if measured and is_loose(role, taken.path) else None
    alone = replace(context, inputs=frozenset())
    able = (
        (rank(role, one.path) or 0, one.path)
        for one in others
        if rank(role, one.path) is not None and guards.is_among_inputs(one, context)
        if guards.fits(role, one, alone, loose=True)
    )
    return min(able, default=(0, None))[1]


def sentences(mapping: Mapping, where: str) -> Iterator[tuple[str, str, str]]:
    """Yield what may be read wrongly: the column, how bad that would be, and what is said of it.

    Args:
        mapping: Which column has which role.
        where: The file.
    """
    for role, path in mapping.doubtful.items():
        name, noun, key = one_line(dotted(path)), _NAMED[role], quoted(dotted(path))
        if mapping.roles.get(role) == path:
            severity = "info" if latency_factor(path[-1]) is not None else "warning"
            right, wrong = f"{role} = {key}", f"numeric = [{key}] if it is an input of the model"
            said = f"the {noun}; if that is right, set [roles] {right}, and {wrong}"
            yield name, severity, f"{name} in {where} is read as {said}"
        else:
            said = f"an input of the model; if it is the {noun}, set [roles] {role} = {key}"
            yield name, "info", f"{name} in {where} is read as {said}"
    if (parent := parent_of(mapping)) is not None:
        name, key = one_line(dotted(parent)), quoted(dotted(parent))
        said = "each of these counts as a request, and one that failed as a failed request"
        todo = (
            f"log the root runs alone (LangSmith: is_root), or set [roles] ignore = [{key}] if that is right"
        )
        yield name, "warning", f"{name} in {where} says that records are steps of others; {said}: {todo}"
    yield from _unread(mapping, where)


def _unread(mapping: Mapping, where: str) -> Iterator[tuple[str, str, str]]:
    """Say which answers and inputs are left out because they are several values in one column."""
    answered = not (_ANSWERS | {"label", "event"}).isdisjoint(mapping.roles)
    for column, why in mapping.reasons.items():
        dotted_name = column.removeprefix("ignored:")
        name, path = one_line(dotted_name), (dotted_name.rpartition(".")[2],)
        if dotted_name == column or why not in _SEVERAL:
            continue
        if _is_answer(path) and not answered:
            todo = "log a record for each answer, with a column for it, or name one with [roles] prediction"
            said = f"{_SEVERAL[why]}, so that no answer of these requests is read"
            yield name, "warning", f"{name} in {where} is {said}: {todo}"
        elif normal(path[0]) in FEATURE_CONTAINERS:
            todo = "log what should be watched in columns of their own"
            yield name, "info", f"{name} in {where} is {_SEVERAL[why]}, and no input that is watched: {todo}"


def parent_of(mapping: Mapping) -> ColumnPath | None:
    """Return the column that names the run that a record is a step of; None where there is none."""
    return next((one.path for one in mapping.features if one.path[-1] == _PARENT), None)


def settled(settings: RoleSettings) -> set[str]:
    """Return the names of columns of which the configuration says what they are, as `sentences` writes them."""
    roles = (getattr(settings, role) for role in (*ROLES, *_ANSWERS))
    lists = (settings.numeric, settings.categorical, settings.ignore)
    named = (*chain.from_iterable(lists), *(name for name in roles if name is not None))
    return set(map(one_line, named))
