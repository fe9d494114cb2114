"""Say a rollout's numbers in plain sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwatch.metrics.rollout_types import RolloutState
from mlwatch.metrics.rollout_units import FEWEST_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.metrics.rollout_types import MetricResult, MetricSpec, RolloutSettings, TrafficResult

MINUS = "−"
NOTABLE = 1.1
"""Design effect from which it is said."""
URGENCY = ("worse", "no_data", "inconclusive", "non_inferior", "better")
"""In what order metrics are told of, by their status: harm that is shown before all that is not decided."""


def number(value: float, digits: int = 2) -> str:
    """Return a number with the given significant digits, without exponent, with a typographic minus."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "unbounded"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{abs(round(value, places)):,.{min(max(places, 0), 12)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return (MINUS if value < 0 else "") + text


def value_text(spec: MetricSpec, value: float) -> str:
    """Return a value with its unit: proportions in percent."""
    if spec.kind == "proportion":
        return f"{number(100 * value, 3)} %"
    return f"{number(value, 3)} {spec.unit}".rstrip()


def places_of(value: float | None, low: float | None, high: float | None) -> int:
    """Return the decimals that an interval's width (or else the value) justifies: two significant digits."""
    width = high - low if low is not None and high is not None else abs(value or 1.0)
    return min(max(1 - math.floor(math.log10(width)), 0), 6) if width > 0 else 2


def fixed(value: float, places: int) -> str:
    """Return a number with fixed decimals and a typographic minus."""
    text = f"{abs(value):,.{places}f}"
    return MINUS + text if value < 0 and text.strip("0.,") else text


def span_text(low: float | None, high: float | None, places: int) -> str:
    """Return an interval: "0.4–3.1", "−0.3 to 1.1", "at least 0.4"."""
    if low is None:
        return "no interval yet" if high is None else f"at most {fixed(high, places)}"
    if high is None:
        return f"at least {fixed(low, places)}"
    between = "–" if low >= 0 else " to "
    return fixed(low, places) + between + fixed(high, places)


def duration_text(seconds: float) -> str:
    """Return a duration in its largest fitting unit."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds)} seconds"


def by_urgency(results: Iterable[MetricResult]) -> list[MetricResult]:
    """Return metrics in the order in which they are told of; of the same status those with most evidence first."""
    return sorted(results, key=lambda result: (URGENCY.index(result.status), -result.log_e))


def metric_sentence(
    spec: MetricSpec,
    result: MetricResult,
    settings: RolloutSettings,
    silent: tuple[str, ...] = (),
    *,
    astray: bool = False,
) -> str:
    """Say one metric: the effect, its interval, the limit and what it means.

    Args:
        spec: How the metric is judged.
        result: What was found.
        settings: Names of the arms.
        silent: The arms without any value of the metric.
        astray: A quantile's test tells of other values than the quantile.
    """
    if result.status == "no_data":
        return _no_data(spec, silent, too_large=spec.name in settings.too_large)
    effect = _relative_effect(spec, result, settings) if spec.scale == "relative" else None
    text = effect or _absolute_effect(spec, result, settings)
    return text + (_astray(spec) if astray else _conclusion(spec, result, settings))


def _astray(spec: MetricSpec) -> str:
    """Say why requests that exceed a frozen quantile decide nothing."""
    return (
        f": not decided, because requests above the earlier {spec.label}, by which both are compared, no longer "
        "tell of it; a later start in [rollout] begins anew"
    )


def _no_data(spec: MetricSpec, silent: tuple[str, ...], *, too_large: bool) -> str:
    if too_large:
        return f"{spec.label}: n/a, because its values are too large to sum up"
    labels = f"labels of {spec.of}" if spec.of else "labels"
    what = labels if spec.needs_labels else "data"
    if not silent:
        return f"{spec.label}: n/a, because no minute holds {what} of both versions"
    return f"{spec.label}: n/a, because the rollout has no {what} of {' and '.join(silent)} yet"


def _relative_effect(spec: MetricSpec, result: MetricResult, settings: RolloutSettings) -> str | None:
    if result.ratio is None:
        return None
    places = places_of(result.ratio, result.ratio_low, result.ratio_high)
    span = span_text(result.ratio_low or None, result.ratio_high, places)
    return (
        f"{spec.label} of {settings.candidate} is {fixed(result.ratio, places)} times {settings.baseline}'s "
        f"({span}), the limit is {number(1 + spec.sign * spec.margin, 4)}"
    )


def _absolute_effect(spec: MetricSpec, result: MetricResult, settings: RolloutSettings) -> str:
    if result.baseline == 0 and spec.kind == "proportion" and spec.scale == "relative":
        return _from_none(spec, result, settings)
    if result.difference is None or result.baseline is None:
        return f"{spec.label} of {settings.candidate} cannot be compared with {settings.baseline}'s yet"
    factor, unit = (100, "points") if spec.kind == "proportion" else (1, spec.unit)
    below = result.difference < 0
    ends = (result.high, result.low) if below else (result.low, result.high)
    low, high = (None if end is None else factor * (-end if below else end) for end in ends)
    difference = abs(result.difference) * factor
    places = places_of(difference, low, high)
    # a relative margin is an amount only with the baseline's value
    limit = factor * (abs(result.limit or 0.0) if spec.scale == "relative" else spec.margin)
    limit_unit = "point" if limit == 1 and unit == "points" else unit
    amount = fixed(difference, places)
    if difference and not float(
        amount.replace(",", "")
    ):  # a wide interval leaves few decimals, but something is not nothing
        amount = number(difference, 1)
    amount_unit = "point" if amount == "1" and unit == "points" else unit
    return (
        f"{spec.label} of {settings.candidate} is {f'{amount} {amount_unit}'.rstrip()} "
        f"{'below' if below else 'above'} {settings.baseline}'s {value_text(spec, result.baseline)} "
        f"({span_text(low, high, places)}), the limit is {f'{number(limit)} {limit_unit}'.rstrip()}"
    )


def _from_none(spec: MetricSpec, result: MetricResult, settings: RolloutSettings) -> str:
    """Say a rate that has no ratio, for the baseline's is nought."""
    if result.candidate == 0:
        n = result.n_baseline + result.n_candidate
        return f"{spec.label} of {settings.baseline} and {settings.candidate} is 0 in {n:,} requests"
    return (
        f"{spec.label} of {settings.candidate} is {value_text(spec, result.candidate or 0.0)} in "
        f"{result.n_candidate:,} requests, {settings.baseline}'s is 0 in {result.n_baseline:,}, the limit is "
        f"{number(1 + spec.sign * spec.margin, 4)} times that"
    )


