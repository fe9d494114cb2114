"""An Apache Flink job, in SQL, that writes topics as files that mlwatch reads: as records, and as rollup rows."""

from __future__ import annotations

from pathlib import Path

from mlwatch.metrics.bin_sql import latency_bin_sql, score_bin_sql
from mlwatch.store.rollups import EPSILON


def job() -> str:
    """Return the job, with comments on what is to be changed."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    bins = {"latency_bin": latency_bin_sql("latency_ms"), "score_bin": score_bin_sql("score")}
    for name, expression in bins.items():
        column = expression.split()[2]
        # Flink has no NaN in JSON, and no function to ask for it
        text = text.replace(f"{{{name}}}", expression.replace(f" OR isnan(CAST({column} AS DOUBLE))", ""))
    return text.replace("{epsilon}", f"{EPSILON!r}")
