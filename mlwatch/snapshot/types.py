"""The frozen values that cross from the data side to every face.

A `Snapshot` is everything a face shows at one instant over one time range. The app, `check`, `report` and the
Python API render the same value; none of them computes. `document.py` writes it as the `mlwatch.report/1` JSON.

Times are aware UTC datetimes. Durations are seconds unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.output_types import Outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.metrics.drift import Drift
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.metrics.quality import RateChange
    from mlwatch.snapshot.distributions import Bars, Scores
    from mlwatch.snapshot.falls import Fall
    from mlwatch.snapshot.health_types import Endpoint
    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.pair_types import PairFindings
    from mlwatch.snapshot.rollout_course import Course
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.segments import Fairness, Segment
    from mlwatch.snapshot.shapes import Shape
    from mlwatch.systems.mlflow_registry import Entry

Task = Literal["binary", "multiclass", "regression", "unknown"]
Role = Literal["baseline", "candidate", "shadow", "other"]
Severity = Literal["info", "warning", "critical"]
Stage = Literal["looking", "reading", "through"]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open interval of event time, `start <= t < end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """How far a partition of a topic is read."""

    topic: str
    partition: int
    offset: int
    """Of the next message to be read."""
    end: int
    """Offset that the partition's next message gets, as last seen."""

    @property
    def lag(self) -> int:
        """Messages that are there and not read; in a compacted topic at most so many."""
        return max(0, self.end - self.offset)


@dataclass(frozen=True, slots=True)
class Ingest:
    """What has been read so far, since the store began (not only within the range)."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    """Non-blank records seen: `rows + rejected + duplicates`, always."""
    rows: int = 0
    """Records that were taken in."""
    predictions: int = 0
    outcomes: int = 0
    events: int = 0
    rejected: int = 0
    duplicates: int = 0
    outcomes_unmatched: int = 0
    events_unmatched: int = 0
    streams: tuple[Stream, ...] = field(default=(), kw_only=True)
    """Partitions of topics, by name and number."""


@dataclass(frozen=True, slots=True)
class Feed:
    """How the ingest stands right now; never part of a report's numbers."""

    rows_per_s: float | None = None
    lag_s: float | None = None
    """Seconds between a record's event time and its arrival in the store, for the newest batch."""
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: float | None = None
    """Estimated seconds until the backfill is through; None when nothing is left or unknown."""
    stage: Stage = "through"
    """Whether files are looked for, or read, or all is read that was there."""
    files_ahead: int = 0
    """Files that the present pass over the directory reads."""
    bytes_ahead: int = 0
    """And their bytes on disk."""
    note: str | None = None
    """One plain sentence where the feed is not as asked for, for example an in-memory store."""

    @property
    def backfilling(self) -> bool:
        """Tell whether enough is left to read that a progress bar helps."""
        return self.bytes_total - self.bytes_done > 4_000_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Request latency in milliseconds, quantiles within 1 % of the exact ones."""

    n: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
    p999: float | None = None
    apdex: Estimate | None = None
    """Of the target in `[slo] latency`; None for windows."""
    quantiles: Mapping[str, Estimate] = field(default_factory=dict)
    """The quantiles by name with their intervals; empty for windows."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests a second, by whole minutes."""

    minute: float | None = None
    """In the last whole minute of the range."""
    five_minutes: float | None = None
    """In the last five."""
    peak: float | None = None
    """In the busiest minute."""
    now: float | None = None
    """In the last ten seconds of the range, as far as raw records are kept."""


@dataclass(frozen=True, slots=True)
class LabelLag:
    """How long after their predictions labels came, of those in records of their own; quantiles within 1 %."""

    n: int = 0
    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class Errors:
    """Failed requests: a status of 400 or more, or no prediction where others have one."""

    count: int = 0
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    client: int = 0
    """Failures with status 400 to 499."""
    server: int = 0
    """Failures with status 500 or more."""


