"""What the pairs of a shadow say, as titled tables: what Markdown and HTML lay out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.snapshot.pair_types import MEASURES
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.pair_gaps import PairedDistance
    from mlwatch.snapshot.pair_types import PairFindings, PairPart, PairRequest, PairStep, Value
    from mlwatch.snapshot.types import ConfusionTable, Rollout, Shadow

MOST_PARTS = 8
MOST_STEPS = 12
MOST_CLASSES = 12
MOST_VALUES = 6
"""Features of a request that are named."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table."""

    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]


def sections(rollout: Rollout) -> list[Section]:
    """Return the tables of a shadow that have rows; none for another rollout."""
    shadow = rollout.shadow
    if shadow is None:
        return []
    found = [Section("Requests that both versions answered", ("", "Value"), _facts(shadow))]
    if shadow.confusion is not None:
        found.append(_agreement(rollout, shadow.confusion))
    if shadow.findings is not None:
        found += _where(rollout, shadow.findings)
    return [section for section in found if section.rows]


def _facts(shadow: Shadow) -> list[list[str]]:
    rows = [["Pairs", f"{shadow.pairs:,}"], ["With a label", f"{shadow.labelled:,}"]]
    if shadow.since is not None:
        rows.append(["Compared since", f"{shadow.since:%Y-%m-%d %H:%M} UTC"])
    if shadow.disagreement_rate is not None:
        span = _span(shadow.disagreement_low, shadow.disagreement_high)
        rows.append(["Answers differ", f"{percent(shadow.disagreement_rate, 2)}{span}"])
        rows.append(["Cohen's kappa", "n/a" if shadow.kappa is None else f"{shadow.kappa:.3f}"])
    if shadow.accuracy_difference is not None:
        span = _span(shadow.low, shadow.high)
        rows.append(
            [
                "Paired accuracy, candidate less baseline",
                f"{percent(shadow.accuracy_difference, 2, signed=True)}{span}",
            ]
        )
        rows.append(["Only the baseline right", f"{shadow.only_baseline_right:,}"])
        rows.append(["Only the candidate right", f"{shadow.only_candidate_right:,}"])
    if shadow.mcnemar_p is not None:
        rows.append(["McNemar's p, for one look", f"{shadow.mcnemar_p:.2g}"])
    if shadow.findings is not None:
        rows += _distance_rows("Predictions", shadow.findings.outputs)
        rows += _distance_rows("Scores", shadow.findings.scores)
        rows += _distance_rows("Absolute errors", shadow.findings.errors)
    return rows


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({percent(low, 2)} to {percent(high, 2)})"


def _distance_rows(what: str, found: PairedDistance | None) -> list[list[str]]:
    if found is None:
        return []
    limits = "" if found.low is None or found.high is None else f" ({found.low:+.4g} to {found.high:+.4g})"
    correlation = "n/a" if found.correlation is None else f"{found.correlation:.4f}"
    return [
        [f"{what}, mean shift", f"{found.mean:+.4g}{limits}"],
        [f"{what}, mean distance", f"{found.mean_abs:.4g}"],
        [f"{what}, distance p50, p95, largest", f"{found.p50:.4g}, {found.p95:.4g}, {found.largest:.4g}"],
        [f"{what}, correlation", correlation],
    ]


def _agreement(rollout: Rollout, table: ConfusionTable) -> Section:
    """Return the answers of both; of many classes those that are most frequent."""
    sizes = [sum(row) + sum(other[at] for other in table.counts) for at, row in enumerate(table.counts)]
    kept = sorted(sorted(range(len(sizes)), key=lambda at: -sizes[at])[:MOST_CLASSES])
    rows = [[table.labels[at], *(f"{table.counts[at][other]:,}" for other in kept)] for at in kept]
    title = f"Answers of {rollout.baseline} (rows) by those of {rollout.candidate} (columns)"
    return Section(title, ("", *(table.labels[at] for at in kept)), rows)


def _where(rollout: Rollout, found: PairFindings) -> list[Section]:
    measure = MEASURES[found.measure].capitalize()
    share = found.measure == "disagreement"
    features = [
        [one.name, percent(one.explained), f"{one.q:.2g}", f"{one.unequal:,} of {one.compared:,}"]
        for one in found.features
    ]
    heads = ("Time (UTC)", "Request", rollout.baseline, rollout.candidate, "Label", "Features")
    return [
        Section(
            "Over time",
            ("From (UTC)", "Pairs", measure),
            [_step(s, share=share) for s in coarse(found.steps)],
        ),
        Section(
            "Where the answers differ more than elsewhere",
            ("Segment", "Pairs", measure, "More than elsewhere", "95 %"),
            [_part(part, share=share) for part in worst_parts(found)],
        ),
        Section(
            "Features that the difference depends on",
            ("Feature", "Variance explained", "q", "Logged differently"),
            features,
        ),
        Section("Requests that differ most", heads, [_request(one) for one in found.requests]),
    ]


def worst_parts(found: PairFindings) -> list[PairPart]:
    """Return the segments whose gaps exceed those of the other pairs beyond chance."""
    return [part for part in found.parts if part.contrast is not None and part.contrast.worse][:MOST_PARTS]


def coarse(steps: Sequence[PairStep], most: int = MOST_STEPS) -> list[tuple[PairStep, int, float | None]]:
    """Merge steps: the first of each run, the pairs of all, and their mean."""
    size = -(-len(steps) // most) or 1
    merged = []
    for start in range(0, len(steps), size):
        run = steps[start : start + size]
        pairs = sum(step.pairs for step in run)
        total = sum((step.value or 0.0) * step.pairs for step in run)
        merged.append((run[0], pairs, total / pairs if pairs else None))
    return merged


def _step(step: tuple[PairStep, int, float | None], *, share: bool) -> list[str]:
    first, pairs, value = step
    return [f"{first.start:%Y-%m-%d %H:%M}", f"{pairs:,}", _number(value, share=share)]


def _part(part: PairPart, *, share: bool) -> list[str]:
    found = part.contrast
    assert found is not None  # noqa: S101 - sorted out by `worst_parts`
    limits = f"{_number(found.low, share=share)} to {_number(found.high, share=share)}"
    return [
        f"{part.column} {part.value}",
        f"{part.pairs:,}",
        _number(part.mean, share=share),
        _number(found.difference, share=share),
        limits,
    ]


def _number(value: float | None, *, share: bool) -> str:
    return "n/a" if value is None else percent(value, 2) if share else f"{value:.4g}"


def _request(one: PairRequest) -> list[str]:
    return [
        f"{one.time:%Y-%m-%d %H:%M:%S}",
        one.id,
        answer_text(one.old, one.old_score),
        answer_text(one.new, one.new_score),
        one.label if one.label is not None else "n/a",
        values_text(one),
    ]


def answer_text(answer: str, score: float | None) -> str:
    """Return an answer with its score; long decimals are cut."""
    try:
        shown = f"{float(answer):.6g}"
    except ValueError:
        shown = answer
    return shown if score is None else f"{shown} ({score:.3f})"


def values_text(one: PairRequest, most: int = MOST_VALUES) -> str:
    """Return a request's features; those that the versions saw differently first, with both values."""
    changed = [f"{name} {_value(one.features[name])} → {_value(new)}" for name, new in one.changed.items()]
    same = [f"{name} {_value(value)}" for name, value in one.features.items() if name not in one.changed]
    shown = [*changed, *same]
    more = f", and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def _value(value: Value) -> str:
    return "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else value
