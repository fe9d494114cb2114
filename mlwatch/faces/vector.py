"""An SVG of the chart library made fit for a page: only shapes and text stay, whatever was in the data."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import escape
from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.faces.markup import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = "{http://www.w3.org/2000/svg}"
SPOKEN = 10_000
"""Characters of what is read aloud: a line for each version."""
TAGS = frozenset({"svg", "g", "path", "line", "rect", "text"})
ATTRIBUTES = frozenset(
    {
        *("d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "viewBox", "transform"),
        *("fill", "stroke", "opacity", "fill-opacity", "stroke-opacity"),
        *("stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-miterlimit"),
        *("font-size", "font-weight", "text-anchor"),
    }
)
HARMLESS = re.compile(r"(?!.*url)[\w\s.,:#%()+-]*", re.IGNORECASE)
"""Numbers, colours, path data, transformations; no address and nothing quoted."""
LONG = re.compile(r"-?\d*\.\d\d+(e-?\d+)?")


class UnfitError(ValueError):
    """It is no picture of finite shapes and text."""


def inlined(svg: str, spoken: str) -> Markup:
    """Return the picture as part of a page.

    Args:
        svg: A document of the chart library.
        spoken: What the picture shows, for those who do not see it; escaped here.

    Raises:
        UnfitError: when it is not what the chart library usually draws.
    """
    try:
        root = ET.fromstring(svg)  # noqa: S314  its text is escaped by the library, and it has no entities
    except ET.ParseError as error:
        raise UnfitError(str(error)) from error
    inner = "".join(part for child in root for part in _parts(child))
    if "NaN" in inner or "Infinity" in inner:
        raise UnfitError("a number is not finite")
    box = _harmless(root.get("viewBox", ""))
    return Markup(
        f'<svg viewBox="{box}" role="img" aria-label="{escape(one_line(spoken, SPOKEN))}">{inner}</svg>'
    )


def _parts(element: ET.Element) -> Iterator[str]:
    name = element.tag.removeprefix(SPACE)
    if name not in TAGS or _is_invisible(element):
        return
    inner = escape(one_line(element.text or "", SPOKEN), quote=False) if name == "text" else ""
    inner += "".join(part for child in element for part in _parts(child))
    given = "".join(
        f' {key}="{_harmless(value)}"' for key, value in element.attrib.items() if key in ATTRIBUTES
    )
    if name != "g":
        yield f"<{name}{given}>{inner}</{name}>"
    elif inner:
        yield f"<g{given}>{inner}</g>" if given else inner


def _is_invisible(element: ET.Element) -> bool:
    frame = element.get("class") in {"background", "foreground"}
    unpainted = element.get("fill", "none") == "none" and element.get("stroke", "none") == "none"
    return element.get("opacity") == "0" or element.get("display") == "none" or (frame and unpainted)


def _harmless(value: str) -> str:
    if not HARMLESS.fullmatch(value):
        raise UnfitError(f"an attribute says {value[:40]!r}")
    return LONG.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)
