"""Rollups: additive sufficient statistics per bucket of event time, defined once, as plain SQL.

Every statement here is an aggregate over one relation with `CASE` bins and `time_bucket`, so that another engine can
run the same text over the same columns. A rollup table only ever receives more rows; the numbers are the sums over
its rows, in any order and any number of pieces. Late labels and corrections are rows too: a correction takes the old
row back with weight -1.

Relations that the statements read:

- `requests`: the canonical columns plus `failed`, one row a request;
- `scored`: `ts, model, version, prediction, score, label, weight, labelled_at`, one row a prediction whose label came
  or changed;
- `gains`: `ts, model, version, class, n_events, n_first, value, value_sq`, one row a prediction and class of event;
- `worth`: `ts, model, version, net, weight`, one row a prediction whose events' sum came or changed.
- `measured`: `ts, model, version, kind, value`, one row an engagement that carries a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.metrics.bin_sql import latency_bin_sql, score_bin_sql
from mlwatch.sources.sql import literal
from mlwatch.store.output_rollups import OUTPUTS
from mlwatch.store.protected import ANSWERS
from mlwatch.store.rollup import DAY, HOUR, MINUTE, QUARTER, RESIDUAL, Rollup, bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EPSILON = 2.220446049250313e-16
"""Scores are kept this far from 0 and 1 in the log-loss, as scikit-learn does for doubles."""

PREDICTION, SCORE, VALUE = -1, -2, -3
"""Numbers of the pseudo-features: predicted classes, scores, and predicted values of a regression."""
LENGTH, VOCABULARY = -4, -5
"""Numbers under which a reference counts the lengths and the words of answers."""
LABEL = -6
"""Number of the labels of a regression, which are counted at the times of their predictions."""
LOSS = -7
"""Number of the leaves of the tree of losses, in which the predictions of a regression are counted."""
COUNTED = (PREDICTION, SCORE, VALUE, LABEL, LOSS)
"""Pseudo-features that the rollup of features counts."""
PSEUDO = 3
"""How many of them come with the predictions."""

TRAFFIC = Rollup(
    "r_traffic",
    (MINUTE, HOUR),
    {},
    {
        "n": "BIGINT",
        "failed": "BIGINT",
        "client": "BIGINT",
        "server": "BIGINT",
        "n_latency": "BIGINT",
        "sum_latency": "DOUBLE",
        "sum_latency_sq": "DOUBLE",
        "max_latency": "DOUBLE",
        "first_ts": "TIMESTAMP",
        "last_ts": "TIMESTAMP",
    },
    {"max_latency": "MAX", "first_ts": "MIN", "last_ts": "MAX"},
)
LATENCY = Rollup("r_latency", (MINUTE, HOUR), {"bin": "INTEGER"}, {"n": "BIGINT"})
FEATURES = Rollup(
    "r_features",
    (QUARTER, HOUR, DAY),
    {"feature": "INTEGER", "bin": "INTEGER"},
    {"n": "BIGINT", "total": "DOUBLE"},
)
ALL_FEATURES = "all_features"
"""Beside the rollup of chosen records: a view of that of all of them."""
OUTCOMES = Rollup(
    "r_outcomes",
    (MINUTE, HOUR),
    {"label": "VARCHAR", "prediction": "VARCHAR"},
    {
        "n": "BIGINT",
        "n_score": "BIGINT",
        "n_wild": "BIGINT",
        "sum_score": "DOUBLE",
        "sum_score_sq": "DOUBLE",
        "sum_ln_p": "DOUBLE",
        "sum_ln_q": "DOUBLE",
        "n_number": "BIGINT",
        "sum_error": "DOUBLE",
        "sum_abs": "DOUBLE",
        "sum_sq": "DOUBLE",
        "sum_err4": "DOUBLE",
        "sum_label": "DOUBLE",
        "sum_label_sq": "DOUBLE",
        "sum_ape": "DOUBLE",
        "sum_ape_sq": "DOUBLE",
        "n_ape": "BIGINT",
    },
)
SCORES = Rollup(
    "r_scores",
    (QUARTER, HOUR, DAY),
    {"label": "VARCHAR", "prediction": "VARCHAR", "bin": "INTEGER"},
    {"n": "BIGINT", "sum_score": "DOUBLE"},
)
DECIDED = Rollup(
    "r_decided",
    (QUARTER, HOUR, DAY),
    {"prediction": "VARCHAR", "bin": "INTEGER"},
    {"n": "BIGINT", "sum_score": "DOUBLE"},
)
"""Scores by decision, labels or not: what performance is estimated from before labels come."""
BUSINESS = Rollup(
    "r_business",
    (MINUTE, HOUR),
    {"class": "VARCHAR"},
    {"n_events": "BIGINT", "n_first": "BIGINT", "value": "DOUBLE", "value_sq": "DOUBLE"},
)
WORTH = Rollup(
    "r_worth",
    (MINUTE, HOUR),
    {"bin": "INTEGER"},
    {"n": "BIGINT", "value": "DOUBLE", "value_sq": "DOUBLE"},
)
"""Predictions by what their events brought in all, in the bins of latencies: means can be cut at a limit."""
EVENT_VALUES = Rollup(
    "r_event_values",
    (MINUTE, HOUR),
    {"kind": "VARCHAR", "bin": "INTEGER"},
    {"n": "BIGINT", "value": "DOUBLE", "value_sq": "DOUBLE"},
)
"""What engagements of the kinds that are followed measure, such as seconds of dwell, in bins for the same reason."""
SAMPLING = Rollup("r_sampling", (MINUTE, HOUR), {}, {"unseen": "DOUBLE"})
"""Requests that a log stands for beyond those that it holds, where it is a sample: 1 / fraction - 1 for each."""
SEGMENTS = Rollup(
    "r_segments",
    (QUARTER, HOUR, DAY),
    {"feature": "INTEGER", "part": "INTEGER", "label": "VARCHAR", "prediction": "VARCHAR"},
    {
        "n": "BIGINT",
        "n_number": "BIGINT",
        "sum_error": "DOUBLE",
        "sum_abs": "DOUBLE",
        "sum_sq": "DOUBLE",
        "sum_err4": "DOUBLE",
        "n_label": "BIGINT",
        "sum_label": "DOUBLE",
        "sum_label_sq": "DOUBLE",
    },
)
"""Labelled predictions by part of a feature's values, for the columns that are followed as segments.

