"""A snapshot as flat samples with labels: what Prometheus, OpenTelemetry and trackers take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.systems.families import (
    FAMILIES,
    MOST_ATTRIBUTES,
    MOST_CONSTRAINTS,
    MOST_FEATURES,
    MOST_KINDS,
    MOST_MODELS,
    MOST_VERSIONS,
    Sample,
    bounds,
    known,
    sample,
)
from mlwatch.systems.samples_around import around, left_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlwatch.metrics.drift import Drift
    from mlwatch.snapshot.types import FeatureQuality, Model, Rollout, Snapshot, Version


def samples_of(snapshot: Snapshot) -> list[Sample]:
    """Return every number of a snapshot; what cannot be computed has no sample."""
    models = list(snapshot.models.values())
    found = list(around(snapshot))
    for model in models[:MOST_MODELS]:
        for metric, there in model.reference_performance.items():
            found += bounds("mlwatch_performance_of_reference", there, model=model.name, metric=metric)
        for version in _versions(model):
            found += _version(model, version)
    for rollout in snapshot.rollouts[: MOST_MODELS * MOST_VERSIONS]:
        found += _rollout(rollout)
    left = _left_out(models) + left_out(snapshot)
    found.append(sample("mlwatch_series_left_out", left))
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
            + max(0, len(version.constraints) - MOST_CONSTRAINTS)
            + max(0, len(version.fairness) - MOST_ATTRIBUTES)
            for model in kept
            for version in _versions(model)
        )
    )


def _version(model: Model, version: Version) -> Iterable[Sample]:
    who = {"model": model.name, "version": version.name}
    yield sample("mlwatch_version", 1, **who, role=version.role)
    yield sample("mlwatch_predictions", version.predictions, **who)
    yield sample("mlwatch_labelled", version.labelled, **who)
    for metric, found in version.performance.items():
        yield from bounds("mlwatch_performance", found, **who, metric=metric)
        trained = version.registered.in_training(metric) if version.registered is not None else None
        yield from known("mlwatch_performance_in_training", trained, **who, metric=metric)
    for metric, found in version.estimated.items():
        yield from bounds("mlwatch_performance_estimated", found, **who, metric=metric)
    for stat in ("p50", "p90", "p99"):
        yield from known(
            "mlwatch_label_lag_seconds", getattr(version.label_lag, f"{stat}_s"), **who, stat=stat
        )
    for family, mean in (("mlwatch_labels_mean", version.labels), ("mlwatch_answers_mean", version.answers)):
        if mean is not None:
            yield from bounds(family, mean, **who)
    for one in version.fairness[:MOST_ATTRIBUTES]:
        for rate in ("demographic_parity", "equal_opportunity"):
            gap = getattr(one, rate).difference
            yield from bounds("mlwatch_fairness_gap_ratio", gap, **who, attribute=one.column, rate=rate)
    yield from _health(version, who)
    yield from _quality(version, who)
    yield from _constraints(version, who)
    yield from _business(version, who)
    yield from _outputs(version, who)


def _outputs(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    for name, measure in version.outputs.measures.items():
        stats = {"mean": measure.mean.value, "p50": measure.p50, "p95": measure.p95}
        for stat, value in stats.items():
            yield from known("mlwatch_amount", value, **who, amount=name, stat=stat)
        yield from known("mlwatch_amount_in_all", measure.total, **who, amount=name)
    for kind, count in list(version.outputs.error_kinds.items())[:MOST_KINDS]:
        yield sample("mlwatch_errors_of_kind", count, **who, kind=kind)
    for quantile, value in version.outputs.residuals.items():
        yield from known("mlwatch_residual", value, **who, quantile=quantile)
    yield from known("mlwatch_conversion_maturity_ratio", version.maturity, **who)


def _health(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    for stat in ("mean", "p50", "p90", "p95", "p99", "max"):
        milliseconds = getattr(version.latency, stat)
        if milliseconds is not None:
            yield sample("mlwatch_latency_seconds", milliseconds / 1000, **who, stat=stat)
    if version.latency.apdex is not None:
        yield from bounds("mlwatch_apdex_ratio", version.latency.apdex, **who)
    yield from known("mlwatch_throughput_requests_per_second", version.throughput_per_s, **who)
    errors = version.errors
    yield sample("mlwatch_errors", errors.client, **who, status="4xx")
    yield sample("mlwatch_errors", errors.server, **who, status="5xx")
    yield sample("mlwatch_errors", errors.count - errors.client - errors.server, **who, status="other")
    yield from known("mlwatch_error_ratio", errors.rate, **who)


def _quality(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    quality = version.quality
    yield from known("mlwatch_missing_ratio", quality.missing_rate, **who)
    yield from known("mlwatch_drifted_features_ratio", quality.drifted_share, **who)
    outputs = {
        "prediction": quality.prediction_drift,
        "score": quality.score_drift,
        "label": quality.label_drift.drift,
    }
    for output, drift in outputs.items():
        yield from known("mlwatch_output_drift_score", _score(drift), **who, output=output)
    farthest = sorted(quality.features.items(), key=_distance)
    for name, feature in farthest[:MOST_FEATURES]:
        yield from known("mlwatch_feature_missing_ratio", feature.missing_rate, **who, feature=name)
        for kind in ("invalid", "unseen", "out_of_range"):
            yield sample(
                "mlwatch_feature_wrong_values", getattr(feature, kind), **who, feature=name, kind=kind
            )
        score = _score(feature.drift)
        if feature.drift is not None and score is not None:
            yield sample("mlwatch_feature_drift_score", score, **who, feature=name)
            yield sample("mlwatch_feature_drifted", float(feature.drift.drifted), **who, feature=name)


def _constraints(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    for one in sorted(version.constraints, key=lambda each: -each.bad)[:MOST_CONSTRAINTS]:
        labels = {"feature": one.feature, "rule": one.rule}
        yield sample("mlwatch_constraint_broken_values", one.bad, **who, **labels)


def _score(drift: Drift | None) -> float | None:
    return drift.told if drift is not None else None


def _distance(named: tuple[str, FeatureQuality]) -> tuple[float, str]:
    name, feature = named
    return -(_score(feature.drift) or 0.0), name


def _business(version: Version, who: dict[str, str]) -> Iterator[Sample]:
    business, money = version.business, version.business.revenue
    yield from bounds("mlwatch_conversion_ratio", business.conversion, **who)
    yield from bounds("mlwatch_engagement_ratio", business.engagement, **who)
    if business.decisions is not None:
        yield from bounds("mlwatch_decision_profit", business.decisions, **who)
    if money.per_prediction is None:
        return
    currency = money.currency or ""
    for part in ("gross", "refunds", "total"):
        yield sample("mlwatch_revenue", getattr(money, part), **who, currency=currency, part=part)
    yield sample("mlwatch_revenue_per_prediction", money.per_prediction, **who, currency=currency)
    if money.per_conversion is not None:
        yield from bounds("mlwatch_revenue_per_conversion", money.per_conversion, **who, currency=currency)


def _rollout(rollout: Rollout) -> Iterator[Sample]:
    who = {"model": rollout.model, "baseline": rollout.baseline, "candidate": rollout.candidate}
    for verdict in ("promote", "hold", "rollback"):
        yield sample("mlwatch_rollout_verdict", float(rollout.verdict == verdict), **who, verdict=verdict)
    for name, metric in rollout.metrics.items():
        for bound, value in (("value", metric.difference), ("low", metric.low), ("high", metric.high)):
            yield from known("mlwatch_rollout_difference", value, **who, metric=name, bound=bound)
    shadow = rollout.shadow
    if shadow is not None:
        ends = (shadow.disagreement_rate, shadow.disagreement_low, shadow.disagreement_high)
        for bound, value in zip(("value", "low", "high"), ends, strict=True):
            yield from known("mlwatch_rollout_disagreement_ratio", value, **who, bound=bound)
    for version, share in _split(rollout).items():
        yield sample("mlwatch_rollout_traffic_ratio", share, **who, version=version)


def _split(rollout: Rollout) -> Mapping[str, float]:
    """Return the shares of the traffic of now; who is silent gets none, and of a shadow there are none."""
    if rollout.traffic_lately is None:
        return rollout.traffic_observed
    shares = rollout.traffic_lately.shares
    gone = sum(share for version, share in shares.items() if version in rollout.silent_s)
    rest = 1 - gone or 1.0
    return {
        version: 0.0 if version in rollout.silent_s else share / rest for version, share in shares.items()
    }
