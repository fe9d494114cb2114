"""Two distributions on one another: numbers as bars upwards, categories as bars to the right."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from widgets.datawidget import DataWidget
from widgets.sparkline import EIGHTHS
from widgets.text import format_number, format_percent, pad, sanitize
from widgets.ticks import number_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from widgets.drawn import Line, Picture

    Floats = NDArray[np.float64]

PARTS = ("both", "reference", "current")
_TEXTURES = dict(zip(PARTS, "█░▒", strict=True))
_ASCII_TEXTURES = dict(zip(PARTS, "#.+", strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Two histograms over the same bins; make it with `Bins.of`."""

    edges: Floats
    """Edges of the bins, increasing, shape (k + 1,); the outer ones may be infinite."""
    reference: Floats
    """Count or weight a bin, shape (k,)."""
    current: Floats
    """The same for what is compared."""
    unit: str = ""
    """Unit of the edges."""
    names: tuple[str, str] = ("reference", "current")
    """What the two are called."""

    @classmethod
    def of(
        cls,
        edges: ArrayLike,
        reference: ArrayLike,
        current: ArrayLike,
        unit: str = "",
        names: tuple[str, str] = ("reference", "current"),
    ) -> Bins:
        """Return bins of anything that numpy takes.

        Raises:
            ValueError: The shapes do not fit.
        """
        arrays = [np.asarray(part, dtype=np.float64).ravel() for part in (edges, reference, current)]
        if arrays[1].shape != arrays[2].shape or arrays[0].size != arrays[1].size + (arrays[1].size > 0):
            raise ValueError(f"edges, reference and current have shapes {[part.shape for part in arrays]}")
        return cls(arrays[0], arrays[1], arrays[2], unit, names)


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """Two distributions over the same categories."""

    labels: tuple[str, ...]
    """One name a category; may come from outside."""
    reference: Floats
    """Count or weight a category, shape (k,)."""
    current: Floats
    """The same for what is compared."""
    names: tuple[str, str] = ("reference", "current")
    """What the two are called."""


def shares(counts: Floats) -> Floats:
    """Return counts as shares of their sum; zeros where there is nothing. Shape as given."""
    known = np.where(np.isfinite(counts) & (counts > 0), counts, 0.0)
    total = known.sum()
    return np.asarray(known / total) if total > 0 else known


def draw_bins(
    bins: Bins, width: int, height: int, *, ascii_only: bool = False, textured: bool = False
) -> Picture:
    """Return two histograms as lines: legend, bars, edges of the bins.

    Args:
        bins: What is drawn; more bins than cells are drawn together.
        width: Cells.
        height: Lines.
        ascii_only: Whether to draw with ASCII characters only.
        textured: Whether to tell the parts by texture instead of colour.
    """
    if width <= 0 or height <= 0:
        return []
    reference, current = shares(bins.reference), shares(bins.current)
    if not (reference.sum() or current.sum()):
        return [[(sanitize("no values yet", width, ascii_only=ascii_only), "muted")]]
    lines = (
        [_legend(bins.names, (bins.reference, bins.current), width, ascii_only, textured)]
        if height >= 4
        else []
    )
    with_axis = height >= 3
    rows = height - len(lines) - with_axis
    group = ceil(reference.size / width)
    heights = [_grouped(part, group) for part in (reference, current)]
    behind = np.arange(width) * heights[0].size // width  # which bin a cell shows
    top = max(float(part.max()) for part in heights)
    scaled = [part[behind] / top * rows * 8 for part in heights]
    lines += _bars(scaled[0], scaled[1], rows, ascii_only, textured)
    if with_axis:
        lines.append(_edge_labels(bins, group, width, ascii_only))
    return lines


def _grouped(values: Floats, group: int) -> Floats:
    return np.add.reduceat(values, np.arange(0, values.size, group))


def _bars(reference: Floats, current: Floats, rows: int, ascii_only: bool, textured: bool) -> Picture:
    lines: Picture = []
    for row in range(rows):
        floor = 8.0 * (rows - 1 - row)
        line: Line = []
        for low, high in zip(reference.tolist(), current.tolist(), strict=True):
            piece = _cell(low - floor, high - floor, ascii_only, textured)
            if line and line[-1][1] == piece[1]:
                line[-1] = (line[-1][0] + piece[0], piece[1])
            else:
                line.append(piece)
        lines.append(line)
    return lines


def _cell(reference: float, current: float, ascii_only: bool, textured: bool) -> tuple[str, str]:
    """Return one cell of two bars that reach so many eighths above its floor."""
    shared, most = min(reference, current), max(reference, current)
    larger = "reference" if reference > current else "current"
    if ascii_only or textured:
        part = "both" if shared >= 4 else larger
        return ((_ASCII_TEXTURES if ascii_only else _TEXTURES)[part], part) if most >= 4 else (" ", "")
    return _blocks(min(max(round(shared), 0), 8), min(max(round(most), 0), 8), larger)


def _blocks(low: int, high: int, larger: str) -> tuple[str, str]:
    """Return one cell that both fill to `low` eighths and the larger bar to `high`."""
    if low >= 8 or high <= 0:
        return ("█", "both") if low >= 8 else (" ", "")
    if low > 0 and high >= 8:
        return EIGHTHS[low - 1], f"both on-{larger}"
    # where both end in this cell, it holds one colour: that of the larger part
    return EIGHTHS[high - 1], "both" if 2 * low >= high else larger


