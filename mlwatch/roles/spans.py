"""Start and end of a request, where no column says how long it took: tracing tools export requests so."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from mlwatch.elements import dotted
from mlwatch.roles import guards, looks
from mlwatch.roles.columns import by_record
from mlwatch.roles.names import END_TIMES, START_TIMES, normal
from mlwatch.roles.units import FACTORS
from mlwatch.times import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.roles.choice import Choice
    from mlwatch.roles.types import Column

_OF_REQUESTS = frozenset({"prediction", "score", "status", "error"})
"""Roles of which any tells that what began and ended was a request."""


def take_span(choice: Choice) -> None:
    """Take the time at which requests ended, where their time is that at which they began and none has a latency.

    A start and an end among the inputs of a model may be those of a ride or a stay.
    """
    began = choice.time()
    if began is None or choice.ended is not None or "latency" in choice.roles or "event" in choice.roles:
        return
    if choice.settings.latency is not None or _OF_REQUESTS.isdisjoint(choice.roles):
        return
    ends = [
        one.path
        for one in _ends(choice.pool.values(), began)
        if not choice.is_protected(one) and not guards.is_among_inputs(one, choice.context())
    ]
    if ends:
        choice.ended = min(ends)
        del choice.pool[choice.ended]
        choice.reasons["timestamp"] += f"; the latency is from it to {dotted(choice.ended)}"


def told_unit(choice: Choice, latency: Column) -> tuple[float, str] | None:
    """Return the milliseconds of a latency's unit, and why, as start and end tell them; None where these do not.

    A latency may end a little before or after the end that is logged: the unit is right to a factor of two.
    """
    began = choice.time()
    for end in _ends(choice.columns, began) if began is not None else ():
        ratios = [ms / taken for ms, taken in _pairs(began, end, latency) if taken > 0] if began else []
        for unit, factor in FACTORS.items():
            if ratios and 0.5 < median(ratios) / factor < 2:
                return factor, f", in {unit}, as the time to {dotted(end.path)} tells"
    return None


def _ends(columns: Iterable[Column], began: Column) -> list[Column]:
    """Return the columns of the times at which what began at others ended."""
    if normal(began.path[-1]) not in START_TIMES:
        return []
    return [
        one
        for one in columns
        if one.path[:-1] == began.path[:-1] and normal(one.path[-1]) in END_TIMES and looks.is_time(one)
    ]


def _pairs(began: Column, ended: Column, latency: Column) -> list[tuple[float, float]]:
    """Return the milliseconds from start to end, and the latency, of each sampled record that says all of them."""
    starts, ends, taken = by_record(began), by_record(ended), by_record(latency)
    found = []
    for at in starts.keys() & ends.keys() & taken.keys():
        start, end, number = (
            parse_timestamp(starts[at]),
            parse_timestamp(ends[at]),
            looks.number_of(taken[at]),
        )
        if start is not None and end is not None and number is not None:
            found.append(((end - start).total_seconds() * 1e3, number))
    return found
