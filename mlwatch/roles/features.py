"""Which columns are inputs of the model, and of what kind."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles.columns import kind_of
from mlwatch.roles.names import (
    FEATURE_CONTAINERS,
    LOOSE_CONTAINERS,
    POSITIONS,
    QUERIES,
    container_depth,
    normal,
    rank,
)
from mlwatch.roles.types import Column, ColumnPath, Feature, FeatureKind
from mlwatch.roles.written import NULL_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlwatch.config import RoleSettings

_NUMERIC_SHARE = 0.8
"""Share of a mixed column's values that must be numbers."""


def listed(patterns: Iterable[str], path: ColumnPath, name: str | None = None) -> bool:
    """Tell whether a column is meant by one of some names or globs; a name means everything below it, too."""
    full = dotted(path)
    return any(
        pattern in (full, name) or full.startswith(pattern + ".") or fnmatchcase(full, pattern)
        for pattern in patterns
    )


def containers_of(paths: Collection[ColumnPath]) -> frozenset[str]:
    """Return the names of the objects that hold inputs, given all paths of the records.

    An object such as `data` holds the inputs where the records' own fields are outside of it; where they are
    inside, it only wraps the record.
    """
    outside = [path for path in paths if not container_depth(path, LOOSE_CONTAINERS)]
    inside = [
        path
        for path in paths
        if container_depth(path, LOOSE_CONTAINERS) and not container_depth(path, FEATURE_CONTAINERS)
    ]
    answered = _named(outside, "prediction", "score")
    framed = _named(outside, "timestamp", "id") and not _named(outside, "event")
    if answered or (framed and not _named(inside, "prediction", "score")):
        return FEATURE_CONTAINERS | LOOSE_CONTAINERS
    return FEATURE_CONTAINERS


def _named(paths: Iterable[ColumnPath], *roles: str) -> bool:
    own = [path for path in paths if not container_depth(path, FEATURE_CONTAINERS)]
    return any(rank(role, path) is not None for path in own for role in roles)


def feature_kind(column: Column, settings: RoleSettings, name: str) -> FeatureKind:
    """Decide whether a feature is numeric or categorical; text is a category even where it looks numeric."""
    if listed(settings.categorical, column.path, name):
        return "categorical"
    if listed(settings.numeric, column.path, name):
        return "numeric"
    kinds = [kind_of(sample) for sample in column.samples if not _is_null_word(sample)]
    count = sum(kind in {"integer", "number"} for kind in kinds)
    return "numeric" if count and count >= _NUMERIC_SHARE * len(kinds) else "categorical"


def _is_null_word(sample: object) -> bool:
    return isinstance(sample, str) and sample.strip().lower() in NULL_WORDS


def name_features(
    columns: Iterable[Column], containers: frozenset[str], taken: Collection[str], settings: RoleSettings
) -> tuple[Feature, ...]:
    """Make features of columns, each with a name of its own.

    Args:
        columns: In the order wanted.
        containers: Names of the objects whose own name is left out.
        taken: Names that are used already.
        settings: Which kinds are said in the configuration.
    """
    columns = tuple(columns)
    names: dict[ColumnPath, str] = {}
    used = set(taken)
    for column in sorted(
        columns, key=lambda one: (len(one.path), one.path)
    ):  # independent of the columns' order
        names[column.path] = _free_name(column.path, containers, used)
        used.add(names[column.path])
    return tuple(
        Feature(names[column.path], column.path, feature_kind(column, settings, names[column.path]))
        for column in columns
    )


def orders_ranking(features: Iterable[Feature]) -> bool:
    """Tell by their names whether the features are of items in a ranking: a query, and a place in its results."""
    places = {normal(feature.path[-1]) for feature in features if feature.kind == "numeric"}
    queries = {normal(feature.path[-1]) for feature in features}
    return not (places.isdisjoint(POSITIONS.split()) or queries.isdisjoint(QUERIES.split()))


def _free_name(path: ColumnPath, containers: frozenset[str], used: Collection[str]) -> str:
    spelled = (
        tuple(path[0].split(".")) if len(path) == 1 else path
    )  # a flat file writes features.age in its header
    short, full = dotted(spelled[container_depth(spelled, containers) :]) or dotted(path), dotted(path)
    for name in (short, full):
        if name not in used:
            return name
    number = 2
    while f"{full}#{number}" in used:
        number += 1
    return f"{full}#{number}"
