"""Features that cannot be compared though somebody meant them to be: a reference that calls them otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_APART = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Strangers:
    """What keeps a version's features from their reference."""

    names: Mapping[str, str] = field(default_factory=dict)
    """What the reference calls features whose names differ in case and punctuation alone."""
    others: tuple[str, ...] = ()
    """The features of a reference that has none of the version's."""


NONE = Strangers()
"""Nothing does, or there is no reference."""


def strangers(here: Collection[str], there: Collection[str]) -> Strangers:
    """Return what keeps features from being compared.

    Args:
        here: Names of the features with values.
        there: Of those of the reference.
    """
    mine, its = set(here) - set(there), set(there) - set(here)
    alike = {_plain(name): name for name in its}
    names = {name: alike[_plain(name)] for name in sorted(mine) if _plain(name) in alike}
    none = mine and not names and len(mine) == len(set(here))
    return Strangers(names, tuple(sorted(its)) if none else ())


def _plain(name: str) -> str:
    return _APART.sub("", name).casefold()
