"""How far answers in words moved from those of the reference: in length, and in the words that they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.drift import align, compare
from mlwatch.snapshot.read import Table, fetch
from mlwatch.store import output_rollups as rollups
from mlwatch.store.reference_texts import MEASURES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.drift import Drift, Policy
    from mlwatch.snapshot.reference import Period

TOGETHER = 18
"""Bins of lengths that are taken as one: an answer in the next is 1.4 times as long."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """What answers of the reference were like; the same ones are the same object."""

    description: str
    measures: Table


def texts_of(connection: DuckDBPyConnection, chosen: Period | None, file: str | None = None) -> Texts | None:
    """Return the answers to compare with; None where there are none in words.

    Args:
        connection: A cursor of this thread.
        chosen: The period to compare with where the reference has no answers in words.
        file: Name of the reference file; None without one.
    """
    if file is not None:
        cases = " ".join(f"WHEN {number} THEN '{name}'" for number, name in MEASURES.items())
        table = fetch(
            connection,
            f"SELECT CASE feature {cases} END AS measure, bin, n FROM reference WHERE feature IN ({NUMBERS})",
        )
        if len(table):
            return Texts(file, table)
    if chosen is None:
        return None
    table = fetch(
        connection,
        f"""SELECT measure, bin, CAST(SUM(n) AS BIGINT) AS n FROM {rollups.MEASURES.table(rollups.LEVELS[0])}
        WHERE {chosen.condition} AND measure IN ('{rollups.CHARACTERS}', '{rollups.VOCABULARY}') GROUP BY ALL""",
        dict(chosen.values),
    )
    return Texts(chosen.description, table) if len(table) else None


def drifts_of(texts: Texts | None, measures: Table, policy: Policy) -> Mapping[str, Drift]:
    """Return the drift of length and vocabulary of a version's answers; empty where there is nothing to compare.

    Lengths have an order, hashed words have none. The words of one answer come together, so that their counts are
    scaled down to the number of answers before anything is made of their significance.

    Args:
        texts: See `texts_of`.
        measures: What the version's requests gave, over the range.
        policy: When a difference counts as drift.
    """
    if texts is None or rollups.CHARACTERS not in set(measures["measure"].tolist()):
        return {}
    lengths, words = (
        [_of(each, name) for each in (texts.measures, measures)]
        for name in (rollups.CHARACTERS, rollups.VOCABULARY)
    )
    answers = [int(n.sum()) for _, n in lengths]
    merged = [(np.floor_divide(bins, TOGETHER), n) for bins, n in lengths]
    found = {"length": compare(*align(*merged), "numeric", policy=policy)}
    if all(n.sum() for _, n in words):
        codes, *sides = align(*words)
        before, after = (n * (many / n.sum()) for n, many in zip(sides, answers, strict=True))
        found["vocabulary"] = compare(codes, before, after, "categorical", policy=policy.without_order)
    return found


def _of(rows: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    mine = rows.where(rows["measure"] == name)
    return mine["bin"].astype(np.int64), mine["n"].astype(np.int64)
