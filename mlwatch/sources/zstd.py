"""Decompress zstd, and tell a file that is cut short from one that is whole, which the library does not."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

_FRAME, _SKIPPED = 0xFD2FB528, 0x184D2A50
"""Magic numbers of a frame, and of one to be passed over, whose last four bits are free; RFC 8878, 3.1."""
_RUN = 1
"""Type of a block that is one byte, repeated."""


class ZstdReader:
    """The decompressed bytes of the frames of a file, one behind the other.

    Args:
        file: Unbuffered, at its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        import zstandard  # noqa: PLC0415  only directories with .zst files pay for it

        self._file = file
        reader: Any = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        self._reader = io.BufferedReader(reader)

    def read1(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end.

        Raises:
            EOFError: when the file ends inside a frame.
        """
        data = self._reader.read1(size)
        # as far as it was read: a file that grows just now may be whole by now
        if not data and not _ends_with_frame(self._file.fileno(), self._file.tell()):
            raise EOFError("the file ends before its last frame does")
        return data


def _ends_with_frame(file: int, size: int) -> bool:
    """Tell whether the first `size` bytes of a file are whole frames, by their headers alone.

    Args:
        file: Descriptor.
        size: In bytes.
    """
    at = 0
    while at < size:
        magic = _number(file, at, 4)
        if magic & ~0xF == _SKIPPED:
            at += 8 + _number(file, at + 4, 4)
        elif magic == _FRAME:
            at = _frame_end(file, at + 4, size)
        else:
            return False
    return at == size


def _frame_end(file: int, at: int, size: int) -> int:
    """Return where a frame ends whose magic number is read; somewhere behind `size` where it is cut.

    RFC 8878, 3.1.1: a header of two to 14 bytes; blocks, each with three bytes of last flag (1 bit), type (2 bits) and
    length; a checksum of four bytes where the header says so.
    """
    told = _number(file, at, 1)
    single, checked = told >> 5 & 1, told >> 2 & 1
    dictionary, content = (0, 1, 2, 4)[told & 3], (single, 2, 4, 8)[told >> 6]
    at += 1 + (1 - single) + dictionary + content
    last = 0
    while not last:
        if at + 3 > size:
            return size + 1
        block = _number(file, at, 3)
        last = block & 1
        at += 3 + (1 if block >> 1 & 3 == _RUN else block >> 3)
    return at + 4 * checked


def _number(file: int, at: int, length: int) -> int:
    return int.from_bytes(os.pread(file, length, at), "little")
