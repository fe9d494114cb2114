"""Labelled predictions without a class: the logs hold a score alone, and that tells none.

A few of them are left out. Of more, whatever is known of the others would be of a part that nobody chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwatch.snapshot.read import Table

NO_PROBABILITIES = "not all scores are probabilities, and the logs hold no prediction"
NO_PREDICTION = "the logs hold no prediction, and scores alone tell none"
FOREIGN = "the predictions are 1 and 0, the labels have other names"
GRADES = "the labels are more than two classes"
CODES = frozenset({"0", "1"})
MOST = 0.05
"""Share of labelled predictions without a class that is left out."""


def decided(rows: Table) -> Table:
    """Return the rows of labelled predictions with a class; none where too many have none."""
    told = rows["prediction"] != ""
    return rows.first(0) if is_most(_without(rows), rows.whole("n")) else rows.where(told)


def is_coded(predicted: Iterable[str], labels: Iterable[str]) -> bool:
    """Tell whether classes are 1 and 0, as those made of scores and of truth values are, and labels other names."""
    said, true = set(predicted), set(labels)
    return bool(said) and said <= CODES and bool(true) and true.isdisjoint(CODES)


def is_most(without: int, n: int) -> bool:
    """Tell whether so many of some labelled predictions have no class that the others do not stand for them."""
    return without > MOST * n


def reason(rows: Table) -> str:
    """Say why no class is known of outcome rows; empty where one is, or where there are none."""
    if is_most(_without(rows), rows.whole("n")):
        return said(_without(rows), rows.whole("n"), rows.whole("n_wild"))
    there = rows.where(rows["n"] > 0)
    return FOREIGN if is_coded(set(there["prediction"].tolist()) - {""}, there["label"].tolist()) else ""


def said(without: int, n: int, wild: int = 0) -> str:
    """Say why there is no class.

    Args:
        without: Labelled predictions that have none.
        n: All labelled predictions.
        wild: Those whose score is no probability.
    """
    if without < n and not wild:
        return f"{percent(without / n)} of these requests have no prediction"
    return NO_PROBABILITIES if wild else NO_PREDICTION


def _without(rows: Table) -> int:
    return int(rows["n"][rows["prediction"] == ""].sum())
