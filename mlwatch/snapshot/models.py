"""Fill one model of a snapshot: what its versions share, each of them, and their segments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mlwatch.asking import meta_value, number
from mlwatch.snapshot import distributions, estimated, label_drift, unscored
from mlwatch.snapshot.classes import confident, positive_of
from mlwatch.snapshot.event_lags import event_lags, read_until
from mlwatch.snapshot.falls import falls_of
from mlwatch.snapshot.features import policy_of
from mlwatch.snapshot.randomised import known_features
from mlwatch.snapshot.read import Life, Pair, stored_task
from mlwatch.snapshot.reader import ALL_TIME, ONLY_ALL
from mlwatch.snapshot.reference import (
    Period,
    counts_of_all,
    expected_features,
    file_name,
    own_features,
    period,
    reference_counts,
)
from mlwatch.snapshot.reference_performance import performance_there
from mlwatch.snapshot.segments import of_model
from mlwatch.snapshot.tables import Decided, Tables
from mlwatch.snapshot.text_drift import Texts, texts_of
from mlwatch.snapshot.types import MIXED, Model, Task
from mlwatch.snapshot.versions import version_of
from mlwatch.snapshot.window_results import window_results
from mlwatch.snapshot.windows import Context
from mlwatch.store import currencies, rollups
from mlwatch.store.event_kinds import KIND, SINCE
from mlwatch.store.meanings import no_inputs, paid_in
from mlwatch.store.output_rollups import CLASS_SCORES, MEASURES, RANKS
from mlwatch.store.touched import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.metrics.drift import Policy
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.reference import Reference
    from mlwatch.snapshot.roles import Roles
    from mlwatch.snapshot.segments import Segments
    from mlwatch.snapshot.span import Grid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ground:
    """What all models of one snapshot stand on."""

    reader: Reader
    config: Config
    known: Sequence[Life]
    """Every version, in the order of their numbers."""
    lattice: Grid
    tables: Tables
    """The sums of all versions."""
    infos: Mapping[int, FeatureInfo]

    @property
    def connection(self) -> DuckDBPyConnection:
        """Where `number_pairs` was called."""
        return self.reader.connection

    @property
    def numbers(self) -> Mapping[Pair, int]:
        """The numbers that `number_pairs` gave the versions."""
        return {life.pair: number for number, life in enumerate(self.known)}

    def fact(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what the store knows of models and features, read once for as long as that stays."""
        return self.reader.fact(key, compute)


def model_of(ground: Ground, name: str, roles: Roles) -> Model:
    """Return a model with its versions, but for what its segments say.

    Args:
        ground: Of the snapshot.
        name: Of the model.
        roles: Its versions.
    """
    given = (roles, ground.lattice)
    key, sources = ("model", name, ground.reader.about), (*rollups.ALL, FACTS)
    return ground.reader.value(key, sources, ALL_TIME, partial(_model, ground, name, roles), given)


def _model(ground: Ground, name: str, roles: Roles) -> Model:
    context, there = _context(ground, name, roles)
    tables, numbers = ground.tables, ground.numbers
    learns_by_score = context.teacher is not None and context.teacher.losses is None
    decided = Decided.read(ground.reader, ground.lattice) if learns_by_score else None
    mine = [numbers[life.pair] for life in _own(roles, name)]
    results = window_results(ground.reader, tables, mine, context)
    unsaid = confident(ground.reader, name, context.task)
    versions = {}
    for life in _own(roles, name):
        who, version = numbers[life.pair], life.pair.version
        role, sums = roles.role(life.pair), tables.of(who)
        if version in unsaid:
            versions[version] = unscored.version_of(life, role, sums, context, results[who])
            continue
        own = decided.of(who) if decided is not None else None
        versions[version] = version_of(life, role, sums, own, context, results[who])
    return Model(
        name,
        context.task,
        context.positive,
        context.reference.description if context.reference else None,
        versions,
        context.teacher.description if context.teacher else None,
        there,
    )


def _own(roles: Roles, name: str) -> list[Life]:
    return [life for life in roles.ordered if life.pair.model == name]


