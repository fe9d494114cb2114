"""The cells of bins as a temporary table: in a large table, a look into it is quicker than many comparisons.

To plan so many comparisons takes the engine longer than to count some ten thousand rows, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.metrics.bin_cells import cells_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.store.feature_rollup import FeatureBins


def lay_out(connection: DuckDBPyConnection, features: Sequence[FeatureBins]) -> list[FeatureBins]:
    """Write the cells of numeric features into the temporary table `bin_cells`, until the next are.

    Args:
        connection: On which the features are counted next.
        features: As many as one statement counts.

    Returns:
        The features, which know their cells where they have some.
    """
    found = [replace(one, cells=cells_of(one.edges)) for one in features]
    runs = [(one.number, *run[:-1], *run.edges) for one in found if one.cells for run in one.cells.runs]
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE bin_cells AS
        SELECT feature, CAST(unnest(range(first, stop)) AS INTEGER) AS "known|cell",
            "known|code", "known|edge", "known|next|edge"
        FROM (SELECT unnest($1::INTEGER[]) AS feature, unnest($2::INTEGER[]) AS first, unnest($3::INTEGER[]) AS stop,
            unnest($4::SMALLINT[]) AS "known|code", unnest($5::DOUBLE[]) AS "known|edge",
            unnest($6::DOUBLE[]) AS "known|next|edge")""",
        [list(column) for column in zip(*runs, strict=True)] or [[]] * 6,
    )
    return found
