"""One number, large: with its unit, interval, change and trend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from textual.renderables.digits import DIGITS, DIGITS3X3_BOLD

from widgets.drawn import Drawn, Line, Picture
from widgets.sparkline import columns
from widgets.text import pad, sanitize, truncate

if TYPE_CHECKING:
    from collections.abc import Iterable

Direction = Literal["up", "down", "flat"]
Judgement = Literal["good", "bad", "unclear", ""]

_ARROWS = {"up": "▲", "down": "▼", "flat": "="}
_ASCII_ARROWS = {"up": "^", "down": "v", "flat": "="}
_WORDS = {"good": "better", "bad": "worse", "unclear": "unclear", "": ""}
_STYLES = {"good": "good", "bad": "bad", "unclear": "warn", "": "label"}


@dataclass(frozen=True, slots=True)
class Delta:
    """A change and what it means."""

    text: str
    """The change in words, with unit: `+0.3 pt`."""
    direction: Direction = "flat"
    """Where the number went."""
    judgement: Judgement = ""
    """Whether that is good; written as a word too."""


@dataclass(frozen=True, slots=True)
class Figure:
    """All that a big number shows; every text may come from outside."""

    label: str
    """What is counted or measured."""
    value: str = "n/a"
    """The number as text."""
    unit: str = ""
    """Unit of the value."""
    interval: str = ""
    """Interval or another remark, below the value."""
    delta: Delta | None = None
    """Change against something else."""
    trend: tuple[float | None, ...] = ()
    """One number a step, oldest first; None and NaN are gaps."""


def draw_figure(figure: Figure, width: int, height: int, *, ascii_only: bool = False) -> Picture:
    """Return a figure as lines: label, value and change, interval, trend; less where there is less room.

    From six lines on, a value whose digits fit is drawn three lines high.
    """
    if width <= 0 or height <= 0:
        return []
    if height == 1:
        return [_one_line(figure, width, ascii_only)]
    body = _value_lines(figure, width, height, ascii_only)
    lines: Picture = [[(sanitize(figure.label, width, ascii_only=ascii_only), "muted")], *body]
    if figure.interval:
        lines.append([(sanitize(figure.interval, width, ascii_only=ascii_only), "muted")])
    left = height - len(lines)
    if figure.trend and left > 0:
        drawn = columns(figure.trend, width, min(left, 3), ascii_only=ascii_only)
        lines += [[(line, "accent")] for line in drawn]
    return lines[:height]


def big_digits(text: str) -> list[str]:
    """Return a number as three lines of box-drawing digits; other characters stand on the last line."""
    rows = ["", "", ""]
    for char in text.replace("−", "-"):
        at = DIGITS.find(char)
        parts = (
            (" ", " ", char) if at < 0 else [part.ljust(3) for part in DIGITS3X3_BOLD[3 * at : 3 * at + 3]]
        )
        rows = [row + part for row, part in zip(rows, parts, strict=True)]
    return rows


def _one_line(figure: Figure, width: int, ascii_only: bool) -> Line:
    value = _joined(figure, ascii_only)
    room = width - cell_len(value) - 1
    if room < 1:
        return [(truncate(value, width, ascii_only=ascii_only), "strong")]
    label = sanitize(figure.label, ascii_only=ascii_only)
    change = _change(figure.delta, max(room - cell_len(label), room // 4), ascii_only)
    taken = sum(cell_len(text) for text, _ in change)
    label = pad(label, room - taken, ascii_only=ascii_only)
    return [(label + " ", "muted"), (value, "strong"), *change]


def _value_lines(figure: Figure, width: int, height: int, ascii_only: bool) -> Picture:
    value, _, prefix = sanitize(figure.value, ascii_only=ascii_only).partition(" ")
    unit = " ".join(part for part in (prefix, sanitize(figure.unit, ascii_only=ascii_only)) if part)
    rows = big_digits(value)
    beside = f" {unit}" if unit else ""
    if height >= 6 and not ascii_only and cell_len(rows[0]) + cell_len(beside) <= width and _is_number(value):
        lines: Picture = [[(row, "strong")] for row in rows]
        lines[-1].append((beside, "muted"))
        change = _change(figure.delta, width, ascii_only)
        return [*lines, [(text.lstrip(), style) for text, style in change]] if change else lines
    text = truncate(_joined(figure, ascii_only), width, ascii_only=ascii_only)
    change = _change(figure.delta, width - cell_len(text), ascii_only)
    return [[(text, "strong"), *change]]


def _is_number(text: str) -> bool:
    return any(char.isdigit() for char in text)


def _joined(figure: Figure, ascii_only: bool) -> str:
    return sanitize(f"{figure.value} {figure.unit}".rstrip(), ascii_only=ascii_only)


def _change(delta: Delta | None, room: int, ascii_only: bool) -> Line:
    """Return the change with its arrow, without the words where these do not fit, or nothing."""
    if delta is None:
        return []
    arrow = (_ASCII_ARROWS if ascii_only else _ARROWS)[delta.direction]
    text = f"{arrow} {sanitize(delta.text, ascii_only=ascii_only)}"
    word = _WORDS[delta.judgement]
    full = f"{text} {word}" if word else text
    fitting = next((part for part in (full, text, arrow) if cell_len(part) + 2 <= room), "")
    return [("  " + fitting, _STYLES[delta.judgement])] if fitting else []


class BigNumber(Drawn):
    """A figure in one line or more: label, value, change, interval, trend."""

    DEFAULT_CSS = "BigNumber { height: 4; }"

    def __init__(
        self,
        figure: Figure,
        *,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - the name Textual gives it
        classes: str | None = None,
    ) -> None:
        super().__init__(ascii_only=ascii_only, name=name, id=id, classes=classes)
        self._figure = figure

    @property
    def figure(self) -> Figure:
        """What is shown."""
        return self._figure

    def update(self, figure: Figure) -> None:
        """Show another figure; repaints only if it differs."""
        if repr(figure) != repr(self._figure):  # as text, because NaN differs from itself
            self._figure = figure
            self.redraw()

    def draw(self, width: int, height: int) -> Picture:
        """Return the figure."""
        return draw_figure(self._figure, width, height, ascii_only=self.ascii_only)


def trend_of(values: Iterable[float | None]) -> tuple[float | None, ...]:
    """Return numbers as the trend of a figure."""
    return tuple(None if value is None else float(value) for value in values)
