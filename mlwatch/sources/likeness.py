"""Compare the content of two files from an offset on, decompressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.sources.streams import TAIL_BYTES, DamagedFileError, Fingerprint, Stream, head_of

if TYPE_CHECKING:
    from pathlib import Path

_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Shared:
    """What a file repeats of another."""

    end: int
    """Offset behind the last whole line that both have."""
    lines: int
    """Newlines between the start of the comparison and `end`."""
    whole: bool
    """Whether the file holds nothing beyond what was compared."""
    tail: bytes
    """The last bytes before `end`."""


def shared(file: Path, other: Path, start: int, stop: int) -> Shared | None:
    """Compare two files between two offsets.

    Args:
        file: The file in question; it may end, or be damaged as an unfinished compressed file is, before `stop`.
        other: The file that it may repeat; it reaches to `stop` at least.
        start: Offset to begin at; what is before is taken as equal.
        stop: Offset to compare up to.

    Returns:
        What they have in common; None where they differ, or `other` does not reach that far.
    """
    try:
        with Stream(file) as first, Stream(other) as second:
            if not (first.seek(start) and second.seek(start)):
                return None
            return _compare(first, second, start, stop)
    except (OSError, DamagedFileError):
        return None


def _compare(first: Stream, second: Stream, start: int, stop: int) -> Shared | None:
    end, lines, tail, held = start, 0, first.recent, first.recent
    while first.position < stop:
        mine = _read(first, min(_STEP, stop - first.position))
        if not mine:
            return Shared(end, lines, whole=True, tail=tail)
        if second.read(len(mine)) != mine:
            return None
        held += mine
        cut = mine.rfind(b"\n") + 1
        if cut:
            end, lines = first.position - len(mine) + cut, lines + mine.count(b"\n")
            tail = held[: len(held) - len(mine) + cut][-TAIL_BYTES:]
        held = held[-TAIL_BYTES:]
    return Shared(end, lines, whole=not _read(first, 1), tail=tail)


def _read(stream: Stream, size: int) -> bytes:
    try:
        return stream.read(size)
    except DamagedFileError:  # as far as it is written
        return b""


def mark(head: bytes, found: Shared) -> Fingerprint:
    """Return the fingerprint of a file up to what it shares with another.

    Args:
        head: Its first bytes, as many as a fingerprint takes.
        found: What it shares.
    """
    return Fingerprint.of(head_of(head, found.end), found.tail)
