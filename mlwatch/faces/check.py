"""The answer of `mlwatch check` in words, JSON, JUnit XML, GitHub annotations or Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape, quoteattr

from mlwatch.errors import one_line
from mlwatch.faces.facts import facts_of
from mlwatch.faces.markdown import escaped
from mlwatch.faces.tables import table
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlwatch.snapshot.types import Rollout, RolloutMetric, Snapshot

Outcome = Literal["pass", "fail", "hold"]

WORDS = {"promote": "PROMOTE", "hold": "HOLD", "rollback": "ROLL BACK"}
HEADS = ("metric", "baseline", "candidate", "difference", "interval", "limit", "status")
MONEY = frozenset({"revenue"})
ERRORS = frozenset({"mean absolute error", "mean squared error"})
EXIT_CODES: Mapping[Outcome, int] = {"pass": 0, "fail": 1, "hold": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """Everything that was checked, and the verdicts behind it."""

    findings: tuple[Finding, ...]
    rollouts: tuple[Rollout, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings; nothing checked is a hold, never a pass."""
        outcomes = {finding.outcome for finding in self.findings}
        if "fail" in outcomes:
            return "fail"
        return "hold" if "hold" in outcomes or not outcomes else "pass"

    @property
    def exit_code(self) -> int:
        """0 for a pass, 1 for a failure, 3 for a hold."""
        return EXIT_CODES[self.outcome]


def check_of(snapshot: Snapshot, rules: Sequence[Finding] = (), *, alone: bool = False) -> Check:
    """Turn the verdicts of a snapshot into findings, and add those of rules.

    Args:
        snapshot: Verdicts and models.
        rules: What the rules found.
        alone: The rules were asked for: a model with a single version may pass by them alone.

    Returns:
        The check. Without any rollout and any rule there is nothing to pass: that is a hold.
    """
    findings = [_finding(rollout, snapshot.rollouts) for rollout in snapshot.rollouts]
    judged = {rollout.model for rollout in snapshot.rollouts}
    for model in snapshot.models.values():
        if model.name not in judged and not alone:
            names = ", ".join(model.versions) or "no version"
            message = f"only one version has traffic ({names}): nothing to compare"
            if len(model.versions) > 1:
                message = f"no candidate gets traffic any more (versions {names}): name one with --candidate"
            findings.append(Finding(f"rollout of {model.name}", "hold", message))
    return Check((*findings, *rules), snapshot.rollouts)


def name_of(rollout: Rollout, among: Sequence[Rollout]) -> str:
    """Name a rollout by its model, and by its candidate where the model has several."""
    several = sum(other.model == rollout.model for other in among) > 1
    return f"rollout of {rollout.model}" + (f" {rollout.candidate}" if several else "")


def _finding(rollout: Rollout, among: Sequence[Rollout]) -> Finding:
    outcomes: Mapping[str, Outcome] = {"promote": "pass", "hold": "hold", "rollback": "fail"}
    worse = [metric.reason for metric in rollout.metrics.values() if metric.status == "worse"]
    decisive = (
        [reason for reason in rollout.reasons if reason in worse] if rollout.verdict == "rollback" else []
    )
    said = "; ".join(decisive or rollout.reasons[:1]) or rollout.state.replace("_", " ")
    return Finding(name_of(rollout, among), outcomes[rollout.verdict], f"{rollout.verdict}: {said}")


def text(check: Check) -> str:
    """Return the verdict first, then a table of metrics, then the reasons."""
    parts = []
    for rollout in check.rollouts:
        parts.append(f"{WORDS[rollout.verdict]}  {one_line(_subject(rollout))}\n")
        if rollout.metrics:
            parts.append(
                table(list(HEADS), [metric_row(name, metric) for name, metric in rollout.metrics.items()])
            )
        parts.append("".join(f"- {one_line(reason)}\n" for reason in rollout.reasons))
        if facts := facts_of(rollout):
            parts.append(f"{facts}\n")
    others = _others(check)
    if others:
        lines = (
            f"{item.outcome.upper():<5} {one_line(item.name)}: {one_line(item.message)}\n" for item in others
        )
        parts.append("".join(lines))
    return "\n".join(parts) or "HOLD  nothing was checked: no rollout and no rule\n"


def _subject(rollout: Rollout) -> str:
    return f"{rollout.model}: {rollout.candidate} against {rollout.baseline}, {rollout.mode}"


