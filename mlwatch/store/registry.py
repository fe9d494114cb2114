"""What the store knows about features and models: numbers, columns, kinds, bins, tasks."""

from __future__ import annotations

import json
import re
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Literal

from mlwatch import asking
from mlwatch.asking import meta_values
from mlwatch.sources.canonical import Slot
from mlwatch.sources.sql import identifier
from mlwatch.store import evidence, loss_trees, rollups, touched
from mlwatch.store.feature_rollup import FeatureBins
from mlwatch.store.reference_tables import IN_FORCE
from mlwatch.store.schema import BASE_COLUMNS, WORKING_COLUMNS, predictions_ddl

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.roles import Feature
    from mlwatch.store.evidence import Evidence
    from mlwatch.store.loss_trees import LossTree

MAX_FEATURES = 2000
"""Further features are not taken in: a log that invents a column a line must not fill the disk."""

MAX_REFUSED = 10_000
"""Names of such features that are kept, to say how many there are."""

HEARD = "binned"
"""Where the table `meta` names the models and features that bins were cut after: pairs, or null where bins stay."""

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature of the store."""

    number: int
    name: str
    column: str
    kind: Kind

    @property
    def definition(self) -> str:
        """Its column and that one's type."""
        return f"{identifier(self.column)} {'DOUBLE' if self.kind == 'numeric' else 'VARCHAR'}"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model's task."""

    task: str
    positive_class: str | None


@dataclass(frozen=True, slots=True)
class Bins:
    """How a feature is cut, and after what."""

    kind: Kind
    edges: tuple[float, ...]
    source: str


OUTPUTS: Mapping[int, tuple[str, Kind]] = {
    rollups.PREDICTION: ("prediction", "categorical"),
    rollups.SCORE: ("score", "numeric"),
    rollups.VALUE: (loss_trees.VALUE, "numeric"),
    rollups.LABEL: ("TRY_CAST(label AS DOUBLE)", "numeric"),
}
"""Expression and kind of the pseudo-features by their numbers."""


