"""Every setting of `mlwatch.toml`, typed; the defaults are what a directory without the file gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003  the reader resolves the annotations at run time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from mlwatch.config import actions, checks, topics
from mlwatch.config.polled import (
    CacheSettings,
    EndpointSettings,
    SystemSettings,
)
from mlwatch.config.systems import (
    FeastSettings,
    NotifySettings,
    OtlpSettings,
    RegistrySettings,
    TrainingSettings,
)
from mlwatch.config.topics import Topics  # noqa: TC001  the reader resolves the annotations at run time

Task: TypeAlias = Literal["binary", "multiclass", "regression"]
RolloutMode: TypeAlias = Literal["canary", "ab", "shadow"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
LatencyUnit: TypeAlias = Literal["ms", "s", "us", "ns"]
DriftMethod: TypeAlias = Literal[
    "js", "psi", "hellinger", "total_variation", "l_infinity", "ks", "wasserstein"
]
ConstraintType: TypeAlias = Literal["number", "integer", "text", "boolean"]


@dataclass(frozen=True)
class RoleSettings:
    """`[roles]`: which column is what; whatever is not said is inferred."""

    timestamp: str | None = None
    """Column of the event time, dotted where nested."""
    id: str | None = None
    """Column that joins predictions, outcomes and events."""
    model: str | None = field(default=None, metadata={"check": checks.template("model")})
    """Column of the model's name, or `path:{model}/*` to take it from the file's path."""
    version: str | None = field(default=None, metadata={"check": checks.template("version")})
    """Column of the model's version, or `path:{model}/{version}/*`."""
    prediction: str | None = None
    score: str | None = None
    """Column of the probability of the positive class."""
    label: str | None = None
    """Column of the true outcome."""
    latency: str | None = None
    status: str | None = None
    """Column of the HTTP status, or of words such as ok and error."""
    error: str | None = None
    """Column of the kind of failure."""
    event: str | None = None
    """Column of the kind of business event."""
    value: str | None = None
    """Column of the event's value, such as revenue."""
    currency: str | None = None
    unit: str | None = None
    """Column of the unit of randomisation, such as the user."""
    event_id: str | None = None
    """Column of the event's own id, by which repeated events are dropped."""
    features: tuple[str, ...] = ()
    """Only these columns are features; empty is every column without a role. Globs are allowed."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, with everything below them. Globs are allowed."""
    categorical: tuple[str, ...] = ()
    """Features to take as categories though they are numbers."""
    numeric: tuple[str, ...] = ()
    """Features to take as numbers though they are text."""
    timezone: str = field(default="UTC", metadata={"check": checks.timezone})
    """Zone of times that carry none."""
    latency_unit: LatencyUnit | None = None
    """Unit of the latency; by the column's name when not said, else milliseconds."""
    positive_class: str | None = field(default=None, metadata={"read": checks.class_name})
    """The class that precision and recall are about; inferred when not said."""
    task: Task | None = None
    """Kind of prediction; inferred when not said."""


@dataclass(frozen=True)
class BusinessSettings:
    """`[business]`: what the kinds of events mean. Kinds are compared without case."""

    conversion: tuple[str, ...] = ()
    """Events that count as a conversion; by their names (purchase, signup, booked…) when empty."""
    engagement: tuple[str, ...] = ()
    """Events that count as engagement; by their names (click, view, open…) when empty."""
    refund: tuple[str, ...] = ()
    """Events whose value is taken off the revenue; by their names (refund, chargeback…) when empty."""
    revenue: tuple[str, ...] = ()
    """Events whose value is revenue, besides conversions."""
    approval: tuple[str, ...] = ()
    """Events that say that an answer was liked; by their names (thumbs_up, upvote…) when empty."""
    disapproval: tuple[str, ...] = ()
    """Events that say that it was not; by their names (thumbs_down, downvote…) when empty."""
    currency: str | None = None
    """Currency of all values, whatever they carry."""
    attribution: timedelta | None = field(default=None, metadata={"check": checks.positive})
    """Events later than this after their prediction are not its doing; without it all are."""
    by_unit: timedelta | None = field(default=None, metadata={"check": checks.positive})
    """Events that name no request but a user, session or device belong to the last prediction for it at most so long
    before; without it they are rejected."""
    payoff: Mapping[str, float] = field(default_factory=dict, metadata={"check": checks.payoff})
    """What one decision of a binary model earns: `tp`, `fp`, `fn`, `tn`; costs are negative."""


