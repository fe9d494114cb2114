"""How one metric of a rollout is named, written and placed on a scale of margins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwatch.app.catalogue import metric_name
from mlwatch.app.drawing import capital
from mlwatch.app.units import show_change, show_interval
from mlwatch.faces import margins

if TYPE_CHECKING:
    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.units import Unit
    from mlwatch.snapshot.types import RolloutMetric

WORDS = {
    "better": "better",
    "non_inferior": "fine",
    "inconclusive": "unclear",
    "worse": "worse",
    "no_data": "no data",
}
STYLES = {
    "better": "good",
    "non_inferior": "good",
    "inconclusive": "warn",
    "worse": "bad",
    "no_data": "muted",
}
"""Styles of `widgets.palette`."""
PROPORTIONS = frozenset({"accuracy", "recall", "precision", "error_rate", "conversion", "engagement"})


def unit_of(key: str, metric: RolloutMetric) -> Unit:
    """Return the unit that a metric of a rollout is written in."""
    if metric.unit == "ms" or key.startswith("latency"):
        return "ms"
    if key == "revenue":
        return "money"
    return "share" if key in PROPORTIONS else "score"


def label_of(key: str, metric: RolloutMetric) -> str:
    """Return the name of a metric of a rollout; not sanitized."""
    return capital(metric_name(key) or metric.label or key)


def in_margins(value: float | None, metric: RolloutMetric) -> float:
    """Return a difference in margins on a scale that bends; NaN where there is no difference or no margin.

    The scale is the inverse hyperbolic sine of the number of margins: even around nought, logarithmic far out.
    """
    return bent(margins.in_margins(value, metric))


def bent(count: float) -> float:
    """Return the position of a number of margins on the bent scale."""
    return math.asinh(count)


def interval_in_margins(metric: RolloutMetric) -> tuple[float, float]:
    """Return both ends of a difference's interval on the bent scale; an open end is infinite."""
    low, high = margins.interval_in_margins(metric)
    return bent(low), bent(high)


def change_in_words(key: str, metric: RolloutMetric, currency: str | None, glyphs: Glyphs) -> str:
    """Return the difference with its unit and what it means."""
    word = WORDS[metric.status]
    if metric.difference is None:
        return word
    arrow = glyphs.up if metric.difference > 0 else glyphs.down if metric.difference < 0 else glyphs.flat
    return f"{arrow} {show_change(metric.difference, unit_of(key, metric), currency)} {word}"


def interval_in_words(key: str, metric: RolloutMetric, currency: str | None) -> str:
    """Return the interval of the difference with its unit."""
    return show_interval(metric.low, metric.high, unit_of(key, metric), currency, change=True)
