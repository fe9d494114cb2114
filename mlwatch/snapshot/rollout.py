"""The verdicts on the candidates of a model, from rollups alone, so that late labels and events correct the past.

Baseline and candidate are compared stratum by stratum, from the moment that the candidate appeared up to the end of
the range, whatever part of it is shown. "Now" is the newest event time, not the wall clock: the same store always
gives the same verdict, and a moment of the past gives the verdict of that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.snapshot import rollout_pairs, undecided
from mlwatch.snapshot.pair_counts import count_pairs, without_answers
from mlwatch.snapshot.randomised import REQUESTS
from mlwatch.snapshot.reader import Reader
from mlwatch.snapshot.rollout_beside import beside, with_others
from mlwatch.snapshot.rollout_comeback import comeback
from mlwatch.snapshot.rollout_course import course_of, up_to_now
from mlwatch.snapshot.rollout_limits import DISAGREEMENT
from mlwatch.snapshot.rollout_mix import mix_remarks
from mlwatch.snapshot.rollout_pairing import Judged, Pairing
from mlwatch.snapshot.rollout_past import CLASS_TASKS
from mlwatch.snapshot.rollout_result import held, moment, rollout_of
from mlwatch.snapshot.rollout_series import Inputs, Pairs, read_arms
from mlwatch.snapshot.rollout_settings import check_names, settle, spec
from mlwatch.snapshot.rollout_traffic import has_steps, split_over_time
from mlwatch.snapshot.rollout_units import read_units, remarks_of, with_units

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.roles import Roles
    from mlwatch.snapshot.rollout_course import Course
    from mlwatch.snapshot.rollout_mix import Mixes
    from mlwatch.snapshot.rollout_pairs import Findings
    from mlwatch.snapshot.rollout_units import ByUnit
    from mlwatch.snapshot.types import Rollout

PAIRWISE = "who is right is not judged pair by pair"


@dataclass(frozen=True, slots=True)
class Dear:
    """What gives the dear parts of a verdict: by default a fresh computation, else one that may be a little old."""

    course: Callable[[Inputs], Course | None] = course_of
    """How a rollout came to its verdict; None where that is put off."""
    findings: Findings = lambda _, computed: computed()
    """By rollout, where the answers of a shadow differ."""
    by_unit: ByUnit = lambda _, computed: computed()
    """By rollout, what is known of users, where these are randomised."""
    reading: Callable[[DuckDBPyConnection], Reader] = Reader
    """What reads the sums."""
    mode: Callable[[Hashable, Callable[[], bool]], bool] = lambda _, computed: computed()
    """By versions and minute, whether both answer the same requests."""
    mix: Mixes = lambda _, computed: computed()
    """By rollout, what another mix of traffic hides."""


FRESH = Dear()


def judge(
    connection: DuckDBPyConnection,
    judged: Judged,
    roles: Roles,
    config: Configured,
    end: datetime,
    dear: Dear = FRESH,
) -> tuple[Rollout, ...]:
    """Judge each candidate of a model against its baseline.

    Args:
        connection: A cursor of this thread.
        judged: The model; its task decides whether accuracy or the absolute error is judged.
        roles: Which version is which; several candidates share the error budget.
        config: The `[rollout]` of the configuration.
        end: Judge what is known of event times before this, naive UTC.
        dear: Gives the dear parts, by computing them or from memory.

    Returns:
        A verdict a candidate, the newest first; none where the model has a single version and none was named.

    Raises:
        ConfigError: when the configuration names a metric that there is none of, or a value without meaning.
    """
    check_names(config)
    if roles.absent:
        return (held(judged.model, roles, config, "no_data", _absent(roles)),)
    if roles.same and roles.candidate is not None:
        text = f"baseline and candidate are both {roles.candidate.pair.version}: name two versions"
        return (held(judged.model, roles, config, "no_data", (text,)),)
    if roles.baseline is None or not roles.candidates:
        return ()
    share = config.alpha / roles.tested
    return tuple(
        _judge_one(connection, judged, replace(roles, candidate=candidate), config, end, share, dear)
        for candidate in roles.candidates
    )


def with_mode(connection: DuckDBPyConnection, roles: Roles, config: Configured, dear: Dear = FRESH) -> Roles:
    """Recognise shadows by their requests, each version by its own, unless the configuration says what they are.

    A shadow that has ended while a candidate ran matters too: it took no share of the traffic.
    """
    old = roles.baseline
    if config.mode is not None or old is None or not roles.candidates:
        return roles
    came = min(life.first for life in (*roles.candidates, *roles.withdrawn))

    def answers_the_same(new: Life) -> bool:
        who = (old.pair, new.pair, *(_minute(life.last) for life in (old, new)))
        return dear.mode(who, partial(rollout_pairs.is_shadow, connection, old, new))

    others = [life for life in roles.ordered if life is not old and life.last >= came]
    return replace(roles, shadows=frozenset(life.pair for life in others if answers_the_same(life)))


def _judge_one(
    connection: DuckDBPyConnection,
    judged: Judged,
    roles: Roles,
    config: Configured,
    end: datetime,
    alpha: float,
    dear: Dear,
) -> Rollout:
    pairing = pairing_of(judged, roles, config, end)
    if pairing is None:
        when = f"{moment(config.start):%Y-%m-%d %H:%M} UTC" if config.start else "later"
        why = f"the rollout starts at {when}, after the newest data"
        return held(judged.model, roles, config, "no_data", (why,))
    others = beside(roles, pairing)
    inputs = read_inputs(connection, pairing, config, alpha, shadow=roles.shadow, others=others, dear=dear)
    now = int(end.replace(tzinfo=UTC).timestamp() // 60)
    if roles.shadow:
        found = rollout_pairs.judge(connection, inputs, now, dear.findings)
    else:
        verdict = rollout_verdict(inputs.arms.baseline, inputs.arms.candidate, inputs.settings, now)
        who = (pairing.model, pairing.baseline, pairing.candidate)
        mixed = dear.mix(who, partial(mix_remarks, connection, inputs))
        came_back = comeback(inputs.arms, pairing.candidate)
        remarks = (*_one_after_the_other(roles), *came_back, *mixed, *inputs.remarks)
        found = rollout_of(judged.model, verdict, pairing.start, remarks)
        steps, lately = split_over_time(inputs.arms, found)
        found = replace(found, steps=steps, traffic_lately=lately)
    found = replace(found, reasons=(*found.reasons, *_withdrawn(roles)))
    course = dear.course(inputs)
    return (
        found if course is None else replace(found, course=up_to_now(course, found, end.replace(tzinfo=UTC)))
    )


def _one_after_the_other(roles: Roles) -> tuple[str, ...]:
    """Say when the baseline ended before the candidate came."""
    old, new = roles.baseline, roles.candidate
    if old is None or new is None or old.last >= new.first:
        return ()
    last, first = (f"{moment:%Y-%m-%d %H:%M}" for moment in (old.last, new.first))
    said = f"the last request of {old.pair.version} was at {last}, the first of {new.pair.version} at {first} UTC"
    return (f"{said}: they ran one after the other, or their clocks differ",)


def _withdrawn(roles: Roles) -> tuple[str, ...]:
    """Say which older candidates are not judged any more."""
    return tuple(
        f"{life.pair.version} is judged no more: its last request was at {life.last:%Y-%m-%d %H:%M} UTC"
        for life in roles.withdrawn
    )


def _absent(roles: Roles) -> tuple[str, ...]:
    known = ", ".join(life.pair.version for life in roles.ordered) or "none"
    return tuple(f"version {name} has no traffic; the logs know {known}" for name in roles.absent)


def pairing_of(judged: Judged, roles: Roles, config: Configured, end: datetime) -> Pairing | None:
    """Return which versions are compared since when; None where the rollout begins after `end`."""
    if roles.baseline is None or roles.candidate is None:
        return None
    start = _minute(roles.candidate.first)
    if config.start is not None:
        start = max(start, moment(config.start))
    if start >= end:
        return None
    old, new = (life.pair.version for life in (roles.baseline, roles.candidate))
    return Pairing(judged, old, new, start, end, rivals=roles.rivals)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def read_inputs(
    connection: DuckDBPyConnection,
    pairing: Pairing,
    config: Configured,
    alpha: float,
    *,
    shadow: bool = False,
    others: tuple[str, ...] = (),
    dear: Dear = FRESH,
) -> Inputs:
    """Read the arms and settle how they are judged.

    Args:
        connection: A cursor of this thread.
        pairing: The versions and the time.
        config: The `[rollout]` of the configuration.
        alpha: Error budget of this candidate.
        shadow: Both versions answer the same requests: who is right is judged pair by pair, not here.
        others: Further versions that share the traffic.
        dear: Gives the dear parts, by computing them or from memory.

    Raises:
        ConfigError: when a value of the configuration has no meaning.
    """
    reader = dear.reading(connection)
    arms = read_arms(reader, pairing)
    if shadow:
        return _of_pairs(
            connection, reader, settle(reader, pairing, config, arms, alpha, shadow=True), config
        )
    inputs = settle(reader, pairing, config, with_others(reader, pairing, arms, others), alpha)
    if config.unit in REQUESTS:
        return inputs
    return _of_units(connection, inputs, str(config.unit), others, dear.by_unit)


def _of_pairs(connection: DuckDBPyConnection, reader: Reader, inputs: Inputs, config: Configured) -> Inputs:
    """Let the pairs of answers to the same requests say who is right."""
    pairing = inputs.pairing
    counted = count_pairs(connection, pairing, classes=pairing.task in CLASS_TASKS)
    if undecided.is_most(counted.undecided, counted.counts.pairs):
        counted = without_answers(counted)
        remark = f"{PAIRWISE}, because {inputs.arms.undecided or undecided.NO_PREDICTION}"
        unknown = replace(pairing, judged=Judged(pairing.model, "unknown"))
        inputs = replace(inputs, pairing=unknown, remarks=(*inputs.remarks, remark))
    if config.unit not in REQUESTS:
        remark = f"pairs of one {config.unit} resemble each other, and are judged as if they did not"
        inputs = replace(inputs, remarks=(*inputs.remarks, remark))
    accuracy = spec(reader, config, pairing, "accuracy", {})
    return rollout_pairs.by_pairs(inputs, Pairs(counted, accuracy, config.limits.get(DISAGREEMENT)))


def _of_units(
    connection: DuckDBPyConnection, inputs: Inputs, unit: str, others: tuple[str, ...], by_unit: ByUnit
) -> Inputs:
    """Let users (or what else is randomised) say how wide the intervals are, and count them for the split."""
    pairing, settings = inputs.pairing, inputs.settings
    who = (pairing.model, pairing.baseline, pairing.candidate)
    units = by_unit(who, partial(read_units, connection, pairing, settings.metrics, unit, others))
    ramp = isinstance(settings.share, tuple) or has_steps(inputs.arms)
    remarks = remarks_of(unit, units, f"both {pairing.baseline} and {pairing.candidate}", ramp=ramp)
    return replace(
        inputs,
        arms=with_units(inputs.arms, units),
        settings=replace(settings, unit=unit, design=units.design),
        remarks=(*inputs.remarks, *remarks),
    )
