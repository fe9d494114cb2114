"""What goes into a rollout verdict and what comes out: frozen values, no behaviour."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Counts: TypeAlias = NDArray[np.integer] | NDArray[np.floating]

Mode: TypeAlias = Literal["canary", "ab", "shadow"]
Verdict: TypeAlias = Literal["promote", "hold", "rollback"]
Status: TypeAlias = Literal["better", "non_inferior", "inconclusive", "worse", "no_data"]
Kind: TypeAlias = Literal["proportion", "mean", "quantile"]
Method: TypeAlias = Literal["auto", "normal", "ratio"]


# --- input -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProportionSeries:
    """A yes-or-no metric of one arm, one entry per row of its `ArmSeries`."""

    n: Counts
    """Randomisation units with a known outcome."""
    bad: Counts
    """Units with the harmful outcome: wrong prediction, failed request, no conversion."""


@dataclass(frozen=True)
class MeanSeries:
    """A mean of one arm; winsorise the values at a frozen limit before summing them."""

    n: Counts
    """Randomisation units (users, where traffic is split by user)."""
    total: FloatArray
    """Sum of the units' values."""
    squares: FloatArray
    """Sum of the units' squared values."""


@dataclass(frozen=True)
class HistogramSeries:
    """Binned values of one arm; both arms and all quantiles of a rollout share the bins."""

    edges: FloatArray
    """Bin edges, rising by a constant factor, shape (bins + 1,)."""
    counts: Counts
    """Values in each bin, shape (rows, bins)."""


MetricSeries: TypeAlias = ProportionSeries | MeanSeries | HistogramSeries


@dataclass(frozen=True)
class ArmSeries:
    """Sufficient statistics of one version, a row a minute (and step); equal keys are summed."""

    minute: IntArray
    """Minutes since the epoch, of event time."""
    n: Counts
    """Exposures: requests sent to this version."""
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    """Series by metric name; quantiles of one histogram may share an object."""
    step: IntArray | None = None
    """A finer stratum within the minute, such as the traffic step or a segment."""
    units: Counts | None = None
    """Randomisation units, such as users, that this version first saw in this row; None where it is requests."""
    entered: Counts | None = None
    """Those of them whose first request to either version it was."""
    others: tuple[IntArray, Counts] | None = None
    """Of the baseline: minutes, and the exposures of further versions that share the traffic."""
    other_units: tuple[IntArray, Counts] | None = None
    """The same of randomisation units as they enter."""


@dataclass(frozen=True)
class MetricSpec:
    """How one metric is judged."""

    name: str
    kind: Kind
    label: str
    """Name in sentences."""
    margin: float
    """Largest tolerable harm, at least 0: absolute, in the metric's unit, or relative to the baseline."""
    scale: Literal["absolute", "relative"]
    higher_is_better: bool = False
    weight: float = 1.0
    """Share of the roll-back error budget, relative to the other guardrails."""
    guardrail: bool = True
    """Takes part in the verdict; otherwise it is only reported."""
    needs_labels: bool = False
    of: str = ""
    """Which labelled predictions alone it is of, in words; empty is all of them."""
    unit: str = ""
    """Unit of the values; empty for proportions, which are shown in percent."""
    method: Method = "auto"
    """Normal mixture, rate-ratio grid, or chosen by the rate and the share."""
    quantile: float | None = None
    """Which quantile, for kind "quantile"."""
    threshold: float | None = None
    """The reference's frozen quantile; without it the two-sample quantile method is used."""
    negligible: float | None = None
    """A candidate's rate shown to be below this passes unless shown to be worse: two arms without errors."""
    variance: float | None = None
    """The reference's frozen variance of a unit; without it, that of the first data."""
    cap: float | None = None
    """Where the values of a mean were winsorised before they were summed, in the metric's unit."""

    def __post_init__(self) -> None:
        """Reject what no verdict can mean.

        Raises:
            ValueError: A margin below zero, a weight that is not positive, or a quantile outside (0, 1).
        """
        if not self.margin >= 0:
            raise ValueError(f"the margin of {self.name} is {self.margin:g}: it must be zero or more")
        if not self.weight > 0:
            raise ValueError(f"the weight of {self.name} is {self.weight:g}: it must be positive")
        if self.kind == "quantile" and not 0 < (self.quantile or 0) < 1:
            raise ValueError(f"{self.name} needs a quantile between 0 and 1")

    @property
    def sign(self) -> float:
        """+1 where a larger value is harm, −1 where a smaller one is."""
        return -1.0 if self.higher_is_better else 1.0


def _proportion(name: str, label: str, margin: float, **rest: object) -> MetricSpec:
    return replace(MetricSpec(name, "proportion", label, margin, "absolute"), **rest)  # type: ignore[arg-type]


def _of_labels(name: str, margin: float, of: str = "") -> MetricSpec:
    return _proportion(name, name, margin, higher_is_better=True, needs_labels=True, of=of)


def _latency(percent: int) -> MetricSpec:
    name, label = f"latency_p{percent}", f"p{percent} latency"
    return MetricSpec(name, "quantile", label, 0.1, "relative", unit="ms", quantile=percent / 100)


