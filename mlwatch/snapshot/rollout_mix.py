"""Whether two versions get the same traffic: where the mix of a segment differs, how they compare at the same mix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout_words import number
from mlwatch.metrics.standardised import Standardised, standardised
from mlwatch.snapshot.features import feature_infos
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.segments import part_name
from mlwatch.store import rollups
from mlwatch.store.rollup import HOUR, QUARTER

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import FloatArray, IntArray, MetricSpec
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.snapshot.rollout_series import Inputs

    Mixes = Callable[[Hashable, Callable[[], tuple[str, ...]]], tuple[str, ...]]

ANOTHER = 0.1
"""Total variation distance from which a mix is another one."""
ENOUGH = 1_000
"""Labelled predictions of each version below which chance alone makes mixes differ so much."""
LONG = timedelta(days=2)
"""Rollouts longer than this are read by the hour."""


@dataclass(frozen=True, slots=True)
class _Segments:
    """The segments of one column."""

    feature: int
    parts: IntArray
    n: FloatArray
    """Labelled predictions by version and part."""
    usual: float
    """The baseline's mean loss."""
    compared: Standardised

    @property
    def hidden(self) -> float:
        """How far the mix moves the difference of the versions."""
        return abs(self.compared.crude - self.compared.adjusted)

    def matters(self, spec: MetricSpec) -> bool:
        """Tell whether the mix is another one and moves a metric by its margin."""
        margin = spec.margin * (self.usual if spec.scale == "relative" else 1)
        return self.compared.apart >= ANOTHER and self.hidden >= margin


def mix_remarks(connection: DuckDBPyConnection, inputs: Inputs) -> tuple[str, ...]:
    """Say of the column that tells most that its segments are other parts of each version's traffic.

    A split at random gives each version the same mix; else one may look better for getting the easier requests. Only
    what moves the judged difference by its margin is said.

    Args:
        connection: A cursor of this thread.
        inputs: What is judged.
    """
    pairing = inputs.pairing
    spec = next((each for each in inputs.settings.metrics if each.name in {"accuracy", "mae"}), None)
    if spec is None:
        return ()
    rows = _rows(connection, pairing, numeric=spec.name == "mae")
    told = [each for each in _segments(rows) if each.matters(spec)]
    if not told:
        return ()
    worst = max(told, key=lambda each: each.hidden)
    info = feature_infos(connection)[worst.feature]
    shares = 100 * worst.n / worst.n.sum(axis=1)[:, None]
    place = int(np.argmax(np.abs(shares[1] - shares[0])))
    before, now = (f"{number(share, 2)} %" for share in shares[:, place])
    said = (
        f"{pairing.candidate} gets another mix of {info.name} than {pairing.baseline} "
        f"({part_name(info, int(worst.parts[place]))}: {now} of its labelled predictions, {before} of "
        f"{pairing.baseline}'s): at the same mix its {spec.label} is {_gap(worst.compared.adjusted, spec)} "
        f"{pairing.baseline}'s, not {_gap(worst.compared.crude, spec)}"
    )
    return (said,)


def _gap(loss: float, spec: MetricSpec) -> str:
    """Return in words how far a candidate's metric is from the baseline's, of the difference of losses."""
    value = -loss if spec.higher_is_better else loss
    size = f"{number(100 * abs(value), 2)} points" if spec.kind == "proportion" else number(abs(value), 2)
    return f"{size} {'above' if value > 0 else 'below'}"


def _rows(connection: DuckDBPyConnection, pairing: Pairing, *, numeric: bool) -> Table:
    n, loss = (
        ("SUM(n_number)", "SUM(sum_abs)")
        if numeric
        else ("SUM(n)", "SUM(CASE WHEN label <> prediction THEN n ELSE 0 END)")
    )
    width = HOUR if pairing.end - pairing.start > LONG else QUARTER
    return fetch(
        connection,
        f"""SELECT feature, part, version = $candidate AS is_candidate, {n} AS n, {loss} AS loss
        FROM {rollups.SEGMENTS.table(width)}
        WHERE model = $model AND version IN ($baseline, $candidate) AND bucket >= $start AND bucket < $end
            AND feature >= 0 AND (prediction <> '' OR {numeric})
        GROUP BY ALL ORDER BY ALL""",
        {
            "model": pairing.model,
            "baseline": pairing.baseline,
            "candidate": pairing.candidate,
            "start": pairing.start,
            "end": pairing.end,
        },
    )


def _segments(rows: Table) -> Iterator[_Segments]:
    for feature in np.unique(rows["feature"]).tolist():
        mine = rows.where(rows["feature"] == feature)
        parts, place = np.unique(mine["part"], return_inverse=True)
        n, losses = np.zeros((2, len(parts))), np.zeros((2, len(parts)))
        cells = (mine["is_candidate"].astype(np.int64), place)
        np.add.at(n, cells, mine["n"])
        np.add.at(losses, cells, mine["loss"])
        if n.sum(axis=1).min() >= ENOUGH and (compared := standardised(n, losses)) is not None:
            yield _Segments(feature, parts, n, float(losses[0].sum() / n[0].sum()), compared)