def _conclusion(spec: MetricSpec, result: MetricResult, settings: RolloutSettings) -> str:
    if result.status == "worse":
        return ""
    if result.status == "better":
        return ": better"
    if result.status == "non_inferior":
        return ": within the limit"
    units = f"labelled {spec.of or 'predictions'}" if spec.needs_labels else "requests"
    if settings.unit != "request":
        units += f" of further values of {settings.unit}"
    if result.samples_left is None:
        return f": not decided, and more {units} like these would not decide it soon"
    return f": not decided, about {number(result.samples_left)} more {units} needed"


def pooled_note(spec: MetricSpec, result: MetricResult) -> str | None:
    """Warn where the pooled and the stratified difference disagree (Simpson's paradox)."""
    if result.pooled is None or result.difference is None or result.status == "no_data":
        return None
    low = -math.inf if result.low is None else result.low
    high = math.inf if result.high is None else result.high
    gap = abs(result.pooled - result.difference)
    opposite = result.pooled * result.difference < 0 and gap > abs(result.limit or 0.0)
    if low <= result.pooled <= high and not opposite:
        return None
    factor, unit = (100, "points") if spec.kind == "proportion" else (1, spec.unit)
    stratified, pooled = (
        f"{_signed(factor * value)} {unit}".rstrip() for value in (result.difference, result.pooled)
    )
    return (
        f"{spec.label}: pooled over all minutes the difference is {pooled}, minute by minute it is "
        f"{stratified}: the mix of traffic changed, so the latter counts"
    )


def unit_note(results: tuple[MetricResult, ...], settings: RolloutSettings) -> str | None:
    """Say how little the requests of one user add, where users are randomised."""
    said = [
        f"{result.label} {number(n / result.design_effect)} of {n:,}"
        for result in results
        if result.design_effect > NOTABLE and (n := result.n_baseline + result.n_candidate)
    ]
    if not said:
        return None
    resemble = (
        f"requests of one {settings.unit} resemble each other, so they tell as much as fewer independent ones"
    )
    return f"{resemble}: {', '.join(said)}"


