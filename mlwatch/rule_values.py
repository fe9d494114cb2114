"""The values that rules may name, of a version over the range and of one of its windows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.arguments import close_to
from mlwatch.config.comparison import MATURE
from mlwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Version, Window

_CLASSES = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "mcc",
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "ece",
)
_MANY_CLASSES = ("balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1", "kappa")
_REGRESSION = ("mae", "rmse", "mape", "r2", "bias")
_OUTPUTS = ("pinball", "top_2_accuracy", "top_3_accuracy", "top_5_accuracy", "ndcg_10", "mrr", "hit_rate_10")
PERFORMANCE = frozenset((*_CLASSES, *_MANY_CLASSES, *_REGRESSION, *_OUTPUTS))
"""Metrics of any task: one of another task, or before labels come, has no value rather than being a mistake."""
_OF_QUANTILES = re.compile(r"(pinball|coverage)_[\d.]+")
"""What metrics of quantiles and intervals are called: `pinball_0.1`, `coverage_80`."""

BOTH: Mapping[str, Callable[[Version | Window], float | None]] = {
    "latency_mean": lambda each: each.latency.mean,
    "latency_p50": lambda each: each.latency.p50,
    "latency_p90": lambda each: each.latency.p90,
    "latency_p95": lambda each: each.latency.p95,
    "latency_p99": lambda each: each.latency.p99,
    "latency_p999": lambda each: each.latency.p999,
    "latency_max": lambda each: each.latency.max,
    "error_rate": lambda each: each.errors.rate,
    "conversion": lambda each: each.business.conversion.value,
    "engagement": lambda each: each.business.engagement.value,
    "revenue_per_prediction": lambda each: each.business.revenue.per_prediction,
    "apdex": lambda each: _value(each.latency.apdex),
    "approval": lambda each: _value(each.business.approval),
    "decisions_per_1000": lambda each: _value(each.business.decisions),
    "predictions": lambda each: each.predictions,
    "labelled": lambda each: each.labelled,
}
WHOLE: Mapping[str, Callable[[Version], float | None]] = {
    "throughput": lambda version: version.throughput_per_s,
    "maturity": lambda version: version.maturity,
    "missing_rate": lambda version: version.quality.missing_rate,
    "drifted_share": lambda version: version.quality.drifted_share,
    "repeated_rate": lambda version: version.quality.repeats.share if version.quality.repeats else None,
    "prediction_drift": lambda version: _score(version.quality.prediction_drift),
    "score_drift": lambda version: _score(version.quality.score_drift),
    "label_drift": lambda version: _score(version.quality.label_drift.drift),
}
MEASURES = frozenset(
    (
        "characters",
        "words",
        "empty",
        "refusal",
        "input_tokens",
        "output_tokens",
        "first_token",
        "per_token",
        "cost",
    )
)
"""Means of what requests took or gave: tokens and words a request, milliseconds, shares, cost of one."""
TIMES = frozenset({"first_token", "per_token"})
"""Those that are milliseconds, as all that begin with `latency` are."""
AMOUNTS = frozenset(
    (
        *("predictions", "labelled", "throughput", "decisions_per_1000", "revenue_per_prediction"),
        *("mae", "rmse", "bias", "pinball"),
        *(MEASURES - TIMES - {"empty", "refusal"}),
    )
)
"""Metrics that are no shares either: numbers of something, or in the unit of what is predicted."""
TEXT_DRIFT = {"text_drift.length": "length", "text_drift.vocabulary": "vocabulary"}
"""Drift scores of answers in words."""
FEATURE = {"missing": "missing_rate", "drift": "score", "psi": "psi"}
"""`missing.FEATURE`, `drift.FEATURE` and `psi.FEATURE`."""
ENGAGED = {"engagement": "share", "engagement_value": "value"}
"""`engagement.KIND` and `engagement_value.KIND`: share of predictions with such an event, mean of its values."""
FAIRNESS = {"parity": "demographic_parity", "opportunity": "equal_opportunity"}
"""`parity.COLUMN` and `opportunity.COLUMN`: gaps between the values of a protected attribute."""
REVENUE = "revenue_per_prediction"
LATE = ("conversion", "engagement", "engagement_value", REVENUE)
"""Metrics of what comes later than the request, `engagement.KIND` and `engagement_value.KIND` among them."""
FOLLOWED = "js"
"""The measure of drift that features are followed by window by window."""
ESTIMATED = "estimated."
"""`estimated.accuracy` is the accuracy as expected without labels, and so for the other metrics."""


def value_of(version: Version, metric: str) -> float | None:
    """Return a version's value of a metric by its name in rules.

    Args:
        version: Over the range of its snapshot.
        metric: Of performance (`accuracy`), or one of `BOTH` and `WHOLE`, or `drift.FEATURE`.

    Raises:
        ConfigError: when there is no such metric.
    """
    if metric in version.performance or is_performance(_plain(metric)):
        return _performance(version, metric)
    if metric in BOTH:
        return BOTH[metric](version)
    if metric in WHOLE:
        return WHOLE[metric](version)
    if metric in MEASURES:
        measured = version.outputs.measures.get(metric)
        return _value(measured.mean) if measured is not None else None
    if metric in TEXT_DRIFT:
        return _score(version.quality.text_drift.get(TEXT_DRIFT[metric]))
    name, dot, subject = metric.partition(".")
    for names, read in ((FEATURE, _feature), (ENGAGED, _engaged), (FAIRNESS, _gap)):
        if dot and name in names:
            return read(version, name, subject)
    raise _unknown(metric, version)


def is_performance(metric: str) -> bool:
    """Tell whether a metric is one of performance, of any task."""
    return metric in PERFORMANCE or _OF_QUANTILES.fullmatch(metric) is not None


def _unknown(metric: str, version: Version) -> ConfigError:
    names = [*version.performance, *BOTH, *WHOLE, *sorted(MEASURES), *TEXT_DRIFT]
    names += [f"{name}.FEATURE" for name in FEATURE]
    names += [f"{name}.KIND" for name in ENGAGED]
    names += [f"{name}.COLUMN" for name in FAIRNESS]
    close = close_to(metric, [*PERFORMANCE, *names])
    todo = f"did you mean {close}?" if close else f"one of {', '.join(names)}"
    return ConfigError(f"no metric {metric}", "[[rule]]", todo)


def is_duration(metric: str) -> bool:
    """Tell whether a metric is a time in milliseconds, which limits may give as such."""
    return metric in TIMES or metric.startswith("latency")


def is_amount(metric: str) -> bool:
    """Tell whether a metric is no share, of which a limit in per cent says nothing."""
    return is_duration(metric) or _plain(metric) in AMOUNTS or metric.startswith("engagement_value.")


def is_young(metric: str, window: Window) -> bool:
    """Tell whether what comes of the requests of a window is still to come."""
    late = metric.partition(".")[0] in LATE
    return late and window.maturity is not None and window.maturity < MATURE


def as_old(window: Window, other: Window) -> bool:
    """Tell whether as much has come of the requests of a window as of another version's in the same time."""
    ages = window.maturity or 0.0, other.maturity or 0.0
    return min(ages) >= MATURE * max(ages)


