"""Every metric that is exported, and how many series of it there are at most.

Cardinality is bounded: so many models, versions a model, features a version (the farthest drifted first), endpoints and
names of metrics; `mlwatch_series_left_out` counts the rest. No label carries an id, a class or an event of the logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.metrics.estimate import Estimate

MOST_STREAMS = 100
"""Partitions of topics that have a sample, those with the most unread messages."""
MOST_MODELS = 20
MOST_ENDPOINTS = 100
MOST_MEASURES = 60
"""Metrics of one endpoint."""
MOST_CONSTRAINTS = 100
"""Of one version, the most broken first."""
MOST_KINDS = 10
"""Kinds of errors of one version, the most frequent first."""
MOST_ATTRIBUTES = 10
"""Protected attributes of one version."""
MOST_VERSIONS = 10
MOST_FEATURES = 100
MOST_CHARACTERS = 128
"""Length of a label's value, at most."""

Kind = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name ends in its unit, in base units (seconds, bytes, ratios of 0 to 1)."""

    name: str
    help: str
    unit: str = ""
    kind: Kind = "gauge"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a metric."""

    family: str
    labels: tuple[tuple[str, str], ...]
    value: float


FAMILIES = {
    family.name: family
    for family in (
        Family("mlwatch_build", "Always 1; the label is mlwatch's version."),
        Family(
            "mlwatch_data_timestamp_seconds", "End of the range: event time of the newest data.", "seconds"
        ),
        Family("mlwatch_ingest_files", "Files that records were read from."),
        Family("mlwatch_ingest_bytes", "Bytes that were read since the store began.", "bytes", "counter"),
        Family(
            "mlwatch_ingest_records", "Records since the store began, by what became of them.", "", "counter"
        ),
        Family("mlwatch_stream_lag_messages", "Messages of a topic's partition that are not read yet."),
        Family("mlwatch_version", "Always 1; the label is the version's role.", ""),
        Family("mlwatch_predictions", "Predictions in the range."),
        Family("mlwatch_labelled", "Predictions in the range with a label."),
        Family("mlwatch_performance", "Model performance in the range; bound: value, or the 95 % interval."),
        Family("mlwatch_performance_estimated", "As expected without labels; bound: value, or the interval."),
        Family("mlwatch_performance_of_reference", "How well the model did on the reference."),
        Family("mlwatch_labels_mean", "Share of positive labels, or the mean label of a regression."),
        Family("mlwatch_answers_mean", "Share of positive labelled predictions, or their mean."),
        Family("mlwatch_performance_in_training", "As the run measured it that made the version."),
        Family("mlwatch_label_lag_seconds", "How long after their predictions labels came.", "seconds"),
        Family("mlwatch_fairness_gap_ratio", "Gap of rates between a protected attribute's values.", "ratio"),
        Family("mlwatch_latency_seconds", "Latency of requests in the range.", "seconds"),
        Family("mlwatch_apdex_ratio", "Apdex of the target in [slo].", "ratio"),
        Family("mlwatch_throughput_requests_per_second", "Requests a second in the range."),
        Family("mlwatch_errors", "Failed requests in the range, by class of status."),
        Family(
            "mlwatch_errors_of_kind", "Failed requests in the range, by what failed; the most frequent kinds."
        ),
        Family("mlwatch_error_ratio", "Failed requests over requests in the range.", "ratio"),
        Family("mlwatch_missing_ratio", "Missing cells over cells in the range.", "ratio"),
        Family("mlwatch_drifted_features_ratio", "Share of the comparable features that drifted.", "ratio"),
        Family("mlwatch_feature_missing_ratio", "Missing values of a feature.", "ratio"),
        Family("mlwatch_feature_wrong_values", "Values of a feature: invalid, unseen, out_of_range."),
        Family("mlwatch_feature_drift_score", "Distance of a feature from its reference."),
        Family("mlwatch_feature_drifted", "1 where a feature drifted, else 0."),
        Family("mlwatch_constraint_broken_values", "Values that break a rule of [schema]."),
        Family("mlwatch_output_drift_score", "Distance of predictions, scores or labels from the reference."),
        Family("mlwatch_conversion_ratio", "Predictions that led to a conversion.", "ratio"),
        Family("mlwatch_engagement_ratio", "Predictions that led to engagement.", "ratio"),
        Family("mlwatch_revenue", "Money of the range in the unit of the events: gross, refunds, total."),
        Family("mlwatch_revenue_per_prediction", "Money a prediction in the range."),
        Family("mlwatch_revenue_per_conversion", "Money a conversion in the range."),
        Family("mlwatch_decision_profit", "Profit of 1,000 decisions by [business] payoff."),
        Family(
            "mlwatch_conversion_maturity_ratio", "Share of its conversions that there was time for.", "ratio"
        ),
        Family("mlwatch_amount", "What a request took or gave: tokens, cost, words; stat: mean, p50, p95."),
        Family("mlwatch_amount_in_all", "The same over all requests of the range."),
        Family("mlwatch_residual", "Quantiles of prediction less label, of a regression."),
        Family("mlwatch_rollout_verdict", "1 for the verdict on the candidate, 0 for the others."),
        Family(
            "mlwatch_rollout_difference",
            "Candidate less baseline; bound: value, or the anytime-valid interval.",
        ),
        Family("mlwatch_rollout_traffic_ratio", "Share of the traffic in the last hour.", "ratio"),
        Family("mlwatch_rollout_disagreement_ratio", "Answers of a shadow that differ.", "ratio"),
        Family("mlwatch_endpoint_up", "1 where every replica is up, between 0 and 1 where some are."),
        Family("mlwatch_endpoint_uptime_ratio", "Probes that found it up.", "ratio"),
        Family("mlwatch_endpoint_latency_seconds", "Time to answer probes, over 15 minutes.", "seconds"),
        Family(
            "mlwatch_endpoint_metric", "What a server or cache says about itself; units are in the names."
        ),
        Family("mlwatch_endpoint_condition", "1 where a configured condition is kept, else 0."),
        Family("mlwatch_endpoint_golden", "1 where the golden answer is the expected one, else 0."),
        Family("mlwatch_alerts_firing", "Alerts that fire, by severity."),
        Family("mlwatch_host_ratio", "Use of a resource of mlwatch's host.", "ratio"),
        Family("mlwatch_series_left_out", "Models, versions, features, endpoints … beyond the bounds."),
    )
}
"""Every metric that there is, in the order of the output."""


def sample(family: str, value: float, **labels: str) -> Sample:
    """Return a sample whose labels are fit for any text format."""
    return Sample(family, tuple((name, _label(text)) for name, text in labels.items()), value)


def _label(text: str) -> str:
    """Return a label's value; a name that is changed or cut ends in a digest, as no two series may be the same."""
    shown = one_line(text)
    if shown == text and len(shown) <= MOST_CHARACTERS:
        return shown
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{shown[: MOST_CHARACTERS - len(digest) - 1]}~{digest}"


def known(family: str, value: float | None, **labels: str) -> Iterator[Sample]:
    """Yield a sample of a number that there is."""
    if value is not None:
        yield sample(family, value, **labels)


def bounds(family: str, found: Estimate, **labels: str) -> Iterator[Sample]:
    """Yield an estimate and the ends of its interval."""
    for bound, value in (("value", found.value), ("low", found.low), ("high", found.high)):
        yield from known(family, value, **labels, bound=bound)
