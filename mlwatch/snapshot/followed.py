"""The columns that segments are made of, where the records themselves are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import is_there
from mlwatch.store import slices
from mlwatch.store.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE = 50_000
"""Records of a version that are looked at; of more, one in so many."""
SIZE = 2 + max(slices.PARTS, slices.CATEGORIES)
"""Parts of a column at most, with those of missing values and of all other categories."""


def followed(connection: DuckDBPyConnection, model: str) -> list[slices.Column]:
    """Return the columns that are followed as segments, of those that a model has; none where there are only rollups.

    Args:
        connection: A cursor of this thread.
        model: Its name.
    """
    if not is_there(connection, "predictions"):
        return []
    registry = Registry(connection)
    mine = [number for number in registry.segments if (model, number) in registry.model_features]
    return [each for each in slices.columns(connection, registry, mine).columns if each.feature.number >= 0]


def one_in(records: int) -> int:
    """Return that one in so many records is looked at."""
    return max(1, -(-records // SAMPLE))
