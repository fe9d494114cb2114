"""Columns that the configuration names and that no record has: a mistyped name is ignored without a word else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import is_called
from mlwatch.errors import one_line
from mlwatch.roles.choice import is_template
from mlwatch.roles.types import ROLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import Mapping

SELDOM = frozenset({"label", "error", "event", "value", "currency", "event_id"})
"""Roles of what may come long after the requests, or only with some."""
UNIT = "unit"
"""What users are told apart by is told of where the rollout is judged."""


def absent(settings: RoleSettings, mappings: Collection[Mapping]) -> Iterator[tuple[str, str, str | None]]:
    """Yield each role that the configuration gives to a column: the role, how bad it is, and what is said.

    Args:
        settings: The `[roles]` of the configuration.
        mappings: Of all that was read.

    Yields:
        The sentence is None where some record has the column.
    """
    known = {path for mapping in mappings for path in _columns(mapping)}
    for role in ROLES:
        name = getattr(settings, role)
        if name is None or role == UNIT or is_template(role, name):
            continue
        said = f"[roles] {role} names a column that no record has{' yet' if role in SELDOM else ''}"
        severity = "info" if role in SELDOM else "warning"
        yield (
            role,
            severity,
            None if any(is_called(path, name) for path in known) else f"{said}: {one_line(name)}",
        )


def _columns(mapping: Mapping) -> Iterator[tuple[str, ...]]:
    yield from mapping.of_roles
    yield from mapping.ignored
    for feature in mapping.features:
        yield feature.path
