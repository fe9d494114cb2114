"""What the amounts of each model are in.

The events that say it stay with the logs: a lake keeps the names of the currencies alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from mlwatch.asking import meta_value
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from duckdb import DuckDBPyConnection

Said = Mapping[str, Collection[str]]
"""Currencies by model; those of events that name no model under an empty name."""

SIGNS = {
    "€": "EUR", "£": "GBP", "US$": "USD", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS",
    "₫": "VND", "₱": "PHP", "₦": "NGN", "฿": "THB", "ZŁ": "PLN", "KČ": "CZK",
}  # fmt: skip
"""Codes by the signs of one currency alone, in upper case: dollars, crowns and ¥ may be several."""

OF_LAKES = "lake_currencies"
"""Key of what the lakes say that are open."""


def said(connection: DuckDBPyConnection) -> Said:
    """Return what events are in, by the model that they name."""
    return dict(
        connection.execute(
            """SELECT model, LIST(DISTINCT currency ORDER BY currency) FROM events WHERE currency IS NOT NULL
            GROUP BY model"""
        ).fetchall()
    )


def found(connection: DuckDBPyConnection) -> Said:
    """Return what events that name no model are in, by the model whose requests they found. That is dear."""
    return dict(
        connection.execute(
            """SELECT p.model, LIST(DISTINCT e.currency ORDER BY e.currency)
            FROM (FROM events WHERE model = '' AND currency IS NOT NULL) AS e
            JOIN predictions AS p ON p.h = e.h AND p.id = e.id GROUP BY p.model"""
        ).fetchall()
    )


def of_versions(
    connection: DuckDBPyConnection, model: str, versions: tuple[str, ...], stretch: tuple[datetime, datetime]
) -> tuple[str, ...]:
    """Return what the amounts that the requests of some versions brought are in. That is dear.

    Args:
        connection: A cursor of this thread.
        model: Of the versions.
        versions: Their names.
        stretch: Begin and end of their requests, naive UTC.
    """
    rows = connection.execute(
        """SELECT DISTINCT e.currency
        FROM (FROM events WHERE model IN ('', $model) AND currency IS NOT NULL AND value IS NOT NULL) AS e
        JOIN predictions AS p ON p.h = e.h AND p.id = e.id
        WHERE e.class IN ('conversion', 'revenue', 'refund') AND p.model = $model
            AND list_contains($versions, p.version) AND p.ts >= $begin AND p.ts < $end""",
        {"model": model, "versions": list(versions), "begin": stretch[0], "end": stretch[1]},
    ).fetchall()
    return named([currency for (currency,) in rows])


def of_model(model: str, by_name: Said, by_request: Callable[[], Said], *, alone: bool) -> tuple[str, ...]:
    """Return what a model's amounts are in, sorted.

    Events that name no model are taken for those of any model, unless there are several models and currencies.

    Args:
        model: Its name.
        by_name: See `said`.
        by_request: See `found`.
        alone: No other model has events.
    """
    own = by_name.get(model, ())
    anybodys = named(own, by_name.get("", ()))
    if len(anybodys) < 2 or alone:
        return anybodys
    return named(own, by_request().get(model, ())) or anybodys


def of_all(connection: DuckDBPyConnection) -> dict[str, list[str]]:
    """Return what the amounts of each model of a store are in, for those that have any."""
    table = rollups.BUSINESS.table(rollups.BUSINESS.levels[0])  # the one that days are written of
    models = [name or "-" for (name,) in connection.execute(f"SELECT DISTINCT model FROM {table}").fetchall()]
    by_name, by_request = said(connection), cache(partial(found, connection))
    alone = len(models) == 1
    return together({model: of_model(model, by_name, by_request, alone=alone) for model in models})


def together(*several: Said) -> dict[str, list[str]]:
    """Return what all of them say."""
    models = sorted({model for one in several for model in one})
    every = {model: named(*(one.get(model, ()) for one in several)) for model in models}
    return {model: list(names) for model, names in every.items() if names}


def of_manifest(connection: DuckDBPyConnection, manifest: Mapping[str, Any], models: str) -> Said:
    """Return what a lake says; one of before says what all of its models are in.

    Args:
        connection: Any.
        manifest: Of the lake.
        models: FROM item that lists its models.
    """
    by_model: Said = manifest.get("currencies", {})
    one = manifest.get("currency")
    if one is None:
        return by_model
    return {model: [one] for (model,) in connection.execute(f"SELECT model FROM {models}").fetchall()}


def are_said(manifest: Mapping[str, Any]) -> bool:
    """Tell whether what a manifest says of currencies can be read."""
    found = manifest.get("currencies", {})
    return isinstance(found, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in found.values()
    )


def of_lakes(connection: DuckDBPyConnection) -> dict[str, list[str]]:
    """Return what the lakes say that are open."""
    kept: dict[str, list[str]] = json.loads(meta_value(connection, OF_LAKES) or "{}")
    return kept


def named(*several: Collection[str]) -> tuple[str, ...]:
    """Return the names in any of them, sorted: those of one currency are one, its code where they differ."""
    by_code: dict[str, set[str]] = {}
    for name in set().union(*several):
        by_code.setdefault(code_of(name), set()).add(name)
    return tuple(sorted(code if len(names) > 1 else names.pop() for code, names in by_code.items()))


def code_of(name: str) -> str:
    """Return the code of a currency, in upper case, of its sign too; a sign that several share stands for itself."""
    plain = name.strip().upper()
    return SIGNS.get(plain, plain)
