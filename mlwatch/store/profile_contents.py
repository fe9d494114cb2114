"""What a profile is made of: the counts of the reference that a store holds, or of a period of its logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.store import loss_trees, output_rollups, reference_classes, reference_texts, rollups
from mlwatch.store.reference_windows import parted_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.store.loss_trees import LossTree

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as the store's times: UTC without saying so
LABELS = ("label", "prediction", "bin", "n", "sum_score", "sum_error", "sum_abs", "sum_sq", "sum_err4")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a profile holds besides the bins, which are those of the store."""

    source: str
    """What it was made of, in words."""
    counts: Sequence[tuple[int, int, int, float | None]]
    """Feature, bin, rows, sum of the values."""
    labels: Sequence[tuple[Any, ...]]
    """Rows of `LABELS`."""
    windows: Sequence[tuple[int, int, int, int]] = ()
    """Feature, window, bin, rows: how the counts came about in time."""
    losses: LossTree | None = None
    """Where a regression errs more."""
    classes: Sequence[tuple[Any, ...]] = ()
    """Rows of `reference_classes.COLUMNS`."""
    label_windows: Sequence[tuple[str, int, int]] = ()
    """Class, window, labels."""


def of_reference(connection: DuckDBPyConnection, source: str) -> Contents:
    """Return the counts of the reference that a store holds."""
    counts = connection.execute(
        "SELECT feature, bin, CAST(SUM(n) AS BIGINT), SUM(total) FROM reference GROUP BY 1, 2"
    ).fetchall()
    labels = connection.execute(f"SELECT {', '.join(LABELS)} FROM reference_labels ORDER BY ALL").fetchall()
    windows = connection.execute(
        "SELECT feature, part, bin, n FROM reference_windows ORDER BY ALL"
    ).fetchall()
    classes = connection.execute(
        f"SELECT {', '.join(reference_classes.COLUMNS)} FROM reference_classes ORDER BY ALL"
    ).fetchall()
    parts = connection.execute("SELECT label, part, n FROM reference_label_windows ORDER BY ALL").fetchall()
    return Contents(source, counts, labels, windows, loss_trees.recall(connection), classes, parts)


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
    quarter = timedelta(seconds=rollups.QUARTER)
    values: dict[str, object] = {
        "model": model,
        "version": version,
        "start": first - (first - EPOCH) % quarter,
        "end": last,
    }
    counts = connection.execute(
        f"""SELECT feature, bin, CAST(SUM(n) AS BIGINT), SUM(total) FROM {rollups.FEATURES.table(rollups.QUARTER)}
        WHERE {inside} GROUP BY 1, 2""",
        values,
    ).fetchall()
    answers = f"{inside} AND {reference_texts.OF_ANSWERS}"
    counts += connection.execute(
        f"""SELECT {reference_texts.NUMBER} AS feature, bin, CAST(SUM(n) AS BIGINT), SUM(total)
        FROM {output_rollups.MEASURES.table(rollups.QUARTER)} WHERE {answers} GROUP BY 1, 2""",
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
    classes = connection.execute(
        f"""SELECT class, hit, bin, CAST(SUM(n) AS BIGINT) AS n, SUM(sum_score)
        FROM {output_rollups.CLASS_SCORES.table(rollups.QUARTER)} WHERE {inside}
        GROUP BY 1, 2, 3 HAVING SUM(n) > 0 ORDER BY ALL""",
        values,
    ).fetchall()
    of_classes = parted_sql(f"{inside} AND label <> ''", rollups.OUTCOMES, "label")
    label_windows = connection.execute(
        f"SELECT label, part, n FROM ({of_classes}) WHERE n > 0 ORDER BY ALL", values
    ).fetchall()
    source = f"{version} of {model}, {_minute(first)} to {_minute(last)}"
    labels = _labels(connection, inside, values)
    return Contents(source, counts, labels, windows, classes=classes, label_windows=label_windows)


def _labels(connection: DuckDBPyConnection, inside: str, values: dict[str, object]) -> list[tuple[Any, ...]]:
    """Return labels by prediction and score, else by prediction; of a regression its errors."""
    scored = connection.execute(
        f"""SELECT label, prediction, bin, CAST(SUM(n) AS BIGINT) AS n, SUM(sum_score), NULL, NULL, NULL, NULL
        FROM {rollups.SCORES.table(rollups.QUARTER)}
        WHERE prediction IS NOT NULL AND {inside} GROUP BY 1, 2, 3 HAVING SUM(n) > 0 ORDER BY ALL""",
        values,
    ).fetchall()
    return (
        scored
        or connection.execute(
            f"""SELECT label, prediction, NULL, CAST(SUM(n) AS BIGINT) AS n, NULL, NULL, NULL, NULL, NULL
        FROM {rollups.OUTCOMES.table(rollups.MINUTE)} WHERE label <> '' AND {inside} GROUP BY 1, 2
        UNION ALL
        SELECT '', '', part, CAST(SUM(n_number) AS BIGINT), NULL, SUM(sum_error), SUM(sum_abs), SUM(sum_sq),
            SUM(sum_err4)
        FROM {rollups.SEGMENTS.table(rollups.QUARTER)} WHERE feature = {rollups.VALUE} AND {inside} GROUP BY part
        ORDER BY ALL""",
            values,
        ).fetchall()
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