@dataclass(frozen=True)
class OutputSettings:
    """`[outputs]`: features that are more than inputs. What is not said is told by their names."""

    probabilities: str | None = None
    """How the names of the columns of class probabilities begin, before the class: `proba_`."""
    quantiles: Mapping[str, float] = field(default_factory=dict, metadata={"check": checks.levels})
    """Level of each column of a predicted quantile: `{p10 = 0.1, p90 = 0.9}`."""
    query: str | None = None
    """Column of the query whose results a ranking orders."""
    position: str | None = None
    """Column of the place in the ranking, the first lowest."""
    input_tokens: str | None = None
    output_tokens: str | None = None
    first_token: str | None = None
    """Column of the time to the first token, in milliseconds unless its name says another unit."""
    cost: str | None = None
    """Column of what a request cost."""
    input_price: Mapping[str, float] = field(default_factory=dict, metadata={"check": checks.prices})
    """Price of a million input tokens by model or version, where no column says the cost."""
    output_price: Mapping[str, float] = field(default_factory=dict, metadata={"check": checks.prices})
    """Price of a million output tokens."""


@dataclass(frozen=True)
class StoreSettings:
    """`[store]`: the database."""

    keep: timedelta | None = field(default=None, metadata={"read": checks.keep})
    """How long raw rows are kept, such as `30d`; None ("forever") keeps all. Rollups always stay."""


@dataclass(frozen=True)
class ReferenceSettings:
    """`[reference]`: what live data are compared with."""

    path: str | None = None
    """Data file or saved profile, relative to this file."""
    window: tuple[datetime, datetime] | None = field(default=None, metadata={"read": checks.window})
    """Period of the logs to use instead: `2026-11-01/2026-11-08`, the end excluded."""


@dataclass(frozen=True)
class DriftSettings:
    """`[drift]`: when a feature counts as drifted."""

    method: DriftMethod = "js"
    """Distance that decides; all of them are computed."""
    threshold: float | None = field(default=None, metadata={"check": checks.not_negative})
    """Least distance that counts; 0.1 when not said."""
    sigmas: float | None = field(default=None, metadata={"check": checks.not_negative})
    """Take for a threshold the mean and so many standard deviations of the distances that the reference's own tenths
    have from it, where that is more."""
    floor: int = field(default=100, metadata={"check": checks.not_negative})
    """Fewest rows on either side for a statement."""
    alpha: float = field(default=0.001, metadata={"check": checks.between(0, 1)})
    """False discovery rate over the features of a version that the significance must stay below."""


@dataclass(frozen=True)
class SegmentSettings:
    """`[segments]`: which columns performance is looked at by."""

    columns: tuple[str, ...] = ()
    """Features; the first dozen, categories before numbers, when not said."""
    protected: tuple[str, ...] = ()
    """Features between whose values a classifier's gaps are measured, such as `sex`."""
    importance: Mapping[str, float] = field(default_factory=dict)
    """How much each feature matters to the model; learnt from its labels when not said."""


@dataclass(frozen=True)
class SloSettings:
    """`[slo]`: what users of the models are promised."""

    latency: timedelta = field(default=timedelta(milliseconds=500), metadata={"check": checks.positive})
    """Apdex: requests within it satisfy, within four times as long they are tolerated."""


