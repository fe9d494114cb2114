"""Which columns labelled predictions are told apart by, and how their values are parted.

A segment is a group of bins of a feature, so that what is counted there adds up with what data quality counts. The
columns are chosen once there are bins, and kept: what was counted before would not be there for another one.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value
from mlwatch.metrics.bin_sql import sql_number
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import fold, protected, rollups
from mlwatch.store.meanings import no_inputs
from mlwatch.store.outputs import carried, raw_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings, SegmentSettings
    from mlwatch.sources.canonical import Slot
    from mlwatch.store.feature_rollup import FeatureBins
    from mlwatch.store.registry import Registry

MOST = 12
"""Columns of a model that are followed where none are named."""
PARTS = 8
"""Groups of a number's values."""
CATEGORIES = 12
"""Categories with a segment of their own; the others share one."""
ABSENT = -1
"""Part of missing and invalid values."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column and where its parts begin."""

    feature: FeatureBins
    cuts: tuple[float, ...] = ()
    """Of a number: part i holds values from cut i - 1 up to, but not with, cut i."""
    categories: tuple[str, ...] = ()
    """Of categories: part i holds category i, the part after the last one all others."""

    def part(self, alias: str) -> str:
        """Return the part of a row's value as an expression, NULL where the row's model has no such feature."""
        expression = self.feature.expression
        value = (
            f"{alias}.{expression}" if self.feature.number >= 0 else f"TRY_CAST({alias}.prediction AS DOUBLE)"
        )
        if self.categories or self.feature.kind == "categorical":
            cases = [
                f"WHEN {value} = {literal(name)} THEN {part}" for part, name in enumerate(self.categories)
            ]
        else:
            cases = [f"WHEN {value} < {sql_number(cut)} THEN {part}" for part, cut in enumerate(self.cuts)]
        listed = ", ".join(literal(model) for model in self.feature.models)
        others = f"WHEN {alias}.model NOT IN ({listed}) THEN NULL " if listed else ""
        return f"CASE {others}WHEN {value} IS NULL THEN {ABSENT} {' '.join(cases)} ELSE {len(cases)} END"

    @property
    def name(self) -> str:
        """Name of the column of parts in `scored`."""
        return f"part_{self.feature.number + rollups.PSEUDO}"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are followed."""

    columns: tuple[Column, ...] = ()
    raw: tuple[tuple[int, str], ...] = ()
    """Features whose own values labelled predictions carry besides: number and quoted column."""

    def of(self, numbers: Collection[int]) -> Columns:
        """Return those whose features are among the given ones, or are the predictions themselves."""
        parts = tuple(c for c in self.columns if c.feature.number in numbers or c.feature.number < 0)
        return Columns(parts, tuple(each for each in self.raw if each[0] in numbers))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of the features."""
        return tuple(column.feature.number for column in self.columns)

    def among(self, numbers: Collection[int]) -> Columns:
        """Return those whose features are among the given ones, and nothing besides."""
        return Columns(tuple(c for c in self.columns if c.feature.number in numbers))

    def select(self, alias: str, aggregate: str = "") -> str:
        """Return the parts as further items of a SELECT, with a comma before each.

        Args:
            alias: Of the relation with the features.
            aggregate: Function to wrap each in, where the statement groups.
        """
        parts = "".join(f", {aggregate}({column.part(alias)}) AS {column.name}" for column in self.columns)
        return parts + "".join(f", {aggregate}({alias}.{name}) AS {raw_name(n)}" for n, name in self.raw)

    @property
    def names(self) -> str:
        """The same, where a relation has them already."""
        parts = "".join(f", {column.name}" for column in self.columns)
        return parts + "".join(f", {raw_name(number)}" for number, _ in self.raw)


def columns(
    connection: DuckDBPyConnection,
    registry: Registry,
    numbers: Sequence[int] | None = None,
    settings: OutputSettings | None = None,
) -> Columns:
    """Return columns with their parts.

    Args:
        connection: A cursor of this thread.
        registry: Features and bins.
        numbers: Which features, in this order; None for the columns that are followed now.
        settings: Carry the further outputs that the configuration means, too; None for none.
    """
    chosen = (*registry.segments, rollups.VALUE) if numbers is None else tuple(numbers)
    features = {feature.number: feature for feature in registry.feature_bins(chosen)}
    wanted = [number for number in chosen if number in features and number in registry.bins]
    categories = _categories(connection, [features[number] for number in wanted])
    return Columns(
        tuple(
            Column(features[number], cuts_of(features[number].edges), categories.get(number, ()))
            for number in wanted
        ),
        carried(registry, settings) if settings is not None else (),
    )


def of_slots(connection: DuckDBPyConnection, registry: Registry, slots: Sequence[Slot]) -> tuple[Column, ...]:
    """Return the columns of a table that are binned, with their parts, whichever models have them.

    Args:
        connection: A cursor of this thread.
        registry: Features and bins.
        slots: The table's columns.
    """
    binned = [
        registry.binned(slot.number, identifier(slot.column), slot.kind)
        for slot in slots
        if slot.number in registry.bins
    ]
    categories = _categories(connection, binned)
    return tuple(Column(one, cuts_of(one.edges), categories.get(one.number, ())) for one in binned)


