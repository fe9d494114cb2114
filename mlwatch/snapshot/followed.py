"""The columns that segments are made of, where the records themselves are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import is_there
from mlwatch.snapshot.features import feature_infos
from mlwatch.store import slices
from mlwatch.store.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.features import FeatureInfo

SAMPLE = 50_000
"""Records of a version that are looked at; of more, one in so many."""
SIZE = 2 + max(slices.PARTS, slices.CATEGORIES)
"""Parts of a column at most, with those of missing values and of all other categories."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A column whose values are parted into segments."""

    column: slices.Column
    info: FeatureInfo


def followed(connection: DuckDBPyConnection, model: str) -> list[Followed]:
    """Return the columns that are followed as segments, of those that a model has; none where there are only rollups.

    Args:
        connection: A cursor of this thread.
        model: Its name.
    """
    if not is_there(connection, "predictions"):
        return []
    registry = Registry(connection)
    mine = [number for number in registry.segments if (model, number) in registry.model_features]
    columns = [
        each for each in slices.columns(connection, registry, mine).columns if each.feature.number >= 0
    ]
    infos = feature_infos(connection) if columns else {}
    return [Followed(column, infos[column.feature.number]) for column in columns]


def one_in(records: int) -> int:
    """Return that one in so many records is looked at."""
    return max(1, -(-records // SAMPLE))
