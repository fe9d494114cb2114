"""Shadow mode: requests that both versions answered, joined by id in the stored rows.

No rollup holds pairs, so this reads raw rows; it stays bounded by `MOST_PAIRS` and by how long rows are kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout import rollout_verdict
from mlwatch.metrics.rollout_pairs import PairCounts, ShadowResult
from mlwatch.metrics.rollout_shadow import shadow_verdict
from mlwatch.snapshot.read import Life, fetch
from mlwatch.snapshot.rollout_result import metric_of, rollout_of
from mlwatch.snapshot.rollout_series import CLASS_TASKS
from mlwatch.snapshot.types import ConfusionTable, Rollout, Shadow
from mlwatch.store import rollups
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import MetricSpec, RolloutVerdict, Verdict
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.rollout_series import Inputs, Pairing

MOST_PAIRS = 300_000
"""Requests of the candidate, the newest ones, that are paired."""
MOST_CLASSES = 50
"""Classes in the table of agreement; the rarer ones are left out of kappa."""
SAMPLE = 500
SHARED = 0.5
"""Share of the candidate's requests that the baseline answered too from which it is a shadow."""


def is_shadow(connection: DuckDBPyConnection, baseline: Life, candidate: Life) -> bool:
    """Tell from the newest requests whether both versions answer the same ones.

    Args:
        connection: A cursor of this thread.
        baseline: The version in service.
        candidate: The version under test.
    """
    begin = candidate.last - timedelta(hours=1)
    row = connection.execute(
        f"""WITH sample AS (
            SELECT h, id FROM predictions WHERE model = ? AND version = ? AND ts >= ? AND ts <= ?
                AND id IS NOT NULL LIMIT {SAMPLE})
        SELECT COUNT(*), COUNT(*) FILTER ((h, id) IN (
            SELECT (h, id) FROM predictions WHERE model = ? AND version = ? AND ts >= ? AND ts <= ?
                AND h IN (SELECT h FROM sample)))
        FROM sample""",
        [
            candidate.pair.model,
            candidate.pair.version,
            begin,
            candidate.last,
            baseline.pair.model,
            baseline.pair.version,
            begin - timedelta(hours=1),
            candidate.last + timedelta(hours=1),
        ],
    ).fetchone()
    asked, shared = row or (0, 0)
    return bool(asked) and shared / asked > SHARED


def judge(
    connection: DuckDBPyConnection,
    inputs: Inputs,
    accuracy: MetricSpec,
    cap: float | None,
    now: int,
) -> Rollout:
    """Judge speed and failures by arm, and who is right pair by pair, where answers are classes.

    The error budget is split: each of the arms' guardrails and the pairs get an equal part.

    Args:
        connection: A cursor of this thread.
        inputs: The arms, and how they are judged.
        accuracy: How accuracy is judged.
        cap: Largest allowed share of pairs with different answers.
        now: Present minute.
    """
    pairing, settings = inputs.pairing, inputs.settings
    start = _bounded_start(connection, pairing)
    counts, confusion = count_pairs(connection, replace(pairing, start=start))
    since = () if start == pairing.start else (f"only pairs since {start:%Y-%m-%d %H:%M} UTC are compared",)
    in_classes = pairing.task in CLASS_TASKS
    guards = sum(spec.guardrail for spec in settings.metrics)
    by_arm = replace(
        settings, alpha=settings.alpha * guards / (guards + in_classes) if guards else settings.alpha
    )
    beside = rollout_verdict(inputs.arms.baseline, inputs.arms.candidate, by_arm, now)
    own = replace(settings, alpha=settings.alpha / (guards + 1), metrics=(), hard_limits=())
    verdict, shadow = shadow_verdict(counts, own, accuracy, cap, beside.elapsed)
    found = replace(
        rollout_of(pairing.model, beside, pairing.start, (*since, *inputs.remarks)),
        alpha=settings.alpha,
        shadow=_shadow(shadow, counts, confusion),
    )
    return _together(found, verdict, guards) if in_classes else found


def _together(by_arm: Rollout, pairs: RolloutVerdict, guards: int) -> Rollout:
    """Roll back if either says so, promote if both do; the pairs speak first."""
    answers = {pairs.verdict, by_arm.verdict} if guards else {pairs.verdict}
    answer: Verdict = "rollback" if "rollback" in answers else "hold" if "hold" in answers else "promote"
    blocking = pairs.state.value if pairs.verdict == "hold" else by_arm.state
    metrics = {result.name: metric_of(result) for result in pairs.metrics} | dict(by_arm.metrics)
    said = by_arm.reasons if guards else ()
    return replace(
        by_arm,
        verdict=answer,
        state=blocking if answer == "hold" else by_arm.state if by_arm.verdict == answer else "decided",
        reasons=(*pairs.reasons, *said) if pairs.verdict == answer else (*said, *pairs.reasons),
        metrics=metrics,
        calibrated=by_arm.calibrated and pairs.calibrated,
    )


