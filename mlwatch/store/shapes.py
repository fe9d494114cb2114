"""The shapes of files that a store knows: those that were inferred under the same configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.shapes import Shape, load_shape

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.config import RoleSettings


class KnownShapes:
    """Shapes by their keys, as they are in the store.

    Args:
        connection: Of the ingest thread.
        roles: What the configuration says about columns.
    """

    def __init__(self, connection: DuckDBPyConnection, roles: RoleSettings) -> None:
        self._connection = connection
        self._roles = repr(roles)
        rows = connection.execute(
            "SELECT key, document FROM shapes WHERE roles = ?", [self._roles]
        ).fetchall()
        self.by_key: dict[str, Shape] = {key: load_shape(key, document) for key, document in rows}

    def save(self, shape: Shape) -> None:
        """Write a shape that is new or was extended."""
        if self.by_key.get(shape.key) is shape:
            return
        self._connection.execute(
            "INSERT OR REPLACE INTO shapes VALUES (?, ?, ?)", [shape.key, self._roles, shape.document()]
        )
        self.by_key[shape.key] = shape
