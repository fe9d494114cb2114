"""Fold a batch into the rollups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, row
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import bin_cells, evidence, feature_rollup, outputs, protected, rankings, rollups
from mlwatch.store.adding import add, remove, remove_features
from mlwatch.store.evidence import LONGEST, MAX_CLASSES, NUMBER, Evidence
from mlwatch.store.outcomes import CURRENT_LABEL, CURRENT_TIME, label_joins
from mlwatch.store.output_rollups import EVENT_LAGS, KINDS, OUTPUTS, event_lags_sql
from mlwatch.store.protected import ANSWERS
from mlwatch.store.registry import ModelRow, Registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings
    from mlwatch.store.feature_rollup import FeatureBins, Requests
    from mlwatch.store.slices import Columns

STATEMENT_FEATURES = 40
OF_LABELS = f"feature = {rollups.LABEL}"
"""Which rows of the rollup of features are labels of regressions."""
MOSTLY_NUMBERS = 0.99
"""Share of numbers among the predictions of a regression, most with a fraction then: the others are words for none."""
REGRESSION_CLASSES = 20
"""More different numbers than this, or any fraction, are values of a regression."""

TASK_COUNTS = f"""COUNT(prediction) AS total, COUNT(DISTINCT prediction) AS several, COUNT({NUMBER}) AS numbers,
    COUNT(*) FILTER ({NUMBER} <> ROUND({NUMBER})) AS fractions, MAX(LENGTH(prediction)) AS longest"""
"""What a task is told by, as items of a SELECT over the successful requests of a model."""


def fold_requests(
    connection: DuckDBPyConnection,
    registry: Registry,
    numbers: Sequence[int],
    models: Collection[str],
    requests: Requests,
    *,
    settings: OutputSettings,
    parts: Columns,
    unbinned: bool = True,
) -> None:
    """Add the batch's requests to traffic, latency and feature rollups.

    Args:
        connection: Inside the ingest transaction.
        registry: Features and bins.
        numbers: Features that the batch has columns for.
        models: Models of the batch.
        requests: Where they are, for counting by feature.
        settings: What the configuration says of outputs.
        parts: The segments that the batch has columns for.
        unbinned: Count features without bins too, as present or missing; False where bins are about to be cut.
    """
    connection.execute("CREATE OR REPLACE TEMP VIEW requests AS SELECT * FROM batch WHERE is_request")
    add(connection, rollups.TRAFFIC, rollups.traffic_sql("requests"))
    add(connection, rollups.LATENCY, rollups.latency_sql("requests"))
    fold_decided(connection, registry, "requests")
    protected.fold(connection, registry, "requests", parts)
    outputs.fold_requests(connection, registry, settings, "requests", models, numbers)
    may_be_invalid = is_there(connection, "batch WHERE invalid IS NOT NULL")
    features = [
        _narrowed(feature, models, may_be_invalid=may_be_invalid)
        for feature in (*registry.feature_bins(numbers), *registry.lacking(numbers, models))
        if unbinned or registry.is_binned(feature)
    ]
    _add_features(connection, requests, features)


def _add_features(
    connection: DuckDBPyConnection, requests: Requests, features: Sequence[FeatureBins]
) -> None:
    """Add the values of features to their rollup, some features at a time."""
    for group in in_groups(features):
        known = bin_cells.lay_out(connection, group)
        add(connection, rollups.FEATURES, feature_rollup.features_sql(requests, known))


def in_groups(
    features: Sequence[FeatureBins], size: int = STATEMENT_FEATURES
) -> Iterator[Sequence[FeatureBins]]:
    """Part features into statements of a size that the engine plans quickly."""
    for start in range(0, len(features), size):
        yield features[start : start + size]


def _narrowed(feature: FeatureBins, models: Collection[str], *, may_be_invalid: bool) -> FeatureBins:
    """Leave out of a feature's statement what this batch does not need."""
    every = set(models) <= set(feature.models)
    return replace(feature, models=() if every else feature.models, may_be_invalid=may_be_invalid)


def fold_scored(
    connection: DuckDBPyConnection, registry: Registry, parts: Columns, settings: OutputSettings
) -> None:
    """Add newly labelled predictions to the outcome, score and segment rollups; for rankings see `rankings.fold`."""
    numeric, free = registry.plain_models()
    add(connection, rollups.OUTCOMES, rollups.outcomes_sql("scored", numeric, free))
    add(connection, rollups.SCORES, rollups.scores_sql("scored", [*numeric, *free]))
    add(connection, rollups.LAGS, rollups.lags_sql("scored"))
    fold_label_values(connection, registry)
    outputs.fold_scored(connection, registry, settings)
    _fold_segments(connection, registry, parts)


def label_values_sql(registry: Registry) -> str | None:
    """Return the SELECT that counts the labels of regressions in `scored`; None until their bins are cut."""
    numeric, _ = registry.plain_models()
    if not numeric or rollups.LABEL not in registry.bins:
        return None
    return feature_rollup.labels_sql("scored", numeric, registry.label_bins())


