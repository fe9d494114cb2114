"""Fill a snapshot from the store: a few sums over rollups, then pure functions of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from mlwatch.metrics import performance as classes
from mlwatch.metrics.confusion import positive_class
from mlwatch.metrics.drift import Policy
from mlwatch.metrics.estimate import Estimate, undefined
from mlwatch.snapshot import distributions, estimated, families, feature_windows, features, outputs
from mlwatch.snapshot.constraints import with_constraints
from mlwatch.snapshot.endpoints import endpoints_of
from mlwatch.snapshot.falls import falls_of
from mlwatch.snapshot.feature_ages import age_alerts
from mlwatch.snapshot.health_alerts import health_alerts
from mlwatch.snapshot.health_types import System
from mlwatch.snapshot.mix import answers_of, labels_of
from mlwatch.snapshot.quality_alerts import quality_alerts
from mlwatch.snapshot.read import Life, Pair, Table, lives, number_pairs
from mlwatch.snapshot.reference import expected_features, file_name, period, reference_counts
from mlwatch.snapshot.reference_labels import performance_there
from mlwatch.snapshot.roles import Roles, assign_roles
from mlwatch.snapshot.rollout import Dear, judge, with_mode
from mlwatch.snapshot.segment_pairs import pairs_of, with_pairs
from mlwatch.snapshot.segments import of_model, with_segments
from mlwatch.snapshot.span import Grid, aware, grid, naive
from mlwatch.snapshot.state import alerts_of, ingest_totals, provenance_of
from mlwatch.snapshot.system import system_of
from mlwatch.snapshot.text_drift import drifts_of, texts_of
from mlwatch.snapshot.types import (
    ConfusionTable,
    Feed,
    Model,
    Rollout,
    Snapshot,
    Task,
    Throughput,
    TimeRange,
    Version,
)
from mlwatch.snapshot.windows import Context, Tables, windows_of
from mlwatch.store import rollups
from mlwatch.store.lake import CURRENCY

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.snapshot.segment_pairs import SegmentPair
    from mlwatch.snapshot.segments import Segments

    Verdicts = Callable[[Hashable, Callable[[], tuple[Rollout, ...]]], tuple[Rollout, ...]]
    BySegment = Callable[[Hashable, Callable[[], Segments]], Segments]
    Worst = Mapping[str, tuple[SegmentPair, ...]]
    ByPair = Callable[[Hashable, Callable[[], Worst]], Worst]

WINDOW_FEATURES = 40
"""Features whose drift is followed window by window; of more, the first ones."""


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


@dataclass(frozen=True, slots=True)
class Memory:
    """What gives the dear parts of a snapshot: by default a fresh computation, else one that may be a little old."""

    verdicts: Verdicts = lambda _, judged: judged()
    """By question, the verdicts on it."""
    rollouts: Dear = Dear()  # noqa: RUF009  a frozen value
    """What the verdicts are computed with."""
    segments: BySegment = lambda _, computed: computed()
    """By question, the segments of a model's versions."""
    segment_pairs: ByPair = lambda _, computed: computed()
    """By question, the worst combinations of two segments."""


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
    known = [
        life for life in lives(connection, naive(question.at)) if question.model in {None, life.pair.model}
    ]
    moment = (question.at or now).astimezone(UTC).replace(tzinfo=None)
    whole = Snapshot(
        generated_at=now,
        range=None,
        ingest=ingest_totals(connection),
        feed=feed or Feed(),
        models={},
        endpoints=endpoints_of(connection, moment),
        system=system_of(connection, moment) or system or System(),
        alerts=alerts_of(connection, naive(question.at)),
        provenance=provenance_of(connection, config),
    )
    if known:
        whole = _with_models(whole, connection, config, question, known, memory)
    newest = max((life.last.replace(tzinfo=UTC) for life in known), default=None)
    said = health_alerts(whole.endpoints, whole.system, whole.models, newest, moment.replace(tzinfo=UTC))
    end = whole.range.end if whole.range is not None else None
    odd = quality_alerts(whole.models, whole.ingest, end, now if question.at is None else None)
    odd = () if question.partial else odd
    old = age_alerts(whole.endpoints, config.schema)
    return replace(whole, alerts=(*said, *old, *odd, *whole.alerts))


