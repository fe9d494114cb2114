"""Past rollouts: the verdict at each moment, from the same rollups as the verdict of today."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.snapshot.classes import positive_of
from mlwatch.snapshot.randomised import settled
from mlwatch.snapshot.read import lives, requests_since, stored_task
from mlwatch.snapshot.reader import Reader
from mlwatch.snapshot.roles import Roles, assign_roles, rivals_of
from mlwatch.snapshot.rollout import pairing_of, read_inputs, with_mode
from mlwatch.snapshot.rollout_beside import beside
from mlwatch.snapshot.rollout_pairing import Judged
from mlwatch.snapshot.rollout_pairs import timeline as timeline_of
from mlwatch.snapshot.rollout_settings import check_names
from mlwatch.snapshot.withdrawn import habit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.metrics.rollout import RolloutTimeline
    from mlwatch.metrics.rollout_types import RolloutSettings
    from mlwatch.snapshot.build import Question
    from mlwatch.snapshot.rollout_pairing import Pairing


@dataclass(frozen=True, slots=True)
class Subject:
    """One model with its versions as they were known at a moment."""

    judged: Judged
    roles: Roles
    end: datetime
    """Naive UTC, excluded."""


@dataclass(frozen=True, slots=True)
class History:
    """The verdicts on one candidate over time."""

    pairing: Pairing
    settings: RolloutSettings
    timeline: RolloutTimeline
    remarks: tuple[str, ...]
    labels: Mapping[str, str]
    """What the metrics of the timeline are called."""


def subjects(
    connection: DuckDBPyConnection, config: Config, question: Question, until: datetime | None
) -> Iterator[Subject]:
    """Return the models with their versions.

    Args:
        connection: A cursor of this thread.
        config: For `[rollout]` and the task.
        question: Which model and versions.
        until: As it was known at this moment, naive UTC.
    """
    known = [life for life in lives(connection, until) if question.model in {None, life.pair.model}]
    for model in dict.fromkeys(life.pair.model for life in known):
        mine = [life for life in known if life.pair.model == model]
        since = partial(requests_since, connection, model, until=until)
        habit = partial(habit_of, connection, until=until)
        roles = assign_roles(mine, config.rollout, question, since, habit)
        roles = with_mode(connection, roles, config.rollout)
        task = config.roles.task or stored_task(connection, model)
        positive = positive_of(Reader(connection), model, task, config.roles.positive_class)
        judged = Judged(model, task, positive, config.business.currency)
        yield Subject(judged, roles, until or max(life.last for life in mine))


def histories(
    connection: DuckDBPyConnection, config: Config, question: Question, until: datetime | None
) -> list[History]:
    """Return the verdicts over time on each candidate.

    Raises:
        ConfigError: when the configuration names a metric that there is none of, or a value without meaning.
    """
    check_names(config.rollout)
    found = []
    for subject in subjects(connection, config, question, until):
        chosen = _with_ended(connection, subject.roles, config)
        for candidate in (*chosen.candidates, *chosen.withdrawn):
            roles = replace(chosen, candidate=candidate)
            pairing = pairing_of(subject.judged, roles, config.rollout, subject.end)
            if pairing is None:
                continue
            alpha = config.rollout.alpha / chosen.tested
            others = beside(roles, pairing)
            rollout = settled(Reader(connection), pairing.model, config)
            inputs = read_inputs(connection, pairing, rollout, alpha, shadow=roles.shadow, others=others)
            labels = {spec.name: spec.label for spec in inputs.settings.metrics}
            if inputs.pairs is not None:
                labels |= {"accuracy": "paired accuracy", "disagreement": "disagreement"}
                labels |= {"recall": "paired recall"} if inputs.pairs.recall else {}
            found.append(History(pairing, inputs.settings, timeline_of(inputs), inputs.remarks, labels))
    return found


def _with_ended(connection: DuckDBPyConnection, roles: Roles, config: Config) -> Roles:
    """Look back at the newest candidate of all where none gets traffic any more: its rollout is over."""
    if roles.candidates or roles.absent or roles.baseline is None or len(roles.ordered) < 2:
        return roles
    newest, named = roles.ordered[-1], any(roles.named)
    rivals = () if named else rivals_of((roles.baseline,), (newest,))
    ended = replace(roles, candidate=newest, candidates=(newest,), rivals=rivals)
    return with_mode(connection, ended, config.rollout)
