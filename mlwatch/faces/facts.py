"""What every face says below a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.words import percent

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Rollout


def facts_of(rollout: Rollout) -> str:
    """Say since when, how the traffic is split, and how far the intervals can be trusted."""
    facts = []
    began, gets = ("began", "got") if rollout.silent_s else ("running since", "gets")
    if rollout.since is not None:
        facts.append(f"{began} {rollout.since:%Y-%m-%d %H:%M} UTC")
    observed = rollout.traffic_observed.get(rollout.candidate)
    if observed is not None and rollout.mode != "shadow":
        of = (
            f"the values of {one_line(rollout.unit)} as they come"
            if rollout.units and rollout.traffic_expected
            else "the traffic"
        )
        facts.append(f"{one_line(rollout.candidate)} {gets} {percent(observed)} of {of}")
    if rollout.units:
        counts = " and ".join(f"{n:,} of {one_line(version)}" for version, n in rollout.units.items())
        facts.append(f"split by {one_line(rollout.unit)}: {counts}")
    if rollout.shadow is not None and rollout.shadow.disagreement_rate is not None:
        facts.append(
            f"{percent(rollout.shadow.disagreement_rate)} of {rollout.shadow.pairs:,} pairs disagree"
        )
    if rollout.metrics:
        facts.append(f"each end of an interval holds at every look at {100 * (1 - rollout.alpha):.4g} %")
        facts.append(_calibrated(rollout))
    return "; ".join(facts)


def _calibrated(rollout: Rollout) -> str:
    """Say which variances are known from splits of the baseline's past."""
    open_ones = [metric.label or name for name, metric in rollout.metrics.items() if not metric.calibrated]
    if rollout.calibrated or len(open_ones) == len(rollout.metrics):
        return "calibrated" if rollout.calibrated else "uncalibrated"
    return f"calibrated but for {', '.join(one_line(label) for label in open_ones)}"
