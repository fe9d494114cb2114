"""Which numbers of a version are shown: their names, units, good direction and where they are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.app import readings as of
from mlwatch.app.drawing import clean, short
from mlwatch.app.readings import NOTHING, Reading, from_estimate
from mlwatch.snapshot.types import kinds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlwatch.app.units import Unit
    from mlwatch.snapshot.types import Version, Window

Family = Literal["performance", "quality", "health", "business"]
Better = Literal["higher", "lower"] | None

FAMILIES: dict[Family, tuple[str, str]] = {
    "performance": ("Model performance", "Performance"),
    "quality": ("Data quality", "Quality"),
    "health": ("System health", "Health"),
    "business": ("Business", "Business"),
}
"""Long and short name of each family, in the order of the screen."""


DRIFTED = 0.1
"""Least change of a drift score that is worth a word; of the mean of many, half of it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How one number is named, read and judged."""

    key: str
    family: Family
    label: str
    unit: Unit
    better: Better
    read: Callable[[Version], Reading]
    over: Callable[[Window], Reading]
    """The same number over one step of the range."""
    rank: int = 1
    """1 is always shown, 2 where there is room, 3 where there is plenty."""
    beside: Callable[[Window], Reading] | None = None
    """What the number was expected to be without labels, where that is known."""
    least: float = 0.0
    """Least change that is worth a word where nothing says how sure the numbers are."""


def metrics_of(*versions: Version) -> tuple[Metric, ...]:
    """Return the metrics that any of the versions carries, by family and importance."""
    keys: dict[str, None] = {}
    for version in versions:
        keys.update(dict.fromkeys(version.performance))
    known = [key for key in _PERFORMANCE if key in keys]
    unknown = [key for key in keys if key not in _PERFORMANCE]
    mixes = _MEANS if "mae" in keys else _SHARES
    present = tuple(
        metric for metric in mixes if any(metric.read(version) != NOTHING for version in versions)
    )
    others = tuple(metric for metric in _FIXED if metric.family != "quality")
    quality = tuple(metric for metric in _FIXED if metric.family == "quality")
    expected = {key for version in versions for key in version.estimated}
    late = any(version.labelled < version.predictions / 2 for version in versions)
    performance = (
        metric
        for key in [*known, *unknown]
        for metric in (
            (_performance(key), _expected(key, late=late)) if key in expected else (_performance(key),)
        )
    )
    gaps = dict.fromkeys(each.column for version in versions for each in version.fairness)
    fair = (metric for column in gaps for metric in _gaps(column))
    worth = (_DECISIONS,) if any(version.business.decisions for version in versions) else ()
    measured = {name for version in versions for name in version.outputs.measures}
    taken = (_measured(name) for name in _MEASURED if name in measured)
    moved = {name for version in versions for name in version.quality.text_drift}
    texts = (_text_drift(name) for name in _TEXTS if name in moved)
    young = (_MATURITY,) if any(version.maturity is not None for version in versions) else ()
    thumbs = (_APPROVAL,) if any(version.business.approval for version in versions) else ()
    engaged = (
        metric
        for kind, measured in kinds_of(versions).items()
        for metric in _engagements(kind, measured=measured)
    )
    return (
        *performance,
        *fair,
        *quality,
        *present,
        *others,
        *engaged,
        *worth,
        *young,
        *thumbs,
        *texts,
        *taken,
    )


_PERFORMANCE: dict[str, tuple[str, Unit, Better, int]] = {
    "accuracy": ("Accuracy", "share", "higher", 1),
    "balanced_accuracy": ("Balanced accuracy", "share", "higher", 2),
    "precision": ("Precision", "share", "higher", 1),
    "recall": ("Recall", "share", "higher", 1),
    "f1": ("F1", "share", "higher", 1),
    "macro_precision": ("Macro precision", "share", "higher", 3),
    "macro_f1": ("Macro F1", "share", "higher", 1),
    "weighted_f1": ("Weighted F1", "share", "higher", 2),
    "roc_auc": ("ROC AUC", "score", "higher", 2),
    "mae": ("MAE", "score", "lower", 1),
    "rmse": ("RMSE", "score", "lower", 1),
    "r2": ("R²", "score", "higher", 1),
    "bias": ("Bias", "score", None, 1),
    "mape": ("MAPE", "share", "lower", 2),
    "pr_auc": ("PR AUC", "score", "higher", 3),
    "log_loss": ("Log loss", "score", "lower", 2),
    "brier": ("Brier score", "score", "lower", 3),
    "ece": ("Calibration error", "score", "lower", 2),
    "specificity": ("Specificity", "share", "higher", 3),
    "mcc": ("MCC", "score", "higher", 3),
    "kappa": ("Kappa", "score", "higher", 3),
    "top_2_accuracy": ("Top-2 accuracy", "share", "higher", 3),
    "top_3_accuracy": ("Top-3 accuracy", "share", "higher", 3),
    "top_5_accuracy": ("Top-5 accuracy", "share", "higher", 3),
    "pinball": ("Pinball loss", "score", "lower", 2),
    "ndcg_10": ("NDCG@10", "score", "higher", 1),
    "mrr": ("Reciprocal rank", "score", "higher", 1),
    "hit_rate_10": ("Hit rate@10", "share", "higher", 2),
}


_MEASURED: dict[str, tuple[Family, str, Unit, Better]] = {
    "refusal": ("quality", "Refusals", "share", "lower"),
    "empty": ("quality", "Empty answers", "share", "lower"),
    "words": ("quality", "Words an answer", "score", None),
    "first_token": ("health", "First token", "ms", "lower"),
    "per_token": ("health", "Time a token", "ms", "lower"),
    "input_tokens": ("health", "Input tokens", "score", None),
    "output_tokens": ("health", "Output tokens", "score", None),
    "cost": ("business", "Cost / prediction", "money", "lower"),
}


def _measured(key: str) -> Metric:
    family, label, unit, better = _MEASURED[key]

    def read(version: Version) -> Reading:
        found = version.outputs.measures.get(key)
        return from_estimate(found.mean if found is not None else None)

    def over(window: Window) -> Reading:
        return from_estimate(window.measures.get(key))

    return Metric(key, family, label, unit, better, read, over, 3)


def _engagements(kind: str, *, measured: bool) -> Iterator[Metric]:
    """Yield the share of predictions with an engagement of a kind, and the mean of what it measures."""

    def share(carrier: Version | Window) -> Reading:
        found = carrier.business.kinds.get(kind)
        return from_estimate(found.share if found is not None else None)

    def value(carrier: Version | Window) -> Reading:
        found = carrier.business.kinds.get(kind)
        return from_estimate(found.value if found is not None else None)

    name = short(kind, 24)
    yield Metric(f"engagement.{kind}", "business", name, "share", "higher", share, share, 3)
    if measured:
        yield Metric(
            f"engagement_value.{kind}", "business", f"{name}, mean", "score", "higher", value, value, 3
        )


_TEXTS = {"length": "Length drift", "vocabulary": "Vocabulary drift"}


def _text_drift(name: str) -> Metric:
    def read(version: Version) -> Reading:
        return of.from_drift(version.quality.text_drift.get(name))

    def over(window: Window) -> Reading:
        return Reading(window.text_drift.get(name))

    return Metric(
        f"text_drift.{name}", "quality", _TEXTS[name], "score", "lower", read, over, 2, least=DRIFTED
    )


def _performance(key: str) -> Metric:
    label, unit, better, rank = _PERFORMANCE.get(key, (key, "score", None, 3))

    def read(version: Version) -> Reading:
        return from_estimate(version.performance.get(key))

    def over(window: Window) -> Reading:
        return from_estimate(window.performance.get(key))

    def beside(window: Window) -> Reading:
        return from_estimate(window.estimated.get(key))

    return Metric(key, "performance", label, unit, better, read, over, rank, beside)


def _expected(key: str, *, late: bool) -> Metric:
    """Return a metric as it is expected to be without labels: important where most labels are `late`."""
    label, unit, better, rank = _PERFORMANCE.get(key, (key, "score", None, 3))

    def read(version: Version) -> Reading:
        return from_estimate(version.estimated.get(key))

    def over(window: Window) -> Reading:
        return from_estimate(window.estimated.get(key))

    rank = rank if late else 3
    return Metric(f"estimated.{key}", "performance", f"{label}, estimated", unit, better, read, over, rank)


def _gaps(column: str) -> tuple[Metric, Metric]:
    """Return the gaps between the values of a protected attribute."""
    name = clean(column, 24)
    return (
        Metric(
            f"parity.{column}", "performance", f"{name}: gap in positives", "share", "lower",
            lambda version: from_estimate(version.gap(column, "demographic_parity")), lambda _: NOTHING, 2,
        ),
        Metric(
            f"opportunity.{column}", "performance", f"{name}: gap in recall", "share", "lower",
            lambda version: from_estimate(version.gap(column, "equal_opportunity")), lambda _: NOTHING, 2,
        ),
    )  # fmt: skip


def metric_name(key: str) -> str | None:
    """Return the label of a metric; None where it is not one of ours."""
    if key in _PERFORMANCE:
        return _PERFORMANCE[key][0]
    if key.startswith("estimated.") and key[10:] in _PERFORMANCE:
        return f"{_PERFORMANCE[key[10:]][0]}, estimated"
    return next((metric.label for metric in _FIXED if metric.key == key), None)


def _mix(key: str, label: str, unit: Unit) -> Metric:
    """Return the mix of labels or of answers: it has no good direction, but moves when the world or a model does."""

    def read(carrier: Version | Window) -> Reading:
        return from_estimate(getattr(carrier, key))

    return Metric(key, "quality", label, unit, None, read, read, 3)


_SHARES = (_mix("answers", "Positive answers", "share"), _mix("labels", "Positive labels", "share"))
_MEANS = (_mix("answers", "Mean answer", "score"), _mix("labels", "Mean label", "score"))

_FIXED: tuple[Metric, ...] = (
    Metric("missing_rate", "quality", "Missing values", "share", "lower", of.missing, of.missing_over, least=0.01),
    Metric("drifted_share", "quality", "Drifted features", "share", "lower", of.drifted, of.no_trend),
    Metric(
        "drift", "quality", "Mean drift", "score", "lower",
        of.mean_drift, lambda w: Reading(w.drift), least=DRIFTED / 2,
    ),
    Metric(
        "prediction_drift", "quality", "Prediction drift", "score", "lower",
        of.prediction_drift, of.no_trend, least=DRIFTED,
    ),
    Metric("label_drift", "quality", "Label drift", "score", None, of.label_drift, of.no_trend, 2),
    Metric("score_drift", "quality", "Score drift", "score", "lower", of.score_drift, of.no_trend, 2, least=DRIFTED),
    Metric(
        "invalid", "quality", "Invalid values", "count", None,
        of.cells(lambda v: sum(f.invalid for f in v.quality.features.values())), of.no_trend, 2,
    ),
    Metric(
        "unseen", "quality", "Unseen categories", "count", None,
        of.cells(lambda v: sum(f.unseen for f in v.quality.features.values())), of.no_trend, 3,
    ),
    Metric(
        "out_of_range", "quality", "Out of range", "count", None,
        of.cells(lambda v: sum(f.out_of_range for f in v.quality.features.values())), of.no_trend, 3,
    ),
    Metric("error_rate", "health", "Error rate", "share", "lower", of.errors, of.errors_over),
    Metric(
        "latency_p50", "health", "Latency p50", "ms", "lower",
        of.latency("p50"), of.latency_over("p50"), 2,
    ),
    Metric("latency_p95", "health", "Latency p95", "ms", "lower", of.latency("p95"), of.latency_over("p95")),
    Metric(
        "latency_p99", "health", "Latency p99", "ms", "lower", of.latency("p99"), of.latency_over("p99"), 2,
    ),
    Metric(
        "latency_p999", "health", "Latency p99.9", "ms", "lower", of.latency("p999"), of.latency_over("p999"), 3,
    ),
    Metric("apdex", "health", "Apdex", "score", "higher", of.apdex, of.apdex_over, 3),
    Metric(
        "throughput", "health", "Throughput", "per_s", None,
        lambda v: Reading(v.throughput_per_s, v.predictions, reason="there are no requests yet"),
        of.throughput_over,
    ),
    Metric(
        "conversion", "business", "Conversion", "share", "higher",
        lambda v: from_estimate(v.business.conversion), lambda w: from_estimate(w.business.conversion),
    ),
    Metric(
        "engagement", "business", "Engagement", "share", "higher",
        lambda v: from_estimate(v.business.engagement), lambda w: from_estimate(w.business.engagement),
    ),
    Metric(
        "revenue", "business", "Revenue / request", "money", "higher",
        of.revenue_per_prediction, of.revenue_over,
    ),
    Metric(
        "revenue_per_conversion", "business", "Revenue / conversion", "money", "higher",
        lambda v: from_estimate(v.business.revenue.per_conversion),
        lambda w: from_estimate(w.business.revenue.per_conversion), 3,
    ),
    Metric(
        "revenue_total", "business", "Revenue", "money", None,
        of.revenue, of.revenue_total_over, 2,
    ),
)  # fmt: skip
_DECISIONS = Metric(
    "decisions", "business", "Profit / 1,000 decisions", "money", "higher",
    lambda v: from_estimate(v.business.decisions), lambda w: from_estimate(w.business.decisions),
)  # fmt: skip
_MATURITY = Metric(
    "maturity", "business", "Conversions so far", "share", None,  # that of a younger version is lower
    lambda v: Reading(v.maturity, reason="there are no conversions yet"), lambda w: Reading(w.maturity), 2,
)  # fmt: skip
_APPROVAL = Metric(
    "approval", "business", "Thumbs up", "share", "higher",
    lambda v: from_estimate(v.business.approval), lambda w: from_estimate(w.business.approval), 3,
)  # fmt: skip