@dataclass(frozen=True)
class RolloutSettings:
    """`[rollout]`: how the candidate is judged against the baseline."""

    mode: RolloutMode | None = None
    """How traffic is split; found from the logs when not said."""
    baseline: str | None = field(default=None, metadata={"read": checks.class_name})
    """Version in service; the oldest when not said."""
    candidate: str | None = field(default=None, metadata={"read": checks.class_name})
    """Version under test; the newest with traffic when not said."""
    unit: str | None = None
    """What is randomised: `request`, or the column of users, sessions or devices, such as `user_id`."""
    share: float | tuple[tuple[datetime, float], ...] | None = field(
        default=None, metadata={"read": checks.shares}
    )
    """Candidate's configured share of the traffic, between 0 and 1; of a ramp, a table of shares by when they begin."""
    start: datetime | None = None
    """Traffic before this is left out."""
    min_time: timedelta = timedelta(minutes=10)
    """Time with both versions alive before a promotion."""
    label_delay: timedelta = field(default=timedelta(hours=1), metadata={"check": checks.positive})
    """How far labels may lag behind the traffic before they count as stale."""
    silent_after: timedelta | None = field(default=None, metadata={"check": checks.positive})
    """Time without traffic after which a version counts as silent; if not said, ten minutes that are unusual for it."""
    metrics: tuple[str, ...] = ()
    """Metrics that take part in the verdict; all that have data when empty."""
    margins: Mapping[str, float] = field(default_factory=dict, metadata={"check": checks.margins})
    """Largest tolerable harm by metric, zero or more, in the scale of the metric's default."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Absolute limits by metric: a candidate beyond one is rolled back."""
    alpha: float = field(default=0.05, metadata={"check": checks.between(0, 0.5)})
    """Probability of a wrong verdict, however often one looks."""
    on_rollback: tuple[str, ...] = field(default=(), metadata={"read": checks.command})
    """Command to run on a roll back, without a shell: a list, or text that is split into words."""
    on_promote: tuple[str, ...] = field(default=(), metadata={"read": checks.command})
    """Command to run on a promotion."""
    on_verdict: tuple[str, ...] = field(default=(), metadata={"read": checks.command})
    """Command to run on every change of the verdict."""
    webhook: str | None = field(default=None, metadata={"check": checks.webhook})
    """Address that gets every change of the verdict as JSON, or `env:NAME` for one that is a secret."""
    dry_run: bool = False
    """Only say which command would run."""
    place: str = field(default="", compare=False, repr=False, metadata={"place": True})
    """File and line of the table, for messages; no key."""


@dataclass(frozen=True)
class RuleSettings:
    """`[[rule]]`: when to raise an alert."""

    metric: str = field(default="", metadata={"required": True})
    """Name of the metric, such as `accuracy` or `latency_p95`."""
    when: str = field(default="", metadata={"required": True, "check": checks.condition})
    """Condition, such as `< 0.9`, or against the baseline `drop > 2%`."""
    version: str | None = field(default=None, metadata={"read": checks.class_name})
    """A version, `baseline` or `candidate`; every version when not said."""
    against: Literal["baseline", "reference"] = "baseline"
    """What a drop, rise or change is measured from."""
    for_: timedelta = timedelta(0)
    """Written `for`: how long the condition must hold."""
    severity: Severity = "warning"
    name: str | None = None
    """How the rule is called; its metric and condition when not said."""
    place: str = field(default="", compare=False, repr=False, metadata={"place": True})
    """File, line and number of the rule, for messages; no key."""


@dataclass(frozen=True)
class ConstraintSettings:
    """`[schema.FEATURE]`: what a feature's values must be."""

    type: ConstraintType | None = None
    min: float | None = None
    max: float | None = None
    allowed: tuple[str, ...] | None = field(default=None, metadata={"read": checks.allowed})
    """The only values, as text; None is any."""
    nullable: bool = True
    unique: bool = False
    regex: str | None = field(default=None, metadata={"check": checks.regex})
    """Pattern that the whole text must match."""
    ttl: timedelta | None = field(default=None, metadata={"check": checks.positive})
    """How old values may be, where a feature store or cache tells it."""
    optional: bool = False
    """Ask nothing of a model whose logs do not have it."""

    @property
    def numbers(self) -> bool:
        """Whether values must be numbers because they are limited, which no type says."""
        limited = self.min is not None or self.max is not None
        return limited and self.type in {None, "text"}


