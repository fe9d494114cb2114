"""What is known of the samples that categories were listed after: how many of their rows decided about their own bin.

It stands in `meta`, by feature. Where several models' rows were looked at, or a store is older, nothing is known.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING

from mlwatch.asking import meta_value, row
from mlwatch.metrics.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

META = "categories_left_out"


def count(connection: DuckDBPyConnection, ranked: str, top: int, known: int) -> LeftOut:
    """Return where each row of a sample would be, were it left out.

    A category that occurs once would be unseen; one that has as many rows as the first that is not listed, or is just
    ahead of it by one row and not by name, would change places with that.

    Args:
        connection: Any.
        ranked: Relation of `category`, `n`, its rows, `total`, those of all, and `place`, from 1, by rows and then by
            name; one more than are known, where there are more.
        top: Categories that have a bin of their own.
        known: Categories that have a bin.
    """
    after_top, after_known = (
        f"""LEFT JOIN (SELECT n AS {name}_n, category AS {name}_category FROM {ranked} WHERE place = {place} + 1)
        ON TRUE"""
        for name, place in (("tail", top), ("unknown", known))
    )

    def behind(name: str) -> str:
        return f"COALESCE({name}_n > n - 1 OR ({name}_n = n - 1 AND {name}_category < category), FALSE)"

    listed, gone = f"place <= {top}", f"(n = 1 OR {behind('unknown')})"
    found = row(
        connection,
        f"""SELECT MAX(total), SUM(n) FILTER ({listed}), SUM(n) FILTER ({listed} AND NOT {gone} AND {behind("tail")}),
            SUM(n) FILTER ({listed} AND {gone}), SUM(n) FILTER (NOT {listed}), SUM(n) FILTER (NOT {listed} AND {gone})
        FROM {ranked} {after_top} {after_known} WHERE place <= {known}""",
    )
    return LeftOut(top, *(int(n or 0) for n in found))


def note(connection: DuckDBPyConnection, counted: Mapping[int, LeftOut | None]) -> None:
    """Write down what is known of some features, None for nothing any more.

    Args:
        connection: Inside a transaction.
        counted: By feature.
    """
    if not counted:
        return
    known = {**recall(connection), **counted}
    told = {feature: astuple(each) for feature, each in known.items() if each is not None and each.moves}
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [META, json.dumps(told)])


def recall(connection: DuckDBPyConnection) -> dict[int, LeftOut]:
    """Return what is known, by feature."""
    told = json.loads(meta_value(connection, META) or "{}")
    return {int(feature): LeftOut(*values) for feature, values in told.items()}
