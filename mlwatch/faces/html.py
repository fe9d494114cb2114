"""A snapshot as one HTML file: no script, nothing fetched, every value escaped; prints, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.faces.check import HEADS, check_of, metric_row
from mlwatch.faces.facts import facts_of
from mlwatch.faces.footnotes import only
from mlwatch.faces.html_model import model_section
from mlwatch.faces.html_page import page, table
from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.pictures import HINT, Pictures, can_draw
from mlwatch.faces.rows import ENDPOINT_HEADS, endpoint_rows, provenance_rows
from mlwatch.faces.shadow import sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlwatch.snapshot.types import Rollout, Snapshot

VERDICTS = {"promote": "▲ Promote", "hold": "■ Hold", "rollback": "▼ Roll back"}
GRAVEST = ("rollback", "hold", "promote")
"""Which verdicts are told first."""
MOST_MODELS = (20, 5, 1)
"""Models that are told in full, as are so many rollouts; the next number is tried where that makes too large a page."""
LARGEST = 1_000_000
"""Bytes of a page."""
MOST_ROWS = 200
"""Endpoints and alerts that are listed."""


def html(snapshot: Snapshot, *more: Markup) -> str:
    """Return the document, the verdict first, with further sections before the alerts; below a megabyte."""
    for models in MOST_MODELS:  # names may be as long as their writer likes
        text = _page(snapshot, models, more)
        if len(text.encode()) < LARGEST:
            break
    return text


def _page(snapshot: Snapshot, most: int, more: Sequence[Markup]) -> str:
    """Return the document with so many models and rollouts in full."""
    pictures = Pictures() if can_draw() else None
    gravest = sorted(snapshot.rollouts, key=lambda rollout: GRAVEST.index(rollout.verdict))
    verdicts = [_rollout(rollout, pictures) for rollout in gravest[:most]]
    shown = list(snapshot.models.values())[:most]
    models = [model_section(model, snapshot.rollouts, pictures) for model in shown]
    return page(
        "mlwatch report",
        _head(snapshot, _missing(pictures)),
        *verdicts,
        *_unjudged(snapshot, most),
        *models,
        _further(len(snapshot.models) - most),
        _endpoints(snapshot),
        *more,
        _alerts(snapshot),
        _provenance(snapshot),
    )


def _head(snapshot: Snapshot, note: str) -> Markup:
    read, limits = snapshot.ingest, snapshot.range
    span = f"{limits.start:%Y-%m-%d %H:%M} to {limits.end:%Y-%m-%d %H:%M} UTC" if limits else "No predictions"
    counts = (
        f"{span}. {read.records:,} records read: {read.predictions:,} predictions, {read.outcomes:,} outcomes, "
        f"{read.events:,} events; {read.rejected:,} rejected, {read.duplicates:,} duplicates."
    )
    return tag(
        "header",
        tag("h1", "mlwatch report"),
        tag("p", counts, " ", only(snapshot)),
        tag("p", note) if note else "",
    )


def _missing(pictures: Pictures | None) -> str:
    """Say why charts are missing; empty where none is."""
    if pictures is None:
        return f"{HINT}."
    return f"{pictures.left_out:,} further charts are left out." if pictures.left_out else ""


def _rollout(rollout: Rollout, pictures: Pictures | None) -> Markup:
    title = f"{VERDICTS[rollout.verdict]} {rollout.candidate}"
    subject = f"{rollout.model}: {rollout.candidate} against {rollout.baseline}, {rollout.mode}"
    rows = [metric_row(name, metric) for name, metric in rollout.metrics.items()]
    return tag(
        "section",
        tag("h2", title),
        tag("p", subject, class_="subject"),
        tag("ul", *(tag("li", reason) for reason in rollout.reasons)),
        *_rollout_pictures(rollout, pictures),
        table([head.capitalize() for head in HEADS], rows) if rows else "",
        tag("p", facts_of(rollout), class_="quiet"),
        *(joined(tag("h3", part.title), table(part.heads, part.rows)) for part in sections(rollout)),
        class_=f"verdict {rollout.verdict}",
    )


def _rollout_pictures(rollout: Rollout, pictures: Pictures | None) -> list[Markup]:
    if pictures is None or not rollout.metrics:
        return []
    from mlwatch.faces.rollout_pictures import rollout_pictures  # noqa: PLC0415  it needs an extra

    return [tag("div", *rollout_pictures(rollout, pictures), class_="charts")]


def _unjudged(snapshot: Snapshot, most: int) -> Iterator[Markup]:
    """Yield why there is no verdict, for each model without one."""
    for finding in check_of(snapshot).findings[len(snapshot.rollouts) :][:most]:
        title = f"No verdict: {finding.name.removeprefix('rollout of ')}"
        yield tag("section", tag("h2", title), tag("p", finding.message), class_="verdict none")


def _further(left: int) -> Markup:
    if left <= 0:
        return joined()
    said = f"{left:,} more models are not shown; choose one with --model."
    return tag("section", tag("h2", "Further models"), tag("p", said))


def _endpoints(snapshot: Snapshot) -> Markup:
    rows = endpoint_rows(snapshot.endpoints)
    return _listed("Endpoints", ENDPOINT_HEADS, rows)


def _alerts(snapshot: Snapshot) -> Markup:
    rows = [
        [
            f"{alert.since:%Y-%m-%d %H:%M}",
            alert.severity,
            alert.state + (f" at {alert.resolved:%Y-%m-%d %H:%M}" if alert.resolved is not None else ""),
            alert.message,
        ]
        for alert in snapshot.alerts
    ]
    return _listed("Alerts", ["Since (UTC)", "Severity", "State", "What"], rows)


def _listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a section with the first rows of a table; nothing without rows."""
    if not rows:
        return joined()
    more = f"and {len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else ""
    return tag("section", tag("h2", title), table(heads, rows[:MOST_ROWS]), tag("p", more) if more else "")


def _provenance(snapshot: Snapshot) -> Markup:
    made = f"Made {snapshot.generated_at:%Y-%m-%d %H:%M:%S} UTC."
    rows = provenance_rows(snapshot)
    return tag("footer", tag("h2", "Where this comes from"), table(["", "Version"], rows), tag("p", made))