def fold_label_values(connection: DuckDBPyConnection, registry: Registry) -> None:
    """Add the labels of regressions in `scored` to the rollup of features, once their bins are cut."""
    if (counted := label_values_sql(registry)) is not None:
        add(connection, rollups.FEATURES, counted)


def _fold_segments(connection: DuckDBPyConnection, registry: Registry, parts: Columns) -> None:
    numeric, free = registry.plain_models()
    names = {column.feature.number: column.name for column in parts.columns}
    if names:
        add(connection, rollups.SEGMENTS, rollups.segments_sql("scored", names, numeric, free))


def fold_decided(connection: DuckDBPyConnection, registry: Registry, relation: str) -> None:
    """Add the scores of requests to the rollup that needs no labels."""
    if is_there(connection, f"{relation} WHERE score IS NOT NULL"):
        numeric, free = registry.plain_models()
        add(connection, rollups.DECIDED, rollups.decided_sql(relation, [*numeric, *free]))


def fold_gains(connection: DuckDBPyConnection, *, taken_back: bool = False) -> None:
    """Add what events brought to the rollups of business, or subtract it."""
    statements = (
        (rollups.BUSINESS, rollups.business_sql("gains")),
        (EVENT_LAGS, event_lags_sql("converted")),
        (rollups.WORTH, rollups.worth_sql("worth")),
        (rollups.EVENT_VALUES, rollups.event_values_sql("measured")),
    )
    for rollup, select in statements:
        less = ", ".join(f"-{name} AS {name}" for name in rollup.measures)
        add(connection, rollup, f"SELECT * REPLACE ({less}) FROM ({select})" if taken_back else select)


def learn(
    connection: DuckDBPyConnection, registry: Registry, columns: Sequence[tuple[int, str]], task: str | None
) -> list[str]:
    """Learn from the batch which models there are, what they predict and which features they have.

    Args:
        connection: Inside the ingest transaction.
        registry: Learns.
        columns: Number and column name of the batch's features.
        task: The configured task, which wins.

    Returns:
        The models that the batch has successful requests of.
    """
    may_be_invalid = is_there(connection, "batch WHERE invalid IS NOT NULL")
    counts = "".join(f", {_values(*each, may_be_invalid=may_be_invalid)}" for each in columns)
    rows = connection.execute(
        f"SELECT model{counts} FROM batch WHERE is_request AND NOT failed GROUP BY model"
    ).fetchall()
    _learn_evidence(connection, registry, [model for model, *_ in rows])
    for model, *present in rows:
        if model not in registry.models:
            told = task or task_by(registry.evidence.get(model, Evidence()).counts)
            registry.add_model(model, ModelRow(told, None))
        numbers = [number for (number, _), values in zip(columns, present, strict=True) if values]
        registry.add_model_features(model, numbers)
    return [row[0] for row in rows]


def _learn_evidence(connection: DuckDBPyConnection, registry: Registry, models: Collection[str]) -> None:
    """Note what the batch tells of the tasks of models: of those that may yet turn out to be another."""
    young = [model for model in models if not registry.is_settled(model)]
    found = evidence.look(connection, "(FROM batch WHERE is_request)", young)
    if found:
        registry.keep_evidence(
            {model: registry.evidence.get(model, Evidence()).with_more(more) for model, more in found.items()}
        )


def _values(number: int, column: str, *, may_be_invalid: bool) -> str:
    """Return the count of a feature's values, with those that do not fit: a model has what it only gets wrong."""
    fitting = f"COUNT({identifier(column)})"
    return f"{fitting} + COUNT(*) FILTER (invalid LIKE '%|{number}|%')" if may_be_invalid else fitting


def task_of(connection: DuckDBPyConnection, relation: str, model: str) -> str:
    """Infer a model's task from its predictions: binary, multiclass, regression, or unknown for free text."""
    return _task(connection, f"{relation} WHERE model = {literal(model)} AND NOT failed")


def is_regression(connection: DuckDBPyConnection, relation: str) -> bool:
    """Tell whether a relation's predictions are values rather than classes."""
    return _task(connection, relation) == "regression"


def is_text(connection: DuckDBPyConnection, relation: str) -> bool:
    """Tell whether a relation's predictions are words rather than classes or values."""
    return _task(connection, relation) == "unknown"


def _task(connection: DuckDBPyConnection, rows: str) -> str:
    return task_by(row(connection, f"SELECT {TASK_COUNTS} FROM {rows}"))


def task_by(counts: Sequence[int | None]) -> str:
    """Tell a model's task by its `TASK_COUNTS`."""
    total, distinct, numbers, fractions, longest = (count or 0 for count in counts)
    if not total:
        return "binary"
    if numbers == total and (fractions or distinct > REGRESSION_CLASSES):
        return "regression"
    if numbers >= MOSTLY_NUMBERS * total and 2 * fractions >= total:
        return "regression"
    if distinct > MAX_CLASSES or longest > LONGEST:
        return "unknown"
    return "binary" if distinct <= 2 else "multiclass"


