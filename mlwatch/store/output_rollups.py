"""Rollups of what only some logs hold: tokens and texts, class probabilities, quantiles, rankings, kinds of errors.

Their statements run only over batches that have the columns, and are plain aggregates like those of `rollups`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwatch.metrics.bin_sql import latency_bin_sql, score_bin_sql, sql_number
from mlwatch.sources.sql import literal
from mlwatch.store.rollup import DAY, HOUR, MINUTE, QUARTER, RESIDUAL, Rollup, bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVELS = (QUARTER, HOUR, DAY)
PROBABILITY_FLOOR = 2.220446049250313e-16
"""Probabilities are kept this far from 0 and 1 in the log-loss, as scikit-learn does for doubles."""
CUTOFF = 10
"""Positions of a ranking that NDCG and the hit rate look at."""
KIND_LENGTH = 80
"""Characters of an error that name its kind, up to a first colon."""
WORDS = 64
"""Buckets that words are hashed into."""
CHARACTERS = "characters"
"""The measure of an answer's length."""
VOCABULARY = "vocabulary"
"""The measure whose bins are these buckets, and not sizes."""
VOCABULARY_CHARACTERS = 1000
"""Characters of an answer whose words are looked at."""
_BETWEEN_WORDS = r"[\x09-\x0D \p{P}]+"

MEASURES = Rollup(
    "r_measures",
    LEVELS,
    {"measure": "VARCHAR", "bin": "INTEGER"},
    {"n": "BIGINT", "total": "DOUBLE", "total_sq": "DOUBLE"},
)
"""What a request took or gave, such as tokens, by the bins of latencies."""
KINDS = Rollup("r_errors", (MINUTE, HOUR), {"kind": "VARCHAR"}, {"n": "BIGINT"})
"""Failed requests by the kind of their error."""
CLASS_SCORES = Rollup(
    "r_class_scores",
    LEVELS,
    {"class": "VARCHAR", "hit": "INTEGER", "bin": "INTEGER"},
    {"n": "BIGINT", "sum_score": "DOUBLE"},
)
"""Labelled probabilities of each class, `hit` 1 where the label is that class."""
CLASS_DECIDED = Rollup(
    "r_class_decided",
    LEVELS,
    {"class": "VARCHAR", "prediction": "VARCHAR", "bin": "INTEGER"},
    {"n": "BIGINT", "sum_score": "DOUBLE"},
)
"""Probabilities of each class by decision, labels or not."""
RANKS = Rollup(
    "r_ranks",
    LEVELS,
    {"rank": "INTEGER"},
    {"n": "BIGINT", "loss": "DOUBLE", "loss_sq": "DOUBLE"},
)
"""Labelled predictions by how many classes were at least as probable as the true one, with -ln of its probability."""
QUANTILES = Rollup(
    "r_quantiles",
    LEVELS,
    {"level": "DOUBLE"},
    {
        "n": "BIGINT",
        "below": "BIGINT",
        "loss": "DOUBLE",
        "loss_sq": "DOUBLE",
        "n_sides": "BIGINT",
        "under": "BIGINT",
        "over": "BIGINT",
    },
)
"""Labels against predicted quantiles: how many lay at or below, and the pinball loss.

`n_sides` are those of which it is counted whether they lay below (`under`) or above it: stores of before did not.
"""
RESIDUALS = Rollup("r_residuals", LEVELS, {"side": "INTEGER", "bin": "INTEGER"}, {"n": "BIGINT"})
"""Errors of a regression by sign and by the latency bin of their size."""
RANKINGS = Rollup(
    "r_rankings",
    LEVELS,
    {},
    {
        "n": "BIGINT",
        "n_relevant": "BIGINT",
        "ndcg": "DOUBLE",
        "ndcg_sq": "DOUBLE",
        "reciprocal": "DOUBLE",
        "reciprocal_sq": "DOUBLE",
        "hits": "BIGINT",
    },
)
"""Rankings with labelled items, by their earliest item's time; those without a relevant one have no NDCG."""
EVENT_LAGS = Rollup("r_event_lags", (HOUR, DAY), {"bin": "INTEGER"}, {"n": "BIGINT"})
"""Conversions by how many seconds after the prediction they came, in the bins of latencies."""
OUTPUTS = (
    *(MEASURES, KINDS, CLASS_SCORES, CLASS_DECIDED, RANKS, QUANTILES, RESIDUALS, RANKINGS),
    EVENT_LAGS,
)

