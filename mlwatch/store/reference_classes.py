"""What the probabilities of each class were worth in a reference: by class, and by whether the label was that class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.sources.sql import identifier
from mlwatch.store import fold
from mlwatch.store.meanings import class_columns
from mlwatch.store.output_rollups import class_scores_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings
    from mlwatch.sources.canonical import Slot
    from mlwatch.store.registry import Registry

COLUMNS = ("class", "hit", "bin", "n", "sum_score")


def learn(
    connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot], settings: OutputSettings
) -> None:
    """Count the labelled probabilities of the temporary table `given`, where it has them of more than two classes.

    Args:
        connection: Inside a transaction.
        registry: Knows the features.
        slots: The reference's columns.
        settings: What the configuration says of outputs.
    """
    connection.execute("DELETE FROM reference_classes")
    distinct = number(connection, "SELECT COUNT(DISTINCT label) FROM given")
    if not 2 < distinct <= fold.MAX_CLASSES:
        return
    mine = {slot.number for slot in slots}
    rows = [row for row in registry.features.values() if row.number in mine]
    columns = {name: identifier(row.column) for name, row in class_columns(rows, settings).items()}
    if columns:
        labelled = """(SELECT * REPLACE ('' AS model, '' AS version), 1 AS weight FROM given
            WHERE label IS NOT NULL) AS labelled"""
        connection.execute(f"""
            INSERT INTO reference_classes SELECT class, hit, bin, SUM(n), SUM(sum_score)
            FROM ({class_scores_sql(labelled, "", columns)}) GROUP BY 1, 2, 3""")
