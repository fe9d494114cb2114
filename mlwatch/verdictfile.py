"""Remember the verdicts of rollups in a file: they have no store, and hooks run once a change, also after a restart."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from mlwatch.hooks import VERDICT
from mlwatch.rights import private

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection


class VerdictFile:
    """The verdicts that hooks were run for, between one run and the next.

    Args:
        path: Of the file; none need be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, str] = {}

    def load(self, connection: DuckDBPyConnection) -> None:
        """Put what the file remembers where verdicts are remembered; one that cannot be read remembers nothing."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(found, dict):
            self._kept = {key: str(verdict) for key, verdict in found.items() if key.startswith(VERDICT)}
        for key, verdict in self._kept.items():
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, verdict])

    def keep(self, connection: DuckDBPyConnection) -> None:
        """Write what is remembered now, if it has changed; where that is impossible, it is of this run alone."""
        rows = connection.execute("SELECT key, value FROM meta WHERE starts_with(key, ?)", [VERDICT])
        found = dict(rows.fetchall())
        if found == self._kept:
            return
        self._kept = found
        part = self._path.with_name(f"{self._path.name}.part")
        with suppress(OSError), private():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(found), encoding="utf-8")
            part.replace(self._path)
