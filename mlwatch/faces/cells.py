"""Cells of a report's tables: a number with its unit and interval, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlwatch.metrics.estimate import Estimate


def estimated(found: Estimate, show: Callable[[float], str]) -> str:
    """Return a metric with its interval, or why there is none."""
    if found.value is None:
        return f"n/a, because {found.reason}" if found.reason else "n/a"
    cut = found.winsorised
    told = f"; winsorised {within(cut.value, cut.low, cut.high, show)}" if cut is not None else ""
    return within(found.value, found.low, found.high, show) + told


def within(value: float | None, low: float | None, high: float | None, show: Callable[[float], str]) -> str:
    """Return a value with its interval, where there are such."""
    if value is None:
        return "n/a"
    return show(value) if low is None or high is None else f"{show(value)} ({show(low)} to {show(high)})"


def plain(value: float) -> str:
    """Return a number without a unit."""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"


def number(value: float | None, unit: str) -> str:
    """Return a number with its unit, which begins with a space."""
    if value is None:
        return "n/a"
    return (f"{value:,.2f}" if abs(value) < 1e9 else f"{value:.4g}") + unit.rstrip()


def share(value: float | None) -> str:
    """Return a share in percent."""
    return "n/a" if value is None else percent(value, 2)
