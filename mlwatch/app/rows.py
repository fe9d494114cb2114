"""The rows of the overview: each metric of baseline and candidate, side by side, with the change judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mlwatch.app.catalogue import Better, Family, Metric, metrics_of
from mlwatch.app.drawing import clean
from mlwatch.app.units import Unit, show, show_about, show_change, show_interval
from mlwatch.snapshot.types import MIXED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.app.readings import Reading
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import Rollout, RolloutMetric, Version

Verdict = Literal["better", "worse", "fine", "unclear", "higher", "lower", "same"]
"""fine: within the margin. higher and lower: neither end is good, or nothing says how sure the change is."""

OF_ANSWERS = frozenset({"cost", "decisions"})
"""Metrics of business that are each version's own, though users see the answers of another one."""
REVENUES = frozenset({"revenue", "revenue_per_conversion"})
SHARED = 0.9
"""Part of their time that two versions must have had traffic together, for how much they got to compare."""
NOTABLE = 0.05
"""Relative change from which a number without an interval is called better or worse."""


@dataclass(frozen=True, slots=True)
class Change:
    """Candidate minus baseline, and what to make of it."""

    difference: float
    verdict: Verdict
    low: float | None = None
    high: float | None = None
    samples_left: int | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One line of the overview."""

    key: str
    family: Family
    label: str
    unit: Unit
    currency: str | None
    rank: int
    baseline: Reading
    candidate: Reading | None
    change: Change | None
    baseline_trend: tuple[float | None, ...]
    candidate_trend: tuple[float | None, ...]


def metric_rows(view: View) -> tuple[MetricRow, ...]:
    """Return the rows of the chosen model; none while there is no version."""
    baseline, candidate = view.baseline, view.candidate
    if baseline is None:
        return ()
    versions = [version for version in (baseline, candidate) if version is not None]
    comparable = view.rollout if _compares(view, baseline, candidate) else None
    return tuple(_row(metric, baseline, candidate, comparable) for metric in metrics_of(*versions))


def detail(row: MetricRow, baseline_name: str, candidate_name: str | None) -> str:
    """Return everything known about a row in one plain sentence; the names are not sanitized."""
    parts = [f"{baseline_name} {_reading(row.baseline, row)}"]
    if row.candidate is not None:
        said = row.baseline.value is not None and row.baseline.low is not None  # once how sure intervals are
        parts.append(f"{candidate_name} {_reading(row.candidate, row, said=said)}")
    if row.change is not None:
        interval = show_interval(row.change.low, row.change.high, row.unit, row.currency, change=True)
        inside = f" ({interval})" if interval else ""
        parts.append(f"change {show_change(row.change.difference, row.unit, row.currency)}{inside}")
        parts.append(SENTENCES[row.change.verdict])
    if row.change is not None and row.change.samples_left:
        parts.append(f"about {show_about(row.change.samples_left)} more requests decide")
    return f"{row.label}: " + "; ".join(parts)


SENTENCES: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "fine": "within the margin",
    "unclear": "too few data to tell",
    "higher": "higher",
    "lower": "lower",
    "same": "no change",
}


def _reading(reading: Reading, row: MetricRow, *, said: bool = False) -> str:
    if reading.value is None:
        return f"n/a, because {reading.reason}"
    interval = show_interval(reading.low, reading.high, row.unit, row.currency)
    known = [interval if said else f"95 % {interval}"] if interval else []
    known += [f"n {reading.n:,}"] if reading.n else []
    known += [f"against {reading.against}"] if reading.against else []
    known += _cut(reading, row)
    return show(reading.value, row.unit, row.currency) + (f" ({', '.join(known)})" if known else "")


def _cut(reading: Reading, row: MetricRow) -> list[str]:
    cut = reading.winsorised
    if cut is None or cut.value is None:
        return []
    interval = show_interval(cut.low, cut.high, row.unit, row.currency)
    return [f"winsorised {show(cut.value, row.unit, row.currency)}" + (f" {interval}" if interval else "")]


def _currency(metric: Metric, version: Version) -> str | None:
    """Return what a metric of money is in: what requests cost is billed by others than those who buy."""
    return version.outputs.currency if metric.key == "cost" else version.business.revenue.currency


def _row(metric: Metric, baseline: Version, candidate: Version | None, rollout: Rollout | None) -> MetricRow:
    before = metric.read(baseline)
    after = metric.read(candidate) if candidate else None
    judged = rollout.metrics.get(metric.key) if rollout else None
    if candidate is not None and not _tells(metric, baseline, candidate):
        metric = replace(metric, better=None)
    comparable = candidate is None or metric.key != "throughput" or _ran_together(baseline, candidate)
    return MetricRow(
        key=metric.key,
        family=metric.family,
        label=metric.label,
        unit=metric.unit,
        currency=_currency(metric, baseline),
        rank=metric.rank,
        baseline=before,
        candidate=after,
        change=_change(before, after, metric, judged) if comparable else None,
        baseline_trend=_trend(metric, baseline, candidate) if before.value is not None else (),
        candidate_trend=_trend(metric, candidate, baseline) if after and after.value is not None else (),
    )


def _ran_together(baseline: Version, candidate: Version) -> bool:
    """Tell whether two versions had traffic in the same time: rates of different times do not compare."""
    first, last = (baseline.first, candidate.first), (baseline.last, candidate.last)
    begins, ends = [one for one in first if one is not None], [one for one in last if one is not None]
    if len(begins) < 2 or len(ends) < 2:
        return False
    return min(ends) - max(begins) >= SHARED * (max(ends) - min(begins))


def _tells(metric: Metric, baseline: Version, candidate: Version) -> bool:
    """Tell whether a metric compares versions: not what users of one did, nor sums of several currencies.

    A mean of drift scores moves by chance, and nothing says how far: where no more features drift, it is no worse.
    """
    if metric.key == "drift":
        shares = [version.quality.drifted_share or 0.0 for version in (baseline, candidate)]
        means = [metric.read(version).value or 0.0 for version in (baseline, candidate)]
        return (shares[1] - shares[0]) * (means[1] - means[0]) > 0
    if metric.family != "business" or metric.key in OF_ANSWERS:
        return True
    mixed = any(MIXED in (version.business.revenue.currency or "") for version in (baseline, candidate))
    return "shadow" not in {baseline.role, candidate.role} and not (mixed and metric.key in REVENUES)


def unseen(versions: Sequence[Version]) -> str:
    """Return whose answers users did not see, where any of what they did is counted for them too."""
    names = [clean(v.name, 20) for v in versions if v.role == "shadow" and v.business.of_users]
    return f"users saw the baseline's answers, none of {' or '.join(names)}" if names else ""


def _compares(view: View, baseline: Version, candidate: Version | None) -> bool:
    """Tell whether the rollout judges these versions over this range: its changes are those of all of its time."""
    rollout, shown = view.rollout, view.snapshot.range
    if rollout is None or candidate is None:
        return False
    whole = shown is None or rollout.since is None or shown.start <= rollout.since
    return whole and (rollout.baseline, rollout.candidate) == (baseline.name, candidate.name)


def _trend(metric: Metric, version: Version | None, other: Version | None) -> tuple[float | None, ...]:
    """Return a version's values at the steps of both, so that two sparklines share one time axis."""
    if version is None:
        return ()
    starts = {window.start for window in version.windows}
    starts |= {window.start for window in other.windows} if other else set()
    by_start = {window.start: metric.over(window).value for window in version.windows}
    return tuple(by_start.get(start) for start in sorted(starts))


