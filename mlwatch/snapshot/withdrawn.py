"""Candidates that another one has followed: what they were fails no gate of their successor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.asking import row
from mlwatch.snapshot.read import between
from mlwatch.snapshot.span import floor
from mlwatch.store import rollups
from mlwatch.store.rollup import HOUR, bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.read import Life

STILL = timedelta(hours=1)
"""A version whose last request is so old gets some still."""
LONGER = 1.125
"""A silence is unusual from so many times the longest one that a version came back from: batches are late."""
A_DAY, HALF_A_DAY = timedelta(hours=24), timedelta(hours=12)
"""How long a version must have run for its pauses to be known, and been silent where it did not."""
STRAY = 0.01
"""A version with a smaller share of the requests is none that is rolled out: these are strays."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How a version has run, in hours in which its model had traffic."""

    ran: timedelta
    """The hours in which it had requests."""
    paused: timedelta
    """The longest way from one of them to the next; an hour where there was no pause."""


def habit_of(connection: DuckDBPyConnection, life: Life, until: datetime | None = None) -> Habit:
    """Return how a version has run.

    Args:
        connection: A cursor of this thread.
        life: Of the version.
        until: As in `read.lives`.
    """
    relation, values = rollups.TRAFFIC.table(HOUR), dict[str, object]()
    if until is not None:
        relation, times = between(rollups.TRAFFIC, HOUR, floor(life.first, HOUR), until)
        values |= times
    ran, paused = row(
        connection,
        f"""WITH hours AS (
            SELECT {bucket(HOUR, "bucket")} AS hour, BOOL_OR(COALESCE(NULLIF(version, ''), '-') = $version) AS own
            FROM {relation} WHERE COALESCE(NULLIF(model, ''), '-') = $model GROUP BY hour),
        placed AS (SELECT own, ROW_NUMBER() OVER (ORDER BY hour) AS place FROM hours),
        apart AS (SELECT place - LAG(place) OVER (ORDER BY place) AS pause FROM placed WHERE own)
        SELECT COUNT(*), COALESCE(MAX(pause), 1) FROM apart""",
        {**values, "model": life.pair.model, "version": life.pair.version},
    )
    return Habit(timedelta(hours=ran), timedelta(hours=paused))


def withdrawn(
    candidates: Sequence[Life],
    end: datetime,
    requests_since: Callable[[datetime], Mapping[str, int]],
    habit: Callable[[Life], Habit],
) -> tuple[Life, ...]:
    """Return the candidates that another one has followed: it came after their last request.

    They are silent for longer than they ever were, and chance would have given them a request since. Of what is
    judged together none is withdrawn, however long one is silent: it may run once a night.

    Args:
        candidates: Those that get traffic, as far as anybody can tell.
        end: Of all traffic of the model.
        requests_since: Returns how many requests each version has had since a moment.
        habit: Returns how a version has run.
    """
    return tuple(
        life
        for life in candidates
        if min(end - life.last, life.silent) > STILL
        and any(life.last < other.first and _is_rolled_out(other, requests_since) for other in candidates)
        and _is_passed_over(life, requests_since)
        and _is_unusual(min(end - life.last, life.silent), habit(life))
    )


def _is_rolled_out(life: Life, requests_since: Callable[[datetime], Mapping[str, int]]) -> bool:
    counts = requests_since(life.first)
    return counts.get(life.pair.version, 0) >= STRAY * sum(counts.values())


def _is_passed_over(life: Life, requests_since: Callable[[datetime], Mapping[str, int]]) -> bool:
    """Tell whether chance would have given a version one of the requests that came since its last one."""
    from mlwatch.metrics.rollout_silence import is_passed_over  # noqa: PLC0415  pulls numpy

    others = {**requests_since(life.last), life.pair.version: 0}
    every = sum(requests_since(life.first).values())
    return bool(is_passed_over(life.predictions, sum(others.values()), max(every, 1)))


def _is_unusual(silent: timedelta, habit: Habit) -> bool:
    known = habit.ran >= A_DAY or silent >= HALF_A_DAY
    return known and silent > LONGER * habit.paused
