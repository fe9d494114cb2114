"""Fill a snapshot from the store: a few sums over rollups, then pure functions of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.snapshot.changed_types import changed_types
from mlwatch.snapshot.clocks import ahead_of
from mlwatch.snapshot.constraints import with_constraints
from mlwatch.snapshot.endpoints import endpoints_of, golden_in
from mlwatch.snapshot.feature_ages import age_alerts
from mlwatch.snapshot.features import feature_infos
from mlwatch.snapshot.health_alerts import health_alerts
from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.models import Ground, model_of, segments_of
from mlwatch.snapshot.quality_alerts import quality_alerts
from mlwatch.snapshot.randomised import settled
from mlwatch.snapshot.read import Life, Pair, lives, number_pairs, requests_since
from mlwatch.snapshot.reader import ALL_TIME, Reader
from mlwatch.snapshot.record_segments import RecordSegments, record_segments, with_record_segments
from mlwatch.snapshot.remembering import turn
from mlwatch.snapshot.roles import assign_roles
from mlwatch.snapshot.rollout import Dear, judge, with_mode
from mlwatch.snapshot.rollout_pairing import Judged
from mlwatch.snapshot.segments import with_segments
from mlwatch.snapshot.span import aware, grid, length, naive, whole_minute
from mlwatch.snapshot.state import alerts_of, ingest_totals, provenance_of
from mlwatch.snapshot.system import system_of
from mlwatch.snapshot.tables import Tables
from mlwatch.snapshot.types import Alert, Feed, Model, Rollout, Snapshot, TimeRange
from mlwatch.snapshot.unmatched import unmatched_alerts
from mlwatch.snapshot.withdrawn import habit_of
from mlwatch.store.touched import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.snapshot.clocks import Ahead
    from mlwatch.snapshot.roles import Roles
    from mlwatch.snapshot.segments import Segments

    Verdicts = Callable[[Hashable, Callable[[], tuple[Rollout, ...]]], tuple[Rollout, ...]]
    BySegment = Callable[[Hashable, Callable[[], Segments]], Segments]
    ByRecord = Callable[[Hashable, Callable[[], RecordSegments]], RecordSegments]


@dataclass(frozen=True, slots=True)
class Question:
    """What a snapshot shall show."""

    span: timedelta | None = None
    at: datetime | None = None
    model: str | None = None
    """Only this model; None for all."""
    baseline: str | None = None
    candidate: str | None = None
    partial: bool = False
    """Whether the connection holds only some of the records: what would be odd of all is not said of them."""
    since: datetime | None = None
    """Start of the range, instead of its length."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What gives the dear parts of a snapshot: by default a fresh computation, else one that may be a little old."""

    verdicts: Verdicts = lambda _, judged: judged()
    """By question, the verdicts on it."""
    rollouts: Dear = Dear()  # noqa: RUF009  a frozen value
    """What the verdicts are computed with."""
    reading: Callable[[DuckDBPyConnection, Hashable], Reader] = Reader
    """By what a range is of, what reads its sums."""
    segments: BySegment = lambda _, computed: computed()
    """By question, the segments of a model's versions."""
    record_segments: ByRecord = lambda _, computed: computed()
    """By question, what the records themselves say by segment."""


FRESH = Memory()


def snapshot(
    connection: DuckDBPyConnection,
    config: Config,
    question: Question,
    *,
    now: datetime,
    feed: Feed | None = None,
    system: System | None = None,
    memory: Memory = FRESH,
) -> Snapshot:
    """Return everything that a face shows.

    Args:
        connection: A cursor that no other thread uses.
        config: Roles, rollout.
        question: Range, model, versions.
        now: When this is asked, aware.
        feed: How the ingest stands.
        system: The host, where the store holds no sample of that moment.
        memory: What was computed before.
    """
    turn()
    moment = (question.at or now).astimezone(UTC).replace(tzinfo=None)
    every = lives(connection, whole_minute(question.at))
    ahead = ahead_of(connection, every, moment) if question.at is None else None
    if ahead is not None:
        every = lives(connection, ahead.until)
    known = [life for life in every if question.model in {None, life.pair.model}]
    reader = memory.reading(connection, None)
    whole = Snapshot(
        generated_at=now,
        range=None,
        ingest=ingest_totals(connection, moment if question.at is None else None),
        feed=feed or Feed(),
        models={},
        endpoints=endpoints_of(connection, moment, golden_in(config) if question.at is None else None),
        system=system_of(connection, moment) or system or System(),
        alerts=alerts_of(
            connection, naive(question.at), several=len({life.pair.model for life in every}) > 1
        ),
        provenance=provenance_of(reader, config),
    )
    if known:
        beyond = ahead is not None
        whole = _with_models(whole, connection, config, question, known, memory, beyond=beyond)
    newest = max((life.last.replace(tzinfo=UTC) for life in known), default=None)
    said = health_alerts(whole.endpoints, whole.system, whole.models, newest, moment.replace(tzinfo=UTC))
    old = age_alerts(whole.endpoints, config.schema)
    odd = () if question.partial else _odd(whole, reader, now, ahead, naive(question.at))
    return replace(whole, alerts=(*said, *old, *odd, *whole.alerts))


