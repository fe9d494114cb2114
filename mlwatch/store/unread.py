"""Latencies, amounts and scores that cannot be read: they are left out, and it is said of how many and of which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import meta_value
from mlwatch.errors import one_line
from mlwatch.store import notices

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NOUNS = {"latency": "latencies", "value": "amounts", "score": "scores"}


def tell(connection: DuckDBPyConnection, relative: str) -> None:
    """Count the numbers of the batch that cannot be read, and tell of all so far.

    Args:
        connection: Inside the ingest transaction.
        relative: A file whose records are in the batch.
    """
    found = connection.execute("""
        SELECT split_part(unread_number, ':', 1) AS role, COUNT(*), MIN(unread_number)
        FROM batch WHERE unread_number IS NOT NULL AND NOT duplicate GROUP BY role""").fetchall()
    for role, count, example in found:
        key = f"unread {role}"
        total = int(meta_value(connection, key) or 0) + count
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, str(total)])
        noun, text = _NOUNS[role], one_line(example.partition(":")[2])
        message = f'{noun} that cannot be read are left out: {total:,} so far, such as "{text}" in {relative}'
        notices.post(connection, "warning", noun, message)
