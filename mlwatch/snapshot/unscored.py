"""A version whose scores turned out to be confidences in the predicted class: what follows from them is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.curves import CONFIDENCES
from mlwatch.metrics.estimate import undefined
from mlwatch.snapshot import versions
from mlwatch.snapshot.families import OF_SCORES
from mlwatch.snapshot.read import Table

if TYPE_CHECKING:
    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.tables import Tables
    from mlwatch.snapshot.types import Role, Version
    from mlwatch.snapshot.window_results import WindowResults
    from mlwatch.snapshot.windows import Context


def version_of(life: Life, role: Role, tables: Tables, context: Context, results: WindowResults) -> Version:
    """Return a version without what its scores would say; see `versions.version_of`."""
    outcomes = tables.outcomes
    none = np.zeros_like(outcomes["n_score"])
    without = replace(
        tables, scores=tables.scores.first(0), outcomes=Table({**outcomes.columns, "n_score": none})
    )
    kept = [
        {name: one for name, one in each.items() if name not in OF_SCORES} for each in results.performance
    ]
    others = replace(results, performance=kept, spreads=[None] * len(kept))
    version = versions.version_of(life, role, without, None, context, others)
    missing = dict.fromkeys(OF_SCORES, undefined(CONFIDENCES, version.labelled))
    return replace(version, performance={**version.performance, **missing})