@dataclass(frozen=True)
class AppSettings:
    """`[app]`: how the app looks."""

    refresh: timedelta = field(default=timedelta(seconds=1), metadata={"check": checks.positive})
    """Time between two looks at the data."""
    theme: str = "mlwatch-dark"
    fps: int = field(default=15, metadata={"check": checks.between(0, 121)})
    """Most repaints a second."""
    mouse: bool = True
    """Take the mouse; false leaves it to the terminal's own selection."""
    ascii: bool = False
    """Draw with ASCII characters only."""
    timezone: str = field(default="UTC", metadata={"check": checks.display_timezone})
    """Zone in which times are shown: `UTC`, `local` or a name."""
    toasts: Literal["all", "critical", "none"] = "all"
    """Which alerts pop up when they begin to fire: warnings and critical ones, critical ones, none."""
    keys: Mapping[str, str] = field(default_factory=dict, metadata={"check": actions.keys})
    """Keys by action, several separated by commas."""


@dataclass(frozen=True)
class SourceSettings:
    """`[source]`: logs that are no files."""

    kafka: Topics | None = field(default=None, metadata={"read": topics.read_address})
    """Topics that are read besides the directory: `kafka://broker:9092/predictions,labels?group=…`."""


@dataclass(frozen=True)
class WatchSettings:
    """`[watch]`: how the log directory is followed."""

    poll: bool = False
    """Look for changes at intervals even where the system would report them."""
    interval: timedelta = field(default=timedelta(seconds=1), metadata={"check": checks.positive})
    """Time between two looks where nothing is reported."""
    include: tuple[str, ...] = ()
    """Only files whose path below the directory matches one of these globs; all when empty."""
    exclude: tuple[str, ...] = ()
    """Files to leave out."""


@dataclass(frozen=True)
class Config:
    """All settings."""

    roles: RoleSettings = field(default_factory=RoleSettings)
    business: BusinessSettings = field(default_factory=BusinessSettings)
    outputs: OutputSettings = field(default_factory=OutputSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    segments: SegmentSettings = field(default_factory=SegmentSettings)
    slo: SloSettings = field(default_factory=SloSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    feast: FeastSettings = field(default_factory=FeastSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    otlp: OtlpSettings = field(default_factory=OtlpSettings)
    rules: tuple[RuleSettings, ...] = ()
    """Each `[[rule]]`, in order."""
    endpoints: tuple[EndpointSettings, ...] = ()
    """Each `[[endpoint]]`, in order."""
    caches: tuple[CacheSettings, ...] = ()
    """Each `[[cache]]`, in order."""
    system: SystemSettings = field(default_factory=SystemSettings)
    schema: Mapping[str, ConstraintSettings] = field(default_factory=dict)
    """Constraints by feature name."""
    app: AppSettings = field(default_factory=AppSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    source: SourceSettings = field(default_factory=SourceSettings)
    path: Path | None = None
    """The file that was read."""
    sha256: str = hashlib.sha256(b"").hexdigest()
    """Hash of the file's bytes."""

    def named_files(self) -> tuple[Path, ...]:
        """Return the files and directories that settings name: wherever they are, they are no logs."""
        probes = [endpoint.probe for endpoint in self.endpoints if endpoint.probe is not None]
        feast = self.feast.registry if "://" not in (self.feast.registry or "") else None
        names = (
            self.reference.path,
            self.training.neptune,
            feast,
            *(name for probe in probes for name in (probe.input, probe.expect)),
        )
        return tuple(self.resolve(name) for name in names if name is not None)

    def resolve(self, name: str) -> Path:
        """Return the path that a setting names: relative ones are relative to the file."""
        return self.path.parent / name if self.path is not None else Path(name)
