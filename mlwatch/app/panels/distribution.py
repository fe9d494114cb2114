"""The chosen feature: its values against those of the reference, and everything known about it in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual.content import Content

from mlwatch.app.drawing import clean, wrapped
from mlwatch.app.panels.base import Plotted
from mlwatch.app.panels.featuretable import explain, feature_rows
from mlwatch.app.waiting import reading
from widgets.datawidget import DataWidget
from widgets.histogram import Bins, Categories, draw_bins, draw_categories
from widgets.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.app.view import View
    from mlwatch.snapshot.shapes import Shape
    from widgets.drawn import Picture

Explained = tuple[str, "Bins | Categories | None"]
"""A sentence, and what is drawn below it."""


class DistributionPanel(Plotted, DataWidget[Explained]):
    """Draw the chosen feature of the candidate over its reference."""

    HELP_TEXT = (
        "The chosen feature's values against those of the reference, as shares: numbers as bars upwards, the outer "
        "ones with everything beyond; categories as bars to the right."
    )
    BORDER_TITLE = "Feature against reference"
    RESTYLED: ClassVar[Mapping[str, str]] = {
        "reference": "current",  # its usual colour is that of the baseline here
        "on-reference": "on-current",
        "current": "$candidate",
        "on-current": "on $candidate",
    }
    _name = ""

    def choose(self, name: str) -> None:
        """Show another feature."""
        self._name = name
        if self.view is not None:
            self.take(self.view)

    def take(self, view: View) -> None:
        """Show the chosen feature, or the first."""
        version = view.candidate or view.baseline
        rows = feature_rows(version, view.baseline if view.candidate else None)
        if version is None or not rows:
            self.say(reading(view) or "No features in this time range.")
            return
        row = next((row for row in rows if row.name == self._name), rows[0])
        feature = next(f for name, f in version.quality.features.items() if clean(name, 60) == row.name)
        self.border_title = Content(f"{row.name} of {clean(version.name, 24)} against the reference")
        self.say("")
        self.update((explain(row), drawn_shape(feature.shape, clean(version.name, 16))))

    def picture(self, width: int, height: int) -> Picture:
        """Return the sentence and the distributions."""
        sentence, shape = self.data
        texts = wrapped(sentence, width, 4 if height >= 16 else 2 if height >= 9 else 1)
        lines: Picture = [[(sanitize(text, width, ascii_only=self.ascii_only), "label")] for text in texts]
        look = {"ascii_only": self.ascii_only, "textured": self.monochrome}
        if isinstance(shape, Bins):
            return lines + draw_bins(shape, width, height - len(lines), **look)
        if isinstance(shape, Categories):
            return lines + draw_categories(shape, width, height - len(lines), **look)
        return [*lines, [("no reference to compare with", "muted")]]


def drawn_shape(shape: Shape | None, name: str) -> Bins | Categories | None:
    """Return both distributions as they are drawn."""
    names = ("reference", name)
    if shape is None:
        return None
    if shape.edges:
        return Bins.of(shape.edges, shape.reference, shape.current, names=names)
    labels = tuple(clean(label, 40) for label in shape.labels)
    return Categories(labels, np.array(shape.reference), np.array(shape.current), names)
