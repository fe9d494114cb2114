"""A whole HTML page, and tables on it: no script, nothing fetched, every value escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.faces.html_style import STYLE
from mlwatch.faces.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing."""
BAND = re.compile(r"(?P<value>[^()]+) (?P<band>\([^()]+ to [^()]+\))")


def page(title: str, *parts: Markup) -> str:
    """Return a whole page of parts, one below the other."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *parts)), lang='en')}\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table; the first cell of a row is its head."""
    top = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))
    lines = (tag("tr", tag("th", row[0], scope="row"), *map(_cell, row[1:])) for row in rows)
    return tag("div", tag("table", top, tag("tbody", *lines)), class_="wide")


def _cell(text: str) -> Markup:
    """Return a cell: an interval is less loud than its number, a judgement has its colour."""
    if text in {"worse", "better", "non-inferior", "inconclusive"}:
        return tag("td", text, class_=text)
    found = BAND.fullmatch(text)
    if found is None:
        return tag("td", text)
    return tag("td", found["value"], tag("span", found["band"], class_="band"))