_DEFAULTS = {
    spec.name: spec
    for spec in (
        _of_labels("accuracy", 0.01),
        _of_labels("recall", 0.05, of="positives"),
        _of_labels("precision", 0.05, of="predictions of the positive class"),
        _proportion("error_rate", "error rate", 0.2, scale="relative", method="ratio", negligible=0.001),
        _proportion("conversion", "conversion", 0.02, scale="relative", higher_is_better=True),
        _proportion("engagement", "engagement", 0.02, scale="relative", higher_is_better=True),
        MetricSpec("revenue", "mean", "revenue", 0.02, "relative", higher_is_better=True),
        MetricSpec("latency_mean", "mean", "mean latency", 0.1, "relative", unit="ms"),
        MetricSpec("mae", "mean", "mean absolute error", 0.02, "relative", needs_labels=True),
        MetricSpec("mse", "mean", "mean squared error", 0.02, "relative", needs_labels=True),
        *(_latency(percent) for percent in (50, 90, 95, 99)),
    )
}
DEFAULT_METRICS = tuple(_DEFAULTS)
"""Names that `default_metric` knows."""


def default_metric(name: str, **overrides: object) -> MetricSpec:
    """Return the default way to judge a known metric, with fields overridden.

    Defaults (judgement): accuracy 1 point, recall and precision 5 points, error-rate ratio 1.2, latency ratio 1.1;
    conversion, engagement, revenue and the losses of a regression 2 % relative.

    Raises:
        KeyError: The name is not in `DEFAULT_METRICS`.
        TypeError: An override is not a field of `MetricSpec`.
    """
    return replace(_DEFAULTS[name], **overrides)  # type: ignore[arg-type]


@dataclass(frozen=True)
class HardLimit:
    """An absolute limit (SLO) on the candidate's value, minute by minute."""

    metric: str
    limit: float
    """In the metric's unit; broken above it, or below it where higher is better."""
    for_seconds: float = 300.0
    """Time for which every minute with data must break the limit, those at both of its ends too."""
    delay_seconds: float = 0.0
    """So long what comes of a request may take: what is younger says nothing yet."""
    passed_seconds: float = 0.0
    """For so long after the newest request what comes of requests was read."""

    @property
    def wait_seconds(self) -> float:
        """How old a request must be at the time of the newest one."""
        return max(0.0, self.delay_seconds - self.passed_seconds)


@dataclass(frozen=True)
class RolloutSettings:
    """How a rollout is judged."""

    metrics: tuple[MetricSpec, ...]
    baseline: str = "baseline"
    """Name of the baseline version, for sentences."""
    candidate: str = "candidate"
    """Name of the candidate version, for sentences."""
    mode: Mode = "canary"
    alpha: float = 0.05
    """Error budget of this candidate: with several candidates the caller splits it."""
    min_time: float = 600.0
    """Seconds with both arms alive before a promotion."""
    share: float | tuple[tuple[int, float], ...] | None = None
    """Candidate's configured share of the traffic: constant, or a ramp of (from minute, share)."""
    stratum_minutes: int | None = None
    """Width of a stratum; None widens it from that of the rows to up to an hour where there is little traffic."""
    row_minutes: int = 1
    """Minutes that a row of an arm takes."""
    n_opt: float = 5_000.0
    """Units at which the intervals are tightest."""
    inflation: Mapping[str, float] | None = None
    """Overdispersion by metric from an A/A calibration; None is "uncalibrated"."""
    unit: str = "request"
    """What is randomised, for sentences."""
    design: Mapping[str, float] | None = None
    """Design effect by metric, from the totals of the units that send many requests; see `unit_effects`."""
    sample_ratio_alpha: float = 0.001
    silent_after: float = 600.0
    """Seconds without traffic after which an arm counts as silent, where that is unusual for it."""
    any_silence: bool = False
    """A silence that long counts, however usual it is."""
    label_delay: float = 3_600.0
    """Seconds that labels may lag behind traffic before they count as stale."""
    hard_limits: tuple[HardLimit, ...] = ()
    too_large: frozenset[str] = frozenset()
    """Metrics without data, because their values are too large to sum up, for sentences."""
    unjudged: tuple[str, ...] = ()
    """A sentence for each limit of which nothing is known: no promotion."""
    unknown_roles: str = ""
    """A sentence where it is a guess which version is the baseline: neither promotion nor roll back."""

    def __post_init__(self) -> None:
        """Reject settings that no verdict can mean.

        Raises:
            ValueError: alpha outside (0, 0.5), a share outside (0, 1), or an inflation below zero.
        """
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha:g}: it must be between 0 and 0.5")
        shares = (self.share,) if isinstance(self.share, float | int) else [s for _, s in self.share or ()]
        if not all(0 < share < 1 for share in shares):
            raise ValueError("the candidate's share must be between 0 and 1")
        if any(not value > 0 for value in (self.inflation or {}).values()):
            raise ValueError("an inflation must be positive")

    def level(self, spec: MetricSpec) -> float:
        """Return the roll-back error budget of one guardrail: its weighted share of alpha (Bonferroni)."""
        weights = self._guardrail_weights
        return self.alpha * spec.weight / weights if spec.guardrail and weights else self.alpha

    @cached_property
    def _guardrail_weights(self) -> float:
        return sum(spec.weight for spec in self.metrics if spec.guardrail)

    def inflation_of(self, name: str) -> float:
        """Return the factor by which the variance of a metric is inflated; never below 1.

        A calibration splits by the unit too, so that both measure the same: the larger one counts.
        """
        return max((self.inflation or {}).get(name, 1.0), (self.design or {}).get(name, 1.0), 1.0)