def _with_models(
    whole: Snapshot,
    connection: DuckDBPyConnection,
    config: Config,
    question: Question,
    known: Sequence[Life],
    memory: Memory,
) -> Snapshot:
    """Add the models that had traffic, and the verdicts on them."""
    lattice = grid(
        min(life.first for life in known), max(life.last for life in known), question.span, naive(question.at)
    )
    number_pairs(connection, [life.pair for life in known])
    tables = Tables.read(connection, lattice)
    models: dict[str, Model] = {}
    rollouts: list[Rollout] = []
    for name in dict.fromkeys(life.pair.model for life in known):
        roles = assign_roles([life for life in known if life.pair.model == name], config.rollout, question)
        roles = with_mode(connection, roles, config.rollout)
        model = _model(connection, config, name, roles, known, lattice, tables)
        model = with_constraints(connection, model, config.schema, _numbers(known), lattice)
        by_segment = partial(_segments, connection, config, model, roles, known, lattice, tables)
        asked_before = (name, question.span, question.at, roles.baseline and roles.baseline.pair)
        model = with_segments(model, memory.segments(asked_before, by_segment))
        before = roles.baseline.pair.version if roles.baseline is not None else None
        by_pair = partial(pairs_of, connection, model, before, lattice)
        models[name] = with_pairs(model, memory.segment_pairs(asked_before, by_pair))
        asked = (name, model.task, roles, config.rollout, lattice.end, memory.rollouts)
        rollouts += memory.verdicts(
            (name, roles.baseline, roles.candidates, lattice.end), partial(judge, connection, *asked)
        )
    return replace(
        whole,
        range=TimeRange(lattice.start.replace(tzinfo=UTC), lattice.end.replace(tzinfo=UTC)),
        models=models,
        rollouts=tuple(rollouts),
    )


def _model(
    connection: DuckDBPyConnection,
    config: Config,
    name: str,
    roles: Roles,
    known: Sequence[Life],
    lattice: Grid,
    tables: Tables,
) -> Model:
    row = connection.execute("SELECT task FROM models WHERE model = ?", [name]).fetchone()
    task = cast("Task", config.roles.task or (row[0] if row else "unknown"))
    numbers = _numbers(known)
    order = [life for life in roles.ordered if life.pair.model == name]
    labels = {
        str(label)
        for life in order
        for column in ("label", "prediction")
        for label in set(tables.outcomes.of(numbers[life.pair])[column].tolist())
    }
    positive = config.roles.positive_class or (positive_class(labels) if task == "binary" else None)
    window = config.reference.window
    reference = reference_counts(connection, roles.baseline, window, parted=config.drift.sigmas is not None)
    infos = features.feature_infos(connection)
    context = Context(
        task,
        positive if task == "binary" else None,
        config.business.currency or _currency(connection),
        infos,
        reference,
        expected_features(connection, reference, name, roles.baseline.pair if roles.baseline else None),
        lattice,
        distributions.score_span(
            tables.scores.where(np.isin(tables.scores["who"], [numbers[life.pair] for life in order]))
        ),
        config.slo.latency.total_seconds() * 1000,
        config.business.payoff,
        Policy(config.drift.method, config.drift.threshold, config.drift.floor, config.drift.alpha),
        config.drift.sigmas,
        texts_of(connection, period(roles.baseline, window)) if task == "unknown" else None,
        estimated.teacher(connection, task, positive, period(roles.baseline, window), infos[rollups.VALUE]),
    )
    versions = {
        life.pair.version: _version(life, roles, tables.of(numbers[life.pair]), context) for life in order
    }
    return Model(
        name,
        task,
        context.positive,
        reference.description if reference else None,
        versions,
        context.teacher.description if context.teacher else None,
        performance_there(connection, task, context.positive) if file_name(connection) else {},
    )


def _numbers(known: Sequence[Life]) -> dict[Pair, int]:
    """Return the numbers that `number_pairs` gave the versions."""
    return {life.pair: number for number, life in enumerate(known)}


def _segments(
    connection: DuckDBPyConnection,
    config: Config,
    model: Model,
    roles: Roles,
    known: Sequence[Life],
    lattice: Grid,
    tables: Tables,
) -> Segments:
    numbers = _numbers(known)
    mine = {name: numbers[Pair(model.name, name)] for name in model.versions}
    baseline = numbers[roles.baseline.pair] if roles.baseline is not None else None
    found = of_model(connection, model, mine, baseline, lattice, tables.features, config.segments)
    if model.task == "unknown":
        return found
    return replace(found, falls=falls_of(connection, mine, lattice, numeric=model.task == "regression"))


