"""How far answers in words moved from those of the reference: in length, and in the words that they use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.drift import align, compare, own_limit
from mlwatch.snapshot.read import Table, fetch
from mlwatch.store import output_rollups as rollups
from mlwatch.store.reference_texts import MEASURES, NUMBERS, OF_ANSWERS
from mlwatch.store.reference_windows import parted_sql

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
    limits: Mapping[str, float] = field(default_factory=dict)
    """What its own windows reach of `length` and `vocabulary`, where that was asked for."""


def texts_of(
    connection: DuckDBPyConnection,
    chosen: Period | None,
    policy: Policy,
    file: str | None = None,
    sigmas: float | None = None,
) -> Texts | None:
    """Return the answers to compare with; None where there are none in words.

    Args:
        connection: A cursor of this thread.
        chosen: The period to compare with where the reference has no answers in words.
        policy: When a difference counts as drift.
        file: Name of the reference file; None without one.
        sigmas: How far the windows of these answers raise the threshold; None for not at all.
    """
    if file is not None:
        measure = (
            "CASE feature " + " ".join(f"WHEN {n} THEN '{name}'" for n, name in MEASURES.items()) + " END"
        )
        inside = f"FROM {{}} WHERE feature IN ({NUMBERS})"
        table = fetch(connection, f"SELECT {measure} AS measure, bin, n {inside.format('reference')}")
        if len(table):
            windows = f"SELECT {measure} AS measure, part, bin, n {inside.format('reference_windows')}"
            own = fetch(connection, windows) if sigmas is not None else None
            return Texts(file, table, _limits(table, own, policy, sigmas))
    if chosen is None:
        return None
    condition, values = f"{chosen.condition} AND {OF_ANSWERS}", dict(chosen.values)
    table = fetch(
        connection,
        f"""SELECT measure, bin, CAST(SUM(n) AS BIGINT) AS n FROM {rollups.MEASURES.table(rollups.LEVELS[0])}
        WHERE {condition} GROUP BY ALL""",
        values,
    )
    parted = parted_sql(condition, rollups.MEASURES, "measure, bin")
    own = fetch(connection, parted, values) if sigmas is not None else None
    return Texts(chosen.description, table, _limits(table, own, policy, sigmas)) if len(table) else None


def _limits(whole: Table, windows: Table | None, policy: Policy, sigmas: float | None) -> Mapping[str, float]:
    """Return the thresholds that windows give, each compared with the whole."""
    if windows is None or sigmas is None:
        return {}
    parts = (windows.where(windows["part"] == part) for part in np.unique(windows["part"]))
    found = [_compared(whole, part, policy) for part in parts if _answers(part) >= policy.floor]
    limits = {
        name: own_limit([each[name] for each in found if name in each], sigmas)
        for name in ("length", "vocabulary")
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def drifts_of(texts: Texts | None, measures: Table, policy: Policy) -> Mapping[str, Drift]:
    """Return the drift of length and vocabulary of a version's answers; empty where there is nothing to compare.

    Args:
        texts: See `texts_of`.
        measures: What the version's requests gave, over the range.
        policy: When a difference counts as drift.
    """
    if texts is None or rollups.CHARACTERS not in set(measures["measure"].tolist()):
        return {}
    return _compared(texts.measures, measures, policy, texts.limits)


def _compared(
    before: Table, after: Table, policy: Policy, limits: Mapping[str, float] | None = None
) -> dict[str, Drift]:
    """Compare two sets of answers.

    Lengths have an order, hashed words have none. The words of one answer come together, so that their counts are
    scaled down to the number of answers before anything is made of their significance.
    """
    raised = (limits or {}).get
    lengths, words = (
        [_of(each, name) for each in (before, after)] for name in (rollups.CHARACTERS, rollups.VOCABULARY)
    )
    answers = [int(n.sum()) for _, n in lengths]
    merged = [(np.floor_divide(bins, TOGETHER), n) for bins, n in lengths]
    found = {"length": compare(*align(*merged), "numeric", policy=policy.raised(raised("length")))}
    if all(n.sum() for _, n in words):
        codes, *sides = align(*words)
        old, new = (n * (many / n.sum()) for n, many in zip(sides, answers, strict=True))
        unordered = policy.without_order.raised(raised("vocabulary"))
        found["vocabulary"] = compare(codes, old, new, "categorical", policy=unordered)
    return found


def _answers(rows: Table) -> int:
    return int(_of(rows, rollups.CHARACTERS)[1].sum())


def _of(rows: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    mine = rows.where(rows["measure"] == name)
    return mine["bin"].astype(np.int64), mine["n"].astype(np.int64)
