"""The numbers of a version or a window under flat names, family by family: what trackers and pipelines keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Version, Window

    Numbers = dict[str, float]


def numbers_of(found: Version | Window) -> Numbers:
    """Return what a version and each of its windows have alike; what cannot be computed is left out."""
    estimates: dict[str, Estimate] = {
        **{f"performance/{name}": one for name, one in found.performance.items()},
        **{f"estimated/{name}": one for name, one in found.estimated.items()},
        "business/conversion": found.business.conversion,
        "business/engagement": found.business.engagement,
    }
    values = {name: one.value for name, one in estimates.items()} | {
        "traffic/predictions": float(found.predictions),
        "traffic/labelled": float(found.labelled),
        "health/error_rate": found.errors.rate,
        "health/latency_p50_ms": found.latency.p50,
        "health/latency_p95_ms": found.latency.p95,
        "health/latency_p99_ms": found.latency.p99,
        "business/revenue_per_prediction": found.business.revenue.per_prediction,
    }
    return known(values)


def version_numbers(version: Version) -> Numbers:
    """Return all numbers of a version but those of single features."""
    whole = {
        "quality/missing_rate": version.quality.missing_rate,
        "quality/drifted_share": version.quality.drifted_share,
        "health/throughput_per_s": version.throughput_per_s,
    }
    return numbers_of(version) | known(whole)


def window_numbers(window: Window) -> Numbers:
    """Return all numbers of a window."""
    whole = {"quality/missing_rate": window.missing_rate, "quality/mean_drift": window.drift}
    return numbers_of(window) | known(whole)


def known(values: Mapping[str, float | None]) -> Numbers:
    """Return the values that there are."""
    return {name: value for name, value in values.items() if value is not None}
