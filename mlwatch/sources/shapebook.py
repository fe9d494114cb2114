"""The shapes of a log directory's files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlwatch.elements import has_value
from mlwatch.roles.chats import LISTS
from mlwatch.sources import samples
from mlwatch.sources.formats.presets import preset_roles
from mlwatch.sources.formats.rewriting import Rewriter
from mlwatch.sources.pathnames import readable
from mlwatch.sources.shapes import build_shape, extend_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RoleSettings
    from mlwatch.roles.types import ColumnPath
    from mlwatch.sources.files import Format
    from mlwatch.sources.formats.types import Memory
    from mlwatch.sources.shapes import Dialect, Shape

MAX_SIGNATURES = 10_000
"""Combinations of keys that are remembered as known, by their hashes: a combination may be long."""
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+'
_KEYS = re.compile(rb'[^"{}]*+(?:%b"(?!\s*+:)[^"{}]*+)*+(%b"?+|[{}]|$)' % (_TEXT, _TEXT))
"""The keys of a line of JSON and how they are nested, told without parsing it.

Texts that are no keys are passed over whole, and nothing is ever tried again: a prompt may hold thousands of quotes.
"""


class ShapeBook:
    """The shapes of this directory's files: looked up by key, inferred when new, extended when columns appear."""

    def __init__(
        self,
        root: Path,
        settings: RoleSettings,
        known: Mapping[str, Shape],
        recall: Callable[[DuckDBPyConnection], Memory],
    ) -> None:
        self.root_name = readable(root.name)
        self._root = root
        self._preset: dict[str, RoleSettings] = {}
        self.settings = settings
        self._signatures: dict[str, set[int]] = {}
        self._outlines: dict[str, set[int]] = {}
        self._recall = recall
        self._rewriter: Rewriter | None = None
        self.shapes = dict(known)

    def rewriter(self, connection: DuckDBPyConnection) -> Rewriter:
        """Return what rewrites the records of serving products; made when it is first needed."""
        if self._rewriter is None:
            self._rewriter = Rewriter(connection, self._recall(connection))
        return self._rewriter

    def limit(self, key: str) -> int:
        """Return how many records of a block of this kind of file are worth a look."""
        return samples.SAMPLE_LINES if key not in self.shapes else samples.LATER_LINES

    def waiting(self, key: str) -> tuple[ColumnPath, ...] | None:
        """Return the columns of a kind of file that had no value so far; None where it is not known yet."""
        known = self.shapes.get(key)
        return None if known is None else known.waiting()

    def records(self, key: str, text: bytes) -> list[dict[str, Any]]:
        """Return some records of JSON lines, of a kind of file that is known only those that may teach something."""
        lines = samples.spread(text, self.limit(key))
        known = self.shapes.get(key)
        return list(
            samples.json_objects(lines if known is None or known.waiting() else self._odd(key, lines))
        )

    def _odd(self, key: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Yield lines with keys that no line before had: parsing the others would tell nothing new."""
        seen = self._outlines.setdefault(key, set())
        for line in lines:
            outline = hash(tuple(_KEYS.findall(line)))
            if outline not in seen:
                if len(seen) < MAX_SIGNATURES:
                    seen.add(outline)
                yield line

    def fit(
        self,
        key: str,
        form: Format,
        records: Sequence[Mapping[str, Any]],
        relative: str,
        dialect: Dialect | None = None,
        types: Mapping[ColumnPath, str] | None = None,
        settings: RoleSettings | None = None,
    ) -> Shape:
        """Return the shape of a kind of file, taught by some of its records."""
        known, settings = self.shapes.get(key), settings or self._roles(key, records, relative)
        if known is None:
            shape = build_shape(key, form, records, relative, self.root_name, settings, dialect, types)
            self._signatures[key] = {hash(signature(record)) for record in records}
        else:
            fresh = self._unseen(key, records, known.waiting())
            shape = extend_shape(known, fresh, settings, relative, self.root_name) if fresh else known
        if shape is not known:
            self.shapes[key] = shape
        return shape

    def _roles(self, key: str, records: Sequence[Mapping[str, Any]], relative: str) -> RoleSettings:
        """Return the roles that are said of a kind of file: by the configuration, and by a tool's conventions."""
        if key not in self._preset:
            columns = {name for record in records for name in record}
            self._preset[key] = preset_roles(columns, (self._root / relative).parent, self.settings)
        return self._preset[key]

    def _unseen(
        self, key: str, records: Sequence[Mapping[str, Any]], waiting: Sequence[ColumnPath]
    ) -> list[Mapping[str, Any]]:
        """Return the records with new keys, or the first value of a column that waits for one: most have neither."""
        seen = self._signatures.setdefault(key, set())
        fresh = []
        for record in records:
            mark = hash(signature(record))
            if mark not in seen:
                if len(seen) < MAX_SIGNATURES:
                    seen.add(mark)
                fresh.append(record)
            elif any(has_value(record, path) for path in waiting):
                fresh.append(record)
        return fresh


Signature = tuple[object, ...]


def signature(record: Mapping[str, Any]) -> Signature:
    """Return a record's keys, nested ones and those of a first answer included, as a hashable value."""
    return tuple(
        (key, signature(value))
        if type(value) is dict
        else (key, signature(value[0]))
        if key in LISTS and type(value) is list and value and type(value[0]) is dict
        else key
        for key, value in record.items()
    )