@dataclass(frozen=True, slots=True)
class FeatureQuality:
    """One feature of one version: what is missing or wrong, and how far it moved from the reference."""

    kind: Literal["numeric", "categorical"]
    n: int
    missing: int
    missing_rate: float | None
    invalid: int = 0
    unseen: int = 0
    out_of_range: int = 0
    drift: Drift | None = None
    """None when there is no reference to compare with, or the feature is not in it."""
    shape: Shape | None = None
    """Its distribution beside that of the reference; None without a reference."""
    stuck: bool = False
    """All its values, or those of the last windows, are in one bin, though others were filled before."""
    missing_change: RateChange | None = None
    """How its missing rate differs from the reference's; None without one."""
    move: Move | None = None
    """How it moved; None where there is no drift to speak of or nothing to compare with."""
    importance: float | None = None
    """How much it matters to the label, 0 to 1; None where that is not known."""
    drift_over: tuple[float | None, ...] = ()
    """Drift score in each window of the version; empty where it is not followed."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand of `[schema]` on a feature of one version."""

    feature: str
    rule: str
    """`type`, `min`, `max`, `allowed`, `nullable`, `regex` or `unique`."""
    demand: str
    """What is said of values that break it, after "… of … values"."""
    n: int
    """Values that were looked at."""
    bad: int
    """Values among them that break it."""
    example: str | None = None
    """One of them, shortened; as hostile as any text of a log."""


@dataclass(frozen=True, slots=True)
class LabelDrift:
    """How far labels moved, or why that is not known."""

    drift: Drift | None = None
    reference: str | None = None
    """What they are compared with, in words."""
    reason: str | None = None
    """Why there is no drift, as a clause after "because"."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Data quality of one version."""

    features: Mapping[str, FeatureQuality] = field(default_factory=dict)
    prediction_drift: Drift | None = None
    score_drift: Drift | None = None
    label_drift: LabelDrift = field(default_factory=LabelDrift, kw_only=True)
    drifted_share: float | None = None
    """Share of the comparable features that drifted."""
    missing_rate: float | None = None
    """Missing cells over all cells."""
    vanished: tuple[str, ...] = ()
    """Features of the reference or the baseline that the version has no value of."""
    appeared: tuple[str, ...] = ()
    """Features that neither of them has."""
    text_drift: Mapping[str, Drift] = field(default_factory=dict)
    """Of answers in words: their `length` and their `vocabulary`, words hashed into buckets."""
    text_reference: str | None = None
    """What answers in words are compared with, in words."""


@dataclass(frozen=True, slots=True)
class Revenue:
    """Money in the unit that the events carry; refunds are positive numbers that are subtracted."""

    gross: float = 0.0
    refunds: float = 0.0
    total: float = 0.0
    per_prediction: float | None = None
    low: float | None = None
    high: float | None = None
    currency: str | None = None
    per_conversion: Estimate | None = None
    """Over the predictions that converted."""
    method: str | None = None
    """How the interval of `per_prediction` was made, and where values were winsorised for it."""


