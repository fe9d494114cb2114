"""An Apache Flink job, in SQL, that writes topics as files that mlwatch reads."""

from __future__ import annotations

from pathlib import Path


def job() -> str:
    """Return the job, with comments on what is to be changed."""
    return Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
