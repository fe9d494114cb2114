"""Which column of a log is what."""

from __future__ import annotations

from mlwatch.roles.columns import columns_of
from mlwatch.roles.describe import describe
from mlwatch.roles.infer import infer, merge
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
    "columns_of",
    "describe",
    "infer",
    "merge",
    "parse_timestamp",
]
