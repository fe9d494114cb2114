"""Where, when and for what a shadow answers differently, from the stored rows of requests that both versions answered.

The pairs are joined once into a temporary table that holds, besides both answers, which part of each feature's range
a request lies in; everything else is sums over it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.asking import row
from mlwatch.metrics import intervals
from mlwatch.metrics.drift import benjamini_hochberg
from mlwatch.metrics.pair_gaps import Explained, PairedDistance, explained, mean_limits
from mlwatch.metrics.segments import Losses, contrast, together
from mlwatch.snapshot.features import feature_infos
from mlwatch.snapshot.pair_types import PairFeature, PairFindings, PairPart, PairRequest, PairStep
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.segments import part_name
from mlwatch.sources.sql import identifier
from mlwatch.store import slices
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins
from mlwatch.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.rollout_types import RolloutSettings
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.pair_types import Measure, Value
    from mlwatch.snapshot.rollout_pairing import Pairing

MOST_FEATURES = 60
"""Features that the gaps are parted by: those followed as segments, then in order of appearance."""
MOST_STEPS = 48
MOST_REQUESTS = 10
"""Requests that are shown with their features."""
GROUP = 20
"""Features that are counted in one statement."""
LARGEST = "1e150"
"""Farther numbers are left out: their squares cannot be summed."""
_LABEL = f"COALESCE({CURRENT_LABEL}, b.label, c.label)"
NUMBER = "TRY_CAST({} AS DOUBLE)"


@dataclass(frozen=True, slots=True)
class _Sides:
    """The stored rows of both versions over the time, as FROM items with their parameters."""

    pairing: Pairing

    @property
    def source(self) -> str:
        """Return both sides joined: `b` is the baseline's row, `c` the candidate's."""
        mine = "model = ? AND version = ? AND ts >= ? AND ts < ?"
        one = f"(FROM predictions WHERE {mine} AND NOT failed AND id IS NOT NULL)"
        return f"{one} AS b JOIN {one} AS c ON c.h = b.h AND c.id = b.id"

    @property
    def values(self) -> list[object]:
        """Return the parameters of `source`."""
        mine = self.pairing
        return [
            value
            for version in (mine.baseline, mine.candidate)
            for value in (mine.model, version, mine.start, mine.end)
        ]


def find(connection: DuckDBPyConnection, pairing: Pairing, settings: RolloutSettings) -> PairFindings:
    """Look where the answers to the same requests differ.

    Args:
        connection: A cursor of this thread; it makes a temporary table.
        pairing: The versions and the time.
        settings: Error budget of intervals that hold at every look.
    """
    numeric = pairing.task == "regression"
    measure: Measure = "distance" if numeric else "disagreement"
    registry = Registry(connection)
    columns = _columns(connection, registry, pairing.model)
    _join(connection, _Sides(pairing), columns, numeric=numeric)
    rows = fetch(
        connection,
        "SELECT COUNT(*) AS n, MIN(ts) AS first, MAX(ts) AS last, MEDIAN(lag) AS lag FROM shadow_pairs",
    )
    pairs = rows.whole("n")
    if not pairs:
        return PairFindings(measure)
    parts, features = _spread(connection, columns, registry, numeric=numeric)
    return PairFindings(
        measure,
        pairs,
        _steps(connection, _minute(rows["first"][0]), _minute(rows["last"][0]), numeric=numeric),
        parts,
        features,
        _requests(connection, _Sides(pairing), _named(registry, pairing.model, features)),
        _distance(connection, "new_value", "old_value", settings) if numeric else None,
        _distance(connection, "new_score", "old_score", settings),
        _distance(connection, "ABS(new_value - label)", "ABS(old_value - label)", settings)
        if numeric
        else None,
        lag_s=float(rows["lag"][0]),
    )


def _columns(connection: DuckDBPyConnection, registry: Registry, model: str) -> slices.Columns:
    mine = [
        row.number for row in registry.features.values() if (model, row.number) in registry.model_features
    ]
    followed = [number for number in registry.segments if number in mine]
    wanted = list(dict.fromkeys((*followed, *mine)))[:MOST_FEATURES]
    return slices.columns(connection, registry, wanted)


def _join(connection: DuckDBPyConnection, sides: _Sides, columns: slices.Columns, *, numeric: bool) -> None:
    """Make the table of pairs: times, gaps, scores, and the part of each feature."""
    names = [column.feature.expression for column in columns.columns]
    both = "".join(
        f", COALESCE(b.{name}, c.{name}) AS {name}, b.{name} <> c.{name} AS unequal_{number}"
        for number, name in enumerate(names)
    )
    unequal = "".join(f", unequal_{number}" for number in range(len(names)))
    old, new = (NUMBER.format(f"{side}.prediction") for side in "bc")
    gap = f"ABS({new} - {old})" if numeric else "CAST(b.prediction <> c.prediction AS DOUBLE)"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE shadow_pairs AS
        SELECT ts, id, h, lag, gap, old_value, new_value, old_score, new_score, label {columns.select("p")} {unequal}
        FROM (
            SELECT b.ts, b.id, b.h, b.model, b.prediction, {gap} AS gap,
                (epoch_us(c.ts) - epoch_us(b.ts)) / 1e6 AS lag, {old} AS old_value, {new} AS new_value,
                b.score AS old_score, c.score AS new_score, {NUMBER.format(_LABEL)} AS label {both}
            FROM {sides.source} {label_joins("b", "b.model")}) AS p
        WHERE gap < {LARGEST}""",
        sides.values,
    )


