"""What a profile is made of: the counts of the reference that a store holds, or of a period of its logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.asking import number
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import loss_trees, output_rollups, reference_texts, rollups
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins
from mlwatch.store.reference_tables import COLUMNS
from mlwatch.store.reference_windows import parted_sql
from mlwatch.store.registry import OUTPUTS, Registry
from mlwatch.store.rollup import MINUTE, QUARTER, RESIDUAL, bucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.store.loss_trees import LossTree

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as the store's times: UTC without saying so
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a profile holds besides the bins, which are those of the store."""

    source: str
    """What it was made of, in words."""
    counts: Sequence[tuple[int, int, int, float | None]]
    """Feature, bin, rows, sum of the values."""
    labels: Mapping[str, Rows]
    """Rows of each of `reference_tables.COLUMNS`."""
    windows: Sequence[tuple[int, int, int, int]] = ()
    """Feature, window, bin, rows: how the counts came about in time."""
    losses: LossTree | None = None
    """Where a regression errs more."""


def of_reference(connection: DuckDBPyConnection, source: str) -> Contents:
    """Return the counts of the reference that a store holds."""
    counts = connection.execute(
        "SELECT feature, bin, CAST(SUM(n) AS BIGINT), SUM(total) FROM reference GROUP BY 1, 2"
    ).fetchall()
    windows = connection.execute(
        "SELECT feature, part, bin, n FROM reference_windows ORDER BY ALL"
    ).fetchall()
    labels = {
        name: connection.execute(f"SELECT {', '.join(columns)} FROM reference_{name} ORDER BY ALL").fetchall()
        for name, columns in COLUMNS.items()
    }
    return Contents(source, counts, labels, windows, loss_trees.recall(connection))


def of_logs(connection: DuckDBPyConnection, of: tuple[str, str], start: datetime, end: datetime) -> Contents:
    """Return the counts of one version's logs in a period, to the quarter of an hour.

    Args:
        connection: A cursor of this thread.
        of: Model and version.
        start: Aware.
        end: Aware, exclusive.
    """
    model, version = of
    inside = "model = $model AND version = $version AND bucket >= $start AND bucket < $end"
    first, last = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, end))
    quarter = timedelta(seconds=QUARTER)
    values: dict[str, object] = {
        "model": model,
        "version": version,
        "start": first - (first - EPOCH) % quarter,
        "end": last,
    }
    counts = connection.execute(
        f"""SELECT feature, bin, CAST(SUM(n) AS BIGINT), SUM(total) FROM {rollups.FEATURES.table(QUARTER)}
        WHERE {inside} GROUP BY 1, 2""",
        values,
    ).fetchall()
    answers = f"{inside} AND {reference_texts.OF_ANSWERS}"
    counts += connection.execute(
        f"""SELECT {reference_texts.NUMBER} AS feature, bin, CAST(SUM(n) AS BIGINT), SUM(total)
        FROM {output_rollups.MEASURES.table(QUARTER)} WHERE {answers} GROUP BY 1, 2""",
        values,
    ).fetchall()
    windows = connection.execute(
        f"""SELECT feature, part, bin, n FROM ({parted_sql(inside)})
        UNION ALL
        SELECT {reference_texts.NUMBER}, part, bin, n
        FROM ({parted_sql(answers, output_rollups.MEASURES, "measure, bin")})
        ORDER BY ALL""",
        values,
    ).fetchall()
    source = f"{version} of {model}, {_minute(first)} to {_minute(last)}"
    labels: dict[str, Rows] = {name: [] for name in COLUMNS}
    labels |= {
        name: connection.execute(
            f"SELECT {', '.join(COLUMNS[name])} FROM ({select}) ORDER BY ALL", values
        ).fetchall()
        for name, select in _label_selects(inside).items()
    }
    if not labels["labels"]:
        select = f"({_without_scores(inside)}) ORDER BY ALL"
        labels["labels"] = connection.execute(
            f"SELECT {', '.join(COLUMNS['labels'])} FROM {select}", values
        ).fetchall()
    return Contents(source, counts, labels, windows, _losses(connection, of, inside, values))


