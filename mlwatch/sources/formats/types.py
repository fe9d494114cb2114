"""What an importer is, and what it makes of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping
    from pathlib import PurePosixPath

ENVELOPE = {
    "n": "BIGINT",
    "side": "VARCHAR",
    "key": "VARCHAR",
    "clock": "TIMESTAMP",
    "id": "VARCHAR",
    "ts": "TIMESTAMP",
    "model": "VARCHAR",
    "version": "VARCHAR",
    "latency_ms": "DOUBLE",
    "status": "INTEGER",
    "error": "VARCHAR",
    "request": "VARCHAR",
    "response": "VARCHAR",
    "label": "VARCHAR",
    "reason": "VARCHAR",
}
"""Columns of a request and their types.

`request`, `response` and `label` are bodies; `reason` says why a record is refused. A record that is only one `side` of
a request, `request` or `response`, has the `key` that both have, and may have a `clock` that latency is measured by.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: some formats tell model and version nowhere else."""

    relative: PurePosixPath
    """Path below the log directory."""
    root_name: str
    """Name of the log directory."""
    mtime_ns: int = 0
    """When the file was last written."""


@dataclass(frozen=True, slots=True)
class Importer:
    """A log format whose records are rewritten to plain ones before they are taken in.

    `envelopes` returns a SELECT over the temporary table `native` (`n`: number of the line, `j`: the JSON object in
    it). Its columns are any of those of `ENVELOPE`; one row is one request, however many instances it has.
    """

    name: str
    title: str
    """The product, as its makers write it."""
    recognised: str
    """How a file is told to be of this format."""
    roles: str
    """Where time, id, model, version and answers come from."""
    marks: tuple[re.Pattern[bytes], ...]
    """All of them are found in the first bytes of a file of JSON records of this format."""
    envelopes: Callable[[Place], str]
    columns: frozenset[str] = frozenset()
    """A table of this format has these columns; none where it is never a table."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A native record that is no request, outcome or event."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What changes among the halves of requests that wait for their other half."""

    form: str
    come: str
    """JSON list of objects with `key`, `side` and `record`."""
    gone: str
    """JSON list of keys."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known from former runs."""

    waiting: str
    """Relation of the halves that wait, with columns `format` and `record`."""
    scored: Mapping[str, bool]
    """Whether the numbers that a model answers are probabilities, as far as that is decided."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a block of native records."""

    text: bytes
    """Plain records as JSON lines."""
    records: int
    """Plain records and refused ones."""
    refused: tuple[Refused, ...] = ()
    carried: tuple[Carried, ...] = ()
