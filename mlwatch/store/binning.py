"""Cut bins after rows, and without a reference after the first rows of each model.

A feature is counted in one set of bins whichever model has it. So that one model's values are told apart beside
another's, whose values may lie elsewhere, its quantiles and its most frequent categories are among the bins; those of a
model that comes later are added, and the stored rows are counted again.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mlwatch.asking import all_or_nothing, number, row
from mlwatch.metrics.bin_sql import MISSING
from mlwatch.metrics.edges import merged
from mlwatch.sources.sql import literal
from mlwatch.store import bin_cells, cuts, feature_rollup, fold, left_out, rollups, touched
from mlwatch.store.registry import HEARD, Bins
from mlwatch.store.rollup import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.left_out import LeftOut
    from mlwatch.store.feature_rollup import FeatureBins
    from mlwatch.store.registry import Registry

Pair: TypeAlias = tuple[str, int]
"""A model and the number of a feature."""

SAMPLE_ROWS = 50_000
"""Without a reference, bins are cut after at most this many rows of a model."""
TOP_CATEGORIES = 50
KNOWN_CATEGORIES = 10_000
FIRST_ROWS = "the first rows that were read"
COARSE = 0.1
"""Share of a model's values in one bin, beyond what bins of its own would leave there, from which it gets those."""


def cut(
    connection: DuckDBPyConnection,
    registry: Registry,
    relation: str,
    features: Sequence[FeatureBins],
    source: str,
    *,
    count: bool = False,
    models: Collection[str] = (),
) -> list[FeatureBins]:
    """Cut bins after a relation's rows and store them.

    Args:
        connection: Inside a transaction.
        registry: Learns the bins.
        relation: Has the features' columns, and `failed`, `model`, `version`, `ts`, `invalid`.
        features: Which features; their edges are ignored.
        source: What the bins come from, in words.
        count: Store the relation's counts as the reference's; it has the window of each row as `quarter` then.
        models: Whose rows get bins each; none for all rows together.

    Returns:
        The features with their bins; a numeric feature without a single value is left out.
    """
    parts = {model: _of_model(relation, model) for model in models} or {"": relation}
    edges = _edges(connection, parts, features)
    done = [
        replace(feature, edges=edges.get(feature.number, ()), has_categories=True)
        for feature in features
        if feature.kind == "categorical" or edges.get(feature.number)
    ]
    store_bins(connection, registry, done, source)
    categorical = [feature for feature in done if feature.kind == "categorical"]
    counted = {one.number: _store_categories(connection, _having(parts, one), one) for one in categorical}
    left_out.note(connection, counted)
    if count:
        _count(connection, relation, done)
    return done


def _count(connection: DuckDBPyConnection, relation: str, features: Sequence[FeatureBins]) -> None:
    """Store a relation's counts as the reference's."""
    may_be_invalid = number(connection, f"SELECT COUNT(invalid) FROM {relation}") > 0
    of_all = [replace(feature, models=(), may_be_invalid=may_be_invalid) for feature in features]
    requests = feature_rollup.Requests(relation, who="0", quarter="quarter")
    for group in fold.in_groups(of_all):
        each = (feature_rollup.feature_sql(requests, one) for one in bin_cells.lay_out(connection, group))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {' UNION ALL '.join(each)}")
        connection.execute("""
            INSERT INTO reference
            SELECT feature, bin, SUM(n), SUM(total ORDER BY bucket) FROM counted GROUP BY 1, 2""")
        connection.execute("""
            INSERT INTO reference_windows SELECT feature, bucket, bin, SUM(n) FROM counted GROUP BY 1, 2, 3""")


def _of_model(relation: str, model: str) -> str:
    return f"(SELECT * FROM {relation} WHERE model = {literal(model)} LIMIT {SAMPLE_ROWS})"


def _having(parts: Mapping[str, str], feature: FeatureBins) -> list[str]:
    """Return the relations of the models that have a feature."""
    return [
        part for model, part in parts.items() if not (model and feature.models) or model in feature.models
    ]


def _edges(
    connection: DuckDBPyConnection, parts: Mapping[str, str], features: Sequence[FeatureBins]
) -> dict[int, tuple[float, ...]]:
    """Return the edges of numeric features by their numbers: those of each relation together."""
    numeric = [feature for feature in features if feature.kind == "numeric"]
    found: dict[int, list[tuple[float, ...]]] = {feature.number: [] for feature in numeric}
    for part in parts.values():
        mine = [feature for feature in numeric if part in _having(parts, feature)]
        edges = cuts.edges(connection, part, [feature.expression for feature in mine])
        for feature in mine:
            found[feature.number].append(edges.get(feature.expression, ()))
    return {feature: merged(each) for feature, each in found.items()}