def ripe_value_of(version: Version, metric: str) -> float | None:
    """Return a version's value of a metric, without the windows whose requests are too young for what comes of them.

    Raises:
        ConfigError: when there is no such metric.
    """
    value = value_of(version, metric)
    ripe = [window for window in version.windows if not is_young(metric, window)]
    if value is None or len(ripe) == len(version.windows):
        return value
    totals, counts = zip(*(_late(window, metric) for window in ripe), strict=True) if ripe else ((), ())
    return sum(totals) / sum(counts) if sum(counts) else None


def _late(window: Window, metric: str) -> tuple[float, int]:
    """Return the sum whose mean a metric of what comes later is in a window, and of how many."""
    if metric == REVENUE:
        return window.business.revenue.total, window.predictions
    name, _, kind = metric.partition(".")
    found = _of_kind(window, name, kind) if kind else getattr(window.business, metric)
    return (found.value * found.n, found.n) if found is not None and found.value is not None else (0.0, 0)


def _value(found: Estimate | None) -> float | None:
    return found.value if found is not None else None


def _score(drift: Drift | None) -> float | None:
    return drift.told if drift is not None else None


def _plain(metric: str) -> str:
    return metric.removeprefix(ESTIMATED)


def _performance(each: Version | Window, metric: str) -> float | None:
    """Return a metric of performance, as realised or as estimated without labels."""
    return _value((each.estimated if metric.startswith(ESTIMATED) else each.performance).get(_plain(metric)))


def _feature(version: Version, kind: str, feature: str) -> float | None:
    found = version.quality.features.get(feature)
    if found is None or kind == "missing":
        return found.missing_rate if found is not None else None
    if found.drift is None or found.drift.told is None:
        return None
    value: float | None = getattr(found.drift, FEATURE[kind])
    return value


def _gap(version: Version, name: str, column: str) -> float | None:
    return _value(version.gap(column, FAIRNESS[name]))


def _engaged(each: Version | Window, name: str, kind: str) -> float | None:
    return _value(_of_kind(each, name, kind))


def _of_kind(each: Version | Window, name: str, kind: str) -> Estimate | None:
    found = each.business.kinds.get(kind.lower())
    return getattr(found, ENGAGED[name]) if found is not None else None


def values_over(version: Version, metric: str) -> tuple[float | None, ...]:
    """Return a metric's value in each window of a version; None where it has none, or is not followed so."""
    kind, _, feature = metric.partition(".")
    if kind == "drift" and (found := version.quality.features.get(feature)) is not None:
        followed = found.drift is not None and found.drift.method == FOLLOWED and found.drift_over
        return found.drift_over if followed else (None,) * len(version.windows)
    return tuple(_in_window(window, metric) for window in version.windows)


def _in_window(window: Window, metric: str) -> float | None:
    if is_performance(_plain(metric)):
        return _performance(window, metric)
    if metric in BOTH:
        # counts of a quiet window are values, everything else needs a request
        return BOTH[metric](window) if window.predictions or metric == "predictions" else None
    if metric in MEASURES:
        return _value(window.measures.get(metric))
    if metric in TEXT_DRIFT:
        return window.text_drift.get(TEXT_DRIFT[metric])
    name, dot, kind = metric.partition(".")
    if dot and name in ENGAGED:
        return _engaged(window, name, kind)
    return window.missing_rate if metric == "missing_rate" else None
