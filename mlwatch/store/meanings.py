"""Which features are more than inputs: class probabilities, quantiles, tokens, costs, places in a ranking.

They are told by their names, or by `[outputs]`. They stay features too, so that their drift shows; what a model answers
is no input, though, that counts as drifted or parts the traffic, and what only tells records apart does not drift.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mlwatch.roles.names import POSITIONS, QUERIES, is_named, latency_factor, normal, words
from mlwatch.sources.sql import identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlwatch.config import OutputSettings
    from mlwatch.roles import Feature
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.registry import FeatureRow, Registry

Named = TypeVar("Named", "FeatureRow", "Feature")
"""What has the name and the kind of a feature."""

_PROBABILITY = re.compile(
    r"(?:(?:class|predict(?:ed|ion)?|pred|y_pred|y)_?)?(?:probabilit(?:y|ies)|probas?|probs?|scores?)"
    r"(?:\[(?P<place>\d+)\]|[._](?:class[._]?)?(?P<name>.+)|(?P<number>\d+))",
    re.IGNORECASE,
)
_SHORT_PROBABILITY = re.compile(r"p_?(?P<number>\d+)", re.IGNORECASE)
"""Of classes only where they are counted from 0 on."""
_QUANTILE = re.compile(r"(?:.*[._])?(?:quantile|pct|q|p)[._]?(?P<level>\d+(?:[._]\d+)?)", re.IGNORECASE)
_NAMES = {
    "input_tokens": "inputtokens prompttokens tokensin inputtokencount prompttokencount usageprompttokens"
    " usageinputtokens usageinput usagedetailsinput",
    "output_tokens": "outputtokens completiontokens tokensout outputtokencount completiontokencount"
    " usagecompletiontokens usageoutputtokens generatedtokens usageoutput usagedetailsoutput",
    "first_token": "firsttoken ttft timetofirsttoken firsttokenlatency firsttokentime latencytofirsttoken",
    "cost": "costusd requestcost responsecost inferencecost predictioncost totalcost costeur apicost"
    " calculatedtotalcost costdetailstotal",
    "query": QUERIES,
    "position": POSITIONS,
}
_TABLE = {name: role for role, names in _NAMES.items() for name in names.split()}
_CURRENCIES = ("USD", "EUR")
_COST_BESIDE_TOKENS = "cost"
"""A name that means the cost of a request only where tokens are logged."""


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the features of one model are besides; columns are quoted."""

    measures: Mapping[str, str] = field(default_factory=dict)
    """Expression by `input_tokens`, `output_tokens`, `first_token` (milliseconds) and `cost`."""
    probabilities: Mapping[str, str] = field(default_factory=dict)
    """Column by class; empty unless there are two."""
    quantiles: Mapping[float, str] = field(default_factory=dict)
    """Column by level, between 0 and 1."""
    query: str | None = None
    position: str | None = None
    numbers: tuple[int, ...] = ()
    """Features that labelled predictions are to carry."""

    @property
    def ranks(self) -> bool:
        """Tell whether both a query and a position are there."""
        return self.query is not None and self.position is not None


def meanings(
    registry: Registry, model: str, settings: OutputSettings, numbers: Collection[int] | None = None
) -> Meanings:
    """Tell what the features of a model are besides.

    Args:
        registry: Features and tasks.
        model: Name of the model.
        settings: What the configuration says, which wins.
        numbers: Only these features; None for all that the model has.
    """
    rows = [
        row
        for row in registry.features.values()
        if (model, row.number) in registry.model_features and (numbers is None or row.number in numbers)
    ]
    task = registry.models[model].task if model in registry.models else "unknown"
    found = _by_role(rows, settings)
    probabilities = class_columns(rows, settings) if task == "multiclass" else {}
    quantiles = _quantiles(rows, settings) if task == "regression" else {}
    ranked = [found[role] for role in ("query", "position") if role in found]
    carried = [*probabilities.values(), *quantiles.values(), *(ranked if len(ranked) == 2 else ())]
    return Meanings(
        measures={role: _expression(role, row) for role, row in found.items() if role in _MEASURED},
        probabilities={name: identifier(row.column) for name, row in probabilities.items()},
        quantiles={level: identifier(row.column) for level, row in quantiles.items()},
        query=identifier(found["query"].column) if len(ranked) == 2 else None,
        position=identifier(found["position"].column) if len(ranked) == 2 else None,
        numbers=tuple(sorted({row.number for row in carried})),
    )


_MEASURED = ("input_tokens", "output_tokens", "first_token", "cost")


def features_kept(shape: Shape, settings: OutputSettings) -> tuple[Feature, ...]:
    """Return the features of a kind of file that are stored.

    Of requests without an answer, as of a gateway that logs no texts, these are what they took and cost; of a file
    that holds no requests, and may be no log, there are none.

    Args:
        shape: Of the file.
        settings: What the configuration says of outputs.
    """
    features = shape.mapping.features
    if "timestamp" not in shape.mapping.roles or not shape.asks:
        return ()
    if shape.predicts:
        return features
    found = _by_role(features, settings)
    measured = {found[role].path for role in _MEASURED if role in found}
    return tuple(each for each in features if each.path in measured)