`n_label` are those whose labels are summed: stores of before did not.
"""
LAGS = Rollup("r_lags", (HOUR, DAY), {"bin": "INTEGER"}, {"n": "BIGINT"})
"""Labels that came in records of their own, by how many seconds after the prediction: the bins of latencies."""
CONSTRAINTS = Rollup(
    "r_constraints",
    (QUARTER, HOUR, DAY),
    {"feature": "VARCHAR", "rule": "VARCHAR"},
    {"n": "BIGINT", "bad": "BIGINT", "example": "VARCHAR"},
    {"example": "MIN"},
)
"""Values that were looked at for each demand of `[schema]`, and those that break it, with one of them."""
ALL = (
    *(TRAFFIC, LATENCY, FEATURES, OUTCOMES, SCORES, DECIDED, SEGMENTS, LAGS, BUSINESS, WORTH, SAMPLING),
    *(EVENT_VALUES, ANSWERS, CONSTRAINTS),
    *OUTPUTS,
)


def traffic_sql(relation: str) -> str:
    """Count requests, failures and latency sums."""
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, COUNT(*) AS n,
            SUM(CASE WHEN failed THEN 1 ELSE 0 END) AS failed,
            SUM(CASE WHEN status >= 400 AND status < 500 THEN 1 ELSE 0 END) AS client,
            SUM(CASE WHEN status >= 500 THEN 1 ELSE 0 END) AS server,
            COUNT(latency_ms) AS n_latency, SUM(latency_ms) AS sum_latency,
            SUM(latency_ms * latency_ms) AS sum_latency_sq, MAX(latency_ms) AS max_latency,
            MIN(ts) AS first_ts, MAX(ts) AS last_ts
        FROM {relation} GROUP BY 1, 2, 3"""


