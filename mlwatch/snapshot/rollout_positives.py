"""Recall and precision of a rollout: of the labelled predictions, those of the positive class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_plan import FIRST_UNITS
from mlwatch.metrics.rollout_types import ProportionSeries

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlwatch.metrics.rollout_types import FloatArray
    from mlwatch.snapshot.read import Table

RARE = 0.1
"""Share of positives among the labels below which recall is a guardrail of its own.

A candidate that never says yes loses less than this of its accuracy, and may be within the margin.
"""


def positive_sums(n: str) -> str:
    """Return the sums as items of a SELECT over labelled predictions; `$positive` is the positive class.

    Args:
        n: Predictions in a row.
    """
    wanted = {
        "n_positive": "label = $positive AND prediction IS NOT NULL",
        "missed": "label = $positive AND prediction <> label",
        "n_said": "prediction = $positive",
        "said_wrongly": "prediction = $positive AND prediction <> label",
    }
    return ", ".join(
        f"SUM(CASE WHEN {which} THEN {n} ELSE 0 END) AS {name}" for name, which in wanted.items()
    )


def series_of_positives(
    outcomes: Table, spread: Callable[[Table, str], FloatArray]
) -> dict[str, ProportionSeries]:
    """Return the series of a version.

    Args:
        outcomes: Its sums by minute.
        spread: Lays a column out by stratum.
    """
    return {
        "recall": ProportionSeries(spread(outcomes, "n_positive"), spread(outcomes, "missed")),
        "precision": ProportionSeries(spread(outcomes, "n_said"), spread(outcomes, "said_wrongly")),
    }


def share_of_positives(outcomes: Table) -> float | None:
    """Return which share of the labels is positive where there is a prediction; None where there are none."""
    n = outcomes.whole("n") - outcomes.whole("undecided")
    return outcomes.whole("n_positive") / n if n else None


def first_share_of_positives(outcomes: Table) -> float | None:
    """Return which share of a rollout's first labels is positive; None until there are enough.

    What is judged must not follow the data that it judges.

    Args:
        outcomes: Sums by minute of both versions.
    """
    minutes, place = np.unique(outcomes["minute"], return_inverse=True)
    told = outcomes["n"] - outcomes["undecided"]
    n, positive = (
        np.bincount(place, weights=each, minlength=len(minutes)) for each in (told, outcomes["n_positive"])
    )
    up_to = np.cumsum(n)
    if not len(up_to) or up_to[-1] < FIRST_UNITS:
        return None
    last = int(np.searchsorted(up_to, FIRST_UNITS))
    return float(positive[: last + 1].sum() / up_to[last])