RANKED = """CREATE TABLE ranked (
    model VARCHAR, version VARCHAR, query VARCHAR, ts TIMESTAMP, position DOUBLE, relevance DOUBLE, weight INTEGER)"""
"""Items of rankings. One without a label is a row without relevance. Where its label comes, a row with that is added,
and one of weight -1 takes back what it was before."""


def kinds_sql(relation: str) -> str:
    """Count failed requests by kind of error: the text before a colon, else the status, else that there is no answer.

    Args:
        relation: A `requests` relation.
    """
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, COALESCE(
                NULLIF(TRIM(SPLIT_PART(LEFT(error, {KIND_LENGTH}), ':', 1)), ''),
                CASE WHEN status >= 400 THEN 'status ' || CAST(status AS VARCHAR) END, 'no prediction') AS kind,
            COUNT(*) AS n
        FROM {relation} WHERE failed GROUP BY 1, 2, 3, 4"""


def measures_sql(relation: str, measures: Sequence[tuple[str, str, str]]) -> str:
    """Count and sum what requests took or gave.

    Args:
        relation: A `requests` relation.
        measures: Name, numeric expression and condition of each; at least one.
    """
    return " UNION ALL ".join(
        f"""SELECT {bucket(QUARTER)} AS bucket, model, version, {literal(name)} AS measure,
            {latency_bin_sql("x")} AS bin, COUNT(*) AS n, SUM(x) AS total, SUM(x * x) AS total_sq
        FROM (SELECT ts, model, version, CAST({value} AS DOUBLE) AS x FROM {relation} WHERE {where}) AS measured
        WHERE ABS(x) < 1e150 GROUP BY 1, 2, 3, 5"""
        for name, value, where in measures
    )


def vocabulary_sql(relation: str, models: str) -> str:
    """Count the words of answers, in lower case, by the bucket that they are hashed into: six bits of their MD5.

    Args:
        relation: A `requests` relation.
        models: Whose answers are words: a list of SQL, or a SELECT.
    """
    words = (
        f"unnest(string_split_regex(LOWER(LEFT(prediction, {VOCABULARY_CHARACTERS})), '{_BETWEEN_WORDS}'))"
    )
    high, low = (f"INSTR('0123456789abcdef', SUBSTRING(hashed, {place}, 1)) - 1" for place in (1, 2))
    return f"""
        SELECT bucket, model, version, {literal(VOCABULARY)} AS measure,
            CAST(({high}) % 4 * 16 + {low} AS INTEGER) AS bin, SUM(n) AS n, 0e0 AS total, 0e0 AS total_sq
        FROM (SELECT bucket, model, version, MD5(word) AS hashed, COUNT(*) AS n FROM (
            SELECT {bucket(QUARTER)} AS bucket, model, version, {words} AS word FROM {relation}
            WHERE model IN ({models}) AND NOT failed AND prediction IS NOT NULL) AS split
            WHERE word <> '' GROUP BY bucket, model, version, word) AS told
        GROUP BY 1, 2, 3, 5"""


def class_scores_sql(relation: str, model: str, columns: Mapping[str, str]) -> str:
    """Count labelled probabilities by class, and by whether the label is that class.

    Args:
        relation: A `scored` relation with the columns.
        model: Whose classes these are.
        columns: Column of the probability by class; at least one.
    """
    return " UNION ALL ".join(
        f"""SELECT {bucket(QUARTER)} AS bucket, model, version, {literal(name)} AS class,
            CASE WHEN label = {literal(name)} THEN 1 ELSE 0 END AS hit, {score_bin_sql(column)} AS bin,
            SUM(weight) AS n, SUM(weight * {column}) AS sum_score
        FROM {relation} WHERE model = {literal(model)} AND {column} IS NOT NULL GROUP BY 1, 2, 3, 5, 6"""
        for name, column in columns.items()
    )


def class_decided_sql(relation: str, model: str, columns: Mapping[str, str]) -> str:
    """Count all probabilities by class and decision; for the arguments see `class_scores_sql`."""
    return " UNION ALL ".join(
        f"""SELECT {bucket(QUARTER)} AS bucket, model, version, {literal(name)} AS class, prediction,
            {score_bin_sql(column)} AS bin, COUNT(*) AS n, SUM({column}) AS sum_score
        FROM {relation} WHERE model = {literal(model)} AND NOT failed AND prediction IS NOT NULL
            AND {column} IS NOT NULL GROUP BY 1, 2, 3, 5, 6"""
        for name, column in columns.items()
    )


def ranks_sql(relation: str, model: str, columns: Mapping[str, str]) -> str:
    """Count labelled predictions by the rank of the true class, ties to its harm; see `class_scores_sql`.

    Rows whose label is none of the classes, or whose probability of it is missing, are left out.
    """
    cases = " ".join(f"WHEN {literal(name)} THEN {column}" for name, column in columns.items())
    ahead = " + ".join(f"CASE WHEN {column} >= p THEN 1 ELSE 0 END" for column in columns.values())
    inside = f"LEAST(GREATEST(p, {sql_number(PROBABILITY_FLOOR)}), {sql_number(1 - PROBABILITY_FLOOR)})"
    return f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, {ahead} AS rank, SUM(weight) AS n,
            SUM(weight * -LN({inside})) AS loss, SUM(weight * LN({inside}) * LN({inside})) AS loss_sq
        FROM (SELECT *, CASE label {cases} END AS p FROM {relation} WHERE model = {literal(model)}) AS placed
        WHERE p IS NOT NULL GROUP BY 1, 2, 3, 4"""


