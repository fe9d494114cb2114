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
    facts += _split(rollout, gets)
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


def _split(rollout: Rollout, gets: str) -> list[str]:
    """Say what the candidate gets of the traffic, and of when that is; of users all count, as they come."""
    share, lately = rollout.traffic_observed.get(rollout.candidate), rollout.traffic_lately
    if share is None or rollout.mode == "shadow":
        return []
    of, when = "the traffic", ""
    if rollout.units and rollout.traffic_expected:
        of = f"the values of {one_line(rollout.unit)} as they come"
    elif lately is not None:
        share = lately.shares[rollout.candidate]
        when = f" since {lately.since:%Y-%m-%d %H:%M} UTC" if lately.since != rollout.since else ""
        if rollout.candidate in rollout.silent_s:
            when = f" from {lately.since:%Y-%m-%d %H:%M} to {lately.until:%Y-%m-%d %H:%M} UTC"
    return [f"{one_line(rollout.candidate)} {gets} {percent(share)} of {of}{when}"]


def _calibrated(rollout: Rollout) -> str:
    """Say which variances are known from splits of the baseline's past."""
    open_ones = [metric.label or name for name, metric in rollout.metrics.items() if not metric.calibrated]
    if rollout.calibrated or len(open_ones) == len(rollout.metrics):
        return "calibrated" if rollout.calibrated else "uncalibrated"
    return f"calibrated but for {', '.join(one_line(label) for label in open_ones)}"
