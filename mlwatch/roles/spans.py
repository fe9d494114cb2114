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
    from collections.abc import Collection, Iterable

    from mlwatch.roles.choice import Choice
    from mlwatch.roles.types import Column

_OF_REQUESTS = frozenset({"prediction", "score", "status", "error"})
"""Roles of which any tells that what began and ended was a request."""
_LONGEST = 600_000.0
"""Milliseconds: half of the requests to a model are answered before. Stays and periods of forecasts take longer."""


def take_span(choice: Choice) -> None:
    """Take the time at which requests ended, where their time is that at which they began and none has a latency.

    A start and an end among the inputs of a model may be those of a ride or a stay, and so may be long ones anywhere.
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
        if _are_requests(_spans(began, one).values())
    ]
    if ends:
        choice.ended = min(ends)
        del choice.pool[choice.ended]
        choice.reasons["timestamp"] += f"; the latency is from it to {dotted(choice.ended)}"


def _are_requests(spans: Collection[float]) -> bool:
    """Tell whether milliseconds from start to end can be those of requests: windows all have the same length.

    The two are asked of what is known: where no record says both, nothing speaks against it.
    """
    alike = len(spans) >= looks.ENOUGH and len({round(ms, 2) for ms in spans}) == 1
    return not spans or (median(spans) <= _LONGEST and not alike)


def told_unit(choice: Choice, latency: Column) -> tuple[float, str] | None:
    """Return the milliseconds of a latency's unit, and why, as start and end tell them; None where these do not.

    A latency may end a little before or after the end that is logged: the unit is right to a factor of two.
    """
    began = choice.time()
    if began is None:
        return None
    numbers = {at: looks.number_of(sample) for at, sample in by_record(latency).items()}
    for end in _ends(choice.columns, began):
        spans = _spans(began, end)
        ratios = [spans[at] / taken for at, taken in numbers.items() if taken and taken > 0 and at in spans]
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


def _spans(began: Column, ended: Column) -> dict[int, float]:
    """Return the milliseconds from start to end by the bit of each sampled record that says both."""
    starts, ends = by_record(began), by_record(ended)
    found = {}
    for at in starts.keys() & ends.keys():
        start, end = parse_timestamp(starts[at]), parse_timestamp(ends[at])
        if start is not None and end is not None:
            found[at] = (end - start).total_seconds() * 1e3
    return found