def refold_features(connection: DuckDBPyConnection, features: Sequence[FeatureBins]) -> None:
    """Count some features again from the stored rows, after their bins changed."""
    remove_features(connection, rollups.FEATURES, [feature.number for feature in features])
    _add_features(connection, feature_rollup.Requests("predictions"), features)


def refold_label_values(connection: DuckDBPyConnection, registry: Registry, parts: Columns) -> None:
    """Count the stored labels of regressions again, and only these, after their bins changed."""
    remove(connection, rollups.FEATURES, OF_LABELS)
    if (counted := label_values_sql(registry)) is not None:
        score_stored(connection, parts)
        add(connection, rollups.FEATURES, counted)


def refold_segments(
    connection: DuckDBPyConnection, registry: Registry, parts: Columns, gone: Collection[int] = ()
) -> None:
    """Count the labelled rows that are stored by some segments again, and only these.

    Args:
        connection: Inside a transaction of the thread that takes logs in.
        registry: Features and tasks.
        parts: The segments.
        gone: Features that are not followed any more.
    """
    remove_features(connection, rollups.SEGMENTS, {*gone, *parts.numbers})
    if parts.columns:
        score_stored(connection, parts)
        _fold_segments(connection, registry, parts)


def recount_labels(
    connection: DuckDBPyConnection,
    registry: Registry,
    parts: Columns,
    settings: OutputSettings,
    models: Collection[str] | None = None,
) -> None:
    """Count labels, scores and further outputs of the stored rows again, and only these.

    Args:
        connection: Inside a transaction of the thread that takes logs in.
        registry: Features and tasks.
        parts: Segments.
        settings: What the configuration says of outputs.
        models: Of which models; None for all.
    """
    mine = _of_models(models)
    for rollup in (
        rollups.OUTCOMES,
        rollups.SCORES,
        rollups.LAGS,
        rollups.SEGMENTS,
        rollups.DECIDED,
        ANSWERS,
        *OUTPUTS,
    ):
        if rollup is not EVENT_LAGS:
            remove(connection, rollup, mine)
    remove(connection, rollups.FEATURES, f"{OF_LABELS} AND {mine}")
    connection.execute(f"DELETE FROM ranked WHERE {mine}")
    score_stored(connection, parts, mine)
    fold_scored(connection, registry, parts, settings)
    stored = f"(FROM predictions WHERE {mine})"
    rankings.fold(connection, registry, settings, stored)
    fold_decided(connection, registry, stored)
    protected.fold(connection, registry, stored, parts)
    outputs.fold_requests(
        connection, registry, settings, stored, registry.models if models is None else models
    )


def recount_answers(connection: DuckDBPyConnection, registry: Registry, models: Collection[str]) -> None:
    """Count what some models answered, by its bins, in the stored rows again, and only this.

    Args:
        connection: Inside a transaction of the thread that takes logs in.
        registry: Features and tasks.
        models: Which.
    """
    answers = (rollups.PREDICTION, rollups.SCORE, rollups.VALUE, rollups.LOSS)
    remove(
        connection, rollups.FEATURES, f"feature IN ({', '.join(map(str, answers))}) AND {_of_models(models)}"
    )
    mine = [
        replace(one, models=own)
        for one in registry.feature_bins()
        if one.number in answers and (own := tuple(model for model in one.models if model in models))
    ]
    _add_features(connection, feature_rollup.Requests("predictions"), mine)


def recount_outputs(
    connection: DuckDBPyConnection,
    registry: Registry,
    parts: Columns,
    settings: OutputSettings,
    models: Collection[str],
) -> None:
    """Count what the configuration says of outputs in the stored rows of some models again, and only this.

    For the arguments see `recount_labels`.
    """
    mine = _of_models(models)
    for rollup in OUTPUTS:
        if rollup not in (EVENT_LAGS, KINDS):
            remove(connection, rollup, mine)
    connection.execute(f"DELETE FROM ranked WHERE {mine}")
    score_stored(connection, parts, mine)
    outputs.fold_scored(connection, registry, settings)
    rankings.fold(connection, registry, settings, f"(FROM predictions WHERE {mine})")
    for rollup, select in outputs.request_statements(registry, settings, "predictions", models):
        add(connection, rollup, select)


def _of_models(models: Collection[str] | None) -> str:
    return "TRUE" if models is None else f"model IN ({', '.join(map(literal, models))})"


def score_stored(connection: DuckDBPyConnection, parts: Columns, where: str = "TRUE") -> None:
    """Fill `scored` with the stored predictions that have labels, and are of some kind."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE scored AS SELECT * FROM ({scored_of_all(parts)}) WHERE {where}"
    )


def scored_of_all(parts: Columns) -> str:
    """Return the SELECT of `scored` over all of `predictions` and `outcomes`."""
    return f"""
        SELECT * FROM (
            SELECT p.ts, p.model, p.version, p.prediction, p.score, COALESCE({CURRENT_LABEL}, p.label) AS label,
                1 AS weight, {CURRENT_TIME} AS labelled_at{parts.select("p")}
            FROM predictions AS p {label_joins("p", "p.model")}
            WHERE NOT p.failed)
        WHERE label IS NOT NULL"""
