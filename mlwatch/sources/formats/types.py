"""What an importer is, and what it makes of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path, PurePosixPath


class NotReadyError(Exception):
    """What a format needs besides the file is not there yet, with a sentence that says what."""


Side = Literal["request", "response"]

ENVELOPE = {
    "n": "BIGINT",
    "side": "VARCHAR",
    "key": "VARCHAR",
    "clock": "TIMESTAMP",
    "seen": "TIMESTAMP",
    "id": "VARCHAR",
    "ts": "TIMESTAMP",
    "model": "VARCHAR",
    "version": "VARCHAR",
    "latency_ms": "DOUBLE",
    "status": "INTEGER",
    "error": "VARCHAR",
    "fraction": "DOUBLE",
    "request": "VARCHAR",
    "response": "VARCHAR",
    "label": "VARCHAR",
    "reason": "VARCHAR",
}
"""Columns of a request and their types.

`fraction` is the share of the requests that the log holds. `request`, `response` and `label` are bodies; `reason` says
why a record is refused. A record that is only one `side` of a request, `request` or `response`, has the `key` that both
have, and may have a `clock` that latency is measured by; `seen` is when its file had been written, and filled in later.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: some formats tell model and version nowhere else."""

    relative: PurePosixPath
    """Path below the log directory."""
    root_name: str
    """Name of the log directory."""
    path: Path
    """Where to open it."""
    mtime_ns: int = 0
    """When the file was last written, as it says."""
    ctime_ns: int = 0
    """When the file was last written or put there, as the system says."""
    timezone: str = "UTC"
    """Zone of times that carry none."""
    columns: tuple[str, ...] = ()
    """Names of the columns, where the file is a table."""


@dataclass(frozen=True, slots=True)
class Importer:
    """A log format whose records are rewritten to plain ones before they are taken in.

    `envelopes` returns a SELECT over the temporary table `native` (`n`: number of the line, `raw`: its text, `j`: the
    JSON object in it). Its columns are any of those of `ENVELOPE`; one row is one request, of however many instances.
    """

    name: str
    title: str
    """The product, as its makers write it."""
    recognised: str
    """How a file is told to be of this format."""
    roles: str
    """Where time, id, model, version and answers come from."""
    marks: tuple[re.Pattern[bytes], ...]
    """All of them are found in the first bytes of a file of lines of this format; none where it is no such file."""
    envelopes: Callable[[Place], str]
    columns: frozenset[str] = frozenset()
    """A table of this format has these columns; none where it is never a table."""
    table: Callable[[Sequence[str], Path], bool] | None = None
    """Whether a table with these columns, at this path, is of this format, where names alone do not say."""
    beside: Callable[[Path], bool] | None = None
    """What must hold of the file's path besides."""
    text: bool = False
    """Whether lines that are no JSON are part of the format. `native` then has all lines, as `raw`."""
    answers: bool = True
    """Whether the records hold what the model answered; else they tell of health and latency only."""
    alone: frozenset[Side] = frozenset({"response"})
    """Sides of a request that may be logged without the other."""

    def matches(self, head: bytes) -> bool:
        """Tell whether a file with these first bytes is of this format."""
        return bool(self.marks) and all(mark.search(head) for mark in self.marks)

    def lies_at(self, path: Path) -> bool:
        """Tell whether a file of this format may be there."""
        return self.beside is None or self.beside(path)


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
    newest: str = "[]"
    """JSON list of objects with `model`, `side` and `newest`, the time of the newest half that was seen of it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known from former runs."""

    waiting: str
    """Relation of the halves that wait, with columns `format` and `record`."""
    sides: Mapping[tuple[str, str, str], datetime]
    """Time of the newest half that was seen, by format, model and side."""
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
    sampled: tuple[str, ...] = ()
    """JSON lists of objects with `bucket`, `model`, `version` and `unseen`: requests beyond those that are logged."""


def pointer(name: str) -> str:
    """Return the SQL text of the JSON pointer to a field: of any name, where a path would be misread."""
    return literal("/" + name.replace("~", "~0").replace("/", "~1"))