def latency_sql(relation: str) -> str:
    """Count latencies by the bins of a log histogram."""
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, {latency_bin_sql("latency_ms")} AS bin, COUNT(*) AS n
        FROM {relation} WHERE latency_ms IS NOT NULL GROUP BY 1, 2, 3, 4"""


def outcomes_sql(relation: str, numeric_models: Sequence[str], unclassed_models: Sequence[str] = ()) -> str:
    """Count labels against predictions, with the sums that loss and error metrics need.

    Args:
        relation: A `scored` relation.
        numeric_models: Models whose task is regression: their rows are not told apart by value.
        unclassed_models: Models whose predictions are neither classes nor numbers.
    """
    plain = [*numeric_models, *unclassed_models]
    fair = "score >= 0 AND score <= 1"
    inside = f"LEAST(GREATEST(score, {EPSILON}), {1 - EPSILON})"
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, {class_of("label", plain)} AS label,
            {class_of("prediction", plain)} AS prediction, SUM(weight) AS n,
            SUM(CASE WHEN {fair} THEN weight ELSE 0 END) AS n_score,
            SUM(CASE WHEN {fair} THEN 0 WHEN score IS NULL THEN 0 ELSE weight END) AS n_wild,
            SUM(CASE WHEN {fair} THEN weight * score END) AS sum_score,
            SUM(CASE WHEN {fair} THEN weight * score * score END) AS sum_score_sq,
            SUM(CASE WHEN {fair} THEN weight * LN({inside}) END) AS sum_ln_p,
            SUM(CASE WHEN {fair} THEN weight * LN(1 - {inside}) END) AS sum_ln_q,
            SUM(CASE WHEN y IS NOT NULL AND f IS NOT NULL THEN weight ELSE 0 END) AS n_number,
            SUM(weight * (f - y)) AS sum_error, SUM(weight * ABS(f - y)) AS sum_abs,
            SUM(weight * (f - y) * (f - y)) AS sum_sq, SUM(weight * POWER(f - y, 4)) AS sum_err4,
            SUM(CASE WHEN f IS NOT NULL THEN weight * y END) AS sum_label,
            SUM(CASE WHEN f IS NOT NULL THEN weight * y * y END) AS sum_label_sq,
            SUM(CASE WHEN y <> 0 THEN weight * ABS((f - y) / y) END) AS sum_ape,
            SUM(CASE WHEN y <> 0 THEN weight * ((f - y) / y) * ((f - y) / y) END) AS sum_ape_sq,
            SUM(CASE WHEN y <> 0 AND f IS NOT NULL THEN weight ELSE 0 END) AS n_ape
        FROM (
            SELECT *, {number_of("label", numeric_models)} AS y, {number_of("prediction", numeric_models)} AS f
            FROM {relation}) AS numbered
        GROUP BY 1, 2, 3, 4, 5"""


def number_of(column: str, numeric_models: Sequence[str]) -> str:
    """Return a label or prediction as a number, NULL for models whose task is no regression.

    Of the others nothing is summed: it would be of those records alone that came after the first regression.
    """
    listed = ", ".join(literal(model) for model in numeric_models)
    return (
        f"CASE WHEN model IN ({listed}) THEN TRY_CAST({column} AS DOUBLE) END"
        if listed
        else "CAST(NULL AS DOUBLE)"
    )


def lags_sql(relation: str) -> str:
    """Count labels by how long after their prediction they came.

    Args:
        relation: A `scored` relation.
    """
    lag = "date_diff('second', ts, labelled_at)"
    return f"""
        SELECT {bucket(HOUR)} AS bucket, model, version, {latency_bin_sql(lag)} AS bin, SUM(weight) AS n
        FROM {relation} WHERE labelled_at IS NOT NULL GROUP BY 1, 2, 3, 4"""


def class_of(column: str, plain_models: Sequence[str]) -> str:
    """Return a label or prediction as a class, empty for models that have none."""
    listed = ", ".join(literal(model) for model in plain_models)
    return f"CASE WHEN model IN ({listed}) THEN '' ELSE {column} END" if listed else column


