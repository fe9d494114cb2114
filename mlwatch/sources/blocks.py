"""Cut the bytes of a growing text file into blocks of whole lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlwatch.sources.delimited import Rows

MAX_LINE_BYTES = 16 << 20
"""A longer line is no record; it is skipped and counted as rejected."""


class ByteStream(Protocol):
    """What a block is cut from."""

    position: int
    recent: bytes
    """The last bytes before `position`."""
    damage: str | None
    """What is wrong behind the bytes that were read."""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of one file."""

    data: bytes
    """Ends with a newline, except a last line that was taken as complete."""
    end: int
    """Offset behind the block in the decompressed file: where the next one starts."""
    overlong: int = 0
    """Lines that were longer than `MAX_LINE_BYTES` and are not in `data`."""
    passed: bytes = b""
    """The last bytes of such a line: what stands before `end` where `data` does not tell."""
    more: bool = False
    """Whether the file goes on behind this block."""
    searched: int | None = None
    """Up to where a line that is too long was searched for its end; None where there is no such line, or it ended."""


def read_block(
    stream: ByteStream,
    size: int,
    *,
    rows: Rows | None = None,
    take_tail: bool = False,
    take_row: bool = False,
) -> Block:
    """Read the next whole lines from where the stream stands.

    Args:
        stream: Positioned at the start of a line.
        size: About how many bytes to take; one line longer than that makes the block longer.
        rows: How delimited rows are told apart, whose values may hold newlines; None for lines.
        take_tail: Take a last line without newline too, because no more will come.
        take_row: Take a last row without newline that has all its fields, because nobody waits for more.

    Returns:
        The block; empty when there is no whole line yet.
    """
    start = stream.position
    data = stream.read(size)
    more = len(data) == size
    while more and not data.strip(b"\0"):  # a hole left by a truncation: not a line, however long
        start += len(data)
        data = stream.read(size)
        more = len(data) == size
    cut = last_line_end(data, rows, more=more)
    while more and cut == 0 and len(data) <= MAX_LINE_BYTES:
        extra = stream.read(size)
        more = len(extra) == size
        data += extra
        cut = last_line_end(data, rows, more=more)
    if cut == 0 and len(data) > MAX_LINE_BYTES:
        return skip_line(stream, start, take_tail=take_tail)
    if not more and stream.damage is None and (take_tail or _ends_whole(data[cut:], rows, take_row=take_row)):
        cut = len(data)
    return Block(data[:cut], start + cut, more=more)


def last_line_end(data: bytes, rows: Rows | None = None, *, more: bool = False) -> int:
    """Return the length of the whole lines, or delimited rows, at the front of `data`; 0 when there is none."""
    if rows is None:
        return data.rfind(b"\n") + 1
    return rows.whole(data, goes_on=more, patient=len(data) <= MAX_LINE_BYTES)


def _ends_whole(tail: bytes, rows: Rows | None, *, take_row: bool) -> bool:
    """Tell whether a last line without newline is whole by all that is seen of it."""
    return is_whole_object(tail) or (take_row and rows is not None and rows.ends_whole(tail))


def is_whole_object(line: bytes) -> bool:
    """Tell whether a last line without newline is a complete JSON object: no prefix of an object is one."""
    import json  # noqa: PLC0415

    text = line.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def skip_line(stream: ByteStream, start: int, *, take_tail: bool) -> Block:
    """Pass over a line that is too long, in bounded memory, up to its newline or to where no more will come.

    Args:
        stream: Positioned inside the line, behind what was searched of it.
        start: Where the line begins.
        take_tail: Take a last line without newline too, because no more will come.
    """
    end, recent = stream.position, stream.recent
    while chunk := stream.read(1 << 20):
        newline = chunk.find(b"\n")
        if newline >= 0:
            passed = recent + chunk[: newline + 1]
            return Block(b"", end + newline + 1, overlong=1, passed=passed, more=True)
        end, recent = end + len(chunk), stream.recent
    if take_tail:
        return Block(b"", end, overlong=1, passed=recent)
    return Block(b"", start, passed=recent, searched=end)
