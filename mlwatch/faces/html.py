"""A snapshot as one HTML file: no script, nothing fetched, every value escaped; prints, light and dark."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mlwatch.faces.check import HEADS, facts_of, metric_row
from mlwatch.faces.html_style import STYLE
from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.rows import (
    ENDPOINT_HEADS,
    SEGMENT_HEADS,
    drifted,
    endpoint_rows,
    footnotes,
    how,
    rows_of,
    title_of,
    worst_segments,
)
from mlwatch.faces.svg import Line, chart, legend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlwatch.snapshot.types import Model, Rollout, Snapshot, Version, Window

    Read = Callable[[Window], float | None]

VERDICTS = {"promote": "▲ Promote", "hold": "■ Hold", "rollback": "▼ Roll back"}
STYLES = {"baseline": "baseline", "candidate": "candidate", "shadow": "candidate", "other": "other"}
HEADLINES = ("accuracy", "mae", "balanced_accuracy")
"""The metric of performance that is drawn: the first one that the task has."""
MOST_FEATURES = 100
MOST_LINES = 6
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing."""


def html(snapshot: Snapshot, *more: Markup) -> str:
    """Return the document, the verdict first, with further sections before the alerts."""
    return page(
        "mlwatch report",
        _head(snapshot),
        *map(_rollout, snapshot.rollouts),
        *map(_model, snapshot.models.values()),
        _endpoints(snapshot),
        *more,
        _alerts(snapshot),
        _provenance(snapshot),
    )


def page(title: str, *parts: Markup) -> str:
    """Return a whole page of parts, one below the other."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *parts)), lang='en')}\n"


def _head(snapshot: Snapshot) -> Markup:
    read, limits = snapshot.ingest, snapshot.range
    span = f"{limits.start:%Y-%m-%d %H:%M} to {limits.end:%Y-%m-%d %H:%M} UTC" if limits else "No predictions"
    counts = (
        f"{span}. {read.records:,} records read: {read.predictions:,} predictions, {read.outcomes:,} outcomes, "
        f"{read.events:,} events; {read.rejected:,} rejected, {read.duplicates:,} duplicates."
    )
    return tag("header", tag("h1", "mlwatch report"), tag("p", counts))


def _rollout(rollout: Rollout) -> Markup:
    title = f"{VERDICTS[rollout.verdict]} {rollout.candidate}"
    subject = f"{rollout.model}: {rollout.candidate} against {rollout.baseline}, {rollout.mode}"
    rows = [metric_row(name, metric) for name, metric in rollout.metrics.items()]
    return tag(
        "section",
        tag("h2", title),
        tag("p", subject),
        tag("ul", *(tag("li", reason) for reason in rollout.reasons)),
        table([head.capitalize() for head in HEADS], rows) if rows else "",
        tag("p", facts_of(rollout), class_="quiet"),
        class_=f"verdict {rollout.verdict}",
    )


def _model(model: Model) -> Markup:
    versions = list(model.versions.values())
    heads = ["", *(f"{version.name} ({version.role})" for version in versions)]
    families = [
        tag("div", tag("h3", family or "Traffic"), table(heads, [[row.name, *row.cells] for row in rows]))
        for family, rows in groupby(rows_of(model), key=lambda row: row.family)
    ]
    return tag(
        "section",
        tag("h2", model.name),
        _charts(versions),
        *families,
        tag("p", " ".join(footnotes(model)), class_="quiet"),
        _segments(model),
        _features(versions),
    )


def _charts(versions: Sequence[Version]) -> Markup:
    shown = versions[:MOST_LINES]
    headline = next((name for name in HEADLINES if name in shown[0].performance), None)
    asked: list[tuple[str, Read, Callable[[float], str]]] = [
        ("Latency p95", lambda window: window.latency.p95, lambda value: f"{value:,.4g} ms"),
        ("Error rate", lambda window: window.errors.rate, _percent),
        ("Missing values", lambda window: window.missing_rate, _percent),
        ("Mean drift of the features", lambda window: window.drift, lambda value: f"{value:.3g}"),
        ("Conversion", lambda window: window.business.conversion.value, _percent),
    ]
    if headline is not None:
        asked.insert(0, (title_of(headline), _performance(headline), lambda value: f"{value:.4g}"))
    charts = [chart(title, _lines(shown, read), show) for title, read, show in asked]
    names = [(f"{version.name} ({version.role})", STYLES[version.role]) for version in shown]
    return joined(legend(names), tag("div", *(each for each in charts if each is not None), class_="charts"))


def _performance(name: str) -> Read:
    def read(window: Window) -> float | None:
        found = window.performance.get(name)
        return found.value if found is not None else None

    return read


def _lines(versions: Iterable[Version], read: Read) -> list[Line]:
    return [
        Line(
            version.name,
            STYLES[version.role],
            tuple((window.start, read(window) if window.predictions else None) for window in version.windows),
        )
        for version in versions
    ]


def _segments(model: Model) -> Markup:
    rows = worst_segments(model)
    return joined(tag("h3", "Segments that do worse"), table(SEGMENT_HEADS, rows)) if rows else joined()


def _features(versions: Sequence[Version]) -> Markup:
    rows = [
        [
            name,
            version.name,
            f"{drift.score or 0.0:.3f}",
            "n/a" if drift.psi is None else f"{drift.psi:.3f}",
            how(version, name),
        ]
        for version, name, drift in drifted(versions)
    ]
    if not rows:
        return joined()
    more = f"and {len(rows) - MOST_FEATURES:,} more" if len(rows) > MOST_FEATURES else ""
    return joined(
        tag("h3", "Drifted features"),
        table(["Feature", "Version", "Score", "PSI", "How it moved"], rows[:MOST_FEATURES]),
        tag("p", more),
    )


def _endpoints(snapshot: Snapshot) -> Markup:
    if not snapshot.endpoints:
        return Markup("")
    return tag("section", tag("h2", "Endpoints"), table(ENDPOINT_HEADS, endpoint_rows(snapshot.endpoints)))


def _alerts(snapshot: Snapshot) -> Markup:
    if not snapshot.alerts:
        return joined()
    rows = [
        [f"{alert.since:%Y-%m-%d %H:%M}", alert.severity, alert.state, alert.message]
        for alert in snapshot.alerts
    ]
    return tag("section", tag("h2", "Alerts"), table(["Since (UTC)", "Severity", "State", "What"], rows))


def _provenance(snapshot: Snapshot) -> Markup:
    rows = [[name.replace("_", " "), value or "n/a"] for name, value in snapshot.provenance.items()]
    made = f"Made {snapshot.generated_at:%Y-%m-%d %H:%M:%S} UTC."
    return tag("footer", tag("h2", "Where this comes from"), table(["", "Version"], rows), tag("p", made))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table; the first cell of a row is its head."""
    top = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))
    lines = (
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows
    )
    return tag("div", tag("table", top, tag("tbody", *lines)), class_="wide")


def _percent(value: float) -> str:
    return f"{value:.3g}" if value > 1 else f"{value:.2%}"
