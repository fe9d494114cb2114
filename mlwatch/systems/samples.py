"""A snapshot as flat samples with labels: what Prometheus, OpenTelemetry and trackers take.

Cardinality is bounded: at most `MOST_VERSIONS` versions a model and `MOST_FEATURES` features a version, the farthest
drifted first; `mlwatch_series_left_out` counts the rest. No label carries an id, a class or an event of the logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import FeatureQuality, Model, Rollout, Snapshot, Version

MOST_STREAMS = 100
"""Partitions of topics that have a sample, those with the most unread messages."""
MOST_MODELS = 20
MOST_VERSIONS = 10
MOST_FEATURES = 100
MOST_CHARACTERS = 128
"""Length at which a label's value is cut."""

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
        Family("mlwatch_latency_seconds", "Latency of requests in the range.", "seconds"),
        Family("mlwatch_throughput_requests_per_second", "Requests a second in the range."),
        Family("mlwatch_errors", "Failed requests in the range, by class of status."),
        Family("mlwatch_error_ratio", "Failed requests over requests in the range.", "ratio"),
        Family("mlwatch_missing_ratio", "Missing cells over cells in the range.", "ratio"),
        Family("mlwatch_drifted_features_ratio", "Share of the comparable features that drifted.", "ratio"),
        Family("mlwatch_feature_missing_ratio", "Missing values of a feature.", "ratio"),
        Family("mlwatch_feature_drift_score", "Distance of a feature from its reference."),
        Family("mlwatch_feature_drifted", "1 where a feature drifted, else 0."),
        Family("mlwatch_output_drift_score", "Distance of predictions or scores from the reference."),
        Family("mlwatch_conversion_ratio", "Predictions that led to a conversion.", "ratio"),
        Family("mlwatch_engagement_ratio", "Predictions that led to engagement.", "ratio"),
        Family("mlwatch_revenue", "Money of the range in the unit of the events: gross, refunds, total."),
        Family("mlwatch_revenue_per_prediction", "Money a prediction in the range."),
        Family("mlwatch_rollout_verdict", "1 for the verdict on the candidate, 0 for the others."),
        Family(
            "mlwatch_rollout_difference",
            "Candidate less baseline; bound: value, or the anytime-valid interval.",
        ),
        Family("mlwatch_rollout_traffic_ratio", "Observed share of the traffic.", "ratio"),
        Family("mlwatch_alerts_firing", "Alerts that fire, by severity."),
        Family("mlwatch_host_ratio", "Use of a resource of mlwatch's host.", "ratio"),
        Family("mlwatch_series_left_out", "Models, versions and features that the bounds leave out."),
    )
}
"""Every metric that there is, in the order of the output."""


def samples_of(snapshot: Snapshot) -> list[Sample]:
    """Return every number of a snapshot; what cannot be computed has no sample."""
    models = list(snapshot.models.values())
    found = [*_ingest(snapshot), *_host(snapshot), *_alerts(snapshot)]
    for model in models[:MOST_MODELS]:
        for version in _versions(model):
            found += _version(model, version)
    for rollout in snapshot.rollouts[: MOST_MODELS * MOST_VERSIONS]:
        found += _rollout(rollout)
    found.append(_sample("mlwatch_series_left_out", _left_out(models)))
    order = {name: number for number, name in enumerate(FAMILIES)}
    return sorted(found, key=lambda sample: order[sample.family])


def _versions(model: Model) -> list[Version]:
    """Return the first versions: baseline and candidate stand in front."""
    return list(model.versions.values())[:MOST_VERSIONS]


def _left_out(models: list[Model]) -> int:
    kept = models[:MOST_MODELS]
    return (
        len(models)
        - len(kept)
        + sum(len(model.versions) - len(_versions(model)) for model in kept)
        + sum(
            max(0, len(version.quality.features) - MOST_FEATURES)
            for model in kept
            for version in _versions(model)
        )
    )


def _sample(family: str, value: float, **labels: str) -> Sample:
    return Sample(
        family, tuple((name, one_line(text)[:MOST_CHARACTERS]) for name, text in labels.items()), value
    )


def _known(family: str, value: float | None, **labels: str) -> Iterator[Sample]:
    if value is not None:
        yield _sample(family, value, **labels)


def _bounds(family: str, found: Estimate, **labels: str) -> Iterator[Sample]:
    for bound, value in (("value", found.value), ("low", found.low), ("high", found.high)):
        yield from _known(family, value, **labels, bound=bound)