def _context(ground: Ground, name: str, roles: Roles) -> tuple[Context, Mapping[str, Estimate]]:
    """Return what the versions share, and how the model did on the reference."""
    config, connection = ground.config, ground.connection
    known: Task = ground.fact(("task", name), partial(stored_task, connection, name))
    task = config.roles.task or known
    positive = positive_of(ground.reader, name, task, config.roles.positive_class)
    file = ground.fact("file", partial(file_name, connection))
    own = ground.fact(("own features", name), partial(own_features, connection, name))
    counts = ground.fact("counts of all", partial(counts_of_all, connection))
    past = _Past(ground, file, period(roles.baseline, config.reference.window))
    reference = past.reference(roles.baseline)
    drift, mine = config.drift, [ground.numbers[life.pair] for life in _own(roles, name)]
    scores, residuals = ground.tables.scores, ground.tables.outputs.residuals
    currency = config.business.currency or _currency(ground, name)
    features = (ground.infos[number] for number in sorted(own) if number in ground.infos)
    numeric = (info.name for info in features if info.kind == "numeric")
    newest = max(life.last for life in _own(roles, name))
    until = read_until(ground.reader, name, newest)
    context = Context(
        task,
        positive if task == "binary" else None,
        paid_in(numeric, config.outputs) or currency,
        _events(ground).get(name, frozenset()),
        currency,
        _kinds(ground, name),
        event_lags(ground.reader, name, newest, until),
        max(0.0, (until - ground.lattice.end).total_seconds()),
        ground.infos,
        reference,
        expected_features(
            *(connection, reference, own, roles.baseline.pair if roles.baseline else None),
            alone=counts == rollups.ALL_FEATURES and roles.candidate is None,
            counts=counts,
        ),
        no_inputs(known_features(ground.reader, name), task, config.outputs, config.rollout.unit),
        ground.lattice,
        distributions.score_span(scores.where(np.isin(scores["who"], mine))),
        distributions.residual_edges(residuals.where(np.isin(residuals["who"], mine))),
        config.slo.latency.total_seconds() * 1000,
        config.business.payoff,
        policy_of(drift),
        drift.sigmas,
        past.texts() if task == "unknown" else None,
        past.teacher(task, positive) if file is not None or _learns(ground, name, roles, task) else None,
        past.labels(task),
    )
    return context, past.performance(task, context.positive)


def _learns(ground: Ground, name: str, roles: Roles, task: Task) -> bool:
    """Tell whether the scores of the baseline may tell what a score is worth."""
    return roles.baseline is None or roles.baseline.pair.version not in confident(ground.reader, name, task)


@dataclass(frozen=True, slots=True)
class _Past:
    """What live data are compared with: of a file, or of a period that hardly anything is added to any more."""

    ground: Ground
    file: str | None
    chosen: Period | None

    def reference(self, baseline: Life | None) -> Reference | None:
        """Return the counts by bin."""
        config, connection = self.ground.config, self.ground.connection
        parted = config.drift.sigmas is not None
        read = partial(reference_counts, connection, baseline, config.reference.window, parted=parted)
        return self._once(("reference", parted), read)

    def teacher(self, task: Task, positive: str | None) -> estimated.Teacher | None:
        """Return what labelled predictions teach."""
        value = self.ground.infos[rollups.VALUE]
        learn = partial(estimated.teacher, self.ground.connection, task, positive, self.chosen, value)
        return self._once(("teacher", task, positive), learn)

    def texts(self) -> Texts | None:
        """Return what answers in words were like there."""
        policy, sigmas = self._moves
        read = partial(texts_of, self.ground.connection, self.chosen, policy, self.file, sigmas)
        return self._once(("texts", policy, sigmas), read)

    def labels(self, task: Task) -> label_drift.Labels | None:
        """Return what was true there."""
        policy, sigmas = self._moves
        info = self.ground.infos[rollups.LABEL]
        read = partial(
            label_drift.labels_there, self.ground.connection, task, self.chosen, info, policy, sigmas
        )
        return self._once(("labels", task, policy, sigmas), read)

    @property
    def _moves(self) -> tuple[Policy, float | None]:
        """When a difference counts as drift, and how far what the reference does by itself raises the threshold."""
        drift = self.ground.config.drift
        return policy_of(drift), drift.sigmas

    def performance(self, task: Task, positive: str | None) -> Mapping[str, Estimate]:
        """Return how the model did on the reference: a file, or a configured window of the logs."""
        windowed = self.ground.config.reference.window is not None
        chosen = self.chosen if windowed and self.file is None else None
        judge = partial(performance_there, self.ground.connection, task, positive, chosen)
        return self._once(("performance", task, positive), judge)

    def _once(self, what: Hashable, compute: Callable[[], T]) -> T:
        chosen = self.chosen
        whose = chosen and (chosen.values["model"], chosen.values.get("version"))
        key = (what, self.file, whose)  # and not the period: that of a young log changes often
        stretch = ONLY_ALL if chosen is None else chosen.stretch
        sources = (
            rollups.FEATURES,
            rollups.SCORES,
            rollups.SEGMENTS,
            rollups.OUTCOMES,
            CLASS_SCORES,
            RANKS,
            MEASURES,
        )
        return self.ground.reader.value(key, sources, stretch, compute, given=chosen)