def _legend(
    names: tuple[str, str], counts: tuple[Floats, Floats], width: int, ascii_only: bool, textured: bool
) -> Line:
    glyphs = _ASCII_TEXTURES if ascii_only else _TEXTURES if textured else dict.fromkeys(PARTS, "█")
    named = [sanitize(name, 24, ascii_only=ascii_only) for name in names]
    totals = [format_number(float(np.nansum(values)), ascii_only=ascii_only) for values in counts]
    full = [f"{name} n {total}" for name, total in zip(named, totals, strict=True)]
    # where not all finds room, the counts go first
    texts = next(
        (texts for texts in ([*full, "both"], [*named, "both"]) if _legend_width(texts) <= width), named
    )
    line: Line = []
    for part, text in zip(("reference", "current", "both"), texts, strict=False):
        line += [(("   " if line else "") + glyphs[part], part), (" " + text, "label")]
    return line if _legend_width(texts) <= width else []


def _legend_width(texts: list[str]) -> int:
    return sum(cell_len(text) + 2 for text in texts) + 3 * (len(texts) - 1)


def _edge_labels(bins: Bins, group: int, width: int, ascii_only: bool) -> Line:
    """Return as many edges of bins as fit below the bars."""
    known = [float(edge) for edge in bins.edges if np.isfinite(edge)]
    texts = dict(zip(known, number_labels(known, bins.unit, ascii_only=ascii_only), strict=True))
    infinite = "inf" if ascii_only else "∞"
    minus = "-" if ascii_only else "−"
    cells_of_labels = [" "] * width
    free = 0
    last = bins.edges.size - 1
    bars = ceil(last / group)
    for at in [*range(0, last, group), last]:
        edge = float(bins.edges[at])
        text = texts.get(edge) or (minus if edge < 0 else "") + infinite
        column = ceil(ceil(at / group) * width / bars)  # the first cell of the bin after this edge
        start = min(max(column - len(text) // 2, 0), width - len(text))
        if start >= free:
            cells_of_labels[start : start + len(text)] = text
            free = start + len(text) + 2
    return [("".join(cells_of_labels), "muted")]


def draw_categories(
    data: Categories, width: int, height: int, *, ascii_only: bool = False, textured: bool = False
) -> Picture:
    """Return a line a category: name, bars on one another, both shares; the last tells how many are left out."""
    if width <= 0 or height <= 0:
        return []
    reference, current = shares(data.reference), shares(data.current)
    if not data.labels or not (reference.sum() or current.sum()):
        return [[(sanitize("no values yet", width, ascii_only=ascii_only), "muted")]]
    lines = (
        [_legend(data.names, (data.reference, data.current), width, ascii_only, textured)]
        if height >= 4
        else []
    )
    room = height - len(lines)
    shown = len(data.labels) if len(data.labels) <= room else room - 1
    names = min(max(cell_len(sanitize(label)) for label in data.labels), max(width // 3, 1))
    figures = 20 if width >= 50 else 0
    bars = max(width - names - 1 - figures, 0)
    top = max(float(reference.max()), float(current.max()))
    for label, low, high in list(zip(data.labels, reference.tolist(), current.tolist(), strict=True))[:shown]:
        line: Line = [
            (pad(sanitize(label, ascii_only=ascii_only), names, ascii_only=ascii_only) + " ", "label")
        ]
        line += _across(low / top * bars, high / top * bars, bars, ascii_only, textured)
        if figures:
            arrow = "->" if ascii_only else "→"
            text = f"{format_percent(low)} {arrow} {format_percent(high)}"
            line.append((text.rjust(figures), "muted"))
        lines.append(line)
    if shown < len(data.labels):
        lines.append([(sanitize(f"{len(data.labels) - shown} more", width, ascii_only=ascii_only), "muted")])
    return lines


def _across(reference: float, current: float, width: int, ascii_only: bool, textured: bool) -> Line:
    glyphs = _ASCII_TEXTURES if ascii_only else _TEXTURES if textured else dict.fromkeys(PARTS, "■")
    shared, most = round(min(reference, current)), round(max(reference, current))
    larger = "reference" if reference > current else "current"
    # what is there is seen: a share above nought takes a cell at least
    most = max(most, 1) if max(reference, current) > 0 else 0
    pieces = [
        (glyphs["both"] * shared, "both"),
        (glyphs[larger] * (most - shared), larger),
        (" " * (width - most), ""),
    ]
    return [piece for piece in pieces if piece[0]]


class HistogramPair(DataWidget[Bins]):
    """Two histograms over the same bins; `update(Bins.of(edges, reference, current))`."""

    DEFAULT_CSS = "HistogramPair { height: 1fr; min-height: 2; }"

    def draw(self, width: int, height: int) -> Picture:
        """Return the histograms."""
        return draw_bins(self.data, width, height, ascii_only=self.ascii_only, textured=self.monochrome)


class CategoryPair(DataWidget[Categories]):
    """Two distributions over the same categories; `update(Categories(labels, reference, current))`."""

    DEFAULT_CSS = "CategoryPair { height: 1fr; min-height: 2; }"

    def draw(self, width: int, height: int) -> Picture:
        """Return the distributions."""
        return draw_categories(self.data, width, height, ascii_only=self.ascii_only, textured=self.monochrome)
