"""Which hard limits a rollout is held to: one that cannot be judged is said, and blocks a promotion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.config.comparison import MATURE
from mlwatch.metrics.rollout_types import HardLimit, HistogramSeries, default_metric
from mlwatch.metrics.rollout_words import duration_text
from mlwatch.snapshot.event_lags import event_lags, read_until
from mlwatch.snapshot.rollout_guardrails import mixed_money
from mlwatch.snapshot.rollout_past import CLASS_TASKS
from mlwatch.snapshot.span import EPOCH

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.metrics.rollout_types import ArmSeries
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.snapshot.rollout_series import Arms

DISAGREEMENT = "disagreement"
"""Name of the limit on the share of shadow pairs with different answers."""
OF_EVENTS = {"conversion": "conversions", "engagement": "engagement", "revenue": "revenue"}
"""Metrics of what comes later than the request, and what the logs hold none of."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The configured limits."""

    judged: tuple[HardLimit, ...]
    unjudged: tuple[str, ...]
    """Sentences about those that nothing can be said of."""
    remarks: tuple[str, ...]
    """Sentences about those that mean nothing for the model, or that it is too early for."""


def limits_of(reader: Reader, pairing: Pairing, config: Configured, arms: Arms, *, shadow: bool) -> Limits:
    """Return the limits, and why some are not judged.

    Args:
        reader: Of the snapshot.
        pairing: The versions and the time.
        config: The `[rollout]` of the configuration.
        arms: What is known of both versions.
        shadow: Both versions answer the same requests.
    """
    judged, unjudged, remarks = [], [], []
    late = not OF_EVENTS.keys().isdisjoint(config.limits)
    until = read_until(reader, pairing.model, pairing.end) if late else pairing.end
    passed = (until - _newest(arms, pairing)).total_seconds()
    for name, limit in config.limits.items():
        means_nothing = _means_nothing(name, arms, pairing.task)
        if name == DISAGREEMENT:
            if shadow and pairing.task not in CLASS_TASKS:
                unjudged.append(_said("disagreement", "the answers are no classes"))
        elif means_nothing is not None:
            remarks.append(_said(default_metric(name).label, means_nothing))
        elif (missing := _missing(name, arms, pairing.candidate)) is not None:
            unjudged.append(_said(default_metric(name).label, missing))
        else:
            delay = _delay(reader, pairing, config, until) if name in OF_EVENTS else 0.0
            judged.append(HardLimit(name, limit, delay_seconds=delay, passed_seconds=passed))
            if delay >= (until - pairing.start).total_seconds():
                why = f"{OF_EVENTS[name]} may come {duration_text(delay)} after the request"
                remarks.append(_said(default_metric(name).label, why, "not judged yet"))
    return Limits(tuple(judged), tuple(unjudged), tuple(remarks))


def _said(label: str, why: str, what: str = "not judged") -> str:
    return f"the hard limit on {label} is {what}, because {why}"


def _means_nothing(name: str, arms: Arms, task: str) -> str | None:
    """Say why answers of this kind never have a metric: a configuration is one for all models."""
    if name in arms.has:
        return None
    if name in {"accuracy", "recall", "precision"} and task not in CLASS_TASKS:
        return "the answers are no classes"
    if name in {"recall", "precision"} and task != "binary":
        return "there are more than two classes"
    if name in {"mae", "mse"} and task in CLASS_TASKS:
        return "the answers are no numbers"
    return None


def _missing(name: str, arms: Arms, candidate: str) -> str | None:
    """Say what is not known of the candidate; None where its value is."""
    if name in arms.overflown:
        return "its values are too large to sum up"
    if name == "revenue" and (why := mixed_money(arms)) is not None:
        return why
    if name in arms.has and _units(name, arms.candidate):
        return None
    whose = f" of {candidate}" if name in arms.has else ""
    if default_metric(name).needs_labels:
        return f"there are no labels{whose} yet"
    return f"the logs hold no {OF_EVENTS.get(name, 'latency')}{whose}"


def _units(name: str, arm: ArmSeries) -> float:
    series = arm.metrics[name]
    return float(np.sum(series.counts if isinstance(series, HistogramSeries) else series.n))


def _newest(arms: Arms, pairing: Pairing) -> datetime:
    """Return when the last minute ends in which either version had requests."""
    last = max(
        (int(arm.minute.max()) for arm in (arms.baseline, arms.candidate) if arm.minute.size), default=0
    )
    return min(EPOCH + timedelta(minutes=last + 1), pairing.end)


def _delay(reader: Reader, pairing: Pairing, config: Configured, until: datetime) -> float:
    """Return after how many seconds hardly any event is to come any more."""
    lags = event_lags(reader, pairing.model, pairing.end, until)
    if lags is None:
        return config.label_delay.total_seconds()
    return float(lags.seconds[np.searchsorted(lags.reached, MATURE)])