# --- output ------------------------------------------------------------------------------------------------


class RolloutState(enum.Enum):
    """Why the verdict is what it is, most blocking first."""

    NO_DATA = "no_data"
    """No exposure of either arm."""
    ROLES_UNKNOWN = "roles_unknown"
    """Which arm is the baseline is a guess."""
    ONE_ARM_SILENT = "one_arm_silent"
    """One arm has no traffic, or none any more."""
    HARD_LIMIT = "hard_limit"
    """An absolute limit is broken: roll back."""
    STARTED_APART = "started_apart"
    """The arms hardly ever had traffic in the same minutes."""
    SAMPLE_RATIO_MISMATCH = "sample_ratio_mismatch"
    """The traffic is not split as configured."""
    FEW_UNITS = "few_units"
    """Too few users (or what else is randomised) to know how much they vary."""
    STALE_LABELS = "stale_labels"
    """Labels are missing, of one arm only, or too old: no promotion."""
    MISSING_METRIC = "missing_metric"
    """A guardrail has no data of an arm, or a hard limit none of the candidate: no promotion."""
    MINIMUM_TIME = "minimum_time"
    """Every guardrail is shown harmless, but too early."""
    UNDECIDED = "undecided"
    """The data do not decide yet."""
    DECIDED = "decided"
    """Promote or roll back on statistical grounds."""


@dataclass(frozen=True)
class MetricResult:
    """One metric of a verdict. Limits hold at every look, each with probability 1 − alpha."""

    name: str
    label: str
    status: Status
    baseline: float | None
    """Raw value in the minutes that both arms share."""
    candidate: float | None
    difference: float | None
    """Stratified candidate − baseline, in the metric's unit."""
    low: float | None
    """Lower limit of the difference; None is unbounded or unknown."""
    high: float | None
    margin: float
    """As configured."""
    scale: Literal["absolute", "relative"]
    limit: float | None
    """The margin as a signed difference in the metric's unit."""
    ratio: float | None
    """Stratified candidate/baseline."""
    ratio_low: float | None
    ratio_high: float | None
    e_value: float
    """Evidence against "the candidate is no worse"; rolls back at 1/level."""
    log_e: float
    level: float
    """Error budget of this metric's roll back."""
    samples_left: int | None
    """Further units of both arms until decided, if the difference stays as estimated; None is unknown."""
    n_baseline: int
    """Requests, or labelled ones, in strata that both arms share."""
    n_candidate: int
    pooled: float | None
    """Candidate − baseline over all minutes, unstratified."""
    method: str
    guardrail: bool
    calibrated: bool
    unit: str
    reason: str
    """The metric in one plain sentence."""
    cap: float | None = None
    """Where larger values were cut, see `MetricSpec.cap`."""
    design_effect: float = 1.0
    """Requests that say as much as one independent one, where users are randomised; else 1."""
    inflation: float = 1.0
    """Factor by which the variance was widened, for that or by a calibration."""
    notes: tuple[str, ...] = ()
    """Warnings, such as a pooled estimate that disagrees."""


@dataclass(frozen=True)
class TrafficResult:
    """How the traffic is split."""

    baseline: int
    candidate: int
    expected: float | None
    """Configured share of the candidate, averaged over the traffic; None where it is not configured."""
    observed: float | None
    """Share of the candidate, of the traffic of all versions that share it."""
    srm_p: float | None
    """Anytime-valid p-value of the split: min(1, 1/e)."""
    units: tuple[int, int] | None = None
    """Randomisation units of baseline and candidate, where these are not requests."""
    others: float = 0.0
    """Share of further versions; the rest is the baseline's."""
    silent: Mapping[str, float] = field(default_factory=dict)
    """Seconds since the last request, of the arms that had some and are silent now."""


@dataclass(frozen=True)
class RolloutVerdict:
    """Promote, hold or roll back, and why."""

    verdict: Verdict
    state: RolloutState
    reasons: tuple[str, ...]
    """Plain sentences with numbers, the deciding one first."""
    metrics: tuple[MetricResult, ...]
    traffic: TrafficResult
    mode: Mode
    baseline: str
    candidate: str
    alpha: float
    elapsed: float
    """Seconds with both arms alive."""
    calibrated: bool
    """Every metric's variance comes from an A/A calibration."""
    unit: str = "request"
    """What is randomised."""
