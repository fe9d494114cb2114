"""Read bytes of a log file, decompressed, from any offset, and recognise content that was seen before."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from mlwatch.sources.files import Compression, compression_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

HEAD_BYTES = 4096
TAIL_BYTES = 1024
_SKIP_STEP = 1 << 20
_LOOK_BACK = 1 << 16


class DamagedFileError(Exception):
    """A compressed file ends early or its checksum is wrong."""


class FileMovedError(Exception):
    """Another file has taken a path's place since the path was looked at."""


class _Readable(Protocol):
    def read1(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of the first bytes and of the bytes just before the offset up to which a file was read."""

    head_length: int
    head: bytes
    tail_length: int
    tail: bytes

    @classmethod
    def of(cls, head: bytes, tail: bytes) -> Fingerprint:
        """Return the fingerprint of these bytes; see `head_of` for how many are taken."""
        return cls(len(head), digest(head), len(tail), digest(tail))

    def begins(self, first: bytes) -> bool:
        """Tell whether a file with these first bytes begins as the one of the fingerprint did."""
        return digest(first[: self.head_length]) == self.head

    def fits(self, first: bytes, recent: bytes) -> bool:
        """Tell whether a file's first bytes, and those before the offset, are the ones that were read before."""
        return self.begins(first) and digest(recent[len(recent) - self.tail_length :]) == self.tail


class Stream:
    """The decompressed bytes of a file, read forward from an offset.

    Args:
        path: The file.
        identity: Device and inode that it must have; None for any.

    Raises:
        OSError: when the file cannot be opened.
        FileMovedError: when the path leads to another file by now.
        DamagedFileError: when compressed data is broken; bytes before the damage were returned already.
    """

    def __init__(self, path: Path, identity: tuple[int, int] | None = None) -> None:
        self._file: BinaryIO = path.open("rb", buffering=0)
        status = os.fstat(self._file.fileno())
        if identity not in {None, (status.st_dev, status.st_ino)}:
            self._file.close()
            raise FileMovedError(str(path))
        self.compression: Compression = compression_of(self._file.read(4))
        self._file.seek(0)
        self._reader = _decompressor(self._file, self.compression)
        self.position = 0
        """Decompressed offset of the next byte."""
        self.recent = b""
        """The last bytes before `position`, at most `TAIL_BYTES`."""
        self.damage: str | None = None
        """What is wrong with the compressed data behind what was read."""
        self._pushed = b""
        self._latest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; fewer only at the end of what is there now."""
        data, self._pushed = self._pushed[:size], self._pushed[size:]
        if len(data) < size:
            missing = size - len(data)
            data += (
                self._read_plain(missing) if self.compression == "none" else self._read_compressed(missing)
            )
        self.position += len(data)
        self.recent = (self.recent + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._latest = data
        return data

    def up_to_line(self, size: int) -> int:
        """Return how many bytes, at most `size`, end with a line; `size` itself where that is not cheap to tell."""
        if self.compression != "none" or self._pushed or size <= _LOOK_BACK:
            return size
        end = os.pread(self._file.fileno(), _LOOK_BACK, self.position + size - _LOOK_BACK)
        line = end.rfind(b"\n") + 1
        return size - _LOOK_BACK + line if line and len(end) == _LOOK_BACK else size

    def last(self, size: int) -> bytes:
        """Return the last bytes of the latest read."""
        return self._latest[len(self._latest) - size :]

    def holds(self, head: bytes) -> bool:
        """Tell whether a plain file still begins with `head` and reaches to `position`: it was not truncated."""
        if self.compression != "none":
            return True
        status = os.fstat(self._file.fileno())
        return status.st_size >= self.position and os.pread(self._file.fileno(), len(head), 0) == head

    def unread(self, data: bytes, recent: bytes) -> None:
        """Give back bytes that were read last.

        Args:
            data: The bytes, exactly as they were read.
            recent: What `recent` is before them.
        """
        self._pushed = data + self._pushed
        self.position -= len(data)
        self.recent = recent

    def _read_plain(self, size: int) -> bytes:
        data = self._file.read(size)
        if data is None or len(data) in {0, size}:
            return data or b""
        more = self._file.read(size - len(data))  # an unbuffered read may stop short once
        return data + (more or b"")

    def _read_compressed(self, size: int) -> bytes:
        if self.damage is not None or self._reader is None:
            raise DamagedFileError(self.damage or "not compressed")
        parts: list[bytes] = []
        missing = size
        while missing > 0:
            try:
                part = self._reader.read1(min(missing, _SKIP_STEP))
            except Exception as error:
                if not isinstance(error, EOFError | OSError | zlib.error | ValueError | _zstd_error()):
                    raise
                self.damage = str(error)
                if not parts:
                    raise DamagedFileError(self.damage) from error
                break  # hand out what is good; the next read meets the damage
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def skip_hole(self) -> None:
        """Move a plain file forward to the next bytes that were written, over a hole of zeros that never were."""
        if self.compression != "none" or self._pushed:
            return
        try:
            data = os.lseek(self._file.fileno(), self.position, os.SEEK_DATA)
        except (OSError, AttributeError):  # nothing behind the hole, or a system that does not tell
            return
        if data != self.position:
            self.seek(data)

    def seek(self, offset: int) -> bool:
        """Move forward to a decompressed offset; return whether the file reaches that far."""
        if self.compression == "none":
            size = self._file.seek(0, io.SEEK_END)
            self.position = min(offset, size)
            before = max(0, self.position - TAIL_BYTES)
            self._file.seek(before)
            self.recent = self._read_plain(self.position - before)
            self._file.seek(self.position)
            return size >= offset
        while self.position < offset:
            if not self.read(min(_SKIP_STEP, offset - self.position)):
                return False
        return True


def _decompressor(file: BinaryIO, compression: Compression) -> _Readable | None:
    """Return what decompresses a file; None for a plain one, which is read directly."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if compression == "zstd":
        from mlwatch.sources.zstd import ZstdReader  # noqa: PLC0415  only directories with .zst files pay for it

        return ZstdReader(file)
    return None


def _zstd_error() -> type[Exception]:
    import zstandard  # noqa: PLC0415

    return zstandard.ZstdError


def digest(data: bytes) -> bytes:
    """Return a short digest for recognising content; not a security feature."""
    return hashlib.blake2b(data, digest_size=12).digest()


def head_of(first: bytes, offset: int) -> bytes:
    """Return the first bytes that a fingerprint up to `offset` takes: a power of two, so that lengths are few."""
    room = min(HEAD_BYTES, len(first), offset)
    return first[: 1 << (room.bit_length() - 1)] if room else b""


def first_bytes(path: Path, identity: tuple[int, int] | None = None) -> bytes:
    """Return the first bytes of a file, as many as tell files apart; for the arguments and errors see `Stream`."""
    with Stream(path, identity) as stream:
        return stream.read(HEAD_BYTES)


def fingerprint(path: Path, offset: int) -> Fingerprint | None:
    """Take the fingerprint of a file that was read up to `offset`; None when it is shorter than that.

    Args:
        path: The file.
        offset: In decompressed bytes.
    """
    with Stream(path) as stream:
        first = stream.read(min(HEAD_BYTES, offset))
        return _up_to(stream, first, offset, len(head_of(first, offset)))


def continues(path: Path, known: Fingerprint, offset: int) -> bool:
    """Tell whether a file begins with exactly the content that was read up to `offset` before."""
    try:
        with Stream(path) as stream:
            first = stream.read(min(HEAD_BYTES, offset))
            return known.begins(first) and _up_to(stream, first, offset, known.head_length) == known
    except (OSError, DamagedFileError):
        return False


def _up_to(stream: Stream, first: bytes, offset: int, head_length: int) -> Fingerprint | None:
    """Take the fingerprint of a stream whose first bytes are read; None when it does not reach to `offset`."""
    if len(first) < min(HEAD_BYTES, offset):
        return None
    start = max(0, offset - TAIL_BYTES)
    tail = first[start:]
    if start > len(first) and not stream.seek(start):
        return None
    tail += stream.read(offset - start - len(tail))
    return Fingerprint.of(first[:head_length], tail) if len(tail) == offset - start else None
