"""What an importer is, and what it makes of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable
    from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: some formats tell model and version nowhere else."""

    relative: PurePosixPath
    """Path below the log directory."""
    root_name: str
    """Name of the log directory."""


@dataclass(frozen=True, slots=True)
class Importer:
    """A log format whose records are rewritten to plain ones before they are taken in.

    `envelopes` returns a SELECT over the temporary table `native` (`n`: number of the line, `j`: the JSON object in
    it). Its columns are any of those of `rewriting.ENVELOPE`; one row is one request, however many instances it has.
    """

    name: str
    title: str
    """The product, as its makers write it."""
    recognised: str
    """How a file is told to be of this format."""
    roles: str
    """Where time, id, model, version and answers come from."""
    marks: tuple[re.Pattern[bytes], ...]
    """All of them are found in the first bytes of a file of this format."""
    envelopes: Callable[[Place], str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A native record that is no request, outcome or event."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a block of native records."""

    text: bytes
    """Plain records as JSON lines."""
    records: int
    """Plain records and refused ones."""
    refused: tuple[Refused, ...] = ()
