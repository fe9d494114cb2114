"""Count requests that both versions answered, joined by id in the stored rows.

No rollup holds pairs, so this reads raw rows; it stays bounded by `MOST_PAIRS` and by how long rows are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.asking import row
from mlwatch.metrics.rollout_pairs import PairCounts, PairMoments
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.rollout_rows import STORED, stored_since
from mlwatch.snapshot.types import ConfusionTable
from mlwatch.store import rollups
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins
from mlwatch.store.rollup import HOUR

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import FloatArray
    from mlwatch.snapshot.rollout_pairing import Pairing

MOST_PAIRS = 300_000
"""Requests of the candidate, the newest ones, that are paired."""
MOST_CLASSES = 50
"""Classes in the table of agreement; the rarer ones are left out of kappa."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The pairs of two versions."""

    start: datetime
    """From when on they are compared, naive UTC."""
    counts: PairCounts
    moments: PairMoments
    """The same, running by minute."""
    confusion: ConfusionTable | None
    """Both answers, where these are classes."""
    why: str = ""
    """Why they are not compared from the beginning, where they are not."""
    undecided: int = 0
    """Pairs in which an answer that should be a class is none."""


def count_pairs(connection: DuckDBPyConnection, pairing: Pairing, *, classes: bool) -> Counted:
    """Count pairs by minute, both answers and the label.

    Args:
        connection: A cursor of this thread.
        pairing: The versions and the time.
        classes: Whether answers are classes; else pairs are only counted.
    """
    start, why = _bounded_start(connection, pairing)
    bounded = replace(pairing, start=start)
    sides = "SELECT ts, id, h, prediction, label FROM predictions WHERE {} AND NOT failed AND id IS NOT NULL"
    of_one = sides.format("model = ? AND version = ? AND ts >= ? AND ts < ?")
    label = f"COALESCE({CURRENT_LABEL}, b.label, c.label)"
    answers = (
        f"b.prediction AS old, c.prediction AS new, {label} AS label"
        if classes
        else ("'' AS old, '' AS new, '' AS label")
    )
    times = (bounded.start, bounded.end)
    table = fetch(
        connection,
        f"""WITH b AS ({of_one}), c AS ({of_one})
        SELECT CAST(epoch_us(GREATEST(b.ts, c.ts)) // 60000000 AS BIGINT) AS minute, {answers}, COUNT(*) AS n
        FROM b JOIN c ON c.h = b.h AND c.id = b.id {label_joins("b", "?") if classes else ""}
        GROUP BY ALL""",
        [
            *(bounded.model, bounded.baseline, *times),
            *(bounded.model, bounded.candidate, *times),
            *([bounded.model] if classes else []),
        ],
    )
    alone = fetch(
        connection,
        """SELECT version, COUNT(*) AS n FROM predictions
        WHERE model = ? AND version IN (?, ?) AND ts >= ? AND ts < ? AND NOT failed GROUP BY version""",
        [bounded.model, bounded.baseline, bounded.candidate, *times],
    )
    totals = dict(zip(alone["version"], alone["n"], strict=True))
    unpaired = _unpaired(totals, bounded, table.whole("n"))
    counted = _counted(table, unpaired, start, bounded.positive, classes=classes)
    return replace(counted, why=why)


def without_answers(counted: Counted) -> Counted:
    """Return pairs as they are counted where answers are no classes."""
    counts, moments = counted.counts, counted.moments
    nothing = np.zeros(moments.minute.shape)
    alone = PairCounts(
        pairs=counts.pairs,
        unpaired_baseline=counts.unpaired_baseline,
        unpaired_candidate=counts.unpaired_candidate,
    )
    blank = PairMoments(moments.minute, moments.pairs, nothing, nothing, nothing, nothing)
    return replace(counted, counts=alone, moments=blank, confusion=None)


def _bounded_start(connection: DuckDBPyConnection, pairing: Pairing) -> tuple[datetime, str]:
    """Return from when on requests are stored and the candidate has at most `MOST_PAIRS` of them, and why so late."""
    stored = stored_since(connection, pairing)
    newest = _newest(connection, pairing)
    if stored is not None and stored >= newest:
        return stored, STORED
    return newest, "" if newest == pairing.start else f"the newest {MOST_PAIRS:,}"


def _newest(connection: DuckDBPyConnection, pairing: Pairing) -> datetime:
    """Return from when on the candidate has at most `MOST_PAIRS` requests."""
    (begin,) = row(
        connection,
        f"""SELECT MIN(bucket) FROM (
            SELECT bucket, SUM(SUM(n)) OVER (ORDER BY bucket DESC) AS so_far
            FROM {rollups.TRAFFIC.table(HOUR)}
            WHERE model = ? AND version = ? AND bucket < ? GROUP BY bucket)
        WHERE so_far <= {MOST_PAIRS}""",
        [pairing.model, pairing.candidate, pairing.end],
    )
    return max(pairing.start, begin or pairing.end - timedelta(hours=1))


def _counted(
    table: Table, unpaired: PairCounts, start: datetime, positive: str | None, *, classes: bool
) -> Counted:
    old, new, label, n = (table[name] for name in ("old", "new", "label", "n"))
    told = (old != "") & (new != "") | (not classes)
    known = (label != "") & told & classes
    right = {"old": known & (old == label), "new": known & (new == label)}
    flags = {
        "pairs": np.ones(len(n), dtype=bool),
        "disagreements": (old != new) & told,
        "labelled": known,
        "lost": right["old"] & ~right["new"],
        "won": right["new"] & ~right["old"],
        "both": right["old"] & right["new"],
    }
    counts, moments = _sums(table, flags, unpaired), _moments(table, flags)
    if classes and positive is not None:
        wanted = known & (label == positive)
        of_these = {name: flag & wanted for name, flag in flags.items()}
        counts = replace(counts, positive=_sums(table, of_these, PairCounts()))
        moments = replace(moments, positive=_moments(table, of_these))
    confusion = _agreement(old[told], new[told], n[told]) if classes and told.any() else None
    if confusion is not None:
        counts = replace(counts, agreement=np.array(confusion.counts, dtype=np.int64))
    return Counted(start, counts, moments, confusion, undecided=int(n[~told].sum()))


def _sums(table: Table, flags: dict[str, np.ndarray], unpaired: PairCounts) -> PairCounts:
    sums = {name: int(table["n"][flag].sum()) for name, flag in flags.items()}
    return replace(
        unpaired,
        pairs=sums["pairs"],
        disagreements=sums["disagreements"],
        both_right=sums["both"],
        only_baseline_right=sums["lost"],
        only_candidate_right=sums["won"],
        both_wrong=sums["labelled"] - sums["both"] - sums["lost"] - sums["won"],
    )


def _moments(table: Table, flags: dict[str, np.ndarray]) -> PairMoments:
    minute, place = np.unique(table["minute"], return_inverse=True)

    def running(name: str) -> FloatArray:
        by_minute = np.bincount(place, weights=table["n"] * flags[name], minlength=len(minute))
        return np.cumsum(by_minute)

    columns = map(running, ("pairs", "disagreements", "labelled", "lost", "won"))
    return PairMoments(minute.astype(np.int64), *columns)


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