def cut_places(edges: Sequence[float]) -> tuple[int, ...]:
    """Return which of a number's edges are cuts: about evenly many bins apart, before a frequent value's own bin."""
    bins = len(edges) - 1
    parts = min(PARTS, bins)
    places = (bins * part // parts for part in range(1, parts))
    moved = (at - 1 if edges[at] == math.nextafter(edges[at - 1], math.inf) else at for at in places)
    return tuple(sorted({at for at in moved if at > 0}))


def cuts_of(edges: Sequence[float]) -> tuple[float, ...]:
    """Return where the parts of a number meet."""
    return tuple(edges[place] for place in cut_places(edges))


def _categories(
    connection: DuckDBPyConnection, features: Sequence[FeatureBins]
) -> dict[int, tuple[str, ...]]:
    """Return the most frequent categories of features by their numbers, in order of their bins."""
    numbers = [feature.number for feature in features if feature.kind == "categorical"]
    if not numbers:
        return {}
    rows = connection.execute(
        """SELECT feature, list(category ORDER BY bin) FROM categories
        WHERE list_contains(?::INTEGER[], feature) AND bin < ? GROUP BY feature""",
        [numbers, CATEGORIES],
    ).fetchall()
    return {number: tuple(listed) for number, listed in rows}


def choose(
    registry: Registry, settings: SegmentSettings, outputs: OutputSettings, unit: str | None = None
) -> tuple[int, ...]:
    """Return the numbers of the columns to follow: the named ones, else those of before and the next that fit.

    Args:
        registry: Features and bins, and what was chosen before.
        settings: What the configuration says.
        outputs: What it says of columns that are no inputs, which are followed only where they are named.
        unit: The column that is randomised by, if one is named.
    """
    guarded = _numbers(registry, settings.protected)
    if settings.columns:
        return tuple(dict.fromkeys((*_numbers(registry, settings.columns), *guarded)))
    inputs = _inputs(registry, outputs, unit)
    of_any = set().union(*inputs.values())
    still = (number for number in registry.segments if number in of_any)
    chosen = list(dict.fromkeys((*guarded, *still)))
    binned = [row for row in registry.features.values() if row.number in registry.bins]
    by_kind = sorted(binned, key=lambda row: row.kind != "categorical")
    for model in sorted(registry.models):
        mine = [row.number for row in by_kind if row.number in inputs[model]]
        fresh = [number for number in mine if number not in chosen]
        chosen += fresh[: max(0, MOST - len(mine) + len(fresh))]
    return tuple(chosen)


def _inputs(registry: Registry, outputs: OutputSettings, unit: str | None) -> dict[str, set[int]]:
    """Return the inputs of each model."""
    found = {}
    for model, known in registry.models.items():
        rows = [row for row in registry.features.values() if (model, row.number) in registry.model_features]
        left_out = no_inputs(rows, known.task, outputs, unit).numbers
        found[model] = {row.number for row in rows} - left_out
    return found


def _numbers(registry: Registry, names: Sequence[str]) -> tuple[int, ...]:
    return tuple(row.number for name in names for row in registry.named(name))


def _signature(chosen: Columns) -> str:
    """Return a text that changes when what is counted does."""
    return json.dumps([[c.feature.number, c.cuts, c.categories] for c in chosen.columns])


def _by_feature(signature: str) -> dict[int, object]:
    """Return how the values of each feature are parted, by its number; see `_signature`."""
    return {number: parts for number, *parts in json.loads(signature)}


def ensure(
    connection: DuckDBPyConnection,
    registry: Registry,
    settings: SegmentSettings,
    outputs: OutputSettings,
    unit: str | None = None,
) -> None:
    """Choose the columns, and count the stored rows by those that are new or parted otherwise than before.

    Args:
        connection: Outside a transaction, of the thread that takes logs in.
        registry: Learns the choice.
        settings: See `choose`, as for the others.
        outputs: Columns that are no inputs.
        unit: The column that is randomised by.
    """
    chosen = choose(registry, settings, outputs, unit)
    registry.segments = chosen
    followed = columns(connection, registry)
    guarded = followed.among(_numbers(registry, settings.protected))
    registry.protected = guarded.numbers
    _recount(connection, registry, "segments_protected", guarded.numbers, guarded, protected.refold)
    _recount(connection, registry, "segments", chosen, followed, fold.refold_segments)


def _recount(
    connection: DuckDBPyConnection,
    registry: Registry,
    kind: str,
    numbers: Sequence[int],
    followed: Columns,
    refold: Callable[[DuckDBPyConnection, Registry, Columns, Collection[int]], None],
) -> None:
    """Count the stored rows again by the columns that are new or parted otherwise than when they were counted last.

    Args:
        connection: As for `ensure`.
        registry: The same.
        kind: What `meta` keeps the choice by.
        numbers: Of the columns that were chosen.
        followed: These columns, as they are parted now.
        refold: Counts by some of them, and forgets others.
    """
    before, now = meta_value(connection, f"{kind}_as") or _signature(Columns()), _signature(followed)
    if now == before:
        return
    old, new = _by_feature(before), _by_feature(now)
    # what is parted as before may have been counted of rows that are gone
    same = {number for number, parts in new.items() if old.get(number) == parts}
    with all_or_nothing(connection):
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?), (?, ?)",
            [kind, json.dumps(numbers), f"{kind}_as", now],
        )
        refold(connection, registry, followed.among(new.keys() - same), old.keys() - same)