def _losses(
    connection: DuckDBPyConnection, of: tuple[str, str], inside: str, values: Mapping[str, object]
) -> LossTree | None:
    """Return where a regression errs more; None where records of the period are gone: it would be of the others alone.

    Args:
        connection: A cursor of this thread.
        of: Model and version.
        inside: Condition on the buckets of the period.
        values: What it names.
    """
    counted = number(
        connection,
        f"""SELECT SUM(n_number) FROM {rollups.SEGMENTS.table(QUARTER)}
        WHERE feature = {rollups.VALUE} AND {inside}""",
        values,
    )
    model, version = map(literal, of)
    start, end = (f"TIMESTAMP '{values[name]}'" for name in ("start", "end"))
    records = f"""(
        SELECT p.* REPLACE (COALESCE({CURRENT_LABEL}, p.label) AS label)
        FROM predictions AS p {label_joins("p", "p.model")}
        WHERE NOT p.failed AND p.model = {model} AND p.version = {version}
            AND p.ts >= {start} AND {bucket(QUARTER, "p.ts")} < {end})"""
    if not counted or number(connection, f"SELECT COUNT({RESIDUAL}) FROM {records}") < counted:
        return None
    registry = Registry(connection)
    features = [
        (row.name, registry.binned(row.number, identifier(row.column), row.kind))
        for row in registry.features.values()
        if row.number in registry.bins and (of[0], row.number) in registry.model_features
    ]
    features.append(("", registry.binned(rollups.VALUE, *OUTPUTS[rollups.VALUE])))
    return loss_trees.learn(connection, features, records)


def _label_selects(inside: str) -> dict[str, str]:
    """Return what says each part of the labels of a period."""
    none = ", ".join(
        f"CAST(NULL AS DOUBLE) AS {name}" for name in ("sum_error", "sum_abs", "sum_sq", "sum_err4")
    )
    there = "HAVING SUM(n) > 0"
    scored = f"""SELECT label, prediction, bin, CAST(SUM(n) AS BIGINT) AS n, SUM(sum_score) AS sum_score, {none}
        FROM {rollups.SCORES.table(QUARTER)}
        WHERE prediction IS NOT NULL AND {inside} GROUP BY 1, 2, 3 {there}"""
    found = {
        "labels": scored,
        "label_windows": parted_sql(f"{inside} AND label <> ''", rollups.OUTCOMES, "label"),
    }
    for name, rollup in (
        ("outcomes", rollups.OUTCOMES),
        ("classes", output_rollups.CLASS_SCORES),
        ("ranks", output_rollups.RANKS),
    ):
        sums = ", ".join(f"CAST(SUM({each}) AS {kind}) AS {each}" for each, kind in rollup.measures.items())
        keys = ", ".join(rollup.keys)
        table = rollup.table(rollup.levels[0])
        found[name] = f"SELECT {keys}, {sums} FROM {table} WHERE {inside} GROUP BY {keys} {there}"
    return found


def _without_scores(inside: str) -> str:
    """Return what says the labels of a period without scores: by prediction, or of a regression its errors."""
    none = "CAST(NULL AS DOUBLE)"
    return f"""
        SELECT label, prediction, CAST(NULL AS INTEGER) AS bin, CAST(SUM(n) AS BIGINT) AS n, {none} AS sum_score,
            {none} AS sum_error, {none} AS sum_abs, {none} AS sum_sq, {none} AS sum_err4
        FROM {rollups.OUTCOMES.table(MINUTE)} WHERE label <> '' AND {inside} GROUP BY 1, 2
        UNION ALL
        SELECT '', '', part, CAST(SUM(n_number) AS BIGINT), NULL, SUM(sum_error), SUM(sum_abs), SUM(sum_sq),
            SUM(sum_err4)
        FROM {rollups.SEGMENTS.table(QUARTER)} WHERE feature = {rollups.VALUE} AND {inside} GROUP BY part"""


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
