"""How well the model did on the reference: by the same metrics as on the logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.snapshot import families, outputs
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.reference import file_name
from mlwatch.store import rollups
from mlwatch.store.output_rollups import CLASS_SCORES, RANKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Period
    from mlwatch.snapshot.types import Task
    from mlwatch.store.rollup import Rollup

_ANSWERED = "prediction IS NOT NULL"
_FILES: Mapping[str, str] = {
    "r_outcomes": f"""(
        FROM reference_outcomes UNION ALL BY NAME (
            SELECT label, prediction, SUM(n) AS n, SUM(CASE WHEN sum_abs IS NOT NULL THEN n END) AS n_number,
                SUM(sum_error) AS sum_error, SUM(sum_abs) AS sum_abs, SUM(sum_sq) AS sum_sq, SUM(sum_err4) AS sum_err4
            FROM reference_labels WHERE {_ANSWERED} AND NOT EXISTS (FROM reference_outcomes) GROUP BY 1, 2))""",
    "r_scores": f"(FROM reference_labels WHERE {_ANSWERED} AND bin IS NOT NULL AND sum_score IS NOT NULL)",
    "r_class_scores": "reference_classes",
    "r_ranks": "reference_ranks",
}
"""Where the reference file has what a rollup has of the logs; profiles of before have no sums but those of errors."""


def performance_there(
    connection: DuckDBPyConnection, task: Task, positive: str | None, chosen: Period | None
) -> Mapping[str, Estimate]:
    """Return the metrics of the reference file, else of a period; empty where there are no labels beside predictions.

    Args:
        connection: A cursor of this thread.
        task: Of the model.
        positive: Positive class of a binary task.
        chosen: A configured period of the logs; None for none.
    """
    of_file = file_name(connection) is not None
    if task == "unknown" or not (of_file or chosen):
        return {}

    def sums(rollup: Rollup) -> Table:
        keys = ", ".join(rollup.keys)
        listed = ", ".join(f"SUM({each}) AS {each}" for each in rollup.measures)
        select = f"SELECT {keys}, {listed} FROM {{}} GROUP BY {keys} HAVING SUM(n) > 0"
        if of_file or chosen is None:
            return fetch(connection, select.format(_FILES[rollup.name]))
        table = f"{rollup.table(rollup.levels[0])} WHERE {chosen.condition}"
        return fetch(connection, select.format(table), dict(chosen.values))

    rows = sums(rollups.OUTCOMES)
    if not len(rows):
        return {}
    if task == "regression":
        found: Mapping[str, Estimate] = families.regressed(rows)
    else:
        found, _ = families.classified(task, rows, sums(rollups.SCORES), positive)
    if task == "multiclass" and len(classes := sums(CLASS_SCORES)):
        many = len(set(classes["class"].tolist()))
        found = {**found, **outputs.one_vs_rest(classes), **outputs.places(sums(RANKS), many)}
    return {name: estimate for name, estimate in found.items() if estimate.defined}
