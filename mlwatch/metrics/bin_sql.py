"""The bin grids as SQL that DuckDB and Spark both run, without importing NumPy.

`scores.score_bin`, `latency.latency_bin` and `bins.numeric_bin` are the same functions in NumPy; tests hold
them equal. NULL and NaN give NULL for scores and latencies, the missing code for features. `isnan` is what
both engines have: neither finds NaN <> NaN true. A column is a quoted identifier or an expression that the
caller has made safe.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SCORE_LOGIT_WIDTH = 0.02
SCORE_LOG_WIDTH = 0.01
SCORE_CLIP = 1e-9
SCORE_OUTER = 5000
"""Offset of the score bins above 1 and, negated, below 0."""
SCORE_OUTER_SMALLEST = 1e-15
SCORE_OUTER_LARGEST = 1e15

LATENCY_LOG_GAMMA = math.log(1.01 / 0.99)
LATENCY_SMALLEST = 1e-12
LATENCY_LARGEST = 1e15
LATENCY_ZERO_BIN = -32768
"""Holds latencies of zero or less; the other bins lie between −1,381 and 1,727."""

MISSING = -1
BRANCHES = 8


def score_bin_sql(column: str) -> str:
    """Return the bin of a model score as an INTEGER expression."""
    x = f"CAST({column} AS DOUBLE)"
    inner = f"LEAST(GREATEST({x}, {sql_number(SCORE_CLIP)}), {sql_number(1 - SCORE_CLIP)})"
    above = f"LEAST(GREATEST({x}, 1e0), {sql_number(SCORE_OUTER_LARGEST)})"
    below = f"LEAST(GREATEST(-{x}, {sql_number(SCORE_OUTER_SMALLEST)}), {sql_number(SCORE_OUTER_LARGEST)})"
    log, logit = sql_number(SCORE_LOG_WIDTH), sql_number(SCORE_LOGIT_WIDTH)
    return (
        f"CASE WHEN {column} IS NULL OR isnan({x}) THEN NULL "
        f"WHEN {x} > 1 THEN {SCORE_OUTER} + CAST(CEIL(LN({above}) / {log}) AS INTEGER) "
        f"WHEN {x} < 0 THEN -{SCORE_OUTER} - CAST(CEIL(LN({below}) / {log}) AS INTEGER) "
        f"ELSE CAST(FLOOR(LN({inner} / (1 - {inner})) / {logit}) AS INTEGER) END"
    )


def latency_bin_sql(column: str) -> str:
    """Return the bin of a latency as an INTEGER expression."""
    x = f"CAST({column} AS DOUBLE)"
    clipped = f"LEAST(GREATEST({x}, {sql_number(LATENCY_SMALLEST)}), {sql_number(LATENCY_LARGEST)})"
    return (
        f"CASE WHEN {column} IS NULL OR isnan({x}) THEN NULL "
        f"WHEN {x} <= 0 THEN {LATENCY_ZERO_BIN} "
        f"ELSE CAST(CEIL(LN({clipped}) / {sql_number(LATENCY_LOG_GAMMA)}) AS INTEGER) END"
    )


def numeric_bin_sql(column: str, edges: Iterable[float]) -> str:
    """Return the bin code of a numeric feature as an INTEGER expression.

    Comparisons form a shallow tree of eight branches a level: engines evaluate each `CASE` for a whole vector at
    a time, and copying between levels costs more than a few further comparisons.

    Args:
        column: Of type DOUBLE.
        edges: As from `bins.edges_from_quantiles`.
    """
    literals = [sql_number(float(edge)) for edge in edges]
    tree = _tree(column, literals, 0, len(literals))
    return f"CASE WHEN {column} IS NULL OR isnan({column}) THEN {MISSING} ELSE {tree} END"


def sql_number(value: float) -> str:
    """Return a DOUBLE literal for DuckDB and Spark.

    A literal without an exponent is a DECIMAL to both, and its conversion may be off in the last bit.
    """
    if math.isnan(value):
        return "CAST('NaN' AS DOUBLE)"
    if math.isinf(value):
        return f"CAST('{'-' if value < 0 else ''}Infinity' AS DOUBLE)"
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def _tree(column: str, edges: list[str], first: int, last: int) -> str:
    """Return nested comparisons that part the codes `first` … `last`; edge i parts code i from i + 1."""
    size = last - first + 1
    cuts = sorted({first + size * branch // BRANCHES - 1 for branch in range(1, BRANCHES)} - {first - 1})
    branches, start = [], first
    for cut in cuts:
        compare = "<=" if cut == len(edges) - 1 else "<"
        inner = str(cut) if start == cut else _tree(column, edges, start, cut)
        branches.append(f"WHEN {column} {compare} {edges[cut]} THEN {inner}")
        start = cut + 1
    rest = str(last) if start == last else _tree(column, edges, start, last)
    return f"CASE {' '.join(branches)} ELSE {rest} END" if branches else rest
