"""The frozen values that cross from the data side to every face.

A `Snapshot` is everything a face shows at one instant over one time range. The app, `check`, `report` and the
Python API render the same value; none of them computes. `document.py` writes it as the `mlwatch.report/1` JSON.

Times are aware UTC datetimes. Durations are seconds unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlwatch.snapshot.feed_types import Feed, Ingest, Lately, Stage, Stream, TimeRange
from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.output_types import Outputs
from mlwatch.snapshot.quality_types import Constraint, FeatureQuality, LabelDrift, Quality
from mlwatch.snapshot.rollout_types import Rollout, RolloutMetric, Shadow, TrafficLately, TrafficStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mlwatch.metrics.estimate import Estimate
    from mlwatch.metrics.fairness import Gap
    from mlwatch.snapshot.distributions import Bars, Scores
    from mlwatch.snapshot.falls import Fall
    from mlwatch.snapshot.health_types import Endpoint
    from mlwatch.snapshot.request_segments import RequestSegment
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.segments import Fairness, Segment
    from mlwatch.systems.mlflow_registry import Entry

__all__ = [
    "Alert",
    "Business",
    "ConfusionTable",
    "Constraint",
    "Errors",
    "FeatureQuality",
    "Feed",
    "Ingest",
    "LabelDrift",
    "LabelLag",
    "Lately",
    "Latency",
    "Model",
    "Quality",
    "Revenue",
    "Role",
    "Rollout",
    "RolloutMetric",
    "Severity",
    "Shadow",
    "Snapshot",
    "Stage",
    "Stream",
    "Task",
    "Throughput",
    "TimeRange",
    "TrafficLately",
    "TrafficStep",
    "Version",
    "Window",
]

Task = Literal["binary", "multiclass", "regression", "unknown"]
Role = Literal["baseline", "candidate", "shadow", "other"]
Severity = Literal["info", "warning", "critical"]


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


MIXED = " + "


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
    """Of several, all of them with `MIXED` between."""
    per_conversion: Estimate | None = None
    """Over the predictions that converted."""
    method: str | None = None
    """How the interval of `per_prediction` was made."""
    winsorised: Estimate | None = None
    """The same of values that are cut at a limit; see `Estimate.winsorised`."""

    @property
    def known(self) -> bool:
        """Whether there are events, some of them with amounts where there are conversions: nothing is a number then."""
        return self.per_prediction is not None

    def told(self, amount: float) -> float | None:
        """Return one of these amounts; None where they are not known."""
        return amount if self.known else None


@dataclass(frozen=True, slots=True)
class Engagement:
    """What engagements of one kind, such as clicks, brought."""

    events: int
    share: Estimate
    """Of the predictions, those with at least one."""
    value: Estimate | None = None
    """Mean of what they measure, such as seconds of dwell; None where they carry no value."""


@dataclass(frozen=True, slots=True)
class Business:
    """What the predictions led to."""

    conversion: Estimate
    engagement: Estimate
    revenue: Revenue
    kinds: Mapping[str, Engagement] = field(default_factory=dict)
    """Engagements by kind."""
    approval: Estimate | None = None
    """Share of thumbs up among the predictions with a thumb; None for none."""
    decisions: Estimate | None = None
    """Profit of a thousand labelled decisions by `[business] payoff`; None where that is not set."""
    events: int = 0
    """Conversions, engagements and refunds that count."""
    early_events: int = 0
    """Events that do not, for they are dated before their prediction."""
    repeated_events: int = 0
    """Those that count and have no id of their own and equal an earlier one in all that is kept, the time included."""

    @property
    def of_users(self) -> bool:
        """Whether anything is known of what users did."""
        shares = (self.conversion, self.engagement, self.approval)
        return self.revenue.known or any(share is not None and share.value is not None for share in shares)


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
    """Mean drift score over the comparable features, of many the first ones; None without a reference."""
    labels: Estimate | None = None
    """Share of positive labels, or the mean label of a regression."""
    answers: Estimate | None = None
    """Share of positive predictions among the labelled ones, or their mean."""
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    """Performance as expected without labels."""
    measures: Mapping[str, Estimate] = field(default_factory=dict)
    """Mean amounts that requests took or gave, such as tokens and costs."""
    text_drift: Mapping[str, float] = field(default_factory=dict)
    """How far the length and the vocabulary of answers in words moved; without those of too few answers."""
    maturity: float | None = None
    """Share of its conversions that there was time for; None without predictions or conversions."""


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
    """Distribution of the latency in milliseconds."""
    residual_bars: Bars | None = None
    """Prediction less label, of a regression with labels; None without."""
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
    request_segments: tuple[RequestSegment, ...] = ()
    """Segments in which requests fail, then those in which they are slow, the most harmful first; no labels needed."""
    fall: Fall | None = None
    """When performance fell within the range, and what carries that; None where it did not."""
    registered: Entry | None = None
    """What a model registry says of it."""
    fairness: tuple[Fairness, ...] = ()
    """Gaps between the values of the protected attributes; `gap` finds one."""
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

    def gap(self, column: str, kind: str) -> Estimate | None:
        """Return the `demographic_parity` or `equal_opportunity` of a protected attribute; None where it is none."""
        found: Gap | None = next(
            (getattr(each, kind) for each in self.fairness if each.column == column), None
        )
        return found.difference if found is not None else None


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
    is_put_off: bool = False
    """Whether what the records say beyond what is counted of all comes with a later look."""


QUALITY = "quality: "
"""What the names of the rules about the data themselves begin with."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know."""

    rule: str
    state: Literal["pending", "firing", "resolved"]
    severity: Severity
    message: str
    since: datetime
    value: float | None = None
    about: str = ""
    """What sets it apart from others of its rule, such as model and version; empty where the rule's name says it."""
    silence: Literal["mute", "acknowledge"] | None = None
    """What somebody said about it: to be quiet, or that it was seen."""
    resolved: datetime | None = None
    """When it was over; None where it is not, or where that is not known."""

    @property
    def key(self) -> tuple[str, str]:
        """What it goes by: its rule, and what it is about."""
        return self.rule, self.about

    @property
    def is_of_range(self) -> bool:
        """Whether it is about the records of the range on show, so that another range has others."""
        return self.rule.startswith(QUALITY)


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


def kinds_of(versions: Iterable[Version]) -> dict[str, bool]:
    """Return the kinds of engagement worth a line of their own, and whether they carry values.

    One that is the only kind, and carries none, is the engagement itself.
    """
    found: dict[str, bool] = {}
    for version in versions:
        for kind, one in version.business.kinds.items():
            found[kind] = found.get(kind, False) or one.value is not None
    return found if len(found) > 1 or any(found.values()) else {}