def store_bins(
    connection: DuckDBPyConnection, registry: Registry, features: Sequence[FeatureBins], source: str
) -> None:
    """Store how features are binned, and where that comes from, in words."""
    if not features:
        return
    connection.execute(
        """INSERT OR REPLACE INTO bins
        SELECT unnest($1::INTEGER[]), unnest($2::VARCHAR[]), unnest($3::DOUBLE[][]), $4""",
        [
            [one.number for one in features],
            [one.kind for one in features],
            [list(one.edges) for one in features],
            source,
        ],
    )
    touched.note(touched.FACTS, touched.ALL_TIME)
    for one in features:
        registry.bins[one.number] = Bins(one.kind, one.edges, source)


def _store_categories(
    connection: DuckDBPyConnection, parts: Sequence[str], feature: FeatureBins
) -> LeftOut | None:
    """Store the known categories: those of the largest share in any of some relations first.

    Returns:
        What their choice owes to the rows; None for several relations.
    """
    each = " UNION ALL ".join(
        f"""SELECT category, n, n / SUM(n) OVER () AS share FROM (
            SELECT {feature.expression} AS category, COUNT(*) AS n FROM {part}
            WHERE {feature.expression} IS NOT NULL GROUP BY 1)"""
        for part in parts
    )
    connection.execute("DELETE FROM categories WHERE feature = ?", [feature.number])
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE listed_after AS
        SELECT category, n, total, row_number() OVER (ORDER BY share DESC, category) AS place
        FROM (SELECT category, SUM(n) AS n, MAX(share) AS share, SUM(SUM(n)) OVER () AS total FROM ({each}) GROUP BY 1
              ORDER BY share DESC, category LIMIT {KNOWN_CATEGORIES + 1})"""
    )
    connection.execute(
        f"""INSERT INTO categories
        SELECT ?, category, LEAST(place - 1, {TOP_CATEGORIES}) FROM listed_after WHERE place <= {KNOWN_CATEGORIES}""",
        [feature.number],
    )
    return (
        left_out.count(connection, "listed_after", TOP_CATEGORIES, KNOWN_CATEGORIES)
        if len(parts) == 1
        else None
    )


def due(connection: DuckDBPyConnection, registry: Registry, enough: int = cuts.ENOUGH_ROWS) -> set[Pair]:
    """Return the features of models that no bins were cut after and that have values enough by now.

    Args:
        connection: Of the thread that takes logs in.
        registry: Features, models, and what bins were cut after.
        enough: So many values, neither missing nor invalid.
    """
    if registry.heard is None or not (waiting := _pairs(registry) - registry.heard):
        return set()
    rows = connection.execute(
        f"""SELECT model, feature FROM {rollups.FEATURES.table(DAY)}
        WHERE feature IN (SELECT unnest(?::INTEGER[])) AND bin NOT IN ({MISSING}, -2)
        GROUP BY ALL HAVING SUM(n) >= ?""",
        [sorted({feature for _, feature in waiting}), enough],
    ).fetchall()
    return waiting.intersection(rows)


def _pairs(registry: Registry) -> set[Pair]:
    """Return the features of each model, and what it answers: predicted numbers or classes."""
    numeric, free = registry.plain_models()
    answers = {(model, rollups.PREDICTION) for model in registry.models if model not in {*numeric, *free}}
    return registry.model_features | answers | {(model, rollups.VALUE) for model in numeric}


def ensure_bins(
    connection: DuckDBPyConnection, registry: Registry, *, enough: int = cuts.ENOUGH_ROWS
) -> None:
    """Cut bins for features that have none, once there are rows enough, and count the stored rows in them."""
    new = due(connection, registry, enough)
    bare = [feature for feature in registry.feature_bins() if not registry.is_binned(feature)]
    if bare and number(connection, "SELECT COUNT(*) FROM predictions") < enough:
        bare = []
    if not bare and not new:
        return
    with all_or_nothing(connection):
        done = _cut_bare(connection, registry, bare)
        heard = _of_large_models(connection, registry, done, enough) if done else set()
        wider = _widen(connection, registry, new - heard, done)
        _hear(connection, registry, new | heard)
        # one that has no value at all, such as scores that are not logged, is counted once as missing
        numbers = done | wider | ({feature.number for feature in bare} - _counted(connection))
        again = [one for one in registry.feature_bins() if one.number in numbers]
        if again:
            fold.refold_features(connection, again)


def _cut_bare(connection: DuckDBPyConnection, registry: Registry, bare: Sequence[FeatureBins]) -> set[int]:
    """Cut bins for features that have none, and return which have them now."""
    if not bare:
        return set()
    several = sorted(registry.models) if len(registry.models) > 1 else []
    first = "predictions" if several else f"(FROM predictions LIMIT {SAMPLE_ROWS})"
    done = {one.number for one in cut(connection, registry, first, bare, FIRST_ROWS, models=several)}
    for feature in bare:
        if feature.number not in done:  # it came late: the first rows do not have it
            own = f"(FROM predictions WHERE {feature.expression} IS NOT NULL)"
            rows = own if several else f"(FROM {own} LIMIT {SAMPLE_ROWS})"
            done |= {
                one.number for one in cut(connection, registry, rows, [feature], FIRST_ROWS, models=several)
            }
    return done


def _of_large_models(
    connection: DuckDBPyConnection, registry: Registry, numbers: Collection[int], enough: int
) -> set[Pair]:
    """Return the pairs of some features with the models that have rows enough: their bins were cut just now."""
    rows = connection.execute(
        "SELECT model FROM predictions GROUP BY model HAVING COUNT(*) >= ?", [enough]
    ).fetchall()
    large = {model for (model,) in rows}
    return {pair for pair in _pairs(registry) if pair[0] in large and pair[1] in numbers}


def _widen(
    connection: DuckDBPyConnection, registry: Registry, pairs: Collection[Pair], done: Collection[int]
) -> set[int]:
    """Add the bins of what came later, where those that are there do not tell its values apart.

    Where stored rows are gone already, which could not be counted again, everything stays as it is.

    Args:
        connection: Inside a transaction.
        registry: Learns the bins.
        pairs: Features of models.
        done: Features that have been cut just now.

    Returns:
        The features that have more bins now.
    """
    before = {
        feature.number: feature
        for feature in registry.feature_bins()
        if feature.number not in done and _is_of_first_rows(registry, feature.number)
    }
    mine = [(model, before[feature]) for model, feature in sorted(pairs) if feature in before]
    if not mine:
        return set()
    counted = number(connection, f"SELECT COALESCE(SUM(n), 0) FROM {rollups.TRAFFIC.table(HOUR)}")
    if number(connection, "SELECT COUNT(*) FROM predictions") < counted:
        return set()
    return {feature.number for model, feature in mine if _is_widened(connection, registry, model, feature)}


def _is_of_first_rows(registry: Registry, feature: int) -> bool:
    return feature in registry.bins and registry.bins[feature].source == FIRST_ROWS


def _is_widened(connection: DuckDBPyConnection, registry: Registry, model: str, feature: FeatureBins) -> bool:
    """Add the bins of one model's values to a feature, and tell whether that was needed."""
    rows = _of_model(f"(FROM predictions WHERE {feature.expression} IS NOT NULL)", model)
    if feature.kind == "categorical":
        if not _are_lumped(connection, feature, rows):
            return False
        parts = {one: _of_model("predictions", one) for one in sorted(registry.models)}
        counted = _store_categories(connection, _having(parts, feature), feature)
        left_out.note(connection, {feature.number: counted})
        touched.note(touched.FACTS, touched.ALL_TIME)
        return True
    known, own = registry.bins[feature.number].edges, _edges(connection, {model: rows}, [feature])
    edges = merged([known, own.get(feature.number, ())])
    if edges == known or not are_coarse(known, own[feature.number]):
        return False
    store_bins(connection, registry, [replace(feature, edges=edges)], FIRST_ROWS)
    return True


