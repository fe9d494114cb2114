"""What was true against what was predicted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.datawidget import DataWidget
from widgets.grid import ASCII_SHADES, SHADES
from widgets.palette import HEAT
from widgets.text import format_number, format_percent, pad, sanitize, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from widgets.drawn import Line, Picture

WIDEST = 14
"""Cells a column takes at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Counts by true and predicted class."""

    labels: tuple[str, ...]
    """One name a class; may come from outside."""
    counts: NDArray[np.int64] | NDArray[np.float64]
    """Shape (k, k): rows are true, columns predicted."""
    of_rows: str = "true"
    """What a row is; may come from outside."""
    of_columns: str = "predicted"


def row_shares(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return every count as a share of its row; NaN in a row without counts. Shape as given."""
    known = np.asarray(counts, dtype=np.float64)
    totals = known.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(totals > 0, known / totals, np.nan))


def draw_confusion(data: Confusion, width: int, height: int, *, ascii_only: bool = False) -> Picture:
    """Return the matrix with counts and shares of the true class where they fit, else as shades.

    A cell has two lines, count and share, where the height allows. Shares are of the row: of what was true.
    """
    if width <= 0 or height <= 0:
        return []
    if not data.labels or not np.nansum(data.counts):
        return [[(sanitize("no labelled answers yet", width, ascii_only=ascii_only), "muted")]]
    size = len(data.labels)
    names = min(max(cell_len(sanitize(label)) for label in data.labels), max(width // 4, 1))
    cells = min((width - names - 1) // size, WIDEST)
    if cells >= 6 and height >= size + 1:
        return _numbers(data, names, cells, (width, height), ascii_only)
    return _shades(data, names, width, height, ascii_only)


def _numbers(data: Confusion, names: int, cells: int, room: tuple[int, int], ascii_only: bool) -> Picture:
    size = len(data.labels)
    width, height = room
    with_caption = height >= size + 2
    lines_a_row = 2 if height >= 2 * size + 1 + with_caption else 1
    shares = row_shares(data.counts)
    lines: Picture = []
    if with_caption:
        down, right = ("v", ">") if ascii_only else ("↓", "→")
        arrows = f"{data.of_rows} {down}  {data.of_columns} {right}"
        lines.append([(pad(arrows, width, ascii_only=ascii_only), "muted")])
    heading = [_centred(label, cells, ascii_only) for label in _named(data.labels, cells, ascii_only)]
    lines.append([(" " * (names + 1), ""), ("".join(heading), "header")])
    for row, label in enumerate(_named(data.labels, names, ascii_only)):
        name = pad(label, names, ascii_only=ascii_only)
        first: Line = [(name + " ", "label")]
        second: Line = [(" " * (names + 1), "")]
        for column in range(size):
            share = float(shares[row, column])
            style = _style(share)
            count = format_number(float(data.counts[row, column]), ascii_only=ascii_only)
            percent = format_percent(share)
            text = count if lines_a_row == 2 or cells < 13 else f"{count} {percent}"
            first.append((_centred(text, cells, ascii_only), style))
            second.append((_centred(percent, cells, ascii_only), style))
        lines += [first, second][:lines_a_row]
    return lines


def _named(labels: Sequence[str], cells: int, ascii_only: bool) -> list[str]:
    """Return the names of classes as they are told apart in so many cells.

    Where they are not by their beginnings, what all begin with gives way first, then the middle.
    """
    names = [sanitize(label, ascii_only=ascii_only) for label in labels]
    if len({pad(name, cells, ascii_only=ascii_only) for name in names}) == len(set(names)):
        return names
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*names, strict=False))
    alike = len(list(columns)) if len(names) > 1 else 0
    mark = "~" if ascii_only else "…"
    short = (mark + name[alike:] if cell_len(name) > cells and alike > 1 else name for name in names)
    return [shorten(name, cells, ascii_only=ascii_only) for name in short]


def _centred(text: str, cells: int, ascii_only: bool) -> str:
    return pad(text, cells, "center", ascii_only=ascii_only)


def _style(share: float) -> str:
    return "muted" if np.isnan(share) else f"text-on-{HEAT[_step(share)]}"


def _step(share: float) -> int:
    return min(int(share * len(HEAT)), len(HEAT) - 1)


def _shades(data: Confusion, names: int, width: int, height: int, ascii_only: bool) -> Picture:
    """Return a cell a count, for many classes; the last line tells how many found no room."""
    size = len(data.labels)
    shown = min(size, width - names - 1 if width > names + 1 else 0, height)
    if shown < size:
        shown = min(shown, height - 1)
    shares = row_shares(data.counts)
    shades = ASCII_SHADES if ascii_only else SHADES
    lines: Picture = []
    labels = _named(data.labels, names, ascii_only)
    for row in range(max(shown, 0)):
        line: Line = [(pad(labels[row], names, ascii_only=ascii_only) + " ", "label")]
        for share in shares[row, :shown].tolist():
            line.append((" ", "") if np.isnan(share) else (shades[_step(share)], HEAT[_step(share)]))
        lines.append(line)
    if shown < size:
        text = f"{size - max(shown, 0)} of {size} classes find no room"
        lines.append([(sanitize(text, width, ascii_only=ascii_only), "muted")])
    return lines


class ConfusionMatrix(DataWidget[Confusion]):
    """A confusion matrix; `update(Confusion(labels, counts))` with counts of shape (k, k), rows true."""

    DEFAULT_CSS = "ConfusionMatrix { height: 1fr; min-height: 2; }"

    def draw(self, width: int, height: int) -> Picture:
        """Return the matrix."""
        return draw_confusion(self.data, width, height, ascii_only=self.ascii_only)
