"""What another tool says of drift, as a section of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.faces.html_page import table as html_table
from mlwatch.faces.markdown import escaped
from mlwatch.faces.markdown import table as markdown_table
from mlwatch.faces.markup import joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.faces.markup import Markup

HEADS = ("Feature", "Version", "Method", "Score", "Threshold", "Drifted")
NAMES = {"evidently": "Evidently", "nannyml": "NannyML"}


def as_markdown(peer: dict[str, Any]) -> str:
    """Return the section."""
    rows = [[escaped(cell) for cell in row] for row in _rows(peer)]
    return f"\n## Drift as {NAMES[peer['as']]} says it\n\n{markdown_table(HEADS, rows)}\n"


def as_html(peer: dict[str, Any]) -> Markup:
    """Return the section."""
    return joined(tag("h2", f"Drift as {NAMES[peer['as']]} says it"), html_table(HEADS, list(_rows(peer))))


def _rows(peer: dict[str, Any]) -> Iterator[list[str]]:
    for versions in peer["models"].values():
        for version, found in versions.items():
            for name, one in found["columns"].items():
                numbers = ["n/a" if one[key] is None else f"{one[key]:.4g}" for key in ("score", "threshold")]
                drifted = "n/a" if one["drifted"] is None else "yes" if one["drifted"] else "no"
                yield [name, version, one["method"] or "n/a", *numbers, drifted]
            if found["drifted"] is not None:
                whole = "yes" if found["drifted"] else "no"
                yield ["the data set", version, "half of the columns", "", "", whole]
