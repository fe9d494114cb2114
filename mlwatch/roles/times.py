"""Which column is the time, where its name does not say it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import looks
from mlwatch.roles.clocks import clock_beside
from mlwatch.roles.names import CHANGE_TIMES, CREATION_TIMES, normal

if TYPE_CHECKING:
    from mlwatch.roles.choice import Choice


def take_only_time(choice: Choice) -> None:
    """Take the only column of written times for the time, whatever it is called."""
    if "timestamp" in choice.roles or choice.settings.timestamp is not None or not choice.roles:
        return
    times = [
        column
        for column in choice.pool.values()
        if column.kinds - {"null"} == {"text"} and not choice.is_protected(column)
        if looks.is_written_time(column)
    ]
    if len(times) == 1:
        choice.take("timestamp", times[0], "the only column of times")


def prefer_time_of_change(choice: Choice) -> None:
    """Take the time of a row's latest version in tables of outcomes: a corrected label was created before it."""
    created = choice.time()
    if created is None or "label" not in choice.roles or {"prediction", "score"} & choice.roles.keys():
        return
    if choice.settings.timestamp is not None or normal(created.path[-1]) not in CREATION_TIMES:
        return
    changed = [
        one.path
        for one in choice.pool.values()
        if one.path[:-1] == created.path[:-1] and normal(one.path[-1]) in CHANGE_TIMES
        if not choice.is_protected(one) and (looks.is_time(one) or one.kinds <= {"null"})
    ]
    if changed:
        choice.take(
            "timestamp", choice.pool[min(changed)], f"named {dotted(min(changed))}, of the latest version"
        )
        choice.others["timestamp"] = [created.path, *choice.others.get("timestamp", ())]
        choice.reasons["timestamp"] += f", and {dotted(created.path)} in records without it"


def take_clock(choice: Choice) -> None:
    """Take the time of day from a column of its own, where the time is only a date."""
    date = choice.time() if choice.clock is None else None
    pool = (column for column in choice.pool.values() if not choice.is_protected(column))
    clock = clock_beside(date, pool) if date is not None else None
    if clock is not None:
        del choice.pool[clock.path]
        choice.clock = clock.path
        choice.reasons["timestamp"] += f", with the time of day of {dotted(clock.path)}"
