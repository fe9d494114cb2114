"""Which charts a model has in a report, family by family."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.faces import charts
from mlwatch.faces.charts import Line
from mlwatch.faces.rows import title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from altair import LayerChart

    from mlwatch.faces.markup import Markup
    from mlwatch.faces.pictures import Pictures
    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.shapes import Shape
    from mlwatch.snapshot.types import Model, Version, Window

    Read = Callable[[Window], float | None]

HEADLINES = ("accuracy", "mae", "balanced_accuracy")
"""The metric of performance that is drawn: the first one that the task has."""
MOST_LINES = 6
MOST_CURVES = 3
MOST_FEATURES = 9
MOST_CATEGORIES = 12
SHARE, NUMBER, COUNT = ".3~%", ",.4~g", "~s"
"""How the values of an axis are written, as d3-format says it."""


def family_pictures(
    model: Model, versions: Sequence[Version], turn: datetime | None, pictures: Pictures
) -> dict[str, list[Markup]]:
    """Return the charts of each family.

    Args:
        model: What is reported.
        versions: Its versions that are told; the first ones are drawn.
        turn: When the verdict turned.
        pictures: Draws.
    """
    shown = versions[:MOST_LINES]
    moment = None if turn is None else charts.instant(turn)

    def over_time(title: str, read: Read, shape: str) -> list[Markup]:
        lines = _lines(shown, read)
        if not any(value is not None for line in lines for _, value in line.points):
            return []
        return [
            pictures.figure(
                title,
                _spoken(title, shown, lines),
                lambda: charts.over_time(lines, shape, moment=moment, nought=True),
            )
        ]

    return {
        "Model performance": [*_headline(model, shown, moment, pictures), *_curves(shown, pictures)],
        "Data quality": [
            *over_time("Missing values", lambda window: window.missing_rate, SHARE),
            *over_time("Mean drift of the features", lambda window: window.drift, NUMBER),
            *over_time("Predictions", lambda window: float(window.predictions), COUNT),
        ],
        "System health": [
            *over_time("Latency p95, ms", lambda window: window.latency.p95, NUMBER),
            *over_time("Error rate", lambda window: window.errors.rate, SHARE),
            *_latencies(shown, pictures),
        ],
        "Business": [
            *over_time("Conversion", lambda window: window.business.conversion.value, SHARE),
            *over_time("Engagement", lambda window: window.business.engagement.value, SHARE),
            *over_time(*_revenue(shown)),
        ],
    }


def feature_pictures(
    found: Sequence[tuple[Version, str, Drift]], versions: Sequence[Version], pictures: Pictures
) -> list[Markup]:
    """Return the distributions of drifted features beside those of their reference, the farthest first."""
    pens = {version.name: pen for pen, version in enumerate(versions)}
    return [
        pictures.figure(
            f"{name}, {version.name}",
            f"{one_line(name)}: distribution of {one_line(version.name)} beside the reference",
            partial(_distribution, pens[version.name], shape),
        )
        for version, name, _ in found[:MOST_FEATURES]
        if (shape := version.quality.features[name].shape) and sum(shape.reference) and sum(shape.current)
    ]


def _headline(
    model: Model, versions: Sequence[Version], moment: float | None, pictures: Pictures
) -> Iterator[Markup]:
    """Yield the metric that tells most over time: with intervals, as expected without labels, and elsewhere."""
    keys = {key for version in versions for key in version.performance}
    key = next((name for name in HEADLINES if name in keys), None)
    if key is None:
        return
    lines = [
        line
        for pen, version in enumerate(versions)
        for line in (_expected(pen, version, key), _realised(pen, version, key))
        if any(value is not None for _, value in line.points)
    ]
    if lines:
        title = title_of(key)
        spoken = f"{title} over time; faint: as expected without labels"
        levels = list(_levels(model, versions, key))
        yield pictures.figure(
            title,
            spoken,
            lambda: charts.over_time(lines, NUMBER, levels=[value for _, value in levels], moment=moment),
            note=f"Dashed: {', '.join(f'{value:.4g} {name}' for name, value in levels)}" if levels else "",
        )


def _realised(pen: int, version: Version, key: str) -> Line:
    found = [window.performance.get(key) for window in version.windows]
    return Line(
        pen,
        tuple(
            (charts.instant(window.start), _value(one))
            for window, one in zip(version.windows, found, strict=True)
        ),
        tuple(_interval(one) for one in found),
    )


def _expected(pen: int, version: Version, key: str) -> Line:
    points = ((charts.instant(window.start), _value(window.estimated.get(key))) for window in version.windows)
    return Line(pen, tuple(points), faint=True)


def _value(found: Estimate | None) -> float | None:
    return found.value if found is not None else None


def _interval(found: Estimate | None) -> tuple[float, float] | None:
    if found is None or found.low is None or found.high is None:
        return None
    return found.low, found.high


def _levels(model: Model, versions: Sequence[Version], key: str) -> Iterator[tuple[str, float]]:
    """Yield what the metric was on the reference and in training."""
    reference = _value(model.reference_performance.get(key))
    if reference is not None:
        yield "on the reference", reference
    for version in versions:
        trained = version.registered.in_training(key) if version.registered is not None else None
        if trained is not None:
            yield f"{version.name} in training", trained


def _curves(versions: Sequence[Version], pictures: Pictures) -> Iterator[Markup]:
    """Yield ROC and calibration of a binary task."""
    scored = [(pen, found) for pen, version in enumerate(versions[:MOST_CURVES]) if (found := version.scores)]
    roc = [Line(pen, found.roc) for pen, found in scored if found.roc]
    if roc:
        yield pictures.figure(
            "ROC",
            "Share of positives found by share of false alarms",
            lambda: charts.curves(roc, "false positive rate", "recall", diagonal=True),
        )
    sure = [
        Line(pen, tuple((point.score, point.share) for point in found.calibration))
        for pen, found in scored
        if found.calibration
    ]
    if sure:
        yield pictures.figure(
            "Calibration",
            "Share of positives by mean score",
            lambda: charts.curves(sure, "score", "share of positives", diagonal=True),
        )


def _latencies(versions: Sequence[Version], pictures: Pictures) -> Iterator[Markup]:
    bars = [
        (pen, found.edges, _shares(found.counts))
        for pen, version in enumerate(versions[:MOST_CURVES])
        if (found := version.latency_bars) and found.edges[0] > 0
    ]
    if bars:
        yield pictures.figure(
            "Latencies", "Share of requests by latency", lambda: charts.steps(bars, "ms, logarithmic")
        )


def _distribution(pen: int, shape: Shape) -> LayerChart:
    before, after = _shares(shape.reference), _shares(shape.current)
    if not shape.labels:
        return charts.beside_reference(pen, shape.edges, before, after)
    most = sorted(range(len(before)), key=lambda n: -abs(after[n] - before[n]))[:MOST_CATEGORIES]
    kept = sorted(most)
    return charts.categories(
        pen, [shape.labels[n] for n in kept], [before[n] for n in kept], [after[n] for n in kept]
    )


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts]


def _revenue(versions: Sequence[Version]) -> tuple[str, Read, str]:
    moved = any(version.business.revenue.gross for version in versions)
    currency = next((found for version in versions if (found := version.business.revenue.currency)), None)
    title = "Revenue per prediction" + (f", {currency}" if currency else "")
    return title, lambda window: window.business.revenue.per_prediction if moved else None, NUMBER


def _lines(versions: Sequence[Version], read: Read) -> list[Line]:
    return [
        Line(
            pen,
            tuple(
                (charts.instant(window.start), read(window) if window.predictions else None)
                for window in version.windows
            ),
        )
        for pen, version in enumerate(versions)
    ]


def _spoken(title: str, versions: Sequence[Version], lines: Sequence[Line]) -> str:
    last = [
        f"{one_line(version.name)} ends at {known[-1]:.4g}"
        for version, line in zip(versions, lines, strict=True)
        if (known := [value for _, value in line.points if value is not None])
    ]
    return f"{title}: {', '.join(last)}"
