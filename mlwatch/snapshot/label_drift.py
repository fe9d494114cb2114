"""How far the labels moved from those of the reference: what is true has changed, whatever the model says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.drift import align, compare, own_limit
from mlwatch.snapshot.feature_drifts import Moved, drifts_of
from mlwatch.snapshot.mix import NO_LABELS
from mlwatch.snapshot.quality_types import LabelDrift
from mlwatch.snapshot.reference import by_feature
from mlwatch.snapshot.reference_labels import label_counts, label_values, label_windows
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.drift import Drift, Policy
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Counts, Period
    from mlwatch.snapshot.types import Task

WORDS = "labels of such answers are no classes"
NONE_THERE = "there are fewer than 200 labels to compare with"
STRANGE = "the reference has none of these labels: it names the classes differently, or is another model's"


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels that live ones are compared with."""

    description: str
    counts: Mapping[str, int]
    """By class; empty where they are numbers."""
    values: Counts | None = None
    """By bin, where they are numbers."""
    limit: float | None = None
    """What their own windows reach, where that was asked for."""


def labels_there(
    connection: DuckDBPyConnection,
    task: Task,
    chosen: Period | None,
    info: FeatureInfo,
    policy: Policy,
    sigmas: float | None = None,
) -> Labels | None:
    """Return the labels of the reference file, else those of a period; None where there are too few.

    Args:
        connection: A cursor of this thread.
        task: Of the model.
        chosen: The period; None for none.
        info: How labels that are numbers are binned.
        policy: When a difference counts as drift.
        sigmas: How far the windows of these labels raise the threshold; None for not at all.
    """
    numbers = task == "regression"
    found = (label_values if numbers else label_counts)(connection, chosen)
    if found is None:
        return None
    rows, description = found
    there = _labels(description, rows, numbers=numbers)
    if sigmas is None:
        return there
    own = label_windows(connection, chosen, description, numbers=numbers)
    parts = (own.where(own["part"] == part) for part in np.unique(own["part"]))
    windows = (_labels("", part, numbers=numbers) for part in parts if part.whole("n") >= policy.floor)
    return replace(there, limit=own_limit((_moved(there, each, info, policy) for each in windows), sigmas))


def _labels(description: str, rows: Table, *, numbers: bool) -> Labels:
    if numbers:
        return Labels(description, {}, by_feature(rows)[rollups.LABEL])
    return Labels(description, _by_class(rows))


def drift_of(
    task: Task, there: Labels | None, outcomes: Table, rows: Table, info: FeatureInfo, policy: Policy
) -> LabelDrift:
    """Return how far a version's labels moved, each counted at the time of its prediction.

    Args:
        task: Of the model.
        there: See `labels_there`.
        outcomes: Outcome rows of the version, which name classes.
        rows: Feature rows of the version, which have labels that are numbers by bin.
        info: How these are binned.
        policy: When a difference counts as drift.
    """
    if task == "unknown":
        return LabelDrift(reason=WORDS)
    if task == "regression":
        return _of_values(there, rows, info, policy)
    return _of_classes(there, outcomes, info, policy)


def _of_values(there: Labels | None, rows: Table, info: FeatureInfo, policy: Policy) -> LabelDrift:
    here = by_feature(rows.where(rows["feature"] == rollups.LABEL)).get(rollups.LABEL)
    if here is None or not here.n.sum():
        return LabelDrift(reason=NO_LABELS)
    if there is None or there.values is None:
        return LabelDrift(reason=NONE_THERE)
    return LabelDrift(_moved(there, Labels("", {}, here), info, policy), there.description)


def _of_classes(there: Labels | None, outcomes: Table, info: FeatureInfo, policy: Policy) -> LabelDrift:
    here = _by_class(outcomes)
    if not here or there is None:
        return LabelDrift(reason=NO_LABELS if not here else NONE_THERE)
    if here.keys().isdisjoint(there.counts):
        return LabelDrift(None, there.description, STRANGE)
    return LabelDrift(_moved(there, Labels("", here), info, policy), there.description)


def _moved(there: Labels, here: Labels, info: FeatureInfo, policy: Policy) -> Drift:
    """Compare two sets of labels, both numbers or both classes."""
    if there.values is not None and here.values is not None:
        own = policy.raised(there.limit)
        (found,) = drifts_of([Moved(info.kind, info.edges, there.values, here.values, own)])
        return found
    code = {name: at for at, name in enumerate(sorted({*here.counts, *there.counts}))}
    sides = (([code[name] for name in side], list(side.values())) for side in (there.counts, here.counts))
    raised = policy.without_order.raised(there.limit)
    return compare(*align(*sides), "categorical", policy=raised)


def _by_class(rows: Table) -> dict[str, int]:
    counts: dict[str, int] = {}
    for label, n in zip(rows["label"].tolist(), rows["n"].tolist(), strict=True):
        counts[str(label)] = counts.get(str(label), 0) + int(n)
    return {label: n for label, n in counts.items() if n > 0 and label}