def _change(
    before: Reading, after: Reading | None, metric: Metric, judged: RolloutMetric | None
) -> Change | None:
    if after is None or before.value is None or after.value is None:
        return None
    if judged is not None and judged.difference is not None and judged.status != "no_data":
        verdict = _JUDGED[judged.status]
        return Change(judged.difference, verdict, judged.low, judged.high, judged.samples_left)
    return Change(after.value - before.value, _verdict(before, after, metric.better, metric.least))


_JUDGED: dict[str, Verdict] = {
    "better": "better",
    "non_inferior": "fine",
    "inconclusive": "unclear",
    "worse": "worse",
}


def _verdict(before: Reading, after: Reading, better: Better, least: float = 0.0) -> Verdict:
    if before.value is None or after.value is None or after.value == before.value:
        return "same"
    direction: Verdict = "higher" if after.value > before.value else "lower"
    if better is None:
        return direction
    if before.winsorised is not None and after.winsorised is not None:
        # each is cut at a limit of its own, which chance moves: the means themselves must be apart as well
        found = _verdict(before.winsorised, after.winsorised, better, least)
        if found != ("better" if direction == better else "worse"):
            return "unclear"
    if not _clear(before, after, least):
        return "unclear" if before.low is not None and after.low is not None else direction
    return "better" if direction == better else "worse"


def _clear(before: Reading, after: Reading, least: float) -> bool:
    """Tell whether two readings differ beyond doubt, or notably where nothing says how sure they are."""
    if before.value is None or after.value is None:
        return False
    if {before.low, before.high, after.low, after.high} == {None}:
        notable = max(least, NOTABLE * max(abs(before.value), abs(after.value)))
        return abs(after.value - before.value) >= notable
    (low, high), (new_low, new_high) = _ends(before), _ends(after)
    return new_low > high or new_high < low


def _ends(reading: Reading) -> tuple[float, float]:
    """Return the interval of a reading, without bounds where nothing says them."""
    low = -math.inf if reading.low is None else reading.low
    return low, math.inf if reading.high is None else reading.high
