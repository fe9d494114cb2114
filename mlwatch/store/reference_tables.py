"""The tables of the reference: its counts by bin, and what was true there."""

from __future__ import annotations

from mlwatch.store import output_rollups, rollups

ASIDE = "reference_aside"
"""What `meta` has where no reference file was asked for, though the store may hold the counts of one."""
IN_FORCE = f"NOT EXISTS (FROM meta WHERE key = '{ASIDE}')"
"""Whether the reference file that the store holds the counts of was asked for."""
COLUMNS: dict[str, dict[str, str]] = {
    "labels": {
        "label": "VARCHAR",
        "prediction": "VARCHAR",
        "bin": "INTEGER",
        "n": "BIGINT",
        "sum_score": "DOUBLE",
        **dict.fromkeys(("sum_error", "sum_abs", "sum_sq", "sum_err4"), "DOUBLE"),
    },
    "label_windows": {"label": "VARCHAR", "part": "INTEGER", "n": "BIGINT"},
    "outcomes": {**rollups.OUTCOMES.keys, **rollups.OUTCOMES.measures},
    "classes": {**output_rollups.CLASS_SCORES.keys, **output_rollups.CLASS_SCORES.measures},
    "importance": {"feature": "VARCHAR", "importance": "DOUBLE"},
    "ranks": {**output_rollups.RANKS.keys, **output_rollups.RANKS.measures},
}
"""Columns of what a store holds of the labels of its reference, in tables named `reference_labels` and so on.

By prediction and score bin, of a regression its errors by part of the prediction; classes by tenths of the time; how
much features tell about them, by name; the others as the rollups of outcomes, class scores and ranks have them.
"""

NAMES = ("reference", "reference_windows", *(f"reference_{name}" for name in COLUMNS))
"""All tables of what a store holds of its reference, besides bins and categories."""


def ddl(name: str) -> str:
    """Return the statement that creates one of the tables."""
    columns = ", ".join(f"{column} {kind}" for column, kind in COLUMNS[name].items())
    return f"CREATE TABLE reference_{name} ({columns})"
