"""What is known about the columns of a file: frozen values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingType

ColumnPath: TypeAlias = tuple[str, ...]
"""The keys from the record down to a value."""
FeatureKind: TypeAlias = Literal["numeric", "categorical"]
TimeUnit: TypeAlias = Literal["iso", "s", "ms", "us", "ns", "auto"]

ROLES = (
    *("timestamp", "id", "model", "version", "prediction", "score", "label", "latency", "status", "error"),
    *("event", "value", "currency", "unit", "event_id"),
)
"""Every role that a column can have."""
SCORE_THRESHOLD = 0.5
"""A probability without a prediction is taken as class 1 from here on."""
ROUNDING = 1e-06
"""How far a probability in single precision may lie beyond 0 or 1."""


@dataclass(frozen=True)
class Column:
    """One column as seen in a sample of records."""

    path: ColumnPath
    """The keys from the record down to the value."""
    kinds: frozenset[str]
    """Which of null, boolean, integer, number, text, list and object were seen."""
    samples: tuple[object, ...] = ()
    """Up to 50 values that are not null."""
    where: int = 0
    """In which of the records it has a value: a bit a record, the lowest for the first."""


@dataclass(frozen=True)
class Feature:
    """One input of the model."""

    name: str
    """Unique within its mapping."""
    path: ColumnPath
    kind: FeatureKind


@dataclass(frozen=True)
class Mapping:
    """Which column of a file is what; each is in exactly one of roles, others, clock, ended, features and ignored."""

    roles: MappingType[str, ColumnPath]
    """Path by role."""
    constants: MappingType[str, str]
    """`model` and `version` of the records that do not name them; only for files with predictions."""
    features: tuple[Feature, ...]
    time_unit: TimeUnit
    """How the timestamp is written; "auto" is by the magnitude of each value."""
    latency_factor: float
    """Latency times this is in milliseconds."""
    ignored: tuple[ColumnPath, ...]
    reasons: MappingType[str, str] = field(default_factory=dict)
    """Why a role is what it is, by role; why a column is ignored, by `ignored:` and its dotted path."""
    others: MappingType[str, tuple[ColumnPath, ...]] = field(default_factory=dict)
    """Further columns of a role, for records without the first; see `standins`."""
    score_threshold: float | None = SCORE_THRESHOLD
    """A score without a prediction is taken as class 1 from here on; None where scores tell no class."""
    clock: ColumnPath | None = None
    """The column of the time of day, where the timestamp is only a date; see `clocks`."""
    doubtful: MappingType[str, ColumnPath] = field(default_factory=dict)
    """By role a column that has it but may be a feature, or is a feature but may have it; see `doubts`."""

    ended: ColumnPath | None = None
    """The column of the time at which requests ended, where that less the timestamp is their latency; see `spans`."""

    def columns(self, role: str) -> tuple[ColumnPath, ...]:
        """Return the columns of a role, the one that counts first."""
        return (self.roles[role], *self.others.get(role, ())) if role in self.roles else ()

    @property
    def of_roles(self) -> tuple[ColumnPath, ...]:
        """Every column that has a role, or a part in one."""
        found = tuple(path for role in self.roles for path in self.columns(role))
        return (*found, *(path for path in (self.clock, self.ended) if path is not None))
