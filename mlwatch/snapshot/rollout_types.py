"""The verdict on one candidate with all that it rests on; see `types`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.snapshot.pair_types import PairFindings
    from mlwatch.snapshot.rollout_course import Course
    from mlwatch.snapshot.types import ConfusionTable


@dataclass(frozen=True, slots=True)
class RolloutMetric:
    """One metric of a rollout: candidate against baseline with an anytime-valid interval."""

    baseline: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    margin: float | None
    status: Literal["better", "non_inferior", "inconclusive", "worse", "no_data"]
    e_value: float | None = None
    samples_left: int | None = None
    label: str = ""
    """The metric's name in sentences."""
    scale: Literal["absolute", "relative"] = "absolute"
    """Whether the margin is in the metric's unit or a share of the baseline."""
    limit: float | None = None
    """The margin as a signed difference in the metric's unit."""
    unit: str = ""
    """Unit of the values; empty for proportions."""
    reason: str = ""
    """The metric in one plain sentence."""
    notes: tuple[str, ...] = ()
    """Warnings, such as a pooled estimate that disagrees with the stratified one."""
    ratio: float | None = None
    """Stratified candidate over baseline, with its interval."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    pooled: float | None = None
    """Candidate minus baseline over all minutes, unstratified."""
    n_baseline: int = 0
    """Requests, labelled ones or pairs that are compared, whatever is randomised."""
    n_candidate: int = 0
    level: float | None = None
    """Error budget: the metric rolls back at an e-value of 1/level."""
    method: str = ""
    """Which test: `normal`, `ratio`, `exceedance`, `two_sample` or `pairs`."""
    calibrated: bool = False
    """Whether the variance comes from an A/A calibration."""
    cap: float | None = None
    """Where larger values of a mean count as this one: the baseline's frozen 99.9th percentile."""
    design_effect: float = 1.0
    """Requests that say as much as one independent one, where users are randomised; else 1."""
    inflation: float = 1.0
    """Factor by which the variance was widened, for that or by a calibration."""


@dataclass(frozen=True, slots=True)
class TrafficStep:
    """A stretch of a ramp with one share of traffic."""

    start: datetime
    end: datetime
    share: float
    """Candidate's observed share of the traffic."""
    n: int


@dataclass(frozen=True, slots=True)
class TrafficLately:
    """How the traffic is split now: in the last hour of the present step, or for so long as a hundred requests take."""

    since: datetime
    until: datetime
    """The end of what is known; of a candidate that is silent, its end."""
    shares: Mapping[str, float]
    """Of baseline and candidate, of the traffic of all versions that share it."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """What requests that both versions answered say."""

    pairs: int
    labelled: int
    disagreement_rate: float | None
    disagreement_low: float | None
    disagreement_high: float | None
    kappa: float | None
    """Cohen's kappa of the predictions."""
    accuracy_difference: float | None
    low: float | None
    high: float | None
    only_baseline_right: int
    only_candidate_right: int
    mcnemar_p: float | None
    """Valid for one look only, for comparison."""
    confusion: ConfusionTable | None
    """Pairs by prediction: rows the baseline's, columns the candidate's."""
    findings: PairFindings | None = None
    """Where, when and for what the answers differ; None without pairs."""
    since: datetime | None = None
    """From when on pairs are compared, where that is later than the rollout's start."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The verdict on one candidate."""

    model: str
    mode: Literal["canary", "ab", "shadow"]
    baseline: str
    candidate: str
    verdict: Literal["promote", "hold", "rollback"]
    since: datetime | None
    reasons: tuple[str, ...]
    metrics: Mapping[str, RolloutMetric]
    traffic_expected: Mapping[str, float] = field(default_factory=dict)
    traffic_observed: Mapping[str, float] = field(default_factory=dict)
    """Shares of the traffic of all versions that share it, over the whole rollout.

    With several candidates they add up to less than 1.
    """
    traffic_lately: TrafficLately | None = None
    """The same of now; None without traffic, and of a shadow."""
    srm_p: float | None = None
    unit: str = "request"
    """What is randomised, as configured."""
    units: Mapping[str, int] = field(default_factory=dict)
    """Users, or what else is randomised, by version; empty where requests are. Their split is what is expected."""
    calibrated: bool = False
    state: str = "no_data"
    """Why the verdict is what it is: see `mlwatch.metrics.rollout_types.RolloutState`."""
    elapsed_s: float = 0.0
    """Time with both versions alive."""
    silent_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds since the last request, of the versions that are silent; see `[rollout] silent_after`."""
    alpha: float = 0.05
    """Error budget of this candidate; several candidates share that of the configuration."""
    steps: tuple[TrafficStep, ...] = ()
    """Steps of the traffic ramp."""
    shadow: Shadow | None = None
    """Only in shadow mode."""
    course: Course | None = None
    """How it came to this; None where nothing was compared, or where the first screen did not wait for it."""
