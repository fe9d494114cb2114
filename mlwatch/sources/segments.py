"""Whole records of one file on their way into a batch, and up to where a file is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.sources.files import Found
    from mlwatch.sources.formats.types import Carried, Importer, Refused
    from mlwatch.sources.shapes import Shape
    from mlwatch.sources.streams import Fingerprint


class UnreadableFileError(Exception):
    """A file that cannot be read, with a sentence that says why; the rest of the directory goes on."""


@dataclass(frozen=True, slots=True)
class Searched:
    """How far a line that is too long to be a record was searched for its end."""

    start: int
    """Where the line begins."""
    end: int
    recent: bytes
    """The last bytes before `end`."""


class UnendedLineError(UnreadableFileError):
    """What comes behind such a line is read once it has ended."""

    def __init__(self, searched: Searched) -> None:
        super().__init__("a line of more than 16 MB has no end yet")
        self.searched = searched


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a file is accounted for."""

    offset: int = 0
    """Decompressed bytes; elements of a JSON document; rows of a Parquet file."""
    lines: int = 0
    shape: str | None = None
    """Key of the shape it was read with."""
    mark: Fingerprint | None = None
    """What the file had up to there."""
    searched: Searched | None = None
    """How far the line there was searched, where it had no end before."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """Text that was laid down in a spool file."""

    path: Path
    offset: int
    length: int

    def read(self) -> bytes:
        """Return the text."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            return file.read(self.length) or b""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole records of one file, as they are written there."""

    found: Found
    start: int
    end: int
    """Position behind it; see `Position.offset`."""
    first_line: int
    lines: int
    fingerprint: Fingerprint
    text: bytes
    """The records as JSON lines or delimited rows without header."""
    overlong: int = 0
    """Lines too long to be records, which are not in `text`."""
    numbers: tuple[int, ...] = ()
    """The number of each line, where they do not simply follow each other."""

    def segment(self, shape: Shape) -> Segment:
        """Return the segment that its plain records make."""
        span = (self.start, self.end, self.first_line, self.lines)
        return Segment(
            self.found, shape, *span, self.fingerprint, self.text, self.overlong, numbers=self.numbers
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole records of one file, on their way into a batch."""

    found: Found
    shape: Shape
    start: int
    end: int
    """Position behind it; see `Position.offset`."""
    first_line: int
    lines: int
    fingerprint: Fingerprint
    text: bytes | Spooled = b""
    """The records as JSON lines or delimited rows without header; empty for Parquet."""
    overlong: int = 0
    """Lines too long to be records, which are not in `data`."""
    refused: tuple[Refused, ...] = ()
    """Records that an importer could not read; they are not in `data` either."""
    records: int | None = None
    """Records in `data` and in `refused`, where they are not the lines of the file."""
    carried: tuple[Carried, ...] = ()
    """Halves of requests that wait from now on, or do no longer."""
    sampled: tuple[str, ...] = ()
    """Requests beyond those that are logged; see `Rewritten`."""
    importer: Importer | None = None
    """What rewrote the records; None for plain ones."""
    numbers: tuple[int, ...] = ()
    """The number of each line, where they do not simply follow each other."""

    @property
    def size(self) -> int:
        """About how many bytes of text the segment's records are."""
        return self.length or (self.end - self.start) * 200

    @property
    def length(self) -> int:
        """Bytes of text; 0 for Parquet."""
        return self.text.length if isinstance(self.text, Spooled) else len(self.text)

    def data(self) -> bytes:
        """Return the text, from wherever it is."""
        return self.text.read() if isinstance(self.text, Spooled) else self.text