def are_coarse(edges: Sequence[float], own: Sequence[float]) -> bool:
    """Tell whether bins hardly tell values apart.

    Args:
        edges: Of the bins.
        own: Edges of the bins that are cut after the values; about as many values lie between any two.
    """
    fullest = max(Counter(bisect_right(edges, edge) for edge in own).values(), default=0)
    return fullest > 1 and fullest > COARSE * len(own)


def _are_lumped(connection: DuckDBPyConnection, feature: FeatureBins, rows: str) -> bool:
    """Tell whether the frequent categories of rows, which all have one, are among the others, or unknown."""
    own, told = row(
        connection,
        f"""WITH mine AS (
            SELECT {feature.expression} AS category, COUNT(*) AS n FROM {rows}
            GROUP BY 1 ORDER BY n DESC, category LIMIT {TOP_CATEGORIES})
        SELECT COALESCE(SUM(n), 0), COALESCE(SUM(n) FILTER (category IN (
            SELECT category FROM categories WHERE feature = ? AND bin < {TOP_CATEGORIES})), 0) FROM mine""",
        [feature.number],
    )
    return bool(own - told > COARSE * own)


def _hear(connection: DuckDBPyConnection, registry: Registry, pairs: Collection[Pair]) -> None:
    if registry.heard is None:
        return
    known = registry.heard | set(pairs)
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [HEARD, json.dumps(sorted(known))])
    registry.heard = known


def _counted(connection: DuckDBPyConnection) -> set[int]:
    """Return the features that any row is counted of."""
    table = rollups.FEATURES.table(DAY)
    return {number for (number,) in connection.execute(f"SELECT DISTINCT feature FROM {table}").fetchall()}
