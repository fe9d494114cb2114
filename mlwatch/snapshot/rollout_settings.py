"""How a rollout is judged: by which metrics, with which margins, limits and shares of the traffic."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.arguments import close_to
from mlwatch.errors import ConfigError
from mlwatch.metrics.rollout_types import DEFAULT_METRICS, MetricSpec, RolloutSettings, default_metric
from mlwatch.snapshot.rollout_calibration import stored_inflation
from mlwatch.snapshot.rollout_guardrails import guardrails_of
from mlwatch.snapshot.rollout_limits import DISAGREEMENT, limits_of
from mlwatch.snapshot.rollout_past import LATENCIES, frozen_quantile
from mlwatch.snapshot.rollout_series import Arms, Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing

REFERENCE_VALUES = 1000
"""Latencies of the baseline before the candidate that its frozen quantile needs."""
SILENT_AFTER = timedelta(minutes=10)
"""Time without traffic after which a version that had some all the time counts as silent, unless it is configured."""


def settle(
    reader: Reader,
    pairing: Pairing,
    config: Configured,
    arms: Arms,
    alpha: float,
    *,
    shadow: bool = False,
) -> Inputs:
    """Settle how arms are judged.

    Args:
        reader: Reads what is frozen from the baseline's past.
        pairing: The versions and the time.
        config: The `[rollout]` of the configuration.
        arms: What is known of both.
        alpha: Error budget of this candidate.
        shadow: Both versions answer the same requests.

    Raises:
        ConfigError: when a value of the configuration has no meaning.
    """
    names, remarks, unknown = guardrails_of(config, arms, pairing.task, shadow=shadow)
    specs = tuple(spec(reader, config, pairing, name, arms.caps) for name in names)
    limits = limits_of(reader, pairing, config, arms, shadow=shadow)
    extra = tuple(
        replace(spec(reader, config, pairing, limit.metric, arms.caps), guardrail=False)
        for limit in limits.judged
        if limit.metric not in names
    )
    try:
        settings = RolloutSettings(
            metrics=(*specs, *extra),
            baseline=pairing.baseline,
            candidate=pairing.candidate,
            mode="shadow" if shadow else (config.mode or "canary"),
            alpha=alpha,
            min_time=config.min_time.total_seconds(),
            label_delay=config.label_delay.total_seconds(),
            silent_after=(config.silent_after or SILENT_AFTER).total_seconds(),
            any_silence=config.silent_after is not None,
            share=None if shadow else _shares(config),
            row_minutes=arms.minutes,
            hard_limits=limits.judged,
            unjudged=(*unknown, *limits.unjudged),
            unknown_roles=pairing.unknown_roles,
            inflation=stored_inflation(reader.connection, pairing.model, pairing.baseline),
            too_large=arms.overflown,
        )
    except ValueError as error:
        raise ConfigError(str(error), "[rollout]", "correct the configuration") from error
    return Inputs(pairing, arms, settings, (*remarks, *limits.remarks))


def check_names(config: Configured) -> None:
    """Make sure that every metric that is named exists.

    Raises:
        ConfigError: when one does not.
    """
    for key, names in (("metrics", config.metrics), ("margins", config.margins), ("limits", config.limits)):
        known = (*DEFAULT_METRICS, DISAGREEMENT) if key == "limits" else DEFAULT_METRICS
        for name in names:
            if name not in known:
                close = close_to(name, known)
                todo = f"did you mean {close}?" if close else f"one of {', '.join(known)}"
                where = f"{config.place}.{key}" if config.place else f"[rollout] {key}"
                raise ConfigError(f"no metric {name} to judge a rollout by", where, todo)


def spec(
    reader: Reader, config: Configured, pairing: Pairing, name: str, caps: Mapping[str, float]
) -> MetricSpec:
    """Return how a metric is judged.

    Args:
        reader: Reads the latencies of the baseline's past.
        config: The `[rollout]` of the configuration, whose margins count.
        pairing: The versions and the time.
        name: Of the metric.
        caps: By metric, above what its values are cut.
    """
    overrides: dict[str, object] = {"cap": caps.get(name)}
    if name in config.margins:
        overrides["margin"] = config.margins[name]
    if name in LATENCIES:
        overrides["threshold"] = frozen_quantile(reader, pairing, LATENCIES[name], REFERENCE_VALUES)
    return default_metric(name, **overrides)


def _shares(config: Configured) -> float | tuple[tuple[int, float], ...] | None:
    """Return the configured share as the metrics take it: steps by the minute."""
    if config.share is None or isinstance(config.share, float):
        return config.share
    return tuple((int(time.timestamp() // 60), share) for time, share in config.share)
