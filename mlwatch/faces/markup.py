"""HTML and SVG that cannot be broken: every text is escaped unless this module made it."""

from __future__ import annotations

from html import escape

from mlwatch.errors import one_line


class Markup(str):
    """Text that is markup already; only `tag` and `joined` make it."""

    __slots__ = ()


VOID = frozenset({"meta", "line", "polyline", "circle"})


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: Of the element.
        children: Markup as it is; any other text escaped, on one line, without control characters.
        attributes: Values are escaped; `class_` is `class`, `stroke_width` is `stroke-width`.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"' for key, value in attributes.items()
    )
    if name in VOID:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*parts: str) -> Markup:
    """Return several pieces one after the other; plain text is escaped."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return escape(one_line(text), quote=True)
