"""Charts as figures of a page, drawn without a network, as many as a page has room for."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlwatch.faces.markup import Markup, joined, tag
from mlwatch.faces.vector import UnfitError, inlined

if TYPE_CHECKING:
    from collections.abc import Callable

    from altair import LayerChart

HINT = "Charts are left out: they need two more packages, pip install 'mlwatch[report]'"
MOST_CHARTS = 48
MOST_CHARACTERS = 500_000
"""Of all pictures of a page."""


@cache
def can_draw() -> bool:
    """Tell whether the libraries that draw are installed."""
    return all(find_spec(name) is not None for name in ("altair", "vl_convert"))


class Pictures:
    """Draws the charts of one page."""

    def __init__(self) -> None:
        self.drawn, self.left_out, self._characters = 0, 0, 0

    def figure(
        self, title: str, spoken: str, chart: Callable[[], LayerChart], *, note: str = "", kind: str = ""
    ) -> Markup:
        """Return a figure.

        Args:
            title: What is drawn.
            spoken: What it shows, for those who do not see it.
            chart: Makes it; called only where there is room.
            note: What else is in it.
            kind: `broad` where it is as wide as the page.

        Returns:
            The figure; nothing where the page is full.
        """
        if self.drawn >= MOST_CHARTS or self._characters >= MOST_CHARACTERS:
            self.left_out += 1
            return joined()
        try:
            picture = inlined(svg_of(chart()), spoken)
        except UnfitError:  # numbers that no scale can show: they are in the tables
            self.left_out += 1
            return joined()
        self.drawn += 1
        self._characters += len(picture)
        return tag(
            "figure",
            tag("figcaption", title),
            *([tag("p", note, class_="quiet")] if note else []),
            picture,
            class_=kind,
        )


def svg_of(chart: LayerChart) -> str:
    """Return a chart as SVG; nothing is fetched.

    Raises:
        UnfitError: when it cannot be drawn.
    """
    import vl_convert  # noqa: PLC0415  it brings an engine of its own

    from mlwatch.faces.charts import CONFIG  # noqa: PLC0415

    try:
        return vl_convert.vegalite_to_svg(chart.to_dict(), config=CONFIG, allowed_base_urls=[])
    except ValueError as error:
        raise UnfitError(str(error)) from error