def _bounded_start(connection: DuckDBPyConnection, pairing: Pairing) -> datetime:
    """Return from when on the candidate has at most `MOST_PAIRS` requests."""
    row = connection.execute(
        f"""SELECT MIN(bucket) FROM (
            SELECT bucket, SUM(SUM(n)) OVER (ORDER BY bucket DESC) AS so_far
            FROM {rollups.TRAFFIC.table(rollups.HOUR)}
            WHERE model = ? AND version = ? AND bucket < ? GROUP BY bucket)
        WHERE so_far <= {MOST_PAIRS}""",
        [pairing.model, pairing.candidate, pairing.end],
    ).fetchone()
    if row is None or row[0] is None:
        return max(pairing.start, pairing.end - timedelta(hours=1))
    begin: datetime = row[0]
    return max(pairing.start, begin)


def count_pairs(connection: DuckDBPyConnection, pairing: Pairing) -> tuple[PairCounts, ConfusionTable | None]:
    """Count pairs by both answers and the label."""
    sides = "SELECT id, h, prediction, label FROM predictions WHERE {} AND NOT failed AND id IS NOT NULL"
    of_one = sides.format("model = ? AND version = ? AND ts >= ? AND ts < ?")
    table = fetch(
        connection,
        f"""WITH b AS ({of_one}), c AS ({of_one})
        SELECT b.prediction AS old, c.prediction AS new,
            COALESCE({CURRENT_LABEL}, b.label, c.label) AS label, COUNT(*) AS n
        FROM b JOIN c ON c.h = b.h AND c.id = b.id {label_joins("b", "?")}
        GROUP BY ALL""",
        [
            *(pairing.model, pairing.baseline, pairing.start, pairing.end),
            *(pairing.model, pairing.candidate, pairing.start, pairing.end),
            pairing.model,
        ],
    )
    alone = fetch(
        connection,
        """SELECT version, COUNT(*) AS n FROM predictions
        WHERE model = ? AND version IN (?, ?) AND ts >= ? AND ts < ? AND NOT failed GROUP BY version""",
        [pairing.model, pairing.baseline, pairing.candidate, pairing.start, pairing.end],
    )
    return _counted(table, dict(zip(alone["version"], alone["n"], strict=True)), pairing)


def _counted(
    table: Table, totals: dict[str, int], pairing: Pairing
) -> tuple[PairCounts, ConfusionTable | None]:
    old, new, label, n = (table[name] for name in ("old", "new", "label", "n"))
    pairs = int(n.sum())
    if not pairs or pairing.task not in CLASS_TASKS:
        return replace(_unpaired(totals, pairing, pairs), pairs=pairs), None
    labelled, old_right, new_right = label != "", old == label, new == label

    def among(mask: np.ndarray) -> int:
        return int(n[labelled & mask].sum())

    confusion = _agreement(old, new, n)
    counts = replace(
        _unpaired(totals, pairing, pairs),
        pairs=pairs,
        disagreements=int(n[old != new].sum()),
        both_right=among(old_right & new_right),
        only_baseline_right=among(old_right & ~new_right),
        only_candidate_right=among(~old_right & new_right),
        both_wrong=among(~old_right & ~new_right),
        agreement=np.array(confusion.counts, dtype=np.int64),
    )
    return counts, confusion


def _unpaired(totals: dict[str, int], pairing: Pairing, pairs: int) -> PairCounts:
    alone = (max(int(totals.get(name, 0)) - pairs, 0) for name in (pairing.baseline, pairing.candidate))
    return PairCounts(unpaired_baseline=next(alone), unpaired_candidate=next(alone))


def _agreement(old: np.ndarray, new: np.ndarray, n: np.ndarray) -> ConfusionTable:
    """Tabulate both answers, of the most frequent classes."""
    names, place = np.unique(np.concatenate([old, new]).astype(str), return_inverse=True)
    sizes = np.bincount(place, weights=np.concatenate([n, n]))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (place[: len(old)], place[len(old) :]), n)
    rows = counts[np.ix_(kept, kept)].tolist()
    return ConfusionTable(tuple(names[kept].tolist()), tuple(tuple(row) for row in rows))


def _shadow(found: ShadowResult, counts: PairCounts, confusion: ConfusionTable | None) -> Shadow:
    return Shadow(
        pairs=found.pairs,
        labelled=found.labelled,
        disagreement_rate=found.disagreement_rate if confusion else None,
        disagreement_low=found.disagreement_low if confusion else None,
        disagreement_high=found.disagreement_high if confusion else None,
        kappa=found.kappa if confusion else None,
        accuracy_difference=found.accuracy_difference,
        low=found.low,
        high=found.high,
        only_baseline_right=counts.only_baseline_right,
        only_candidate_right=counts.only_candidate_right,
        mcnemar_p=found.mcnemar_p if confusion else None,
        confusion=confusion,
    )
