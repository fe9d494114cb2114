"""What the feeder hands out: batches to be taken in, files that gave nothing new, files that cannot be read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mlwatch.sources.files import Found
    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.ledger import Entry


@dataclass(frozen=True, slots=True)
class Work:
    """A segment and the ledger entry that it carries on."""

    segment: Segment
    entry: Entry


@dataclass(frozen=True, slots=True)
class Part:
    """Segments of one kind."""

    works: tuple[Work, ...]
    shape: Shape
    spool: Path
    """Where their text was laid down, one after the other; of Parquet, the file itself."""

    @property
    def segments(self) -> list[Segment]:
        """What the works carry."""
        return [work.segment for work in self.works]

    @property
    def size(self) -> int:
        """Bytes of text; of Parquet, about as many as the records would be."""
        if self.shape.format == "parquet":
            return sum(work.segment.size for work in self.works)
        return sum(work.segment.length for work in self.works)


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts that are ready to be taken in together: one, or several small ones."""

    parts: tuple[Part, ...]
    bytes_done: int
    """Bytes on disk that are read when this batch is through."""
    per_byte: float
    """Bytes on disk for each of text."""

    def done_but(self, left: Iterable[Part]) -> int:
        """Return how many bytes on disk are read when all is through but some parts."""
        return self.bytes_done - math.ceil(sum(part.size for part in left) * self.per_byte)

    @property
    def works(self) -> tuple[Work, ...]:
        """Those of all parts."""
        return tuple(work for part in self.parts for work in part.works)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that was looked at and gave nothing new."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file that cannot be read."""

    found: Found
    reason: str
    lasting: bool = True
    """Whether it stays so until the file changes."""


Item = Batch | Seen | Trouble
