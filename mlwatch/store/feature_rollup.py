"""Count the values of features by bin: one statement for many features, over whatever table has the requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.metrics.bin_sql import numeric_bin_sql
from mlwatch.sources.sql import literal
from mlwatch.store.rollup import QUARTER, bucket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.metrics.bin_cells import Cells


WHO = "hash(model, version)"
"""A number for model and version: grouping by it is cheaper than by two texts."""
QUARTER_OF_TS = bucket(QUARTER)
QUARTERS_OF_TS = f"epoch_us(ts) // {QUARTER * 1_000_000}"
"""How many quarters of an hour since 1970: cheaper than their starts."""


@dataclass(frozen=True, slots=True)
class FeatureBins:
    """How one feature is binned in the feature rollup."""

    number: int
    expression: str
    """The column, quoted, or an expression for the pseudo-features."""
    kind: Literal["numeric", "categorical"]
    edges: tuple[float, ...] = ()
    models: tuple[str, ...] = ()
    """Models that have the feature; empty for all."""
    has_categories: bool = False
    """Whether a list of known categories exists; without one every category falls into bin 0."""
    code: str = ""
    """An expression of the bin, where that does not follow from the value alone."""
    may_be_invalid: bool = True
    """False where no row of the relation marks a value of the feature as invalid."""
    cells: Cells | None = None
    """Those of its edges that the temporary table `bin_cells` has; see there."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Where the feature rollup finds its requests: a table, so that each of many branches is planned quickly."""

    table: str
    where: str = "TRUE"
    who: str = WHO
    """A number that stands for model and version."""
    quarter: str = QUARTER_OF_TS
    """The bucket, or a number that stands for it."""
    start: str = "f.bucket"
    """The bucket by what `quarter` gives, which is called `f.bucket`."""


def feature_sql(requests: Requests, feature: FeatureBins) -> str:
    """Count one feature's values by bin: -1 missing, -2 invalid, -3 unseen, else the bin of the reference.

    Args:
        requests: Where to count.
        feature: How to bin it.
    """
    column = feature.expression
    where = [requests.where, "NOT failed"]
    if feature.models:
        where.append(f"model IN ({', '.join(literal(model) for model in feature.models)})")
    invalid = feature.number >= 0 and feature.may_be_invalid
    mark = f"WHEN invalid LIKE '%|{feature.number}|%' THEN -2 " if invalid else ""
    join = ""
    if feature.code:
        code, total = feature.code, "CAST(NULL AS DOUBLE)"
    elif feature.kind == "numeric":
        bare = f"CASE WHEN {column} IS NULL THEN -1 ELSE 0 END"
        inner = numeric_bin_sql(column, feature.edges) if feature.edges else bare
        if feature.cells is not None:
            inner = feature.cells.bin_sql(column, '"known|code"', ('"known|edge"', '"known|next|edge"'))
            join = f"""JOIN (SELECT * EXCLUDE (feature) FROM bin_cells WHERE feature = {feature.number}) AS known
                ON "known|cell" = {feature.cells.cell_sql(column)}"""
        code = f"CASE {mark}ELSE {inner} END" if mark else inner
        total = f"SUM(CASE WHEN ABS({column}) < 1e300 THEN {column} END)"
    else:
        known = "COALESCE(known_bin, -3)" if feature.has_categories else "0"
        code = f"CASE {mark}WHEN {column} IS NULL THEN -1 ELSE {known} END"
        total = "CAST(NULL AS DOUBLE)"
        if feature.has_categories:
            join = f"""LEFT JOIN (
                SELECT category AS known_category, bin AS known_bin FROM categories
                WHERE feature = {feature.number}) AS known ON known_category = {column}"""
    return f"""
        SELECT {requests.quarter} AS bucket, {requests.who} AS who, {feature.number} AS feature, {code} AS bin,
            COUNT(*) AS n, {total} AS total
        FROM {requests.table} {join} WHERE {" AND ".join(where)} GROUP BY 1, 2, 4"""


def labels_sql(relation: str, models: Sequence[str], feature: FeatureBins) -> str:
    """Count the labels of regressions by bin, at the times of their predictions.

    Args:
        relation: A `scored` relation.
        models: The regressions; at least one.
        feature: How labels are binned.
    """
    listed = ", ".join(literal(model) for model in models)
    return f"""
        SELECT {QUARTER_OF_TS} AS bucket, model, version, {feature.number} AS feature,
            {numeric_bin_sql("x", feature.edges)} AS bin, SUM(weight) AS n, SUM(weight * x) AS total
        FROM (SELECT ts, model, version, weight, {feature.expression} AS x FROM {relation}
            WHERE model IN ({listed})) AS told
        WHERE ABS(x) < 1e300 GROUP BY 1, 2, 3, 5"""


def features_sql(requests: Requests, features: Sequence[FeatureBins]) -> str:
    """Count all features' values by bin."""
    counted = " UNION ALL ".join(feature_sql(requests, feature) for feature in features)
    return f"""
        SELECT {requests.start} AS bucket, d.model, d.version, f.feature, f.bin, f.n, f.total
        FROM ({counted}) AS f JOIN (
            SELECT DISTINCT {requests.who} AS who, model, version FROM {requests.table} WHERE {requests.where}
        ) AS d ON d.who = f.who"""
