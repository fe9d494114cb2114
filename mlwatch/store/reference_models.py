"""A reference with rows of several models: each model of the logs is compared with all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.store import notices

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOPIC = "reference"
NAMED = 5
"""Models that are named."""


def forget(connection: DuckDBPyConnection) -> None:
    """Say that it is over: nothing is compared with that reference."""
    notices.resolve(connection, TOPIC)


def tell(connection: DuckDBPyConnection) -> None:
    """Say so of the temporary table `given`, or that it is over."""
    rows = connection.execute(
        f"SELECT DISTINCT own_model FROM given WHERE own_model IS NOT NULL ORDER BY ALL LIMIT {NAMED + 1}"
    ).fetchall()
    names = [one_line(name) for (name,) in rows]
    if len(names) < 2:
        forget(connection)
        return
    said = ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")
    text = f"the reference has rows of several models ({said}), and each model is compared with all of them: "
    notices.post(connection, "warning", TOPIC, text + "keep those of one")
