"""Data quality of versions: what is missing or wrong in their features, and how far these moved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from mlwatch.metrics import drift as drifting
from mlwatch.metrics.bins import MISSING
from mlwatch.metrics.quality import FeatureCounts, RateChange, feature_counts, rate_change
from mlwatch.snapshot.feature_cells import Cells
from mlwatch.snapshot.feature_drifts import Moved, drifts_of, raised
from mlwatch.snapshot.feature_windows import standing_still
from mlwatch.snapshot.moves import move
from mlwatch.snapshot.quality_types import FeatureQuality, Quality
from mlwatch.snapshot.reference import by_feature
from mlwatch.snapshot.remembering import remembered
from mlwatch.snapshot.shapes import shape
from mlwatch.snapshot.strangers import NONE, Strangers, strangers
from mlwatch.store import rollups
from mlwatch.store.meanings import NoInputs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.config.settings import DriftSettings
    from mlwatch.metrics.drift import Drift, Policy
    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reference import Counts, Reference


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """A feature, or the predictions or scores, with its bins."""

    number: int
    name: str
    kind: Literal["numeric", "categorical"]
    edges: tuple[float, ...]
    binned: bool
    categories: Mapping[int, str] = field(default_factory=dict)
    """Names of the reference's categories by their code."""


def feature_infos(connection: DuckDBPyConnection) -> dict[int, FeatureInfo]:
    """Return every feature of the store by number."""
    bins = {
        number: (kind, tuple(edges))
        for number, kind, edges in connection.execute("SELECT feature, kind, edges FROM bins").fetchall()
    }
    categories: dict[int, dict[int, str]] = {}
    for number, category, code in connection.execute(
        "SELECT feature, category, bin FROM categories"
    ).fetchall():
        named = categories.setdefault(number, {})
        # the long tail shares a code: it has no name of its own
        named[code] = "" if code in named else category
    infos: dict[int, FeatureInfo] = {
        number: FeatureInfo(
            number,
            name,
            kind,
            bins[number][1] if number in bins else (),
            number in bins,
            categories.get(number, {}),
        )
        for number, name, kind in connection.execute("SELECT feature, name, kind FROM features").fetchall()
    }
    for number, name in (
        (rollups.PREDICTION, "prediction"),
        (rollups.SCORE, "score"),
        (rollups.VALUE, "prediction"),
        (rollups.LABEL, "label"),
    ):
        kind, edges = bins.get(number, ("categorical" if number == rollups.PREDICTION else "numeric", ()))
        infos[number] = FeatureInfo(number, name, kind, edges, number in bins, categories.get(number, {}))
    return infos


def policy_of(settings: DriftSettings) -> Policy:
    """Return when a difference counts as drift, as the configuration says it."""
    return drifting.Policy(settings.method, settings.threshold, settings.floor, settings.alpha)


def quality(
    rows: Table,
    infos: Mapping[int, FeatureInfo],
    reference: Reference | None,
    expected: set[int],
    policy: Policy,
    sigmas: float | None = None,
    cells: Cells | None = None,
    aside: NoInputs | None = None,
) -> Quality:
    """Return the data quality of one version.

    Args:
        rows: Feature rows of the version.
        infos: See `feature_infos`.
        reference: What to compare with; None for nothing.
        expected: Features that belong to the version; others that it never carries are left out.
        policy: When a difference counts as drift.
        sigmas: How far the reference's own windows raise the threshold; None for not at all.
        cells: Those of the rows, where they are known.
        aside: Features that are no inputs of the model: answers count in no share of the inputs, keys do not drift.
    """
    aside = aside or NoInputs()
    infos = {**infos, **{key: replace(infos[key], binned=False) for key in aside.keys if key in infos}}
    cells = cells or Cells(rows)
    current = by_feature(rows, cells)
    counts, moved = _compared(current, infos, reference, expected, policy, sigmas)
    drifts = dict(zip(moved, drifts_of(list(moved.values())), strict=True))
    named = {str(number): drift for number, drift in drifts.items() if number >= 0}
    together = {int(number): drift for number, drift in drifting.decide_together(named, policy).items()}
    still = standing_still(cells)
    features = {
        infos[number].name: _feature(
            *(infos[number], found, together.get(number), reference, current[number]),
            still=number in still,
            is_key=number in aside.keys,
        )
        for number, found in counts.items()
        if number >= 0
    }
    moves = {
        number: _move(infos[number], reference.counts[number], current[number], drift)
        for number, drift in drifts.items()
        if number < 0 and reference is not None
    }
    appeared = _appeared(infos, expected, counts)
    judged = [
        drift
        for number, drift in together.items()
        if drift.state != "too_few" and number not in aside.answers
    ]
    return Quality(
        features,
        prediction_drift=drifts.get(rollups.PREDICTION, drifts.get(rollups.VALUE)),
        prediction_move=moves.get(rollups.PREDICTION, moves.get(rollups.VALUE)),
        score_drift=_present(drifts.get(rollups.SCORE), counts.get(rollups.SCORE)),
        score_move=moves.get(rollups.SCORE),
        drifted_share=sum(drift.drifted for drift in judged) / len(judged) if judged else None,
        # what other versions do not have may have begun later: nothing was lost before
        missing_rate=missing_rate([each for name, each in features.items() if name not in appeared]),
        vanished=_vanished(infos, expected, counts),
        appeared=appeared,
        strangers=_strangers(infos, reference, counts),
    )


