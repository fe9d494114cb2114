"""Fold what only some logs hold into the rollups: see `output_rollups` and `meanings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import is_there
from mlwatch.metrics.bin_sql import sql_number
from mlwatch.sources.sql import identifier, literal
from mlwatch.store import output_rollups as rollups
from mlwatch.store.adding import add
from mlwatch.store.meanings import Meanings, meanings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import OutputSettings
    from mlwatch.store.registry import Registry
    from mlwatch.store.rollup import Rollup

REFUSALS = (
    *("i''m sorry, but", "i am sorry, but", "i''m sorry, i can", "i can''t help", "i cannot help"),
    *("i can''t assist", "i cannot assist", "i''m unable to", "i am unable to", "i''m not able to"),
    *("i can''t provide", "i cannot provide", "i can''t comply", "i cannot comply", "i must decline"),
    *("i won''t be able to", "as an ai ", "as a language model", "i cannot fulfill", "i can''t fulfill"),
)
"""How refusals begin, in lower case, quotes doubled as in SQL."""
REFUSAL_LENGTH = 160
"""Characters of an answer that are looked at for one."""

_TEXT = "TRIM(prediction)"
TEXT_LENGTH = f"LENGTH({_TEXT})"
"""Characters of an answer."""
_WORDS = f"LENGTH({_TEXT}) - LENGTH(REPLACE({_TEXT}, ' ', '')) + 1"
_START = f"REPLACE(LOWER(LEFT({_TEXT}, {REFUSAL_LENGTH})), '’', '''')"
_PAID = frozenset({"input_tokens", "output_tokens", "cost"})
"""What is paid for whether the request failed or not."""
_ANSWERED = "COALESCE(status, 200) < 400 AND error IS NULL"


def raw_name(feature: int) -> str:
    """Return the name that a feature's own value has in `scored`."""
    return f"raw_{feature}"


def fold_requests(
    connection: DuckDBPyConnection,
    registry: Registry,
    settings: OutputSettings,
    relation: str,
    models: Collection[str],
    numbers: Collection[int] | None = None,
) -> None:
    """Add what requests took and gave, the kinds of errors and the probabilities of all classes.

    Args:
        connection: Inside the ingest transaction.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        relation: A `requests` relation.
        models: Models to look at.
        numbers: Features that the relation has columns for; None for all.
    """
    if is_there(connection, f"{relation} WHERE failed"):
        add(connection, rollups.KINDS, rollups.kinds_sql(relation))
    for rollup, select in request_statements(registry, settings, relation, models, numbers):
        add(connection, rollup, select)


def request_statements(
    registry: Registry,
    settings: OutputSettings,
    relation: str,
    models: Collection[str],
    numbers: Collection[int] | None = None,
) -> Iterator[tuple[Rollup, str]]:
    """Yield what is counted of requests, models that have it alone; for the arguments see `fold_requests`."""
    for model in models:
        known = meanings(registry, model, settings, numbers)
        text = registry.models[model].task == "unknown"
        measured = _measures(model, known, settings, text=text)
        if measured:
            yield rollups.MEASURES, rollups.measures_sql(relation, measured)
        if text:
            yield rollups.MEASURES, rollups.vocabulary_sql(relation, literal(model))
        if known.probabilities:
            yield rollups.CLASS_DECIDED, rollups.class_decided_sql(relation, model, known.probabilities)


