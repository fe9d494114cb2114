"""The shapes of files that a store knows: those that were inferred under the same configuration, and former ones."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.asking import meta_value
from mlwatch.config import RoleSettings
from mlwatch.errors import one_line
from mlwatch.roles.changes import reads_otherwise
from mlwatch.sources.shapes import Shape, load_shape

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.ledger import Ledger

READ_OTHERWISE = "read_otherwise"
"""In `meta`, as JSON: the files that were read under other `[roles]`, some of whose kind were read under later ones."""


class KnownShapes:
    """Shapes by their keys, as they are in the store.

    Args:
        connection: Of the ingest thread.
        roles: What the configuration says about columns.
    """

    def __init__(self, connection: DuckDBPyConnection, roles: RoleSettings) -> None:
        self._connection = connection
        self._settings = roles
        self._roles = repr(roles)
        rows = connection.execute("SELECT key, roles, document FROM shapes").fetchall()
        self.by_key: dict[str, Shape] = {
            key: load_shape(key, document) for key, said, document in rows if said == self._roles
        }
        self._former = {
            key: (load_shape(key, document), _settings_of(said))
            for key, said, document in rows
            if said != self._roles
        }
        self._otherwise: dict[str, set[int]] = {}
        self._mixed: set[int] = set(json.loads(meta_value(connection, READ_OTHERWISE) or "[]"))

    def compare(self, ledger: Ledger, root_name: str) -> None:
        """Find the files that would be read otherwise now than they were.

        Args:
            ledger: With what was read of every file.
            root_name: The log directory's name.
        """
        known: dict[str, bool] = {}
        for entry in ledger.entries.values():
            key = entry.shape
            if key is None or key not in self._former or not entry.records:
                continue
            if key not in known:
                shape, before = self._former[key]
                path = PurePosixPath(entry.path)
                known[key] = reads_otherwise(shape.mapping, before, self._settings, path, root_name)
            if known[key]:
                self._otherwise.setdefault(key, set()).add(entry.file)

    def told(self, root: Path) -> str | None:
        """Say how many files were read under other `[roles]`, if any, and what to do; root is the log directory."""
        count = len(self._mixed.union(*self._otherwise.values()))
        if not count:
            return None
        files = f"{count:,} files were" if count > 1 else "1 file was"
        todo = f"`mlwatch store reset {one_line(str(root))}` reads again what is there"
        return f"[roles] differ from those that {files} read with, whose records stay as they were: {todo}"

    def save(self, shape: Shape) -> None:
        """Write a shape that is new or was extended."""
        if self.by_key.get(shape.key) is shape:
            return
        if shape.key in self._otherwise:
            self._mixed |= self._otherwise.pop(shape.key)
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", [READ_OTHERWISE, json.dumps(sorted(self._mixed))]
            )
        self._connection.execute(
            "INSERT OR REPLACE INTO shapes VALUES (?, ?, ?)", [shape.key, self._roles, shape.document()]
        )
        self.by_key[shape.key] = shape


def _settings_of(said: str) -> RoleSettings:
    """Read `[roles]` back from how the store has them; what this version does not know is left out."""
    call = ast.parse(said, mode="eval").body
    given = call.keywords if isinstance(call, ast.Call) else ()
    names = {field.name for field in fields(RoleSettings)}
    return RoleSettings(**{one.arg: ast.literal_eval(one.value) for one in given if one.arg in names})