def _compared(
    current: Mapping[int, Counts],
    infos: Mapping[int, FeatureInfo],
    reference: Reference | None,
    expected: set[int],
    policy: Policy,
    sigmas: float | None,
) -> tuple[dict[int, FeatureCounts], dict[int, Moved]]:
    """Return what is counted of each feature, and what can be compared with the reference; see `quality`."""
    counts: dict[int, FeatureCounts] = {}
    moved: dict[int, Moved] = {}
    for number, now in current.items():
        if number in (rollups.LABEL, rollups.LOSS):  # `label_drift` and `estimated` are about these
            continue
        info = infos[number]
        before = reference.counts.get(number) if reference is not None else None
        found = feature_counts(
            info.kind,
            now.codes,
            now.n,
            inner_bins=max(0, len(info.edges) - 1),
            reference_codes=before.codes if before is not None else None,
        )
        if found.missing == found.n and number not in expected:
            continue
        counts[number] = found
        if before is not None and info.binned:
            own = _fitting(policy, info)
            if sigmas is not None and reference is not None:
                windows = reference.windows.get(number, ())
                own = raised(own, info.kind, info.edges, before, windows, sigmas)
            moved[number] = Moved(info.kind, info.edges, before, now, own)
    return counts, moved


def missing_rate(features: Collection[FeatureQuality]) -> float | None:
    """Return missing cells over all cells of some features."""
    cells = sum(feature.n for feature in features)
    return sum(feature.missing for feature in features) / cells if cells else None


def _feature(
    info: FeatureInfo,
    counts: FeatureCounts,
    drift: Drift | None,
    reference: Reference | None,
    current: Counts,
    *,
    still: bool,
    is_key: bool,
) -> FeatureQuality:
    before = reference.counts.get(info.number) if reference is not None else None
    binned = before if info.binned else None
    return FeatureQuality(
        info.kind,
        counts.n,
        counts.missing,
        counts.missing_rate.value,
        counts.invalid,
        counts.unseen if info.binned else 0,
        counts.out_of_range if info.binned else 0,
        drift,
        shape=None if binned is None else shape(info, binned, current, info.categories),
        move=None if binned is None else _move(info, binned, current, drift),
        missing_change=_missing_change(counts, before),
        stuck=(counts.stuck or still) and not is_key,
    )


def _missing_change(found: FeatureCounts, reference: Counts | None) -> RateChange | None:
    if reference is None or not found.n:
        return None
    return rate_change(_missing(reference), (found.missing, found.n))


@remembered
def _missing(reference: Counts) -> tuple[int, int]:
    """Return how many cells of a reference are missing, and how many there are."""
    return int(reference.n[reference.codes == MISSING].sum()), int(reference.n.sum())


def _vanished(
    infos: Mapping[int, FeatureInfo], expected: set[int], counts: Mapping[int, FeatureCounts]
) -> tuple[str, ...]:
    present = {infos[number].name for number, found in counts.items() if found.missing < found.n}
    names = (infos[number].name for number in sorted(expected) if number >= 0 and number in infos)
    return tuple(name for name in dict.fromkeys(names) if name not in present)


def _appeared(
    infos: Mapping[int, FeatureInfo], expected: set[int], counts: Mapping[int, FeatureCounts]
) -> tuple[str, ...]:
    """Return the names that nothing leads to expect; what is text here may be known as a number."""
    known = {infos[number].name for number in expected if number >= 0 and number in infos}
    if not any(number >= 0 for number in expected):
        return ()
    names = (infos[number].name for number in sorted(counts) if number >= 0)
    return tuple(name for name in names if name not in known)


def _strangers(
    infos: Mapping[int, FeatureInfo], reference: Reference | None, counts: Mapping[int, FeatureCounts]
) -> Strangers:
    if reference is None:
        return NONE
    present = [number for number, found in counts.items() if found.missing < found.n]
    here, there = (
        [infos[number].name for number in numbers if number >= 0 and number in infos]
        for numbers in (present, reference.counts)
    )
    return strangers(here, there)


def _move(info: FeatureInfo, reference: Counts, current: Counts, drift: Drift | None) -> Move | None:
    if drift is None or drift.state == "too_few":
        return None
    return move(info, reference, current, drift)


def _fitting(policy: Policy, info: FeatureInfo) -> Policy:
    """Return the policy for a feature."""
    return policy if info.kind == "numeric" and info.edges else policy.without_order


def _present(drift: Drift | None, counts: object) -> Drift | None:
    return drift if counts is not None else None
