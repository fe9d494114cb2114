"""Rules of the configuration, evaluated on a snapshot: `[[rule]] metric = "accuracy" when = "< 0.9"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlwatch.config import RuleSettings
    from mlwatch.snapshot.types import Model, Snapshot, Version

_ABSOLUTE = re.compile(r"^\s*(<=|>=|<|>|==|!=)\s*([-+0-9.eE]+)\s*(%?)\s*$")
_RELATIVE = re.compile(r"^\s*(drop|rise|change)\s*(>=|>)\s*([-+0-9.eE]+)\s*(%?)\s*$")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says about one version."""

    name: str
    model: str
    version: str
    state: Literal["ok", "breach", "no_data"]
    value: float | None
    message: str
    """One plain sentence."""


def rulings(snapshot: Snapshot, rules: Iterable[RuleSettings]) -> list[Ruling]:
    """Evaluate rules over the range of a snapshot.

    A rule names a metric of performance (`accuracy`), or `latency_p95`, `error_rate`, `throughput`, `missing_rate`,
    `drifted_share`, `conversion`, `engagement`, `revenue_per_prediction`. Its condition is absolute (`< 0.9`) or
    against the baseline (`drop > 2%`: two per cent of the baseline's value; `drop > 0.02`: two points).

    Raises:
        ConfigError: when a condition or a metric cannot be understood.
    """
    return [
        ruling for rule in rules for model in snapshot.models.values() for ruling in _of_model(rule, model)
    ]


def _of_model(rule: RuleSettings, model: Model) -> Iterator[Ruling]:
    baseline = next((version for version in model.versions.values() if version.role == "baseline"), None)
    for version in model.versions.values():
        if rule.version in {None, version.name, version.role}:
            yield _ruling(rule, model, version, baseline)


def _ruling(rule: RuleSettings, model: Model, version: Version, baseline: Version | None) -> Ruling:
    name = rule.name or f"{rule.metric} {rule.when}"
    value = value_of(version, rule.metric)
    before = value_of(baseline, rule.metric) if baseline is not None else None
    relative = _RELATIVE.match(rule.when)
    if value is None or (relative and before is None):
        message = f"{rule.metric} of {version.name} has no value, so the rule says nothing"
        return Ruling(name, model.name, version.name, "no_data", None, message)
    breached = _breaks_relative(relative, value, before or 0.0) if relative else _breaks_absolute(rule, value)
    beside = f" (baseline {before:.6g})" if relative else ""
    message = f"{rule.metric} of {version.name} is {value:.6g}{beside}, the rule is {rule.when}"
    return Ruling(name, model.name, version.name, "breach" if breached else "ok", value, message)


def _breaks_relative(match: re.Match[str], value: float, before: float) -> bool:
    kind, _, amount, percent = match.groups()
    size = float(amount) / 100 * abs(before) if percent else float(amount)
    change = {"drop": before - value, "rise": value - before, "change": abs(value - before)}[kind]
    return change > size


def _breaks_absolute(rule: RuleSettings, value: float) -> bool:
    match = _ABSOLUTE.match(rule.when)
    if match is None:
        raise ConfigError(f"cannot read the condition {rule.when!r}", "[[rule]]", "write < 0.9 or drop > 2%")
    sign, amount, percent = match.groups()
    limit = float(amount) / (100 if percent else 1)
    return {
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
        "==": value == limit,
        "!=": value != limit,
    }[sign]


def value_of(version: Version, metric: str) -> float | None:
    """Return a version's value of a metric by its name in rules.

    Raises:
        ConfigError: when there is no such metric.
    """
    if metric in version.performance:
        return version.performance[metric].value
    latency, business = version.latency, version.business
    values = {
        "latency_mean": latency.mean,
        "latency_p50": latency.p50,
        "latency_p90": latency.p90,
        "latency_p95": latency.p95,
        "latency_p99": latency.p99,
        "latency_max": latency.max,
        "error_rate": version.errors.rate,
        "throughput": version.throughput_per_s,
        "missing_rate": version.quality.missing_rate,
        "drifted_share": version.quality.drifted_share,
        "conversion": business.conversion.value,
        "engagement": business.engagement.value,
        "revenue_per_prediction": business.revenue.per_prediction,
    }
    if metric not in values:
        known = ", ".join([*version.performance, *values])
        raise ConfigError(f"no metric {metric}", "[[rule]]", f"one of {known}")
    return values[metric]