class Registry:
    """A mirror of the small tables, read once and kept in step by the ingest thread alone."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self.features: dict[int, FeatureRow] = {}
        """By their numbers."""
        self._named: dict[str, list[FeatureRow]] = {}
        """By their names, which stand for a feature of each kind where models disagree; the first one first."""
        self._taken: set[str] = set()
        """Names of columns of `predictions`, in lower case."""
        self.models: dict[str, ModelRow] = {}
        self.model_features: set[tuple[str, int]] = set()
        self.bins: dict[int, Bins] = {}
        self.refused: set[str] = set()
        """Features beyond the limit, at most `MAX_REFUSED` of them."""
        self.segments: tuple[int, ...] = ()
        """Features that labelled predictions are told apart by."""
        self.protected: tuple[int, ...] = ()
        """Those of them that all answers are."""
        self.heard: set[tuple[str, int]] | None = set()
        """Models and features that bins were cut after, see `binning`; None where bins stay, whatever comes."""
        self.losses: LossTree | None = None
        """Where the reference's regression errs more."""
        self.evidence: dict[str, Evidence] = {}
        """What the predictions of models tell of their tasks, where these were inferred."""
        self.stays: set[tuple[str, str]] = set()
        """Models and their tasks that stay although predictions tell another, see `tasks.grow`."""
        self._unsaved: list[FeatureRow] = []
        self.reload()

    def reload(self) -> None:
        """Read everything again, for example after a rolled back transaction."""
        query = self._connection.execute
        self._unsaved, self.features, self._named = [], {}, {}
        self._taken = {*BASE_COLUMNS, *WORKING_COLUMNS}
        for found in query(
            "SELECT feature, name, column_name, kind FROM features ORDER BY feature"
        ).fetchall():
            self._add(FeatureRow(*found))
        self.models = {
            model: ModelRow(task, positive)
            for model, task, positive in query("SELECT model, task, positive_class FROM models").fetchall()
        }
        self.model_features = {
            (m, f) for m, f in query("SELECT model, feature FROM model_features").fetchall()
        }
        self.bins = {
            number: Bins(kind, tuple(edges), source)
            for number, kind, edges, source in query(
                "SELECT feature, kind, edges, source FROM bins"
            ).fetchall()
        }

        said = meta_values(
            self._connection, HEARD, loss_trees.KEY, "segments", "segments_protected", evidence.KEY
        )
        self.evidence = evidence.recall(said.get(evidence.KEY))
        heard = json.loads(said.get(HEARD, "[]"))
        self.heard = None if heard is None else {(model, number) for model, number in heard}
        self.losses = loss_trees.of_text(said[loss_trees.KEY]) if loss_trees.KEY in said else None
        self.segments = tuple(json.loads(said.get("segments", "[]")))
        self.protected = tuple(json.loads(said.get("segments_protected", "[]")))

    def slots(
        self, features: Sequence[Feature], models: Callable[[], Collection[str]] | None = None
    ) -> list[Slot]:
        """Return the store's columns for a file's features; new ones are named now and made by `save_new`.

        Args:
            features: Of the file.
            models: Returns whose records it holds; asked only where a name is known as another kind.
        """
        slots = []
        for feature in features:
            row = self._fitting(feature.name, feature.kind, models)
            if row is not None:
                slots.append(Slot(feature.path, row.column, row.kind, row.number))
        return slots

    def slots_of_reference(self, features: Sequence[Feature]) -> list[Slot]:
        """Return the store's columns for a reference's features, each of its own kind, whatever models have."""
        found = []
        for feature in features:
            same = (row for row in self.named(feature.name) if row.kind == feature.kind)
            row = next(same, None) or self._register(feature.name, feature.kind)
            if row is not None:
                found.append(Slot(feature.path, row.column, row.kind, row.number))
        return found

    def _fitting(
        self, name: str, kind: Kind, models: Callable[[], Collection[str]] | None
    ) -> FeatureRow | None:
        """Return the feature that a file's column is.

        A model's feature stays of its kind, whatever comes: what does not fit is invalid. What is a number in one model
        may be text in another one, unless the reference tells what it is: of all models, whichever is read first.
        """
        known = sorted(self.named(name), key=lambda row: row.kind != kind)
        if not known:
            return self._register(name, kind)
        if len(known) == 1 and known[0].kind == kind:
            return known[0]
        mine = models() if models is not None else ()
        for row in known:
            if any((model, row.number) in self.model_features for model in mine):
                return row
        compared = [row for row in known if self._is_compared(row)]
        of_another = bool(mine) and not compared and known[0].kind != kind
        return self._register(name, kind) if of_another else (*compared, *known)[0]

    def _is_compared(self, row: FeatureRow) -> bool:
        """Tell whether the reference in force has a feature."""
        return asking.is_there(self._connection, f"reference WHERE feature = {row.number} AND {IN_FORCE}")

    def named(self, name: str) -> Sequence[FeatureRow]:
        """Return the features of a name: none, one, or one of each kind."""
        return self._named.get(name, ())

    def of_model(self, model: str, name: str) -> FeatureRow | None:
        """Return the feature that a name stands for in a model."""
        return next((row for row in self.named(name) if (model, row.number) in self.model_features), None)

    def numbered(self, name: str, kind: Kind) -> int | None:
        """Return the number of a feature, a new one where there is none; None where it is known as another kind."""
        if not self.named(name):
            self._register(name, kind)
        return next((row.number for row in self.named(name) if row.kind == kind), None)

    def _add(self, row: FeatureRow) -> None:
        self.features[row.number] = row
        self._named.setdefault(row.name, []).append(row)
        self._taken.add(row.column.lower())

    def _register(self, name: str, kind: Kind) -> FeatureRow | None:
        if len(self.features) >= MAX_FEATURES:
            if len(self.refused) < MAX_REFUSED:
                self.refused.add(name)
            return None
        row = FeatureRow(len(self.features), name, self._free_column(name), kind)
        self._add(row)
        self._unsaved.append(row)
        return row

    def save_new(self) -> None:
        """Give every new feature its column, inside the ingest transaction.

        An empty table is made anew: each column that is added to a table costs a copy of all of its columns.
        """
        if self._unsaved and not asking.is_there(self._connection, "predictions"):
            listed = "".join(f", {row.definition}" for row in self.features.values())
            self._connection.execute(predictions_ddl(listed))
        else:
            for row in self._unsaved:
                self._connection.execute(f"ALTER TABLE predictions ADD COLUMN {row.definition}")
        columns = [list(column) for column in zip(*map(astuple, self._unsaved), strict=True)]
        if columns:
            self._connection.execute(
                """INSERT INTO features
                SELECT unnest($1::INTEGER[]), unnest($2::VARCHAR[]), unnest($3::VARCHAR[]), unnest($4::VARCHAR[])""",
                columns,
            )
            touched.note(touched.FACTS, touched.ALL_TIME)
        self._unsaved.clear()

    @property
    def saved(self) -> bool:
        """Tell whether every known feature has its column."""
        return not self._unsaved

    def _free_column(self, name: str) -> str:
        """Find a column name: the feature's own, unless the store has that one already (in any case)."""
        base = re.sub(r"[\x00-\x1f\x7f]", "_", name)[:200] or "feature"
        column, suffix = base, 2
        while column.lower() in self._taken:
            column, suffix = f"{base}_{suffix}", suffix + 1
        return column

    def add_model(self, model: str, row: ModelRow) -> None:
        """Remember a model's task."""
        self._connection.execute(
            "INSERT OR REPLACE INTO models VALUES (?, ?, ?)", [model, row.task, row.positive_class]
        )
        self.models[model] = row
        touched.note(touched.FACTS, touched.ALL_TIME)

    def is_settled(self, model: str) -> bool:
        """Tell whether an inferred task changes no more: numbers stay so, and all does after many predictions."""
        known = self.models.get(model)
        if known is None:
            return False
        seen = self.evidence.get(model)
        return known.task == "regression" or (seen is not None and seen.total >= evidence.YOUNG)

    def keep_evidence(self, fresh: Mapping[str, Evidence]) -> None:
        """Keep what is known of the tasks of models now, inside a transaction."""
        self.evidence |= fresh
        evidence.keep(self._connection, self.evidence, filter(self.is_settled, self.models))

    def add_model_features(self, model: str, numbers: Collection[int]) -> None:
        """Remember that a model has features."""
        fresh = [number for number in numbers if (model, number) not in self.model_features]
        if fresh:
            self._connection.execute(
                "INSERT INTO model_features SELECT ?, unnest(?::INTEGER[])", [model, fresh]
            )
            self.model_features.update((model, number) for number in fresh)
            touched.note(touched.FACTS, touched.ALL_TIME)

    @property
    def fully_binned(self) -> bool:
        """Tell whether every feature, and the predictions and scores, have bins."""
        return all(self.is_binned(feature) for feature in self.feature_bins())

    def is_binned(self, feature: FeatureBins) -> bool:
        """Tell whether values of a feature are told apart yet."""
        return feature.number in self.bins or bool(feature.code)

    def plain_models(self) -> tuple[list[str], list[str]]:
        """Return the models whose task is regression, and those whose predictions are free text."""
        numeric = [model for model, row in self.models.items() if row.task == "regression"]
        return numeric, [model for model, row in self.models.items() if row.task == "unknown"]

    def feature_bins(self, numbers: Sequence[int] | None = None) -> list[FeatureBins]:
        """Return how each feature, and the predictions and scores, are binned now.

        Args:
            numbers: Only these features, besides predictions and scores; None for all.
        """
        wanted = None if numbers is None else set(numbers)
        having: dict[int, list[str]] = {}
        for model, number in sorted(self.model_features):
            having.setdefault(number, []).append(model)
        bins = []
        for row in self.features.values():
            models = tuple(having.get(row.number, ()))
            if models and (wanted is None or row.number in wanted):
                bins.append(self.binned(row.number, identifier(row.column), row.kind, models))
        there = (row for row in self.features.values() if wanted is None or row.number in wanted)
        return bins + self._pseudo({(row.name, row.kind): identifier(row.column) for row in there})

    def lacking(self, numbers: Collection[int], models: Collection[str]) -> list[FeatureBins]:
        """Return features that a relation has no column of, though models of it have them: each request lacks them.

        Args:
            numbers: Features that the relation has columns of.
            models: Whose requests it holds.
        """
        lacked = {number for model, number in self.model_features if model in models} - set(numbers)
        found = self.feature_bins(sorted(lacked)) if lacked else []
        return [replace(one, expression="NULL", code="-1") for one in found if one.number in lacked]

    def _pseudo(self, columns: Mapping[tuple[str, Kind], str]) -> list[FeatureBins]:
        numeric, free = self.plain_models()
        classed = tuple(model for model in self.models if model not in {*numeric, *free})
        bins = []
        if classed:
            bins += [
                self.binned(number, *OUTPUTS[number], classed)
                for number in (rollups.PREDICTION, rollups.SCORE)
            ]
        if numeric:
            bins.append(self.binned(rollups.VALUE, *OUTPUTS[rollups.VALUE], tuple(numeric)))
        if numeric and self.losses is not None:
            leaf = self.losses.leaf_sql(columns)
            bins.append(
                FeatureBins(rollups.LOSS, loss_trees.VALUE, "numeric", models=tuple(numeric), code=leaf)
            )
        return bins

    def keep_losses(self, tree: LossTree | None) -> None:
        """Count predictions by the leaves of a tree from now on."""
        loss_trees.keep(self._connection, tree)
        self.losses = tree

    def label_bins(self) -> FeatureBins:
        """Return how the labels of regressions are binned now; they come later than what `feature_bins` is about."""
        return self.binned(rollups.LABEL, *OUTPUTS[rollups.LABEL])

    def binned(self, number: int, expression: str, kind: Kind, models: tuple[str, ...] = ()) -> FeatureBins:
        """Return how one feature is binned now; without models, wherever it is."""
        known = self.bins.get(number)
        edges = known.edges if known else ()
        return FeatureBins(number, expression, kind, edges, models, has_categories=known is not None)
