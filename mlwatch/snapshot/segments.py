"""Performance by segment: which part of the traffic a version does worse in, and against what."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from mlwatch.metrics.bins import INVALID, MISSING
from mlwatch.metrics.estimate import undefined
from mlwatch.metrics.fairness import Gap, Group, Positives, demographic_parity, equal_opportunity
from mlwatch.metrics.importance import correlation_ratio, importance
from mlwatch.metrics.regression import RegressionSums, regression
from mlwatch.metrics.segments import Contrast, Losses, contrast, together
from mlwatch.snapshot import families, undecided
from mlwatch.snapshot.read import Table
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.snapshot.reference_labels import LEAST_LABELS, importance_there
from mlwatch.store import rollups
from mlwatch.store.importances import LEAST, ROWS, of_predictions
from mlwatch.store.protected import ANSWERS
from mlwatch.store.slices import ABSENT, CATEGORIES, cut_places, cuts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from mlwatch.config import SegmentSettings
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.falls import Fall
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.span import Grid
    from mlwatch.snapshot.types import Model

    Key = tuple[int, int]
    """Feature and part."""

NO_VALUE = "missing"
OTHERS = "all others"
NOT_COUNTED = "predictions are not counted by this column yet, or were not where these rollups were written"
OF_NUMBERS = ("mae", "rmse", "bias")


@dataclass(frozen=True, slots=True)
class Segment:
    """One version's predictions with a column's value in one part of its range."""

    column: str
    value: str
    """The category, or the range in words."""
    predictions: int
    labelled: int
    performance: Mapping[str, Estimate] = field(default_factory=dict)
    rest: Contrast | None = None
    """Against this version's other predictions; None where too few are labelled."""
    baseline: Contrast | None = None
    """Against the baseline version in the same segment."""
    kind: Literal["category", "range", "missing", "others"] = "category"
    """What `value` is; others are the categories that have no segment of their own."""
    bounds: tuple[float, float] | None = None
    """Of a range: its least value, and the value that it ends before; infinite where it is open."""


@dataclass(frozen=True, slots=True)
class Fairness:
    """Gaps between the values of a protected attribute."""

    column: str
    demographic_parity: Gap
    equal_opportunity: Gap


@dataclass(frozen=True, slots=True)
class Segments:
    """What labelled predictions say by segment."""

    by_version: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)
    fairness: Mapping[str, tuple[Fairness, ...]] = field(default_factory=dict)
    """By version."""
    importance: Mapping[str, float] = field(default_factory=dict)
    """By feature: the share of the label's uncertainty that it takes away, of a regression that of its variance."""
    falls: Mapping[str, Fall] = field(default_factory=dict)
    """Of the versions whose performance fell within the range."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What is counted in one segment."""

    rows: Table
    losses: Losses


def of_model(
    reader: Reader,
    model: Model,
    versions: Mapping[str, int],
    baseline: int | None,
    lattice: Grid,
    features: Table,
    infos: Mapping[int, FeatureInfo],
    settings: SegmentSettings,
) -> Segments:
    """Return the segments of a model's versions; none where predictions are neither classes nor numbers.

    Args:
        reader: Of the snapshot.
        model: Its task and classes.
        versions: Numbers of its versions.
        baseline: Number of the baseline version.
        lattice: Range.
        features: Feature rows of the range.
        infos: Features by number.
        settings: Protected attributes, and importances that are known.
    """
    if model.task == "unknown":
        return Segments()
    rows = reader.once(rollups.SEGMENTS, lattice)
    numeric = model.task == "regression"
    perform = of_numbers if numeric else partial(of_classes, model.task, model.positive_class)
    told = {who: rows.of(who) if numeric else undecided.decided(rows.of(who)) for who in versions.values()}
    before = told.get(baseline) if baseline is not None else None
    by_version = {
        name: of_version(
            *(told[who], features.of(who), infos, perform),
            before if who != baseline else None,
            numeric=numeric,
        )
        for name, who in versions.items()
    }
    mine = rows.where(np.isin(rows["who"], list(versions.values())))
    matters = settings.importance or _importance(reader, model, mine, infos)
    if numeric:
        return Segments(by_version, importance=matters)
    if not settings.protected:
        return Segments(by_version, importance=matters)
    answers = reader.once(ANSWERS, lattice)
    fairness = {
        name: _fairness(rows.of(who), answers.of(who), infos, model, settings)
        for name, who in versions.items()
    }
    return Segments(by_version, fairness, matters)


