"""Bins of the labels of regressions: cut after the reference's labels, else after the first that come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, number
from mlwatch.sources.sql import literal
from mlwatch.store import fold, rollups
from mlwatch.store.binning import cut
from mlwatch.store.rollup import HOUR
from mlwatch.store.slices import Columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.store.registry import Registry

ENOUGH = 200
"""Labels that are waited for before bins are cut after them."""


def ensure(connection: DuckDBPyConnection, registry: Registry, *, enough: int = ENOUGH) -> None:
    """Cut bins for the labels of regressions once there are enough, and count the stored ones in them.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns the bins.
        enough: So many labels that are numbers.
    """
    numeric, _ = registry.plain_models()
    if not numeric or rollups.LABEL in registry.bins:
        return
    listed = ", ".join(map(literal, numeric))
    told = f"SELECT COALESCE(SUM(n_number), 0) FROM {rollups.OUTCOMES.table(HOUR)} WHERE model IN ({listed})"
    if number(connection, told) < enough:
        return
    with all_or_nothing(connection):
        fold.score_stored(connection, Columns())
        source = "the first labels that were read"
        if cut(connection, registry, "scored", [registry.label_bins()], source, models=sorted(numeric)):
            fold.fold_label_values(connection, registry)