@dataclass(frozen=True, slots=True)
class Business:
    """What the predictions led to."""

    conversion: Estimate
    engagement: Estimate
    revenue: Revenue
    approval: Estimate | None = None
    """Share of thumbs up among the predictions with a thumb; None for none."""
    decisions: Estimate | None = None
    """Profit of a thousand labelled decisions by `[business] payoff`; None where that is not set."""


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Counts by class: rows true, columns predicted."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The same families over one of the equal steps that the range is cut into."""

    start: datetime
    end: datetime
    predictions: int
    labelled: int
    performance: Mapping[str, Estimate]
    latency: Latency
    errors: Errors
    business: Business
    missing_rate: float | None
    drift: float | None
    """Mean drift score over the comparable features; None without a reference."""
    labels: Estimate | None = None
    """Share of positive labels, or the mean label of a regression."""
    answers: Estimate | None = None
    """Share of positive predictions among the labelled ones, or their mean."""
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    """Performance as expected without labels."""
    measures: Mapping[str, Estimate] = field(default_factory=dict)
    """Mean amounts that requests took or gave, such as tokens and costs."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model over the range."""

    name: str
    role: Role
    predictions: int
    labelled: int
    first: datetime | None
    last: datetime | None
    performance: Mapping[str, Estimate]
    confusion: ConfusionTable | None
    latency: Latency
    throughput_per_s: float | None
    errors: Errors
    quality: Quality
    business: Business
    windows: tuple[Window, ...]
    latency_bars: Bars | None = None
    residual_bars: Bars | None = None
    """Prediction less label, of a regression with labels; None without."""
    """Distribution of the latency in milliseconds."""
    labels: Estimate | None = None
    """Share of positive labels, or the mean label of a regression; None for other tasks."""
    answers: Estimate | None = None
    """Share of positive predictions among the labelled ones, or their mean."""
    scores: Scores | None = None
    """Of a binary task with labelled scores."""
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    """Performance as expected without labels."""
    throughput: Throughput = field(default_factory=Throughput)
    label_lag: LabelLag = field(default_factory=LabelLag)
    segments: tuple[Segment, ...] = ()
    """The labelled predictions by the columns that are followed, column by column."""
    segment_pairs: tuple[SegmentPair, ...] = ()
    """Combinations of two segments that do worse than either explains, the most harmful first."""
    fall: Fall | None = None
    """When performance fell within the range, and what carries that; None where it did not."""
    registered: Entry | None = None
    """What a model registry says of it."""
    fairness: tuple[Fairness, ...] = ()
    """Gaps between the values of the protected attributes."""
    outputs: Outputs = field(default_factory=Outputs)
    """What it gave and took besides predictions."""
    label_coverage: Mapping[str, Estimate] = field(default_factory=dict)
    """Share of the predictions that have a label, by their age: `1h` for at most an hour, and so on."""
    per_class: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    """Precision, recall and F1 of each class of a multiclass task."""
    maturity: float | None = None
    """Share of the conversions to come that there was the time for; None without conversions."""
    constraints: tuple[Constraint, ...] = ()
    """What `[schema]` asks of the features, and what became of it."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model with its versions, baseline first, candidate second."""

    name: str
    task: Task
    positive_class: str | None
    reference: str | None
    """What drift is measured against, in words; None when nothing is."""
    versions: Mapping[str, Version]
    estimated_from: str | None = None
    """Whose labels the estimates without labels were learnt from, in words; None when there are no estimates."""
    reference_performance: Mapping[str, Estimate] = field(default_factory=dict)
    """How well the model did on the reference; empty where that has no labels."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know, newest first."""

    rule: str
    state: Literal["pending", "firing", "resolved"]
    severity: Severity
    message: str
    since: datetime
    value: float | None = None
    about: str = ""
    """Model and version of a rule; empty where the rule's name says it."""
    silence: Literal["mute", "acknowledge"] | None = None
    """What somebody said about it: to be quiet, or that it was seen."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a face shows at one instant over one range."""

    generated_at: datetime
    range: TimeRange | None
    """None while the store holds no prediction."""
    ingest: Ingest
    feed: Feed
    models: Mapping[str, Model]
    rollouts: tuple[Rollout, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    system: System = field(default_factory=System)
    alerts: tuple[Alert, ...] = ()
    provenance: Mapping[str, str | None] = field(default_factory=dict)
    oldest: datetime | None = None
    """Time of the earliest prediction in the store, whatever the range."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document `mlwatch.report/1`; see `document`."""
        from mlwatch.snapshot.document import document  # noqa: PLC0415  it imports this module

        return document(self)


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
    """Candidate's observed share of both versions' traffic."""
    n: int


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
    alpha: float = 0.05
    """Error budget of this candidate; several candidates share that of the configuration."""
    steps: tuple[TrafficStep, ...] = ()
    """Steps of the traffic ramp."""
    shadow: Shadow | None = None
    """Only in shadow mode."""
    course: Course | None = None
    """How it came to this; None where nothing was compared, or where the first screen did not wait for it."""
