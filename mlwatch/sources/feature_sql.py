"""What a feature's value is as SQL: the same number, truth value, date or word wherever it was written.

What is typed as a number is the text of that number where the feature is one of words: `2`, `2.0` and `2.00` are all
`2`, and a date is a date whether or not its column has times. True and false are 1 and 0 where the feature is one of
numbers, and what its two values are called where it has just two that mean them. Text stays as it was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlwatch.roles import written
from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from collections.abc import Collection

NUMBERS = frozenset({"number", "integer", "whole"})
"""Physical types of columns that hold numbers, as numbers or as their text."""
NULL_WORDS = f"({', '.join(map(literal, sorted(written.NULL_WORDS)))})"
BOOLEAN_WORDS = ("True", "TRUE", "False", "FALSE")
"""What Python and tables write for JSON's `true` and `false`."""
BOOLEANS = f"({', '.join(map(literal, BOOLEAN_WORDS))})"
WITHOUT_POINT = "WHEN {0} LIKE '%.0' THEN LEFT({0}, LENGTH({0}) - 2)"
_TRUE, _FALSE = "('true', 'yes', 'y', '1', '1.0')", "('false', 'no', 'n', '0', '0.0')"


class Truth(NamedTuple):
    """What a feature's two values are called."""

    no: str
    yes: str


_PAIRS = tuple(
    Truth(*pair)
    for pair in (
        ("false", "true"),
        ("0", "1"),
        *(("no", "yes"), ("No", "Yes"), ("NO", "YES")),
        *(("n", "y"), ("N", "Y")),
    )
)
PLAIN_TRUTH = _PAIRS[0]


def truth_of(categories: Collection[str]) -> Truth | None:
    """Return what the two values of a feature are called; None where it has others.

    Args:
        categories: All that are known; of words that mean something else as well, such as `NO`, both must be.
    """
    found = set(categories)
    if found and found <= set(PLAIN_TRUTH):
        return PLAIN_TRUTH
    return next((pair for pair in _PAIRS if found == set(pair)), None)


def number_sql(text: str, number: str) -> str:
    """Return a number; of the text of a truth value 1 or 0.

    Args:
        text: The value's text.
        number: The number that it is read as otherwise.
    """
    word = f"LOWER({text})"
    return f"CASE WHEN {word} IN ('true', 'yes') THEN 1e0 WHEN {word} IN ('false', 'no') THEN 0e0 ELSE {number} END"


def plain_number_sql(text: str) -> str:
    """Return the text of a number without zeros behind it: `2` for `2.00`; any other text as it is."""
    number = f"CAST(TRY_CAST({text} AS DOUBLE) AS VARCHAR)"
    return f"CASE WHEN {text} LIKE '%.%0' THEN COALESCE({number}, {text}) ELSE {text} END"


def category_sql(text: str, physical: str, truth: Truth | None = None) -> str:
    """Return a feature's word; NULL for a missing one.

    Args:
        text: The value's text.
        physical: As what its column is read; see `Shape.physical`.
        truth: What the feature's values are called where they are two that mean true and false.
    """
    if physical == "integer":
        said = text
    elif physical in NUMBERS:
        plain = plain_number_sql(f"TRIM({text})")
        said = f"CASE WHEN LOWER(TRIM({text})) IN {NULL_WORDS} THEN NULL {WITHOUT_POINT.format(plain)} ELSE {plain} END"
    elif physical == "time":
        said = f"REGEXP_REPLACE({text}, '( 00:00:00)?([+]00)?$', '')"
    else:
        said = f"CASE WHEN {text} IN {BOOLEANS} THEN LOWER({text}) ELSE NULLIF({text}, '') END"
    if truth is None:
        return said
    word = f"LOWER({text})"
    yes, no = literal(truth.yes), literal(truth.no)
    return f"CASE WHEN {word} IN {_TRUE} THEN {yes} WHEN {word} IN {_FALSE} THEN {no} ELSE {said} END"