def _odd(
    whole: Snapshot, reader: Reader, now: datetime, ahead: Ahead | None, at: datetime | None
) -> tuple[Alert, ...]:
    """Return what is odd about the data, of the past and of now; what was read after a moment was not odd then."""
    connection, end = reader.connection, whole.range.end if whole.range is not None else None
    if at is not None:
        return quality_alerts(whole.models, ingest_totals(connection, at, at), end, None)
    found = quality_alerts(whole.models, whole.ingest, end, now)
    if ahead is not None:
        found = (*found, ahead.alert(now))
    if end is not None:
        found = (*found, *changed_types(reader, whole.models, end))
    if not whole.feed.backfilling:  # what they belong to may be read last
        found = (*found, *unmatched_alerts(connection, whole.ingest, now))
    return found


def _with_models(
    whole: Snapshot,
    connection: DuckDBPyConnection,
    config: Config,
    question: Question,
    known: Sequence[Life],
    memory: Memory,
    *,
    beyond: bool,
) -> Snapshot:
    """Add the models that had traffic, and the verdicts on them."""
    first, last = min(life.first for life in known), max(life.last for life in known)
    if (since := naive(question.since)) is not None:
        last = max(last, since)  # nothing may have happened from then on
        question = replace(question, span=length(since, last, whole_minute(question.at)))
    lattice, everything = (
        grid(first, last, span, whole_minute(question.at)) for span in (question.span, None)
    )
    span = None if lattice == everything else question.span  # what was read for one question serves the other
    number_pairs(connection, [life.pair for life in known])
    about = (tuple(life.pair for life in known), span, beyond)
    reader = replace(memory.reading(connection, about), beyond=beyond)
    tables = Tables.read(reader, lattice)
    infos = reader.value("infos", (FACTS,), ALL_TIME, partial(feature_infos, connection))
    ground = Ground(reader, config, known, lattice, tables, infos)
    models: dict[str, Model] = {}
    rollouts: list[Rollout] = []
    for name in dict.fromkeys(life.pair.model for life in known):
        counted = partial(requests_since, connection, name, until=last)
        mine = [life for life in known if life.pair.model == name]
        roles = assign_roles(
            mine, config.rollout, question, counted, partial(habit_of, connection, until=last)
        )
        roles = with_mode(connection, roles, config.rollout, memory.rollouts)
        model = models[name] = _with_segments(ground, model_of(ground, name, roles), roles, question, memory)
        judged = Judged(name, model.task, model.positive_class, config.business.currency)
        asked = (connection, judged, roles, config, lattice.end, memory.rollouts)
        rollouts += memory.verdicts(
            (name, roles.baseline, roles.candidates, roles.withdrawn, roles.rivals, roles.named, lattice.end),
            partial(_judge, *asked),
        )
    return replace(
        whole,
        range=TimeRange(lattice.start.replace(tzinfo=UTC), lattice.end.replace(tzinfo=UTC)),
        models=models,
        rollouts=tuple(rollouts),
        oldest=aware(min(life.first for life in known)),
    )


def _with_segments(ground: Ground, model: Model, roles: Roles, question: Question, memory: Memory) -> Model:
    """Add what breaks the schema, and the segments in which a model is worse."""
    model = with_constraints(ground.reader, model, ground.config.schema, ground.numbers, ground.lattice)
    asked_before = (model.name, question.span, question.at, roles.baseline and roles.baseline.pair)
    segments = memory.segments(asked_before, partial(segments_of, ground, model, roles))
    model = with_segments(model, segments)
    before = roles.baseline.pair.version if roles.baseline is not None else None
    by_record = partial(record_segments, ground.connection, model, before, ground.lattice)
    return with_record_segments(model, memory.record_segments(asked_before, by_record))


def _judge(
    connection: DuckDBPyConnection, judged: Judged, roles: Roles, config: Config, end: datetime, dear: Dear
) -> tuple[Rollout, ...]:
    own = settled(dear.reading(connection), judged.model, config)
    return judge(connection, judged, roles, own, end, dear)


__all__ = ["Pair", "Question", "snapshot"]
