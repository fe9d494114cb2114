"""Scales between data and cells, and the lines that say what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from widgets.ticks import nice_ticks, number_labels, time_ticks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from widgets.drawn import Line, Picture


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps data between two limits to positions from 0 to 1."""

    low: float
    high: float

    def share(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions of values, shape as given."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray((values - self.low) / ((self.high - self.low) or 1.0))


def value_limits(
    arrays: Iterable[NDArray[np.float64]], low: float | None = None, high: float | None = None
) -> Scale:
    """Return limits around all finite values, with a little air that does not cross zero.

    Args:
        arrays: Values, any shapes.
        low: Lower limit, taken as it is.
        high: Upper limit, taken as it is.
    """
    finite = [array[np.isfinite(array)] for array in arrays]
    known = [array for array in finite if array.size]
    least = min((float(array.min()) for array in known), default=0.0)
    most = max((float(array.max()) for array in known), default=1.0)
    air = (most - least) * 0.06 or abs(most) * 0.1 or 1.0
    bottom = low if low is not None else max(least - air, 0.0) if least >= 0 else least - air
    top = high if high is not None else min(most + air, 0.0) if least < 0 >= most else most + air
    if not top > bottom:
        top, bottom = max(top, bottom) + air, min(top, bottom) - air
    return Scale(bottom, top)


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """Labels left of a plot."""

    labels: dict[int, str]
    """Text by line of the plot, from the top."""
    width: int
    """Cells the labels take, with the axis; 0 where there is none."""


def value_axis(scale: Scale, unit: str, width: int, height: int, *, ascii_only: bool = False) -> ValueAxis:
    """Return the labels of a plot of `height` lines in a picture of `width` cells."""
    if height < 1 or width < 16:
        return ValueAxis({}, 0)
    ticks = nice_ticks(scale.low, scale.high, max(min(height // 3 + 1, 8), 1))
    texts = number_labels(ticks, unit, ascii_only=ascii_only)
    shares = scale.share(np.asarray(ticks, dtype=np.float64))
    labels = {line_of(float(share), height): text for share, text in zip(shares, texts, strict=True)}
    longest = max((len(text) for text in labels.values()), default=0)
    if not longest or longest + 2 > width // 2:
        return ValueAxis({}, 0)
    return ValueAxis(labels, longest + 2)


def line_of(share: float, height: int) -> int:
    """Return the line, from the top, of a position from 0 at the bottom to 1 at the top."""
    return min(
        max(round((4 * height - 1) * (1 - share)) // 4, 0), height - 1
    )  # as the dots of a braille cell


def gutter(axis: ValueAxis, line: int, *, ascii_only: bool = False) -> Line:
    """Return what stands left of one line of a plot."""
    if not axis.width:
        return []
    label = axis.labels.get(line, "")
    tick, bar = ("+", "|") if ascii_only else ("┤", "│")
    return [(label.rjust(axis.width - 2) + " ", "muted"), (tick if label else bar, "edge")]


def time_axis(
    times: Scale, width: int, left: int, zone: tzinfo, *, ascii_only: bool = False
) -> tuple[Line, Line, list[int]]:
    """Return the axis below a plot, the labels below that, and the columns of the ticks.

    Args:
        times: Limits, seconds since 1970-01-01 UTC.
        width: Cells of the plot.
        left: Cells left of it.
        zone: Whose clock the labels show.
        ascii_only: Whether to draw with ASCII characters only.
    """
    ticks = time_ticks(times.low, times.high, max(width // 10, 1), zone)
    rule, tick, corner = ("-", "+", "+") if ascii_only else ("─", "┬", "└")
    line, labels = [rule] * width, [" "] * (left + width)
    columns, free = [], 0
    for at, text in ticks:
        column = column_of(times, at, width)
        start = min(max(left + column - len(text) // 2, 0), left + width - len(text))
        if start < free:
            continue
        line[column] = tick
        columns.append(column)
        labels[start : start + len(text)] = text
        free = start + len(text) + 2
    head = " " * (left - 1) + corner if left else ""
    return [(head + "".join(line), "edge")], [("".join(labels), "muted")], columns


def column_of(times: Scale, at: float, width: int) -> int:
    """Return the column of cells in which a time lies, kept inside the plot."""
    share = (at - times.low) / ((times.high - times.low) or 1.0)
    return min(max(int(share * width), 0), width - 1)


def time_of(times: Scale, column: float, width: int) -> float:
    """Return the time in the middle of a column of cells."""
    return times.low + (times.high - times.low) * (column + 0.5) / max(width, 1)


def number_axis(
    scale: Scale,
    width: int,
    left: int,
    unit: str = "",
    *,
    marks: Sequence[tuple[float, str]] = (),
    corner: bool = False,
    ascii_only: bool = False,
) -> Picture:
    """Return an axis of numbers below a plot, and the labels below that.

    Args:
        scale: Limits of the plot.
        width: Cells of the plot.
        left: Cells left of it.
        unit: Unit of the labels; `%` takes the numbers as shares of one.
        marks: Positions with their labels, in place of round numbers; what is off the plot is left out.
        corner: Whether it meets an upright axis.
        ascii_only: Whether to draw with ASCII characters only.
    """
    if marks:
        shown = [(at, text) for at, text in marks if scale.low <= at <= scale.high]
        ticks, texts = [at for at, _ in shown], [text for _, text in shown]
    else:
        ticks = nice_ticks(scale.low, scale.high, max(width // 7, 4))
        texts = number_labels(ticks, unit, ascii_only=ascii_only)
    rule, tick = ("-", "+") if ascii_only else ("─", "┬")
    line, labels = [rule] * width, [" "] * (left + width)
    free = 0
    for share, text in zip(scale.share(np.asarray(ticks, dtype=np.float64)).tolist(), texts, strict=True):
        column = min(max(int(share * width), 0), width - 1)
        start = min(max(left + column - len(text) // 2, 0), left + width - len(text))
        if start < free:
            continue
        line[column] = tick
        labels[start : start + len(text)] = text
        free = start + len(text) + 2
    head = " " * left
    if corner and left:
        head = head[:-1] + ("+" if ascii_only else "└")
    return [[(head + "".join(line), "edge")], [("".join(labels), "muted")]]