def quantiles_sql(relation: str, model: str, columns: Mapping[float, str]) -> str:
    """Sum the pinball loss of predicted quantiles, max(q·(y - f), (q - 1)·(y - f)) for label y and quantile f.

    Source: Koenker & Bassett 1978, doi:10.2307/1913643.

    Args:
        relation: A `scored` relation with the columns.
        model: Whose they are.
        columns: Column by level; at least one.
    """
    return " UNION ALL ".join(
        f"""SELECT {bucket(QUARTER)} AS bucket, model, version, {sql_number(level)} AS level, SUM(weight) AS n,
            SUM(CASE WHEN e <= 0 THEN weight ELSE 0 END) AS below,
            SUM(weight) AS n_sides, SUM(CASE WHEN e < 0 THEN weight ELSE 0 END) AS under,
            SUM(CASE WHEN e > 0 THEN weight ELSE 0 END) AS over,
            SUM(weight * GREATEST({sql_number(level)} * e, {sql_number(level - 1)} * e)) AS loss,
            SUM(weight * POWER(GREATEST({sql_number(level)} * e, {sql_number(level - 1)} * e), 2)) AS loss_sq
        FROM (SELECT ts, model, version, weight, TRY_CAST(label AS DOUBLE) - {column} AS e FROM {relation}
            WHERE model = {literal(model)}) AS missed
        WHERE ABS(e) < 1e150 GROUP BY 1, 2, 3"""
        for level, column in columns.items()
    )