def _importance(
    reader: Reader, model: Model, rows: Table, infos: Mapping[int, FeatureInfo]
) -> Mapping[str, float]:
    """Return how much features tell about the label, or about the prediction where there are no labels.

    What labels in the logs teach counts most, then those of the reference, its predictions, and those of the logs.
    """
    tells = _of_values if model.task == "regression" else _of_labels
    by_feature = {
        number: rows.where(rows["feature"] == number) for number in np.unique(rows["feature"]).tolist()
    }
    labelled = max((mine.whole("n") for mine in by_feature.values()), default=0)
    if labelled < LEAST_LABELS and (taught := importance_there(reader.connection)):
        return taught
    if not labelled:
        seen = min(sum(version.predictions for version in model.versions.values()), ROWS) // LEAST
        read = partial(of_predictions, reader.connection, model.name)
        return reader.value(("importance of predictions", model.name), (), ALL_TIME, read, seen)
    return {
        infos[number].name: tells(mine)
        for number, mine in by_feature.items()
        if number >= 0 and number in infos
    }


def _of_labels(rows: Table) -> float:
    (parts, row), (labels, column) = (
        np.unique(rows[name], return_inverse=True) for name in ("part", "label")
    )
    counts = np.zeros((len(parts), len(labels)))
    np.add.at(counts, (row, column), rows["n"])
    return importance(counts)


def _of_values(rows: Table) -> float:
    _, row = np.unique(rows["part"], return_inverse=True)
    sums = (np.bincount(row, weights=rows[name]) for name in ("n_label", "sum_label", "sum_label_sq"))
    return correlation_ratio(*sums)


def _fairness(
    labelled: Table, answers: Table, infos: Mapping[int, FeatureInfo], model: Model, settings: SegmentSettings
) -> tuple[Fairness, ...]:
    """Return the gaps of one version.

    Args:
        labelled: Its labelled predictions by segment.
        answers: All of its predictions by protected segment.
        infos: Features by number.
        model: Its positive class.
        settings: Protected attributes.
    """
    numbers = {info.name: number for number, info in infos.items() if number >= 0}
    positive = model.positive_class
    found = []
    for column in settings.protected if positive is not None else ():
        number = numbers.get(column, ABSENT - 1)
        groups = {
            part_name(infos[number], part): Group(rows.whole("n"), _count(rows, "prediction", positive))
            for part, rows in _by_part(undecided.decided(answers), number)
        }
        known = {
            part_name(infos[number], part): Positives(true.whole("n"), _count(true, "prediction", positive))
            for part, rows in _by_part(undecided.decided(labelled), number)
            for true in (rows.where(rows["label"] == positive),)
        }
        parity = demographic_parity(groups) if groups or not known else Gap(undefined(NOT_COUNTED))
        parity, opportunity = _undecided(answers, number) or parity, _undecided(labelled, number)
        found.append(Fairness(column, parity, opportunity or equal_opportunity(known)))
    return tuple(found)


def _undecided(rows: Table, feature: int) -> Gap | None:
    """Return that there is no gap because too many predictions have no class; None where they have one."""
    mine = rows.where(rows["feature"] == feature)
    without, n = _count(mine, "prediction", ""), mine.whole("n")
    return Gap(undefined(undecided.said(without, n), n)) if undecided.is_most(without, n) else None


def _by_part(rows: Table, feature: int) -> Iterator[tuple[int, Table]]:
    inside = rows.where(rows["feature"] == feature)
    for part in np.unique(inside["part"]).tolist():
        yield int(part), inside.where(inside["part"] == part)


def _count(rows: Table, column: str, value: str | None) -> int:
    return rows.where(rows[column] == value).whole("n")


def with_segments(model: Model, segments: Segments) -> Model:
    """Return a model with what its segments say about its versions and features."""
    versions = {}
    for name, version in model.versions.items():
        features = {
            feature: replace(found, importance=segments.importance.get(feature))
            for feature, found in version.quality.features.items()
        }
        versions[name] = replace(
            version,
            quality=replace(version.quality, features=features),
            segments=segments.by_version.get(name, ()),
            fairness=segments.fairness.get(name, ()),
            fall=segments.falls.get(name),
        )
    return replace(model, versions=versions)


def of_version(
    rows: Table,
    features: Table,
    infos: Mapping[int, FeatureInfo],
    perform: Callable[[Table], Mapping[str, Estimate]],
    baseline: Table | None,
    *,
    numeric: bool,
) -> tuple[Segment, ...]:
    """Return one version's segments, by column and value.

    Args:
        rows: Its sums by segment.
        features: Its feature rows, for how many predictions there are, labels or not.
        infos: Features by number.
        perform: Returns the performance of the rows of a segment.
        baseline: The baseline's sums by segment; None for the baseline itself.
        numeric: Whether the task is a regression.
    """
    own, sums = _parts(rows, numeric=numeric), _whole(rows, numeric=numeric)
    before = _parts(baseline, numeric=numeric) if baseline is not None else {}
    keys = [key for key in sorted(own) if key[0] >= 0 and key[0] in infos]
    rest = together([contrast(own[key].losses, sums[key[0]] - own[key].losses) for key in keys])
    change = together(
        [contrast(own[key].losses, before[key].losses) if key in before else None for key in keys]
    )
    counts = _predictions(features, infos, {feature for feature, _ in keys})
    return tuple(
        Segment(
            infos[key[0]].name,
            part_name(infos[key[0]], key[1]),
            max(counts.get(key, 0), own[key].losses.n),
            own[key].losses.n,
            perform(own[key].rows),
            against_rest,
            against_baseline,
            *part_kind(infos[key[0]], key[1]),
        )
        for key, against_rest, against_baseline in zip(keys, rest, change, strict=True)
    )