def _minute(time: Any) -> datetime:
    moment: datetime = time.astype("datetime64[m]").item()
    return moment


def _steps(
    connection: DuckDBPyConnection, first: datetime, last: datetime, *, numeric: bool
) -> tuple[PairStep, ...]:
    minutes = int((last - first).total_seconds() // 60) + 1
    width = math.ceil(minutes / MOST_STEPS)
    rows = fetch(
        connection,
        f"""SELECT date_diff('minute', ?, ts) // {width} AS step, COUNT(*) AS n, SUM(gap) AS total,
            SUM(gap * gap) AS squares
        FROM shadow_pairs GROUP BY 1""",
        [first],
    )
    found = dict(zip(rows["step"].tolist(), _losses(rows, numeric=numeric), strict=True))
    return tuple(
        _step(first + timedelta(minutes=width * step), width, found.get(step, Losses(proportion=not numeric)))
        for step in range(math.ceil(minutes / width))
    )


def _step(start: datetime, width: int, losses: Losses) -> PairStep:
    limits = (
        intervals.wilson(losses.total, losses.n)
        if losses.proportion
        else intervals.mean_t(losses.n, losses.total, losses.squares)
    )
    low, high = limits or (None, None)
    begin = start.replace(tzinfo=UTC)
    return PairStep(
        begin, begin + timedelta(minutes=width), losses.n, losses.mean if losses.n else None, low, high
    )


def _losses(rows: Table, *, numeric: bool) -> list[Losses]:
    columns = (rows[name].tolist() for name in ("n", "total", "squares"))
    return [
        Losses(int(n), float(total), float(squares), proportion=not numeric)
        for n, total, squares in zip(*columns, strict=True)
    ]


# --- segments and features ---------------------------------------------------------------------------------


def _spread(
    connection: DuckDBPyConnection, columns: slices.Columns, registry: Registry, *, numeric: bool
) -> tuple[tuple[PairPart, ...], tuple[PairFeature, ...]]:
    """Part the gaps by every feature: by segment, and how much each feature explains."""
    infos, parts, features = feature_infos(connection), [], []
    chosen = list(enumerate(columns.columns))
    for start in range(0, len(chosen), GROUP):
        group = chosen[start : start + GROUP]
        rows = fetch(connection, " UNION ALL ".join(_part_sql(number, column) for number, column in group))
        for _, column in group:
            number = column.feature.number
            mine = rows.where(rows["feature"] == number)
            features.append(
                (infos[number].name, _explained(mine), mine.whole("unequal"), mine.whole("compared"))
            )
            if number in registry.segments:
                parts += _parts(infos[number], mine, numeric=numeric)
    contrasts = together([part.contrast for part in parts])
    judged = [
        PairPart(part.column, part.value, part.pairs, part.mean, found)
        for part, found in zip(parts, contrasts, strict=True)
    ]
    judged.sort(key=lambda part: -(part.contrast.excess if part.contrast else -math.inf))
    return tuple(judged), _ranked(features)


def _part_sql(number: int, column: slices.Column) -> str:
    return f"""SELECT {column.feature.number} AS feature, {column.name} AS part, COUNT(*) AS n, SUM(gap) AS total,
            SUM(gap * gap) AS squares, SUM(CAST(unequal_{number} AS INTEGER)) AS unequal,
            COUNT(unequal_{number}) AS compared
        FROM shadow_pairs WHERE {column.name} IS NOT NULL GROUP BY {column.name}"""


def _explained(rows: Table) -> Explained | None:
    return explained(rows["n"], rows["total"], rows["squares"]) if len(rows) else None


def _parts(info: FeatureInfo, rows: Table, *, numeric: bool) -> list[PairPart]:
    whole = Losses(rows.whole("n"), rows.sum("total"), rows.sum("squares"), proportion=not numeric)
    return [
        PairPart(info.name, part_name(info, int(part)), mine.n, mine.mean, contrast(mine, whole - mine))
        for part, mine in zip(rows["part"].tolist(), _losses(rows, numeric=numeric), strict=True)
    ]


def _ranked(found: Sequence[tuple[str, Explained | None, int, int]]) -> tuple[PairFeature, ...]:
    known = [(name, each, unequal, compared) for name, each, unequal, compared in found if each or unequal]
    if not known:
        return ()
    corrected = benjamini_hochberg([each.p if each else 1.0 for _, each, _, _ in known]).tolist()
    ranked = (
        PairFeature(name, each.share if each else 0.0, q, unequal, compared)
        for (name, each, unequal, compared), q in zip(known, corrected, strict=True)
    )
    return tuple(sorted(ranked, key=lambda one: (-one.explained, -one.unequal)))


# --- distances and requests --------------------------------------------------------------------------------


def _distance(
    connection: DuckDBPyConnection, new: str, old: str, settings: RolloutSettings
) -> PairedDistance | None:
    n, *found = row(
        connection,
        f"""SELECT COUNT(*), AVG(d), VAR_SAMP(d), AVG(ABS(d)), SQRT(AVG(d * d)), QUANTILE_CONT(ABS(d), 0.5),
            QUANTILE_CONT(ABS(d), 0.95), MAX(ABS(d)),
            CASE WHEN STDDEV_POP(x) > 0 AND STDDEV_POP(y) > 0 THEN CORR(x, y) END
        FROM (SELECT {new} AS x, {old} AS y, {new} - {old} AS d FROM shadow_pairs
            WHERE ABS({new}) < {LARGEST} AND ABS({old}) < {LARGEST})""",
    )
    if not n:
        return None
    mean, variance, mean_abs, rms, p50, p95, largest, correlation = found
    low, high = mean_limits(n, mean, variance or 0.0, settings.alpha, settings.n_opt)
    return PairedDistance(n, mean, low, high, mean_abs, rms, p50, p95, largest, correlation)


def _named(registry: Registry, model: str, ranked: Sequence[PairFeature]) -> Mapping[str, str]:
    """Return the columns of a model's features by name, those that the gaps depend on first."""
    mine = {
        row.name: identifier(row.column)
        for row in registry.features.values()
        if (model, row.number) in registry.model_features
    }
    names = list(dict.fromkeys((*(one.name for one in ranked), *mine)))[:MOST_FEATURES]
    return {name: mine[name] for name in names}


def _requests(
    connection: DuckDBPyConnection, sides: _Sides, named: Mapping[str, str]
) -> tuple[PairRequest, ...]:
    """Return the requests whose answers, or else scores, lie farthest apart."""
    wanted = connection.execute(
        f"""SELECT h, id FROM shadow_pairs WHERE gap > 0 OR {_SCORE_GAP} > 0
        ORDER BY gap DESC, {_SCORE_GAP} DESC NULLS LAST, ts DESC, id LIMIT {MOST_REQUESTS}"""
    ).fetchall()
    if not wanted:
        return ()
    columns = "".join(f", {side}.{column}" for side in "bc" for column in named.values())
    hashes = ", ".join(str(int(h)) for h, _ in wanted)
    rows = connection.execute(
        f"""SELECT b.id, b.ts, b.prediction, c.prediction, b.score, c.score,
            {_LABEL} {columns}
        FROM {sides.source} {label_joins("b", "b.model")} WHERE b.h IN ({hashes})""",
        sides.values,
    ).fetchall()
    found = {row[0]: _request(row, tuple(named)) for row in rows}
    return tuple(found[key] for _, key in wanted if key in found)


_SCORE_GAP = "CASE WHEN isfinite(new_score - old_score) THEN ABS(new_score - old_score) END"


def _request(row: Sequence[Any], names: Sequence[str]) -> PairRequest:
    key, time, old, new, old_score, new_score, label, *values = row
    before, after = values[: len(names)], values[len(names) :]
    features: dict[str, Value] = {}
    changed: dict[str, Value] = {}
    for name, one, two in zip(names, before, after, strict=True):
        features[name] = two if one is None else one
        if one is not None and two is not None and one != two:
            changed[name] = two
    return PairRequest(
        key,
        time.replace(tzinfo=UTC),
        old,
        new,
        _finite(old_score),
        _finite(new_score),
        label,
        features,
        changed,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
