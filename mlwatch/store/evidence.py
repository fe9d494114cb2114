"""What a model's predictions tell of its task: a few sums that grow with each batch, whatever rows are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import meta_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from duckdb import DuckDBPyConnection

KEY = "predicted"
"""Where the table `meta` keeps it."""
MAX_CLASSES = 200
"""More different predictions than this are no classes."""
LONGEST = 120
"""Characters; what is longer is no name of a class."""
YOUNG = 10_000
"""Predictions after which an inferred task stays: a stray one, or a version that logs something else, is no reason to
judge all that was before by another question."""
STRAY = 0.01
"""Fractions among the numbers of a model, up to this share, do not make it a regression."""
RANK = ("binary", "multiclass", "unknown", "regression")
"""An inferred task only moves on in this order, so that it comes to rest: a class that was seen stays seen."""
IS_CODE = "prediction LIKE '0%' AND LENGTH(prediction) > 1 AND prediction NOT LIKE '0.%'"
"""What has zeros before it, such as a postcode, is a name that is written in digits."""
NUMBER = f"CASE WHEN {IS_CODE} THEN NULL ELSE TRY_CAST(prediction AS DOUBLE) END"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one model."""

    total: int = 0
    """Predictions."""
    numbers: int = 0
    fractions: int = 0
    longest: int = 0
    """Characters."""
    classes: frozenset[str] = frozenset()
    """Different predictions; where there are more than `MAX_CLASSES`, one more than that."""

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """What `fold.task_by` tells a task by."""
        return self.total, len(self.classes), self.numbers, self.fractions, self.longest

    def with_more(self, other: Evidence) -> Evidence:
        """Return what is known by both."""
        return Evidence(
            self.total + other.total,
            self.numbers + other.numbers,
            self.fractions + other.fractions,
            max(self.longest, other.longest),
            frozenset(sorted(self.classes | other.classes)[: MAX_CLASSES + 1]),
        )


def look(connection: DuckDBPyConnection, relation: str, models: Collection[str]) -> dict[str, Evidence]:
    """Return what the answered requests of a relation tell of some models.

    Args:
        connection: Of the thread that takes logs in.
        relation: Has `model`, `prediction` and `failed`; `batch` alone, or a part of `predictions`.
        models: Which.
    """
    if not models:
        return {}
    rows = connection.execute(
        f"""SELECT model, SUM(n), COALESCE(SUM(n) FILTER (number IS NOT NULL), 0),
            COALESCE(SUM(n) FILTER (number <> ROUND(number)), 0), MAX(LENGTH(prediction)),
            MIN(LEFT(prediction, {LONGEST + 1}), {MAX_CLASSES + 1})
        FROM (
            SELECT model, prediction, COUNT(*) AS n, {NUMBER} AS number FROM {relation}
            WHERE NOT failed AND prediction IS NOT NULL AND list_contains(?::VARCHAR[], model)
            GROUP BY model, prediction)
        GROUP BY model""",
        [sorted(models)],
    ).fetchall()
    return {model: _of_sums(sums, classes) for model, *sums, classes in rows}


def recall(text: str | None) -> dict[str, Evidence]:
    """Read what was kept."""
    found = json.loads(text or "{}")
    return {model: _of_sums(sums, classes) for model, (*sums, classes) in found.items()}


def _of_sums(sums: Iterable[int], classes: Iterable[str]) -> Evidence:
    total, numbers, fractions, longest = map(int, sums)
    return Evidence(total, numbers, fractions, longest, frozenset(classes))


def keep(connection: DuckDBPyConnection, known: Mapping[str, Evidence], settled: Iterable[str]) -> None:
    """Keep what is known, inside a transaction; of models whose task can change no more that is nothing but their name.

    Args:
        connection: Of the thread that takes logs in.
        known: By model.
        settled: Models whose classes need not be known any more.
    """
    bare = set(settled)
    listed = {
        model: [
            one.total,
            one.numbers,
            one.fractions,
            one.longest,
            [] if model in bare else sorted(one.classes),
        ]
        for model, one in known.items()
    }
    text = json.dumps(listed)
    if meta_value(connection, KEY) != text:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [KEY, text])