def of_numbers(rows: Table) -> Mapping[str, Estimate]:
    """Return a regression's performance in a segment."""
    sums = RegressionSums(
        n=rows.whole("n_number"),
        sum_error=rows.sum("sum_error"),
        sum_abs=rows.sum("sum_abs"),
        sum_sq=rows.sum("sum_sq"),
        sum_fourth=rows.sum("sum_err4"),
    )
    found = regression(sums)
    return {name: found[name] for name in OF_NUMBERS}


def of_classes(task: str, positive: str | None, rows: Table) -> Mapping[str, Estimate]:
    """Return a classifier's performance in a segment."""
    return families.window_performance(task, families.cells_of(rows), positive)


def _parts(rows: Table, *, numeric: bool) -> dict[Key, _Part]:
    order = np.lexsort((rows["part"], rows["feature"]))
    feature, part = rows["feature"][order], rows["part"][order]
    if not len(order):
        return {}
    first = np.r_[True, (feature[1:] != feature[:-1]) | (part[1:] != part[:-1])]
    starts = np.flatnonzero(first).tolist()
    found = {}
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        inside = Table({name: column[order[start:end]] for name, column in rows.columns.items()})
        losses = _losses(inside, numeric=numeric)
        if losses.n:
            found[int(feature[start]), int(part[start])] = _Part(inside, losses)
    return found


def _whole(rows: Table, *, numeric: bool) -> dict[int, Losses]:
    return {
        int(feature): _losses(rows.where(rows["feature"] == feature), numeric=numeric)
        for feature in np.unique(rows["feature"])
    }


def _losses(rows: Table, *, numeric: bool) -> Losses:
    if numeric:
        return Losses(rows.whole("n_number"), rows.sum("sum_abs"), rows.sum("sum_sq"), proportion=False)
    wrong = float(rows["n"][rows["label"] != rows["prediction"]].sum())
    return Losses(rows.whole("n"), wrong, wrong)


def _predictions(features: Table, infos: Mapping[int, FeatureInfo], wanted: set[int]) -> dict[Key, int]:
    """Count predictions by segment, from the finer bins of data quality."""
    counts: dict[Key, int] = {}
    for feature in wanted:
        rows = features.where(features["feature"] == feature)
        parts = part_of(infos[feature], rows["bin"])
        for part in np.unique(parts).tolist():
            counts[feature, int(part)] = int(rows["n"][parts == part].sum())
    return counts


def part_of(info: FeatureInfo, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part that each bin of a feature belongs to."""
    if info.kind == "categorical":
        known = min(CATEGORIES, len(info.categories))
        parts = np.where((codes >= 0) & (codes < known), codes, known)
    else:
        parts = np.searchsorted(np.array(cut_places(info.edges)), codes, side="left")
    return np.where((codes == MISSING) | (codes == INVALID), ABSENT, parts).astype(np.int64)


def part_kind(
    info: FeatureInfo, part: int
) -> tuple[Literal["category", "range", "missing", "others"], tuple[float, float] | None]:
    """Return what a part is, and the bounds of a range."""
    if part == ABSENT:
        return "missing", None
    if info.kind == "categorical":
        return "others" if part >= CATEGORIES or not info.categories.get(part) else "category", None
    cuts = (-math.inf, *cuts_of(info.edges), math.inf)
    return "range", (cuts[part], cuts[min(part + 1, len(cuts) - 1)])


def part_name(info: FeatureInfo, part: int) -> str:
    """Return a part in words."""
    if part == ABSENT:
        return NO_VALUE
    if info.kind == "categorical":
        return info.categories.get(part) or OTHERS if part < CATEGORIES else OTHERS
    cuts = [f"{cut:,.4g}" for cut in cuts_of(info.edges)]
    if not cuts:
        return "any value"
    if part == 0:
        return f"below {cuts[0]}"
    return f"{cuts[part - 1]} and more" if part >= len(cuts) else f"{cuts[part - 1]} to {cuts[part]}"
