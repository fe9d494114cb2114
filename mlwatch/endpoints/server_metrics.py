"""Turn what a server said at several moments into metrics under common names."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mlwatch.endpoints.measures import MEASURES, QUANTILES, Measure
from mlwatch.endpoints.promql import histogram_quantile, increase, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlwatch.endpoints.exposition import Labels, Scrape


def measured(window: Sequence[Scrape]) -> dict[str, float]:
    """Return metrics by common name over the time between the first and the last scrape.

    Counters count from one scrape to the next, over restarts of the server. A series that is new counts from the
    second time it is seen, as in PromQL.

    Args:
        window: In order of time. With a single one there are only gauges and what the server has computed itself.
    """
    return _found(_Window(window), MEASURES)


def since_start(scrape: Scrape) -> dict[str, float]:
    """Return metrics by common name over the life of the server: `requests` and `errors` are counts."""
    found = _found(_Window([scrape], whole_life=True), MEASURES)
    return {
        _count_of(name): value for name, value in found.items() if name not in {"cpu_cores", "tokens_per_s"}
    }


def with_error_share(values: Mapping[str, float]) -> dict[str, float]:
    """Return metrics with the share of requests that are errors, where there are requests and nobody has said it."""
    requests, errors = values.get("requests_per_s"), values.get("errors_per_s")
    if not requests or errors is None or "error_share" in values:
        return dict(values)
    return {**values, "error_share": min(1.0, errors / requests)}


def _count_of(name: str) -> str:
    return name.removesuffix("_per_s")


def _found(window: _Window, measures: Sequence[Measure]) -> dict[str, float]:
    found: dict[str, float] = {}
    failures_apart = False
    for measure in measures:
        for name, value in _WAYS[measure.how](measure, window):
            if value is not None and math.isfinite(value * measure.scale) and name not in found:
                found[name] = value * measure.scale
                failures_apart = failures_apart or measure.how == "successes"
    if failures_apart:
        found["requests_per_s"] += found.get("errors_per_s", 0.0)
    return found


class _Window:
    """Scrapes in order, and what series did between them."""

    def __init__(self, scrapes: Sequence[Scrape], *, whole_life: bool = False) -> None:
        self._scrapes = scrapes
        self._whole_life = whole_life
        self.seconds = scrapes[-1].at - scrapes[0].at if not whole_life else 1.0

    def gauges(self, measure: Measure, metric: str = "") -> dict[Labels, float]:
        """Return the last values of a metric's series that are meant."""
        last = self._scrapes[-1].series.get(metric or measure.metric, {})
        return {labels: value for labels, value in last.items() if _matches(labels, measure.where)}

    def increases(self, metric: str) -> dict[Labels, float]:
        """Return by how much each series of a metric has grown; what is gone counts until it went, as in PromQL."""
        points: dict[Labels, list[float]] = {}
        for scrape in self._scrapes:
            for labels, value in scrape.series.get(metric, {}).items():
                points.setdefault(labels, [0.0] if self._whole_life else []).append(value)
        return {labels: increase(values) for labels, values in points.items() if len(values) > 1}

    def grown(self, measure: Measure, metric: str) -> float | None:
        """Return by how much the meant series of a metric have grown together; None where nothing is known.

        Where no series has a label that is asked for, nothing is known: without a status nobody tells errors.
        """
        found = {labels: v for labels, v in self.increases(metric).items() if _tells(labels, measure.where)}
        return total(v for labels, v in found.items() if _matches(labels, measure.where)) if found else None


def _tells(labels: Labels, where: Mapping[str, str]) -> bool:
    """Tell whether a series has any of the labels asked for."""
    return not where or any(name in where for name, _ in labels)


def _matches(labels: Labels, where: Mapping[str, str]) -> bool:
    """Tell whether a series is meant: one of the labels asked for has to match."""
    if not where:
        return True
    return any(name in where and _pattern(where[name]).fullmatch(value) for name, value in labels)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _rate(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    grown = window.grown(measure, measure.metric)
    yield measure.name, grown / window.seconds if grown is not None and window.seconds > 0 else None


def _sum(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    values = window.gauges(measure).values()
    yield measure.name, total(values) if values else None


def _max(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    yield measure.name, max(window.gauges(measure).values(), default=None)


def _mean(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    total, count = (window.grown(measure, metric) for metric in (measure.metric, measure.by))
    yield measure.name, total / count if total is not None and count else None


def _ratio(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    parts = total(window.gauges(measure).values())
    whole = total(window.gauges(measure, measure.by).values())
    yield measure.name, parts / whole if whole else None


def _quantiles(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    found = window.increases(f"{measure.metric}_bucket").items()
    bounds = ((_bound(labels), count) for labels, count in found if _matches(labels, measure.where))
    buckets = [(bound, count) for bound, count in bounds if bound is not None]
    for q in QUANTILES:
        yield f"{measure.name}_p{q * 100:g}_ms", histogram_quantile(q, buckets)


def _bound(labels: Labels) -> float | None:
    """Return the upper bound of a bucket; None where it is no number."""
    try:
        bound = float(dict(labels).get("le", "nan"))
    except ValueError:
        return None
    return None if math.isnan(bound) else bound


def _summary(measure: Measure, window: _Window) -> Iterator[tuple[str, float | None]]:
    series = window.gauges(measure)
    for q in QUANTILES:
        said = [value for labels, value in series.items() if dict(labels).get("quantile") == f"{q:g}"]
        yield f"{measure.name}_p{q * 100:g}_ms", max(said, default=None)


_WAYS: Mapping[str, Callable[[Measure, _Window], Iterator[tuple[str, float | None]]]] = {
    "rate": _rate,
    "successes": _rate,
    "sum": _sum,
    "max": _max,
    "mean": _mean,
    "ratio": _ratio,
    "quantiles": _quantiles,
    "summary": _summary,
}
