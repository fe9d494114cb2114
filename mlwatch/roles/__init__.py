"""Which column of a log is what."""

from __future__ import annotations

from mlwatch.roles.types import ROLES, Column, ColumnPath, Feature, FeatureKind, Mapping, TimeUnit
from mlwatch.times import parse_timestamp

__all__ = [
    "ROLES",
    "Column",
    "ColumnPath",
    "Feature",
    "FeatureKind",
    "Mapping",
    "TimeUnit",
    "parse_timestamp",
]
