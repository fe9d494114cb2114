"""Single numbers of a version or of one step of it, each with what is known about it, or why it is not there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Version, Window


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of one version, with what is known about its certainty."""

    value: float | None
    n: int | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    """Why there is no value, as a clause after "because"."""
    against: str | None = None
    """What it was compared with, where that may be another thing than for its family."""
    winsorised: Reading | None = None
    """The mean of values that are cut at a limit, by which versions are compared; None where none are."""


NOTHING = Reading(None, reason="this version has no such number")


def from_estimate(estimate: Estimate | None) -> Reading:
    """Return an estimate as a reading."""
    if estimate is None:
        return NOTHING
    cut = from_estimate(estimate.winsorised) if estimate.winsorised is not None else None
    return Reading(estimate.value, estimate.n, estimate.low, estimate.high, estimate.reason, winsorised=cut)


NO_REFERENCE = "there is no reference to compare with"


def missing(version: Version) -> Reading:
    """Return the share of missing cells."""
    quality = version.quality
    cells = sum(feature.n for name, feature in quality.features.items() if name not in quality.appeared)
    return Reading(quality.missing_rate, cells, reason="the records carry no features")


def missing_over(window: Window) -> Reading:
    """Return the share of missing cells of one step."""
    return Reading(window.missing_rate)


def drifted(version: Version) -> Reading:
    """Return the share of comparable features that drifted."""
    comparable = sum(feature.drift is not None for feature in version.quality.features.values())
    return Reading(version.quality.drifted_share, comparable, reason=NO_REFERENCE)


def prediction_drift(version: Version) -> Reading:
    """Return how far the predictions moved."""
    return from_drift(version.quality.prediction_drift, version.quality.why_not("predictions"))


def label_drift(version: Version) -> Reading:
    """Return how far the labels moved."""
    found = version.quality.label_drift
    if found.drift is None:
        return Reading(None, reason=found.reason or NO_REFERENCE)
    return replace(from_drift(found.drift), against=found.reference)


def score_drift(version: Version) -> Reading:
    """Return how far the scores moved."""
    return from_drift(version.quality.score_drift, version.quality.why_not("scores"))


def mean_drift(version: Version) -> Reading:
    """Return the mean drift score of the features."""
    drifts = [feature.drift for feature in version.quality.features.values() if feature.drift]
    scores = [drift.told for drift in drifts if drift.told is not None]
    if not scores:
        return Reading(None, reason="there are too few values to compare" if drifts else NO_REFERENCE)
    return Reading(sum(scores) / len(scores), len(scores))


def from_drift(drift: Drift | None, reason: str = NO_REFERENCE) -> Reading:
    """Return a drift score as a reading."""
    if drift is None:
        return Reading(None, reason=reason)
    few = f"{drift.n_current:,} values against {drift.n_reference:,} are too few to compare"
    return Reading(drift.told, drift.n_current, reason=few)


def cells(pick: Callable[[Version], int]) -> Callable[[Version], Reading]:
    """Return the reader of a count of cells."""

    def read(version: Version) -> Reading:
        if not version.quality.features:
            return Reading(None, reason="the records carry no features")
        return Reading(float(pick(version)))

    return read


def latency(key: str) -> Callable[[Version], Reading]:
    """Return the reader of a statistic of the latency, in milliseconds."""

    def read(version: Version) -> Reading:
        value: float | None = getattr(version.latency, key)
        sure = version.latency.quantiles.get(key)
        ends = (sure.low, sure.high) if sure is not None else (None, None)
        return Reading(value, version.latency.n, *ends, reason="the records carry no latency")

    return read


def apdex(version: Version) -> Reading:
    """Return the Apdex."""
    return from_estimate(version.latency.apdex)


def apdex_over(window: Window) -> Reading:
    """Return the same over one step."""
    return from_estimate(window.latency.apdex)


def latency_over(key: str) -> Callable[[Window], Reading]:
    """Return the same over one step; see `latency`."""

    def over(window: Window) -> Reading:
        return Reading(getattr(window.latency, key), window.latency.n)

    return over


def errors(version: Version) -> Reading:
    """Return the share of failed requests."""
    found = version.errors
    return Reading(found.rate, version.predictions, found.low, found.high, "there are no requests yet")


def revenue_per_prediction(version: Version) -> Reading:
    """Return the money that one prediction brought."""
    money = version.business.revenue
    reason = "no event carries money"
    cut = from_estimate(money.winsorised) if money.winsorised is not None else None
    return Reading(money.per_prediction, version.predictions, money.low, money.high, reason, winsorised=cut)


def revenue(version: Version) -> Reading:
    """Return the money that came in all."""
    money = version.business.revenue
    return Reading(money.told(money.total), reason="no event carries money")


def no_trend(_window: Window) -> Reading:
    """Return nothing: the number is not followed step by step."""
    return NOTHING


def errors_over(window: Window) -> Reading:
    """Return the share of failed requests of one step."""
    found = window.errors
    return Reading(found.rate, window.predictions, found.low, found.high)


def revenue_over(window: Window) -> Reading:
    """Return the money that one prediction of a step brought."""
    money = window.business.revenue
    return Reading(money.per_prediction, window.predictions, money.low, money.high)


def revenue_total_over(window: Window) -> Reading:
    """Return the money that the predictions of a step brought in all."""
    money = window.business.revenue
    return Reading(money.told(money.total))


def throughput_over(window: Window) -> Reading:
    """Return the requests a second of one step."""
    seconds = (window.end - window.start).total_seconds()
    return Reading(window.predictions / seconds if seconds else None, window.predictions)
