"""One model in the HTML report: four families of numbers with their charts, segments, then data quality in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.faces.footnotes import footnotes
from mlwatch.faces.html_page import table
from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.pens import PENS
from mlwatch.faces.rows import (
    BROKEN_HEADS,
    broken_rows,
    drifted,
    how,
    rows_of,
    strangers,
)
from mlwatch.faces.segment_rows import falls, segment_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mlwatch.faces.pictures import Pictures
    from mlwatch.faces.rows import Row
    from mlwatch.snapshot.types import Model, Rollout, Version

FAMILIES = ("Model performance", "Data quality", "System health", "Business")
BESIDES = frozenset({"", "Estimated without labels", "In training", "Fairness"})
"""Rows that are told with model performance."""
MOST_VERSIONS = 10
MOST_FEATURES = 40


def model_section(model: Model, rollouts: Iterable[Rollout], pictures: Pictures | None) -> Markup:
    """Return everything about a model; without pictures where they cannot be drawn."""
    turn = turn_of(rollout for rollout in rollouts if rollout.model == model.name)
    versions = list(model.versions.values())[:MOST_VERSIONS]
    families: dict[str, list[Row]] = {name: [] for name in FAMILIES}
    for row in rows_of(versions):
        families["Model performance" if row.family in BESIDES else row.family].append(row)
    charts: Mapping[str, list[Markup]] = {}
    if pictures is not None:
        from mlwatch.faces.model_pictures import family_pictures  # noqa: PLC0415  it needs an extra

        charts = family_pictures(model, versions, turn, pictures)
    return tag(
        "section",
        tag("h2", model.name),
        _key(versions, turn) if pictures is not None else "",
        *(_family(name, rows, versions, charts.get(name, [])) for name, rows in families.items()),
        tag("p", _left_out(model), " ", " ".join(footnotes(model)), class_="quiet"),
        _segments(model),
        *_details(versions, pictures),
    )


def _key(versions: Sequence[Version], turn: datetime | None) -> Markup:
    """Return which line is which version."""
    entries = [
        tag("span", tag("i", class_=f"pen{min(pen, len(PENS) - 1)}"), f"{version.name} ({version.role})")
        for pen, version in enumerate(versions)
    ]
    if turn is not None:
        entries.append(tag("span", tag("i", class_="turn"), f"the verdict turned, {turn:%Y-%m-%d %H:%M} UTC"))
    return tag("p", *entries, class_="key")


def _family(name: str, rows: Sequence[Row], versions: Sequence[Version], charts: Sequence[Markup]) -> Markup:
    heads = ["", *(f"{version.name} ({version.role})" for version in versions)]
    return tag("div", tag("h3", name), *_grid(charts), table(heads, [[row.name, *row.cells] for row in rows]))


def _grid(charts: Sequence[Markup]) -> Iterable[Markup]:
    return [tag("div", *charts, class_="charts")] if any(charts) else []


def turn_of(rollouts: Iterable[Rollout]) -> datetime | None:
    """Return since when a verdict is to roll back; None where none is."""
    turns = [
        rollout.course.changes[-1].time
        for rollout in rollouts
        if rollout.verdict == "rollback" and rollout.course is not None and rollout.course.changes
    ]
    return min(turns, default=None)


def _left_out(model: Model) -> str:
    left = len(model.versions) - MOST_VERSIONS
    return f"{left:,} more versions are not shown." if left > 0 else ""


def _segments(model: Model) -> Markup:
    when = [tag("p", sentence) for sentence in falls(model)]
    tables = [joined(tag("h3", title), table(heads, rows)) for title, heads, rows in segment_tables(model)]
    return joined(*when, *tables)


def _details(versions: Sequence[Version], pictures: Pictures | None) -> Iterable[Markup]:
    """Yield what is wrong with the data: drifted features, broken demands, vanished and new features."""
    found = drifted(versions)
    if found:
        rows = [
            [
                name,
                version.name,
                f"{drift.score or 0.0:.3f}",
                "n/a" if drift.psi is None else f"{drift.psi:.3f}",
                how(version, name),
            ]
            for version, name, drift in found[:MOST_FEATURES]
        ]
        more = f"and {len(found) - MOST_FEATURES:,} more" if len(found) > MOST_FEATURES else ""
        yield tag("h3", "Drifted features")
        if pictures is not None:
            from mlwatch.faces.model_pictures import feature_pictures  # noqa: PLC0415  it needs an extra

            yield tag("p", tag("span", tag("i", class_="was"), "the reference"), class_="key")
            yield from _grid(feature_pictures(found, versions, pictures))
        yield table(["Feature", "Version", "Score", "PSI", "How it moved"], rows)
        yield tag("p", more) if more else joined()
    if broken := broken_rows(versions):
        yield joined(tag("h3", "Values that the schema forbids"), table(BROKEN_HEADS, broken[:MOST_FEATURES]))
    if said := strangers(versions):
        yield joined(tag("h3", "Features that came and went"), tag("ul", *(tag("li", one) for one in said)))
