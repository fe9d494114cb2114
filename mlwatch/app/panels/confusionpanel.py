"""Confusion matrices of baseline and candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from mlwatch.app.drawing import Piece, cell, clean, fit, line
from mlwatch.app.panels.base import Panel
from mlwatch.app.units import show_count

if TYPE_CHECKING:
    from textual.geometry import Size

    from mlwatch.app.glyphs import Glyphs
    from mlwatch.app.view import View
    from mlwatch.snapshot.types import ConfusionTable


@dataclass(frozen=True, slots=True)
class Matrix:
    """One version's table, already sanitized."""

    version: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    style: str


@dataclass(frozen=True, slots=True)
class ConfusionState:
    """The matrices of both versions."""

    matrices: tuple[Matrix, ...]
    glyphs: Glyphs


class ConfusionPanel(Panel[ConfusionState]):
    """Draw a matrix a version: rows are true classes, columns predicted; shares are of the true class."""

    HELP_TEXT = (
        "Rows are true classes, columns predicted ones; percentages are of the row. Right answers are green."
    )
    BORDER_TITLE = "Confusion matrix"
    can_focus = True

    def digest(self, view: View) -> ConfusionState:
        """Return the tables of the versions that have one."""
        pairs = ((view.baseline, "$baseline"), (view.candidate, "$candidate"))
        matrices = tuple(
            _matrix(version.name, version.confusion, style)
            for version, style in pairs
            if version is not None and version.confusion is not None
        )
        return ConfusionState(matrices, view.glyphs)

    def lines(self, state: ConfusionState, size: Size) -> list[Content]:
        """Draw the matrices below each other."""
        if not state.matrices:
            text = "n/a, because there are no labelled predictions of classes yet"
            return [Content.styled(text, "$quiet")]
        drawn: list[Content] = []
        most = max(2, (size.height - len(state.matrices) * 2) // len(state.matrices))
        for matrix in state.matrices:
            drawn += [Content("")] if drawn and most > len(matrix.labels) else []
            drawn += _draw(matrix, size.width, most, state.glyphs)
        return drawn


def _matrix(name: str, table: ConfusionTable, style: str) -> Matrix:
    labels = tuple(clean(label, 14) for label in table.labels)
    return Matrix(clean(name, 24), labels, table.counts, style)


def _draw(matrix: Matrix, width: int, most: int, glyphs: Glyphs) -> list[Content]:
    name = max([6, len(matrix.version) + 1, *(len(label) + 1 for label in matrix.labels)])
    name = min(name, max(6, width // 3))
    room = 14 if width - name >= 28 else 8
    shown = max(1, min(len(matrix.labels), (width - name) // room, most))
    heads = [cell(label, room, "$quiet", "right") for label in matrix.labels[:shown]]
    drawn = [line([cell(matrix.version, name, f"bold {matrix.style}"), *heads], width, glyphs)]
    for at, label in enumerate(matrix.labels[:shown]):
        counts = matrix.counts[at]
        cells = [
            _count(count, sum(counts), room, right=at == column)
            for column, count in enumerate(counts[:shown])
        ]
        drawn.append(line([cell(label, name, "$quiet"), *cells], width, glyphs))
    if shown < len(matrix.labels):
        left = len(matrix.labels) - shown
        drawn.append(Content.styled(f"{left} more classes: z shows more", "$quiet"))
    return drawn


def _count(count: int, of: int, room: int, *, right: bool) -> Piece:
    share = f" {100 * count / of:5.1f} %" if of and room >= 14 else ""
    return fit(
        show_count(count) + share, room, "right"
    ), "bold $good" if right else "$bad" if count else "$quiet"
