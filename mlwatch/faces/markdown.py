"""A snapshot as Markdown, short enough for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.faces.facts import facts_of
from mlwatch.faces.footnotes import footnotes, only, over
from mlwatch.faces.rows import (
    BROKEN_HEADS,
    ENDPOINT_HEADS,
    broken_rows,
    drifted,
    endpoint_rows,
    how,
    provenance_rows,
    rows_of,
    strangers,
)
from mlwatch.faces.segment_rows import falls, segment_tables
from mlwatch.faces.shadow import sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.faces.shadow import Section
    from mlwatch.snapshot.types import Model, Rollout, Snapshot, Version

MOST_FEATURES = 10


def markdown(snapshot: Snapshot) -> str:
    """Return the document."""
    parts = [_head(snapshot)]
    parts += [_rollout(rollout) for rollout in snapshot.rollouts]
    parts += [_model(model) for model in snapshot.models.values()]
    if snapshot.endpoints:
        rows = [[escaped(text) for text in row] for row in endpoint_rows(snapshot.endpoints)]
        parts.append(f"## Endpoints\n\n{table(ENDPOINT_HEADS, rows)}")
    alerts = [
        f"- **{alert.severity}** {escaped(alert.message)}"
        for alert in snapshot.alerts
        if alert.state == "firing"
    ]
    if alerts:
        parts.append("## Alerts\n\n" + "\n".join(alerts))
    made = [[escaped(cell) for cell in row] for row in provenance_rows(snapshot)]
    parts.append(f"## Where this comes from\n\n{table(['', 'Version'], made)}")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Make hostile text plain in Markdown: no markup, no HTML, no new cell, on one line."""
    line = one_line(text)
    for mark in ("\\", "`", "*", "_", "[", "]", "|", "#", "!", "~"):
        line = line.replace(mark, f"\\{mark}")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def _head(snapshot: Snapshot) -> str:
    read = snapshot.ingest
    limits = snapshot.range
    span = f"{limits.start:%Y-%m-%d %H:%M} to {limits.end:%Y-%m-%d %H:%M} UTC" if limits else "no data"
    counts = (
        f"# mlwatch report\n\n{span}. {read.records:,} records read: {read.predictions:,} predictions, "
        f"{read.outcomes:,} outcomes, {read.events:,} events; {read.rejected:,} rejected, "
        f"{read.duplicates:,} duplicates."
    )
    return f"{counts} {escaped(only(snapshot))}".rstrip()


def _rollout(rollout: Rollout) -> str:
    names = {"promote": "Promote", "hold": "Hold", "rollback": "Roll back"}
    reasons = "\n".join(f"- {escaped(reason)}" for reason in rollout.reasons)
    head = f"## {names[rollout.verdict]} {escaped(rollout.candidate)} ({escaped(rollout.model)})"
    return "\n\n".join([head, reasons, escaped(facts_of(rollout)), *map(_section, sections(rollout))])


def _section(section: Section) -> str:
    heads = [escaped(head) for head in section.heads]
    return (
        f"### {escaped(section.title)}\n\n{table(heads, [[escaped(c) for c in row] for row in section.rows])}"
    )


def _model(model: Model) -> str:
    versions = list(model.versions.values())
    numbers = table(
        ["", *(f"{escaped(version.name)} ({version.role})" for version in versions)],
        [[escaped(row.name), *map(escaped, row.cells)] for row in rows_of(versions)],
    )
    notes = escaped(" ".join(filter(None, (*footnotes(model), over(model)))))
    return f"## {escaped(model.name)}\n\n{numbers}\n\n{notes}{_segments(model)}{_drifted(versions)}{_wrong(versions)}"


def _segments(model: Model) -> str:
    when = "".join(f"\n\n{escaped(sentence)}" for sentence in falls(model))
    return when + "".join(
        f"\n\n{title}:\n\n{table(heads, [[escaped(cell) for cell in row] for row in rows])}"
        for title, heads, rows in segment_tables(model)
    )


def _drifted(versions: Sequence[Version]) -> str:
    lines = [
        f"- {escaped(name)} of {escaped(version.name)}: score {_short(drift.score)}, PSI {_short(drift.psi)}; "
        f"{escaped(how(version, name))}"
        for version, name, drift in drifted(versions)
    ]
    if len(lines) > MOST_FEATURES:
        lines[MOST_FEATURES:] = [f"- and {len(lines) - MOST_FEATURES:,} more"]
    return "\n\nDrifted features:\n\n" + "\n".join(lines) if lines else ""


def _wrong(versions: Sequence[Version]) -> str:
    """Return what values the schema forbids, and which features came and went."""
    parts = []
    if broken := broken_rows(versions)[:MOST_FEATURES]:
        rows = [[escaped(cell) for cell in row] for row in broken]
        parts.append(f"Values that the schema forbids:\n\n{table(BROKEN_HEADS, rows)}")
    parts += [f"- {escaped(said)}" for said in strangers(versions)]
    return "".join(f"\n\n{part}" for part in parts)


def _short(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are escaped already."""
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