def residuals_sql(relation: str, models: Sequence[str]) -> str:
    """Count the errors of regressions, prediction - label, by sign and size.

    Args:
        relation: A `scored` relation.
        models: The regressions; at least one.
    """
    listed = ", ".join(literal(model) for model in models)
    return f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, CAST(SIGN(e) AS INTEGER) AS side,
            {latency_bin_sql("ABS(e)")} AS bin, SUM(weight) AS n
        FROM (SELECT ts, model, version, weight, {RESIDUAL} AS e
            FROM {relation} WHERE model IN ({listed})) AS missed
        WHERE ABS(e) < 1e150 GROUP BY 1, 2, 3, 4, 5"""


def told_apart_sql(items: str) -> str:
    """Return a SELECT of the items of rankings, with the `turn` of each that its query had by then.

    A ranking holds a position once: one that comes again, later, begins another ranking of the same query, as where
    a search term is the id. Items of one time are of one ranking.

    Args:
        items: In the columns of `ranked`.
    """
    who = "model, version, query"
    net = f"""
        SELECT {who}, ts, position, relevance, CAST(SUM(weight) AS BIGINT) AS n FROM {items} AS every
        GROUP BY {who}, ts, position, relevance HAVING SUM(weight) > 0"""
    first = f"row_number() OVER (PARTITION BY {who}, position, ts ORDER BY relevance)"
    met = f"SELECT *, CASE WHEN {first} = 1 THEN 1 ELSE 0 END AS is_first FROM ({net}) AS net"
    times = f"SELECT *, SUM(is_first) OVER (PARTITION BY {who}, position ORDER BY ts) AS times FROM ({met}) AS met"
    return f"SELECT *, MAX(times) OVER (PARTITION BY {who} ORDER BY ts) AS turn FROM ({times}) AS counted"


def rankings_sql(items: str, weight: int) -> str:
    """Sum NDCG, reciprocal rank and hits of the rankings that have a labelled item.

    The place of an item is that among all of its ranking, labelled or not, in the order of their positions; of equal
    positions the least relevant comes first. NDCG takes the label as the gain, as scikit-learn's `ndcg_score` does,
    among the first ten items (Järvelin & Kekäläinen 2002, doi:10.1145/582415.582418); items without a label gain
    nothing, and the ideal order is that of the labelled ones. An item is relevant where its label is above 0.

    Args:
        items: All items of the queries to look at, in the columns of `ranked`.
        weight: 1 to count them, -1 to take them back.
    """
    who = "model, version, query, turn"
    last = (
        f"SUM(n) OVER (PARTITION BY {who} ORDER BY {{}}, ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    )
    return f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, {weight} * COUNT(*) AS n,
            {weight} * SUM(CASE WHEN ideal > 0 THEN 1 ELSE 0 END) AS n_relevant,
            {weight} * SUM(CASE WHEN ideal > 0 THEN dcg / ideal END) AS ndcg,
            {weight} * SUM(CASE WHEN ideal > 0 THEN dcg * dcg / ideal / ideal END) AS ndcg_sq,
            {weight} * SUM(reciprocal) AS reciprocal, {weight} * SUM(reciprocal * reciprocal) AS reciprocal_sq,
            {weight} * SUM(CASE WHEN reciprocal * {CUTOFF} >= 0.999999 THEN 1 ELSE 0 END) AS hits
        FROM (SELECT {who}, MIN(ts) AS ts, SUM(relevance * ({_discount("place")})) AS dcg,
                SUM(relevance * ({_discount("best")})) AS ideal,
                MAX(CASE WHEN relevance > 0 THEN 1e0 / (place - n + 1) ELSE 0 END) AS reciprocal
            FROM (SELECT *, {last.format("position, relevance NULLS FIRST")} AS place,
                    {last.format("relevance DESC NULLS LAST, position")} AS best
                FROM ({told_apart_sql(items)}) AS apart) AS placed
            GROUP BY {who} HAVING COUNT(relevance) > 0) AS queries
        GROUP BY 1, 2, 3"""


def _discount(last: str) -> str:
    """Return what 1 at each of the `n` places up to the last one would add to the gain."""
    return " + ".join(
        f"CASE WHEN {last} >= {place} AND {last} - n < {place} THEN {sql_number(1 / math.log2(place + 1))} ELSE 0 END"
        for place in range(1, CUTOFF + 1)
    )


def event_lags_sql(relation: str) -> str:
    """Count conversions by how long after their prediction they came.

    Args:
        relation: Has `ts`, `model`, `version`, `event_at` and `weight`, a row a conversion, of weight -1 where it is
            taken back.
    """
    lag = "CAST(date_diff('second', ts, event_at) AS DOUBLE)"
    return f"""
        SELECT {bucket(HOUR)} AS bucket, model, version, {latency_bin_sql(lag)} AS bin, SUM(weight) AS n
        FROM {relation} GROUP BY 1, 2, 3, 4"""