def _others(check: Check) -> list[Finding]:
    """Return what was checked besides the rollouts."""
    shown = {name_of(rollout, check.rollouts) for rollout in check.rollouts}
    return [finding for finding in check.findings if finding.name not in shown]


def metric_row(name: str, metric: RolloutMetric) -> list[str]:
    """Return the cells under `HEADS`."""
    return [
        metric.label or name,
        _value(metric.baseline, metric),
        _value(metric.candidate, metric),
        _signed(metric.difference, metric),
        _interval(metric),
        _signed(metric.limit, metric),
        metric.status.replace("_", "-"),
    ]


def _value(value: float | None, metric: RolloutMetric) -> str:
    if value is None:
        return "n/a"
    return percent(value, 2) if is_share(metric) else f"{value:.4g} {metric.unit}".strip()


def is_share(metric: RolloutMetric) -> bool:
    """Tell whether a metric's values are shares, which differ by points."""
    return not metric.unit and metric.label not in MONEY | ERRORS


def _signed(value: float | None, metric: RolloutMetric) -> str:
    if value is None:
        return "n/a"
    shown = _value(abs(value), metric).replace("%", " points")
    return f"{'−' if value < 0 else '+'}{shown}"


def _interval(metric: RolloutMetric) -> str:
    if metric.low is None and metric.high is None:
        return "n/a"
    low = _signed(metric.low, metric) if metric.low is not None else "−∞"
    high = _signed(metric.high, metric) if metric.high is not None else "+∞"
    return f"{low} to {high}"


def as_json(check: Check) -> str:
    """Return the findings and the rollouts of the report document."""
    from mlwatch.snapshot.document import rollout_document  # noqa: PLC0415

    document = {
        "schema": "mlwatch.check/1",
        "outcome": check.outcome,
        "findings": [
            {"name": item.name, "outcome": item.outcome, "message": item.message} for item in check.findings
        ],
        "rollouts": [rollout_document(rollout) for rollout in check.rollouts],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def junit(check: Check) -> str:
    """Return JUnit XML: a failure a failed finding, a skip a hold."""
    failures = sum(item.outcome == "fail" for item in check.findings)
    holds = sum(item.outcome == "hold" for item in check.findings)
    cases = []
    for item in check.findings:
        name, message = quoteattr(one_line(item.name)), quoteattr(one_line(item.message))
        tag = {"fail": "failure", "hold": "skipped"}.get(item.outcome)
        inner = f"<{tag} message={message}>{escape(one_line(item.message))}</{tag}>" if tag else ""
        cases.append(f'  <testcase classname="mlwatch" name={name}>{inner}</testcase>')
    head = f'<testsuite name="mlwatch check" tests="{len(check.findings)}" failures="{failures}" skipped="{holds}">'
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *cases, "</testsuite>", ""])


def github(check: Check) -> str:
    """Return workflow commands: an error a failure, a warning a hold, a notice a pass."""
    levels = {"fail": "error", "hold": "warning", "pass": "notice"}
    return "".join(
        f"::{levels[item.outcome]} title={_property(item.name)}::{_data(item.message)}\n"
        for item in check.findings
    )


def _data(message: str) -> str:
    return one_line(message).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(name: str) -> str:
    return _data(name).replace(":", "%3A").replace(",", "%2C")


def markdown(check: Check) -> str:
    """Return a summary for a pull request or a step of a pipeline."""
    marks: Mapping[str, str] = {"pass": "✅", "hold": "⏸️", "fail": "❌"}
    parts = []
    for rollout in check.rollouts:
        rows = [metric_row(name, metric) for name, metric in rollout.metrics.items()]
        parts.append(f"## {WORDS[rollout.verdict].capitalize()}: {escaped(_subject(rollout))}")
        if rows:
            parts.append(
                _pipes([list(HEADS), ["---"] * len(HEADS), *([escaped(c) for c in row] for row in rows)])
            )
        parts.append("\n".join(f"- {escaped(reason)}" for reason in rollout.reasons))
        parts.append(escaped(facts_of(rollout)))
    others = [
        f"- {marks[item.outcome]} {item.outcome} {escaped(item.name)}: {escaped(item.message)}"
        for item in _others(check)
    ]
    if others:
        parts.append("## Checks\n\n" + "\n".join(others))
    return "\n\n".join(part for part in parts if part) + "\n" if parts else "Nothing was checked.\n"


def _pipes(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


FORMATS: Mapping[str, Callable[[Check], str]] = {
    "text": text,
    "json": as_json,
    "junit": junit,
    "github": github,
    "markdown": markdown,
}