def _by_role(rows: Sequence[Named], settings: OutputSettings) -> dict[str, Named]:
    named = {role: getattr(settings, role) for role in _NAMES}
    found: dict[str, Named] = {}
    for row in rows:
        role = next((role for role, name in named.items() if name == row.name), None)
        inferred = _role_of(row)
        if role is None and inferred is not None and named[inferred] is None and inferred not in found:
            role = inferred
        if role is not None and (row.kind == "numeric" or role == "query"):
            found[role] = row
    if settings.cost is None and "cost" not in found and "output_tokens" in found:
        beside = next((row for row in rows if normal(row.name.rsplit(".")[-1]) == _COST_BESIDE_TOKENS), None)
        if beside is not None and beside.kind == "numeric":
            found["cost"] = beside
    return found


@dataclass(frozen=True, slots=True)
class NoInputs:
    """The features of a model, by number, that are no inputs of it."""

    answers: frozenset[int] = frozenset()
    """What it answers: probabilities of classes, quantiles, places in a ranking."""
    keys: frozenset[int] = frozenset()
    """What tells records apart: queries, users, sessions."""

    @property
    def numbers(self) -> frozenset[int]:
        """All of them."""
        return self.answers | self.keys


def no_inputs(
    rows: Sequence[FeatureRow], task: str, settings: OutputSettings, unit: str | None = None
) -> NoInputs:
    """Tell which features of a model are no inputs of it.

    Args:
        rows: Its features.
        task: What it predicts.
        settings: What the configuration says, which wins.
        unit: The column that is randomised by, if one is named.
    """
    answers: list[FeatureRow] = []
    if task == "multiclass":
        answers += class_columns(rows, settings).values()
    if task == "regression":
        answers += _quantiles(rows, settings).values()
    keys = [row for row in rows if row.name == unit or _is_key(row)]
    found = _by_role(rows, settings)
    if {"query", "position"} <= found.keys():
        answers.append(found["position"])
        keys.append(found["query"])
    return NoInputs(frozenset(row.number for row in answers), frozenset(row.number for row in keys))


def _is_key(row: FeatureRow) -> bool:
    """Tell whether a feature is named like a user's, session's or device's id."""
    name = row.name.rsplit(".")[-1]
    return is_named("unit", (name,)) and words(name)[-1] == "id"


def query_of(rows: Sequence[FeatureRow], settings: OutputSettings) -> str | None:
    """Return which feature tells the query that an item of a ranking belongs to; None where nothing is ranked.

    Args:
        rows: The features of a model.
        settings: What the configuration says, which wins.
    """
    found = _by_role(rows, settings)
    return found["query"].name if {"query", "position"} <= found.keys() else None


def paid_in(names: Iterable[str], settings: OutputSettings) -> str | None:
    """Return the currency that the name of the column of costs says; None where it says none.

    Args:
        names: Of the numeric features of a model, in the order of their numbers.
        settings: What the configuration says, which wins.
    """
    for name in names:
        said = [normal(each) for each in (name, name.rsplit(".")[-1])]
        if settings.cost == name or (settings.cost is None and "cost" in map(_TABLE.get, said)):
            return next((code for code in _CURRENCIES if said[-1].endswith(code.lower())), None)
    return None


def _role_of(row: FeatureRow | Feature) -> str | None:
    """Return what a feature's name says, with or without its parents and a unit of time."""
    leaf = row.name.rsplit(".")[-1]
    stem = re.sub(r"_(?:ms|s|us|ns|msecs?|secs?|seconds|millis|milliseconds)$", "", leaf, flags=re.IGNORECASE)
    for name in (row.name, leaf, stem):
        role = _TABLE.get(normal(name))
        if role is not None and (name != stem or name == leaf or role == "first_token"):
            return role
    return None


def _expression(role: str, row: FeatureRow) -> str:
    column = identifier(row.column)
    factor = latency_factor(row.name.rsplit(".")[-1]) if role == "first_token" else None
    return column if factor in {None, 1.0} else f"{column} * {factor!r}"


def class_columns(rows: Sequence[FeatureRow], settings: OutputSettings) -> dict[str, FeatureRow]:
    """Return the probabilities of a classifier of many classes among features, by class; empty unless there are two."""
    numeric = [row for row in rows if row.kind == "numeric"]
    prefix = settings.probabilities
    if prefix is not None:
        named = {
            row.name.removeprefix(prefix).strip("[]"): row for row in numeric if row.name.startswith(prefix)
        }
        named.pop("", None)
        return named if len(named) > 1 else {}
    found = {}
    for row in numeric:
        if (match := _PROBABILITY.fullmatch(row.name)) is not None:
            found[match["place"] or match["name"] or match["number"]] = row
    if len(found) > 1:
        return found
    short = {match["number"]: row for row in numeric if (match := _SHORT_PROBABILITY.fullmatch(row.name))}
    return short if len(short) > 2 and short.keys() == {str(each) for each in range(len(short))} else {}


def _quantiles(rows: Sequence[FeatureRow], settings: OutputSettings) -> dict[float, FeatureRow]:
    """Return the columns of quantiles; names alone tell them only where each has its mirror, such as p10 and p90."""
    if settings.quantiles:
        by_name = {row.name: row for row in rows if row.kind == "numeric"}
        return {level: by_name[name] for name, level in settings.quantiles.items() if name in by_name}
    found: dict[float, FeatureRow] = {}
    for row in rows:
        match = _QUANTILE.fullmatch(row.name) if row.kind == "numeric" else None
        if match is not None:
            number = float(match["level"].replace("_", "."))
            found[round(number / 100 if number >= 1 else number, 6)] = row
    mirrored = {level: row for level, row in found.items() if round(1 - level, 6) in found and 0 < level < 1}
    return mirrored if len(mirrored) > 1 else {}
