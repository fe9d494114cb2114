"""Tell whether another `[roles]` would read columns otherwise than a mapping does, by what the mapping says alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import dotted, is_called
from mlwatch.roles.choice import DEFINING, FROM_PATH, UNLISTED, is_template
from mlwatch.roles.features import listed
from mlwatch.roles.infer import IGNORED, SET, constants_of
from mlwatch.roles.names import latency_factor, rank
from mlwatch.roles.types import ROLES
from mlwatch.roles.units import FACTORS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import PurePath

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import ColumnPath, Feature, Mapping


def reads_otherwise(
    mapping: Mapping, before: RoleSettings, now: RoleSettings, path: PurePath, root_name: str
) -> bool:
    """Tell whether columns that a mapping knows have another meaning under other settings.

    Settings that are applied to what is stored, such as the task, change nothing here.

    Args:
        mapping: What was decided.
        before: The settings that it was decided under.
        now: The other ones.
        path: Of a file that it was decided for, below the log directory.
        root_name: The log directory's name.
    """
    known = {*mapping.of_roles, *(feature.path for feature in mapping.features), *mapping.ignored}
    changed = [role for role in ROLES if getattr(before, role) != getattr(now, role)]
    return (
        any(_moves(role, mapping, known, before, now) for role in changed)
        or any(_renames(role, mapping, now, path, root_name) for role in FROM_PATH if role in changed)
        or _regroups(mapping, before, now)
        or _rescales(mapping, before, now)
    )


def _moves(
    role: str, mapping: Mapping, known: Collection[ColumnPath], before: RoleSettings, now: RoleSettings
) -> bool:
    """Tell whether a role goes to another column, or to none, or to one where there was none."""
    named, taken = getattr(now, role), mapping.columns(role)
    if named is not None and not is_template(role, named):
        if any(is_called(one, named) for one in known):
            return len(taken) != 1 or not is_called(taken[0], named)
        if role in DEFINING:
            return bool(taken)  # it is not looked for under another name then
    ranked = [(place, len(one), one) for one in known if (place := rank(role, one)) is not None]
    if mapping.reasons.get(role, "").startswith(SET):
        return not ranked or min(ranked)[-1] != taken[0]
    return role in DEFINING and getattr(before, role) is not None and not taken and bool(ranked)


def _renames(role: str, mapping: Mapping, now: RoleSettings, path: PurePath, root_name: str) -> bool:
    """Tell whether records that name no model or version get another one."""
    if role in mapping.roles or not mapping.constants:
        return False
    return constants_of(now, path, root_name)[0][role] != mapping.constants.get(role)


def _regroups(mapping: Mapping, before: RoleSettings, now: RoleSettings) -> bool:
    """Tell whether a column begins or ceases to be a feature, or is one of another kind."""
    given = [path for role, path in mapping.roles.items() if getattr(now, role) is None]
    used = [*given, *(one.path for one in mapping.features)]
    if before.ignore != now.ignore and (
        any(listed(now.ignore, path) for path in used)
        or any(not listed(now.ignore, path) for path in _left_out(mapping, IGNORED))
    ):
        return True
    if before.features != now.features and (
        any(now.features and not listed(now.features, one.path, one.name) for one in mapping.features)
        or any(not now.features or listed(now.features, path) for path in _left_out(mapping, UNLISTED))
    ):
        return True
    return (before.categorical, before.numeric) != (now.categorical, now.numeric) and any(
        _said(one, now) != _said(one, before) and _said(one, now) != one.kind for one in mapping.features
    )


def _left_out(mapping: Mapping, reason: str) -> list[ColumnPath]:
    return [path for path in mapping.ignored if mapping.reasons.get(f"ignored:{dotted(path)}") == reason]


def _said(feature: Feature, settings: RoleSettings) -> str | None:
    """Return of what kind the configuration says that a feature is."""
    kinds = {"categorical": settings.categorical, "numeric": settings.numeric}
    return next((kind for kind, names in kinds.items() if listed(names, feature.path, feature.name)), None)


def _rescales(mapping: Mapping, before: RoleSettings, now: RoleSettings) -> bool:
    """Tell whether latencies get another unit; that another `timezone` moves times is not known: most have a zone."""
    if before.latency_unit == now.latency_unit or "latency" not in mapping.roles:
        return False
    unit = now.latency_unit
    factor = FACTORS[unit] if unit else latency_factor(mapping.roles["latency"][-1]) or 1.0
    return factor != mapping.latency_factor
