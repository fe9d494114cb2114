"""A snapshot as Markdown, short enough for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Model, Rollout, Snapshot, Version

MOST_FEATURES = 10


def markdown(snapshot: Snapshot) -> str:
    """Return the document."""
    parts = [_head(snapshot)]
    parts += [_rollout(rollout) for rollout in snapshot.rollouts]
    parts += [_model(model) for model in snapshot.models.values()]
    if snapshot.alerts:
        alerts = [
            f"- **{alert.severity}** {escaped(alert.message)}"
            for alert in snapshot.alerts
            if alert.state == "firing"
        ]
        parts.append("## Alerts\n\n" + "\n".join(alerts))
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
    return (
        f"# mlwatch report\n\n{span}. {read.records:,} records read: {read.predictions:,} predictions, "
        f"{read.outcomes:,} outcomes, {read.events:,} events; {read.rejected:,} rejected, "
        f"{read.duplicates:,} duplicates."
    )


def _rollout(rollout: Rollout) -> str:
    names = {"promote": "Promote", "hold": "Hold", "rollback": "Roll back"}
    reasons = "\n".join(f"- {escaped(reason)}" for reason in rollout.reasons)
    return f"## {names[rollout.verdict]} {escaped(rollout.candidate)} ({escaped(rollout.model)})\n\n{reasons}"


def _model(model: Model) -> str:
    versions = list(model.versions.values())
    rows: list[tuple[str, Callable[[Version], str]]] = [
        ("Predictions", lambda v: f"{v.predictions:,}"),
        ("Labelled", lambda v: f"{v.labelled:,}"),
        *(
            (name.replace("_", " ").capitalize(), _metric(name))
            for name in versions[0].performance
            if versions
        ),
        ("Latency p95", lambda v: _number(v.latency.p95, " ms")),
        ("Error rate", lambda v: _percent(v.errors.rate)),
        ("Missing values", lambda v: _percent(v.quality.missing_rate)),
        ("Drifted features", lambda v: _percent(v.quality.drifted_share)),
        ("Conversion", lambda v: _percent(v.business.conversion.value)),
        ("Engagement", lambda v: _percent(v.business.engagement.value)),
        ("Revenue per prediction", _revenue),
    ]
    table = _table(
        ["", *(f"{escaped(version.name)} ({version.role})" for version in versions)],
        [[name, *(show(version) for version in versions)] for name, show in rows],
    )
    against = (
        f"Drift is measured against {escaped(model.reference)}."
        if model.reference
        else "Nothing to measure drift against."
    )
    return f"## {escaped(model.name)}\n\n{table}\n\n{against}{_drifted(versions)}"


def _drifted(versions: Sequence[Version]) -> str:
    lines = [
        f"- {escaped(name)} of {escaped(version.name)}: score {feature.drift.score:.3f}, PSI {feature.drift.psi:.3f}"
        for version in versions
        for name, feature in version.quality.features.items()
        if feature.drift is not None and feature.drift.drifted and feature.drift.score is not None
    ]
    return "\n\nDrifted features:\n\n" + "\n".join(lines[:MOST_FEATURES]) if lines else ""


def _metric(name: str) -> Callable[[Version], str]:
    def show(version: Version) -> str:
        found: Estimate | None = version.performance.get(name)
        if found is None or found.value is None:
            return f"n/a, because {found.reason}" if found is not None else "n/a"
        interval = (
            f" ({found.low:.4f} to {found.high:.4f})"
            if found.low is not None and found.high is not None
            else ""
        )
        return f"{found.value:.4f}{interval}"

    return show


def _revenue(version: Version) -> str:
    money = version.business.revenue
    return _number(money.per_prediction, f" {escaped(money.currency or '')}")


def _number(value: float | None, unit: str) -> str:
    return "n/a" if value is None else f"{value:,.2f}{unit}".rstrip()


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2%}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