def segments_of(ground: Ground, model: Model, roles: Roles) -> Segments:
    """Return what labelled predictions say by segment.

    Args:
        ground: Of the snapshot.
        model: So far.
        roles: Its versions.
    """
    numbers, lattice = ground.numbers, ground.lattice
    mine = {name: numbers[Pair(model.name, name)] for name in model.versions}
    baseline = numbers[roles.baseline.pair] if roles.baseline is not None else None
    found = of_model(
        ground.reader,
        model,
        mine,
        baseline,
        lattice,
        ground.tables.features,
        ground.infos,
        ground.config.segments,
    )
    if model.task == "unknown":
        return found
    search = partial(
        falls_of, ground.connection, mine, lattice, ground.infos, numeric=model.task == "regression"
    )
    stretch = (lattice.first(rollups.SEGMENTS), lattice.end)
    key = ("falls", model.name, model.task, lattice.width_s)
    falls = ground.reader.value(key, (rollups.SEGMENTS,), stretch, search, lattice.start)
    # a version without segments has none because most of its answers have no class
    told = {name: fall for name, fall in falls.items() if found.by_version.get(name)}
    return replace(found, falls=told)


def _events(ground: Ground) -> Mapping[str, frozenset[str]]:
    """Return the classes of the events that requests of each model ever got."""

    def read() -> Mapping[str, frozenset[str]]:
        table = rollups.BUSINESS.table(rollups.BUSINESS.levels[-1])
        rows = ground.connection.execute(f"SELECT model, LIST(DISTINCT class) FROM {table} GROUP BY model")
        return {name or "-": frozenset(classes) for name, classes in rows.fetchall()}

    return ground.reader.value("events", (rollups.BUSINESS,), ALL_TIME, read)


def _kinds(ground: Ground, model: str) -> tuple[str, ...]:
    """Return the kinds of engagement of all time; none for a range that begins before they were followed."""

    def read() -> tuple[str, ...]:
        table = rollups.BUSINESS.table(rollups.BUSINESS.levels[-1])
        rows = ground.connection.execute(
            f"SELECT DISTINCT model, substr(class, {len(KIND) + 1}) FROM {table} WHERE starts_with(class, '{KIND}')"
        ).fetchall()
        return tuple(sorted(kind for name, kind in rows if (name or "-") == model))

    since = ground.fact("kinds since", lambda: meta_value(ground.connection, SINCE))
    if since is not None and ground.lattice.start < datetime.fromisoformat(since):
        return ()
    return ground.reader.value(("kinds", model), (rollups.BUSINESS,), ALL_TIME, read)


def _currency(ground: Ground, model: str) -> str | None:
    """Return what a model's amounts are in; of several currencies all are named, as they are added up.

    Whose requests the events found is looked up again only for other models or currencies, and where there are twice as
    many events.
    """
    several, connection, reader = _events(ground), ground.connection, ground.reader
    if model not in several:
        return None
    said = reader.value("currencies", (rollups.BUSINESS,), ALL_TIME, partial(currencies.said, connection))

    def found() -> currencies.Said:
        doublings = number(connection, "SELECT COUNT(*) FROM events").bit_length()
        look = partial(currencies.found, connection)
        return reader.value("own currencies", (), ALL_TIME, look, given=(several, said, doublings))

    names = currencies.of_model(model, said, found, alone=len(several) == 1)
    return MIXED.join(names or currencies.of_lakes(connection).get(model, ())) or None