def segments_sql(
    relation: str,
    parts: Mapping[int, str],
    numeric_models: Sequence[str],
    unclassed_models: Sequence[str] = (),
) -> str:
    """Count labels against predictions by part of each feature's values; of regressions, sum labels and errors.

    Args:
        relation: A `scored` relation with the columns of parts.
        parts: Names of these columns by feature; at least one.
        numeric_models: Models whose task is regression: their rows are not told apart by value.
        unclassed_models: Models whose predictions are neither classes nor numbers.
    """
    plain = [*numeric_models, *unclassed_models]
    label, prediction = (class_of(column, plain) for column in ("label", "prediction"))
    values = f", {RESIDUAL} AS e, TRY_CAST(label AS DOUBLE) AS y" if numeric_models else ""
    numbered = f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, {label} AS label, {prediction} AS prediction,
            hash(model, version, {label}, {prediction}) AS cell, weight{values}, {", ".join(parts.values())}
        FROM {relation}"""
    sums = ", ".join(
        f"{expression if numeric_models else f'CAST(NULL AS {SEGMENTS.measures[name]})'} AS {name}"
        for name, expression in _NUMBERS.items()
    )
    counted = " UNION ALL ".join(
        f"""SELECT bucket, cell, {feature} AS feature, {name} AS part, SUM(weight) AS n, {sums}
        FROM numbered WHERE {name} IS NOT NULL GROUP BY 1, 2, 4"""
        for feature, name in parts.items()
    )
    return f"""
        WITH numbered AS ({numbered}), counted AS ({counted}),
            cells AS (SELECT DISTINCT cell, model, version, label, prediction FROM numbered)
        SELECT c.bucket, d.model, d.version, c.feature, c.part, d.label, d.prediction,
            {", ".join(f"c.{name}" for name in SEGMENTS.measures)}
        FROM counted AS c JOIN cells AS d ON d.cell = c.cell"""


_NUMBERS = {
    "n_number": "SUM(CASE WHEN e IS NOT NULL THEN weight ELSE 0 END)",
    "sum_error": "SUM(weight * e)",
    "sum_abs": "SUM(weight * ABS(e))",
    "sum_sq": "SUM(weight * e * e)",
    "sum_err4": "SUM(weight * POWER(e, 4))",
    "n_label": "SUM(CASE WHEN e IS NOT NULL THEN weight ELSE 0 END)",
    "sum_label": "SUM(CASE WHEN e IS NOT NULL THEN weight * y END)",
    "sum_label_sq": "SUM(CASE WHEN e IS NOT NULL THEN weight * y * y END)",
}
"""What is summed of labels y and errors e in a segment."""


def scores_sql(relation: str, plain_models: Sequence[str]) -> str:
    """Count labelled scores by bin, label and decision, for curves that need an order.

    Args:
        relation: A `scored` relation.
        plain_models: Models whose predictions are no classes: they are left out.
    """
    return f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, label, prediction, {score_bin_sql("score")} AS bin,
            SUM(weight) AS n, SUM(weight * score) AS sum_score
        FROM {relation} WHERE score IS NOT NULL {_except(plain_models)} GROUP BY 1, 2, 3, 4, 5, 6"""


def decided_sql(relation: str, plain_models: Sequence[str]) -> str:
    """Count all scores by bin and decision.

    Args:
        relation: A `requests` relation.
        plain_models: See `scores_sql`.
    """
    return f"""
        SELECT {bucket(QUARTER)} AS bucket, model, version, prediction, {score_bin_sql("score")} AS bin,
            COUNT(*) AS n, SUM(score) AS sum_score
        FROM {relation} WHERE score IS NOT NULL AND prediction IS NOT NULL AND NOT failed {_except(plain_models)}
        GROUP BY 1, 2, 3, 4, 5"""


def _except(models: Sequence[str]) -> str:
    return f"AND model NOT IN ({', '.join(literal(model) for model in models)})" if models else ""


def business_sql(relation: str) -> str:
    """Sum what events brought, at their prediction's time."""
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, class, SUM(n_events) AS n_events,
            SUM(n_first) AS n_first, SUM(value) AS value, SUM(value_sq) AS value_sq
        FROM {relation} GROUP BY 1, 2, 3, 4"""


def worth_sql(relation: str) -> str:
    """Count predictions by what their events brought in all, at the prediction's time."""
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, {latency_bin_sql("net")} AS bin, SUM(weight) AS n,
            SUM(weight * net) AS value, SUM(weight * net * net) AS value_sq
        FROM {relation} GROUP BY 1, 2, 3, 4"""


def event_values_sql(relation: str) -> str:
    """Count engagements by kind and by what they measure, at their prediction's time."""
    return f"""
        SELECT {bucket(MINUTE)} AS bucket, model, version, kind, {latency_bin_sql("value")} AS bin, COUNT(*) AS n,
            SUM(value) AS value, SUM(value * value) AS value_sq
        FROM {relation} GROUP BY 1, 2, 3, 4, 5"""