def cap_note(spec: MetricSpec, settings: RolloutSettings) -> str | None:
    """Say where a mean is winsorised."""
    if spec.cap is None:
        return None
    cap = value_text(spec, spec.cap)
    return (
        f"{spec.label}: values above {cap} count as {cap}, the 99.9th percentile of {settings.baseline} before "
        f"{settings.candidate} came"
    )


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)


def apart_note(results: tuple[MetricResult, ...]) -> str | None:
    """Say that metrics point in opposite directions."""
    better = [result.label for result in results if result.status == "better"]
    worse = [result.label for result in results if result.status == "worse"]
    if not better or not worse:
        return None
    return f"{', '.join(better)} better but {', '.join(worse)} worse: they point apart and are not averaged"


def state_sentence(
    state: RolloutState,
    settings: RolloutSettings,
    traffic: TrafficResult,
    elapsed: float,
    facts: dict[str, float],
) -> str | None:
    """Say why a state holds or blocks; None where the metrics say it themselves.

    Args:
        state: The state.
        settings: Names and limits.
        traffic: Exposures and the split.
        elapsed: Seconds with both arms alive.
        facts: Share of the candidate's exposures in common minutes (common), and 1 where every guardrail is within
            its limit (safe).
    """
    said = {
        RolloutState.ROLES_UNKNOWN: lambda: settings.unknown_roles,
        RolloutState.ONE_ARM_SILENT: lambda: _silent(settings, traffic, facts),
        RolloutState.SAMPLE_RATIO_MISMATCH: lambda: _mismatch(settings, traffic),
        RolloutState.FEW_UNITS: lambda: _few_units(settings, traffic),
        RolloutState.STARTED_APART: lambda: (
            f"only {number(100 * facts['common'])} % of {settings.candidate}'s requests fall in minutes that "
            f"{settings.baseline} also served: the arms ran apart, or their clocks differ"
        ),
        RolloutState.MINIMUM_TIME: lambda: (
            f"every guardrail is within its limit, but both versions ran together for only "
            f"{duration_text(elapsed)} of at least {duration_text(settings.min_time)}"
        ),
        RolloutState.NO_DATA: lambda: f"no requests of {settings.baseline} or {settings.candidate} yet",
    }.get(state)
    return said() if said is not None else None


def silent_note(traffic: TrafficResult) -> str | None:
    """Say which arms have had no requests lately; None where all have."""
    return " and ".join(_quiet(name, seconds) for name, seconds in traffic.silent.items()) or None


def _quiet(name: str, seconds: float) -> str:
    return f"{name} has had no requests for {duration_text(seconds)}"


def _mismatch(settings: RolloutSettings, traffic: TrafficResult) -> str:
    of = "the traffic" if traffic.units is None else f"the values of {settings.unit}"
    p = traffic.srm_p or 0.0
    chance = f"p = {p:.1g}" if p >= 1e-4 else "p < 0.0001"
    return (
        f"{settings.candidate} gets {number(100 * (traffic.observed or 0), 3)} % of {of} "
        f"instead of {number(100 * (traffic.expected or 0), 3)} % ({chance}): "
        "the arms are not comparable until the split is explained"
    )


def _few_units(settings: RolloutSettings, traffic: TrafficResult) -> str:
    baseline, candidate = traffic.units or (0, 0)
    return (
        f"traffic is split by {settings.unit}, of which {settings.baseline} has {baseline:,} and "
        f"{settings.candidate} {candidate:,}: it takes {FEWEST_UNITS} each to know how much they vary"
    )


def _silent(settings: RolloutSettings, traffic: TrafficResult, facts: dict[str, float]) -> str:
    arms = ((settings.baseline, traffic.baseline), (settings.candidate, traffic.candidate))
    texts = []
    for name, n in arms:
        if n == 0 and name == settings.baseline and traffic.candidate:
            texts.append(f"{name} has had no requests since {settings.candidate} came")
        elif n == 0:
            texts.append(f"{name} has had no requests yet")
        elif name in traffic.silent:
            texts.append(_quiet(name, traffic.silent[name]))
    if len(texts) != 1 or not traffic.baseline or not traffic.candidate:
        return " and ".join(texts)
    if settings.baseline in traffic.silent and facts["safe"]:
        took_over = f"{settings.candidate} took over, or the clock of {settings.baseline} is behind"
        return f"{texts[0]}: {took_over}; until then every guardrail was within its limit"
    return f"{texts[0]}: it stopped, or its clock is behind"