def _measures(
    model: str, known: Meanings, settings: OutputSettings, *, text: bool
) -> list[tuple[str, str, str]]:
    """Return name, expression and condition of what is measured of a model's requests."""
    mine = f"model = {literal(model)}"
    done = f"{mine} AND NOT failed"
    found = [(role, value, mine if role in _PAID else done) for role, value in known.measures.items()]
    tokens, first = known.measures.get("output_tokens"), known.measures.get("first_token")
    if tokens is not None and first is not None:
        found.append(("per_token", f"(latency_ms - {first}) / ({tokens} - 1)", f"{done} AND {tokens} > 1"))
    elif tokens is not None:
        found.append(("per_token", f"latency_ms / {tokens}", f"{done} AND {tokens} > 0"))
    if "cost" not in known.measures and (priced := _priced(known, settings)) is not None:
        found.append(("cost", priced, mine))
    if text:
        refusal = " OR ".join(f"{_START} LIKE '{start}%'" for start in REFUSALS)
        found += [
            (rollups.CHARACTERS, TEXT_LENGTH, f"{done} AND prediction IS NOT NULL"),
            ("words", _WORDS, f"{done} AND {_TEXT} <> ''"),
            ("refusal", f"CASE WHEN {refusal} THEN 1 ELSE 0 END", f"{done} AND prediction IS NOT NULL"),
            (
                "empty",
                f"CASE WHEN prediction IS NULL OR {_TEXT} = '' THEN 1 ELSE 0 END",
                f"{mine} AND {_ANSWERED}",
            ),
        ]
    return found


def _priced(known: Meanings, settings: OutputSettings) -> str | None:
    """Return what the tokens of a request cost by the table of prices, NULL for a model without a price."""
    parts = []
    for role, prices in (("input_tokens", settings.input_price), ("output_tokens", settings.output_price)):
        if role in known.measures and prices:
            cases = " ".join(
                f"WHEN {literal(name)} IN (model, version) THEN {sql_number(price / 1e6)}"
                for name, price in prices.items()
            )
            parts.append(f"{known.measures[role]} * CASE {cases} END")
    return " + ".join(parts) or None


def fold_scored(connection: DuckDBPyConnection, registry: Registry, settings: OutputSettings) -> None:
    """Add newly labelled predictions to what is known of classes, quantiles and residuals; for rankings see `rankings`.

    Args:
        connection: Inside the ingest transaction; `scored` carries the columns of `carried`.
        registry: Features and tasks.
        settings: What the configuration says of outputs.
    """
    have = {name for (name,) in connection.execute("SELECT column_name FROM (DESCRIBE scored)").fetchall()}
    for rollup, select in scored_statements(registry, settings, "scored", have):
        add(connection, rollup, select)


def scored_statements(
    registry: Registry, settings: OutputSettings, scored: str, have: Collection[str]
) -> Iterator[tuple[Rollup, str]]:
    """Yield what is counted of labelled predictions, but for rankings.

    Args:
        registry: Features and tasks.
        settings: What the configuration says of outputs.
        scored: A `scored` relation.
        have: Its columns.
    """
    for model in registry.models:
        known, columns = known_in(have, registry, model, settings)
        classes = {name: columns[column] for name, column in known.probabilities.items()}
        levels = {level: columns[column] for level, column in known.quantiles.items()}
        if classes:
            yield rollups.CLASS_SCORES, rollups.class_scores_sql(scored, model, classes)
            yield rollups.RANKS, rollups.ranks_sql(scored, model, classes)
        if levels:
            yield rollups.QUANTILES, rollups.quantiles_sql(scored, model, levels)
    numeric, _ = registry.plain_models()
    if numeric:
        yield rollups.RESIDUALS, rollups.residuals_sql(scored, numeric)


def carried(registry: Registry, settings: OutputSettings) -> tuple[tuple[int, str], ...]:
    """Return number and quoted column of the features that labelled predictions are to carry."""
    found: dict[int, str] = {}
    for model in registry.models:
        found.update(_quoted(registry, meanings(registry, model, settings)))
    return tuple(sorted(found.items()))


def known_in(
    have: Collection[str], registry: Registry, model: str, settings: OutputSettings
) -> tuple[Meanings, dict[str, str]]:
    """Return what is meant by the features that `scored` carries, and their columns there by those of requests."""
    every = meanings(registry, model, settings).numbers
    known = meanings(registry, model, settings, [each for each in every if raw_name(each) in have])
    return known, {column: raw_name(each) for each, column in _quoted(registry, known).items()}


def _quoted(registry: Registry, known: Meanings) -> dict[int, str]:
    wanted = set(known.numbers)
    return {row.number: identifier(row.column) for row in registry.features.values() if row.number in wanted}