def _ingest(snapshot: Snapshot) -> Iterator[Sample]:
    from mlwatch import __version__  # noqa: PLC0415  it is the front door

    read = snapshot.ingest
    yield _sample("mlwatch_build", 1, version=__version__)
    if snapshot.range is not None:
        yield _sample("mlwatch_data_timestamp_seconds", snapshot.range.end.timestamp())
    yield _sample("mlwatch_ingest_files", read.files)
    yield _sample("mlwatch_ingest_bytes", read.bytes)
    for fate in ("rows", "rejected", "duplicates"):  # together: all records
        yield _sample("mlwatch_ingest_records", getattr(read, fate), fate=fate)
    for one in sorted(read.streams, key=lambda each: -each.lag)[:MOST_STREAMS]:
        yield _sample("mlwatch_stream_lag_messages", one.lag, topic=one.topic, partition=str(one.partition))


def _host(snapshot: Snapshot) -> Iterator[Sample]:
    for resource in ("cpu", "memory", "disk"):
        yield from _known("mlwatch_host_ratio", getattr(snapshot.system, resource), resource=resource)


def _alerts(snapshot: Snapshot) -> Iterator[Sample]:
    for severity in ("info", "warning", "critical"):
        firing = [one for one in snapshot.alerts if one.state == "firing" and one.severity == severity]
        yield _sample("mlwatch_alerts_firing", len(firing), severity=severity)


def _version(model: Model, version: Version) -> Iterable[Sample]:
    who = {"model": model.name, "version": version.name}
    yield _sample("mlwatch_version", 1, **who, role=version.role)
    yield _sample("mlwatch_predictions", version.predictions, **who)
    yield _sample("mlwatch_labelled", version.labelled, **who)
    for metric, found in version.performance.items():
        yield from _bounds("mlwatch_performance", found, **who, metric=metric)
    yield from _health(version, who)
    yield from _quality(version, who)
    yield from _business(version, who)


def _health(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    for stat in ("mean", "p50", "p90", "p95", "p99", "max"):
        milliseconds = getattr(version.latency, stat)
        if milliseconds is not None:
            yield _sample("mlwatch_latency_seconds", milliseconds / 1000, **who, stat=stat)
    yield from _known("mlwatch_throughput_requests_per_second", version.throughput_per_s, **who)
    errors = version.errors
    yield _sample("mlwatch_errors", errors.client, **who, status="4xx")
    yield _sample("mlwatch_errors", errors.server, **who, status="5xx")
    yield _sample("mlwatch_errors", errors.count - errors.client - errors.server, **who, status="other")
    yield from _known("mlwatch_error_ratio", errors.rate, **who)


def _quality(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    quality = version.quality
    yield from _known("mlwatch_missing_ratio", quality.missing_rate, **who)
    yield from _known("mlwatch_drifted_features_ratio", quality.drifted_share, **who)
    for output, drift in (("prediction", quality.prediction_drift), ("score", quality.score_drift)):
        yield from _known("mlwatch_output_drift_score", _score(drift), **who, output=output)
    farthest = sorted(quality.features.items(), key=_distance)
    for name, feature in farthest[:MOST_FEATURES]:
        yield from _known("mlwatch_feature_missing_ratio", feature.missing_rate, **who, feature=name)
        score = _score(feature.drift)
        if feature.drift is not None and score is not None:
            yield _sample("mlwatch_feature_drift_score", score, **who, feature=name)
            yield _sample("mlwatch_feature_drifted", float(feature.drift.drifted), **who, feature=name)


def _score(drift: Drift | None) -> float | None:
    return drift.score if drift is not None else None


def _distance(named: tuple[str, FeatureQuality]) -> tuple[float, str]:
    name, feature = named
    return -(_score(feature.drift) or 0.0), name


def _business(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    business, money = version.business, version.business.revenue
    yield from _bounds("mlwatch_conversion_ratio", business.conversion, **who)
    yield from _bounds("mlwatch_engagement_ratio", business.engagement, **who)
    if money.per_prediction is None:
        return
    currency = money.currency or ""
    for part in ("gross", "refunds", "total"):
        yield _sample("mlwatch_revenue", getattr(money, part), **who, currency=currency, part=part)
    yield _sample("mlwatch_revenue_per_prediction", money.per_prediction, **who, currency=currency)


def _rollout(rollout: Rollout) -> Iterator[Sample]:
    who = {"model": rollout.model, "baseline": rollout.baseline, "candidate": rollout.candidate}
    for verdict in ("promote", "hold", "rollback"):
        yield _sample("mlwatch_rollout_verdict", float(rollout.verdict == verdict), **who, verdict=verdict)
    for name, metric in rollout.metrics.items():
        for bound, value in (("value", metric.difference), ("low", metric.low), ("high", metric.high)):
            yield from _known("mlwatch_rollout_difference", value, **who, metric=name, bound=bound)
    for version, share in rollout.traffic_observed.items():
        yield _sample("mlwatch_rollout_traffic_ratio", share, **who, version=version)
