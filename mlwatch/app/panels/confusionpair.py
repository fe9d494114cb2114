"""Confusion matrices of baseline and candidate, beside each other where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.app.charts import VERSION_STYLES
from mlwatch.app.drawing import clean, short
from mlwatch.app.panels.base import Plotted
from widgets.confusion import Confusion, draw_confusion
from widgets.datawidget import DataWidget
from widgets.drawn import beside
from widgets.text import pad

if TYPE_CHECKING:
    from mlwatch.app.view import View
    from widgets.drawn import Picture

Matrices = tuple[tuple[str, str, Confusion], ...]
"""Name, style and counts of each version."""
BESIDE = 2 * 26
"""Cells from which two matrices stand beside each other."""


class ConfusionPair(Plotted, DataWidget[Matrices]):
    """Draw a matrix a version: rows are true classes, columns predicted; shares are of the true class."""

    HELP_TEXT = "Rows are true classes, columns predicted ones; percentages are of what was true."
    BORDER_TITLE = "Confusion matrix"

    def take(self, view: View) -> None:
        """Show the tables of the versions that have one."""
        found = matrices_of(view)
        self.say("" if found else _why_none(view))
        self.update(found)

    def picture(self, width: int, height: int) -> Picture:
        """Return the matrices beside or below each other."""
        count = len(self.data)
        if not count:
            return []
        if count == 1 or width < BESIDE:
            each = max(height // count, 2)
            return [line for matrix in self.data for line in self._one(matrix, width, each)]
        each = (width - 2 * (count - 1)) // count
        return beside([self._one(matrix, each, height) for matrix in self.data], each, 2)

    def _one(self, matrix: tuple[str, str, Confusion], width: int, height: int) -> Picture:
        name, style, counts = matrix
        head = pad(name, width, ascii_only=self.ascii_only)
        return [
            [(head, f"bold {style}")],
            *draw_confusion(counts, width, height - 1, ascii_only=self.ascii_only),
        ]


def matrices_of(view: View) -> Matrices:
    """Return the tables of both versions, as far as there are any."""
    return tuple(
        (
            clean(version.name, 24),
            style,
            Confusion(
                tuple(short(label, 30) for label in table.labels), np.array(table.counts, dtype=np.int64)
            ),
        )
        for version, style in zip((view.baseline, view.candidate), VERSION_STYLES, strict=True)
        if version is not None and (table := version.confusion) is not None
    )


def _why_none(view: View) -> str:
    if view.model is not None and view.model.task == "regression":
        return "n/a, because the predictions are numbers, not classes."
    return (
        "No labels yet: log records with a request id and a label; [roles] id and label name their columns."
    )
