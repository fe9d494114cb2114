"""What a line says of a request beside the record that it wraps.

Loggers that know the request write its id on each line, and platforms know which version they run; the record in the
message need not repeat it. The other fields of such a line are the logger's own, no inputs of a model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlwatch.roles.names import aliases, is_named, latency_factor, rank
from mlwatch.roles.types import ROLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import ColumnPath

_TOLD = ("id", "model", "version", "latency", "status")
"""Roles that are looked for beside a record that has none of their names itself."""
_OF_LINES = frozenset({"id", "uuid", "guid", "recordid", "eventuuid"})
"""Ids that are as often those of the line around a record, such as CloudWatch's, as those of a request."""
SHIPPERS = ("@", "_")
"""What the fields begin with that shippers write about themselves, such as Filebeat's version in `@metadata`."""


def columns_said(settings: RoleSettings) -> frozenset[str]:
    """Return the columns that the configuration names, dotted."""
    roles = (getattr(settings, role) for role in ROLES)
    names = (*roles, *settings.features, *settings.categorical, *settings.numeric)
    return frozenset(name for name in names if name is not None)


def filled(record: Mapping[str, Any], outer: Mapping[str, Any], said: Collection[str]) -> Mapping[str, Any]:
    """Return a record with what it lacks and the object around it says.

    Args:
        record: The record.
        outer: The object that holds it as text.
        said: Columns that the configuration names, dotted: they are brought along, whatever their names.
    """
    for path, value in (*_told(record, outer), *_configured(outer, said)):
        record = _with(record, path, value)
    return record


def reached(found: Mapping[str, Any], name: str) -> ColumnPath | None:
    """Return the path of a dotted name; keys may have dots of their own."""
    if name in found:
        return (name,)
    if "." not in name:
        return None
    for key, inner in found.items():
        if isinstance(inner, dict) and name.startswith(f"{key}."):
            below = reached(inner, name[len(key) + 1 :])
            if below is not None:
                return (key, *below)
    return None


def fields(record: Mapping[str, Any]) -> Iterator[tuple[ColumnPath, Any]]:
    """Yield the fields at the top and one below."""
    for name, value in record.items():
        yield (name,), value
        if isinstance(value, dict):
            yield from (((name, inner), found) for inner, found in value.items())


def is_http_status(value: object) -> bool:
    """Tell whether a value is a status of HTTP; words are levels of messages in some logs."""
    text = str(value)
    return len(text) == 3 and text[0] in "12345" and text.isdecimal()


def _told(record: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[tuple[ColumnPath, Any]]:
    """Yield, for each role that a record lacks, the field of the object around it that is named best."""
    best: dict[str, tuple[int, ColumnPath, Any]] = {}
    for path, value in fields(outer):
        for role, place in _places(path):
            if _fits(role, value) and (role not in best or place < best[role][0]):
                best[role] = place, path, value
    if best:
        own = {role for path, value in fields(record) for role in _likely(path) if _fits(role, value)}
        if "id" in best and _is_event_of_unit(record):
            own.add("id")
        yield from ((path, value) for role, (_, path, value) in best.items() if role not in own)


def _is_event_of_unit(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is an event that says whose it is.

    The line around it names the call that reported the event, not the request that the prediction was for.
    """
    roles = {role for path, value in fields(record) if value is not None for role in _of_event(path)}
    return roles == {"event", "unit"}


def _configured(outer: Mapping[str, Any], said: Collection[str]) -> Iterator[tuple[ColumnPath, Any]]:
    for name in said:
        path = reached(outer, name)
        if path is not None:
            value: Any = outer
            for key in path:
                value = value[key]
            yield path, value


@lru_cache(maxsize=20_000)
def _places(path: ColumnPath) -> tuple[tuple[str, int], ...]:
    """Return the roles that a name is one for beyond doubt, and how good it is for each."""
    if path[0].startswith(SHIPPERS):
        return ()
    found = ((role, rank(role, path)) for role in _TOLD if _is_certain(role, path))
    return tuple((role, place) for role, place in found if place is not None)


def _is_certain(role: str, path: ColumnPath) -> bool:
    if role == "latency" and latency_factor(path[-1]) is not None:
        return True  # what is beside a record is no input, so that a name with a unit of time is enough
    return is_named(role, path) and (role != "id" or _OF_LINES.isdisjoint(aliases(path)))


@lru_cache(maxsize=20_000)
def _likely(path: ColumnPath) -> tuple[str, ...]:
    """Return the roles that a name of a record's own may be one for; an event's id serves where there is no other."""
    found = tuple(role for role in _TOLD if rank(role, path) is not None)
    return found if rank("event_id", path) is None else (*found, "id")


@lru_cache(maxsize=20_000)
def _of_event(path: ColumnPath) -> tuple[str, ...]:
    return tuple(role for role in ("event", "unit", "prediction", "score") if rank(role, path) is not None)


def _fits(role: str, value: object) -> bool:
    if role == "status":
        return is_http_status(value)
    kinds = (int, float) if role == "latency" else (str, int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and value != ""


def _with(record: Mapping[str, Any], path: ColumnPath, value: object) -> Mapping[str, Any]:
    """Return a record with a value at a path, unless it has one there."""
    name, *below = path
    own = record.get(name)
    if not below:
        return record if own is not None else {**record, name: value}
    if own is None or isinstance(own, dict):
        return {**record, name: _with(own or {}, tuple(below), value)}
    return record