def _currency(connection: DuckDBPyConnection) -> str | None:
    row = connection.execute(
        """SELECT COALESCE((SELECT MAX(currency) FROM events WHERE currency IS NOT NULL),
            (SELECT value FROM meta WHERE key = ?))""",
        [CURRENCY],
    ).fetchone()
    return row[0] if row else None


def _version(life: Life, roles: Roles, tables: Tables, context: Context) -> Version:
    traffic = tables.traffic
    predictions = traffic.whole("n")
    performance, confusion, per_class = _performance(context, tables.outcomes, tables.scores)
    lattice = context.lattice
    seconds = _active_seconds(traffic)
    followed = [number for number in context.infos if number >= 0][:WINDOW_FEATURES]
    over = feature_windows.drift_by_window(
        tables.features, context.infos, context.reference, followed, context.lattice.count
    )
    return Version(
        name=life.pair.version,
        role=roles.role(life.pair),
        predictions=predictions,
        labelled=tables.outcomes.whole("n"),
        first=aware(_moment(traffic["first_ts"].min())) if predictions else None,
        last=aware(_moment(traffic["last_ts"].max())) if predictions else None,
        performance=outputs.performance_of(tables.outputs, performance),
        per_class=per_class,
        outputs=outputs.of_range(tables.outputs),
        label_coverage=outputs.label_coverage(tables.traffic, tables.outcomes, lattice),
        maturity=outputs.maturity(tables.outputs, tables.traffic, lattice),
        confusion=confusion,
        latency=families.latencies(tables.latency if predictions else None, traffic, context.target_ms),
        throughput_per_s=(predictions + tables.sampling.sum("unseen")) / seconds if seconds else None,
        errors=families.errors(traffic),
        quality=replace(
            features.quality(
                tables.features,
                context.infos,
                context.reference,
                context.expected,
                over,
                context.policy,
                context.sigmas,
            ),
            text_drift=drifts_of(context.texts, tables.outputs.measures, context.policy),
            text_reference=context.texts.description if context.texts is not None else None,
        ),
        business=replace(
            families.business(
                tables.business,
                predictions,
                seen=tables.has_events,
                currency=context.currency,
                worth=tables.worth,
            ),
            decisions=context.worth(tables.outcomes),
        ),
        windows=windows_of(
            tables, context, feature_windows.mean_by_window(over, context.lattice.count) if over else ()
        ),
        latency_bars=distributions.latency_bars(tables.latency),
        labels=labels_of(context.task, tables.outcomes, context.positive),
        answers=answers_of(context.task, tables.outcomes, context.positive),
        scores=distributions.scores(tables.scores, context.positive, context.score_span),
        throughput=_throughput(tables.minutes),
        label_lag=families.label_lag(tables.lags),
        estimated=estimated.of_range(
            context.teacher, tables.decided, tables.features, tables.outputs.class_decided
        ),
    )


def _throughput(minutes: Table) -> Throughput:
    if not len(minutes):
        return Throughput()
    seconds = {"last_minute": 60, "last_five": 300, "peak": 60}
    return Throughput(*(minutes.sum(name) / length for name, length in seconds.items()))


def _active_seconds(traffic: Table) -> float | None:
    """Return the time between a version's first and last request in the range, at least a second."""
    if not len(traffic):
        return None
    first, last = _moment(traffic["first_ts"].min()), _moment(traffic["last_ts"].max())
    return max(1.0, (last - first).total_seconds())


def _moment(stamp: np.datetime64) -> datetime:
    """Return a time of a table as a datetime, naive UTC."""
    moment: datetime = stamp.astype("datetime64[us]").item()
    return moment


def _performance(
    context: Context, rows: Table, scores: Table
) -> tuple[Mapping[str, Estimate], ConfusionTable | None, Mapping[str, Mapping[str, Estimate]]]:
    if context.task == "regression":
        return families.regressed(rows), None, {}
    if context.task == "unknown":
        return {"accuracy": undefined("the predictions are neither classes nor numbers")}, None, {}
    found, confusion = families.classified(context.task, rows, scores, context.positive)
    per_class = classes.per_class(confusion) if context.task == "multiclass" else {}
    return found, families.confusion_table(confusion) if confusion.n else None, per_class


__all__ = ["Pair", "Question", "snapshot"]
