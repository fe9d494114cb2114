"""Find the log files under a directory, and tell what each of them is by its content."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
import re
import stat
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlwatch.sources.delta import LOG
from mlwatch.sources.formats import is_text_log, recognise
from mlwatch.sources.formats.presets import DEFINITION
from mlwatch.sources.formats.tf_serving import begins_log
from mlwatch.sources.pathnames import REFERENCE_NAMES, readable
from mlwatch.sources.wrapped import begins_logged, begins_wrapped, has_chatter, is_wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Compression = Literal["none", "gzip", "zstd"]
Format = Literal["jsonl", "wrapped", "json", "csv", "parquet", "tfrecord"]
"""`wrapped` is JSON lines inside the lines of a logger, see `wrapped`."""

OWN_NAMES = frozenset({"mlwatch.toml"})

SOURCE_SUFFIXES = (
    *(
        ".py",
        ".md",
        ".toml",
        ".yaml",
        ".yml",
        ".html",
        ".png",
        ".svg",
        ".jpg",
        ".pdf",
        ".zip",
        ".tar",
        ".pyc",
    ),
    *(".duckdb", ".wal", ".lock", ".tmp", ".swp", ".pkl", ".joblib", ".npy", ".npz", ".pt", ".onnx", ".so"),
)
"""Never prediction logs, whatever is in them; they are passed over without a word."""


_ARRAY = re.compile(rb'\[\s*([\[{"\]]|$)')
"""How an array of records begins, and a logger's bracket does not."""
UNKNOWN = "!neither JSON, CSV nor Parquet"
"""What is said of a file of text that is none of ours."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file under the log directory, as `stat` saw it."""

    path: Path
    relative: str
    """Path below the log directory, with `/`."""
    device: int
    inode: int
    size: int
    """Bytes on disk."""
    mtime_ns: int

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode


def discover(
    root: Path,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    refused: Callable[[str, OSError], None] = lambda _path, _error: None,
    table: Callable[[str], object] = lambda _path: None,
) -> list[Found]:
    """List the log files below a directory, newest first.

    Hidden files and directories, the reference, the configuration, links to directories (they may loop) and
    whatever is not a regular file are left out.

    Args:
        root: The log directory, or a single file.
        include: Glob patterns on the relative path; when given, only matches are taken.
        exclude: Glob patterns on the relative path to leave out.
        refused: Called with the relative path of a directory that cannot be listed, and why.
        table: Called with the relative path of each Delta table, with a `/` at its end: what its log says is no log of
            predictions.
    """
    if root.is_file():
        found = _stat(root, root.name)
        return [found] if found else []
    files = [found for found in _walk(root, refused, table) if _wanted(found.relative, include, exclude)]
    files.sort(key=lambda found: (-found.mtime_ns, found.relative))
    return files


def _walk(
    root: Path, refused: Callable[[str, OSError], None], table: Callable[[str], object]
) -> Iterator[Found]:
    """Yield what may be a log below a directory, which may be nested deeper than Python calls functions."""
    ahead = [(str(root), "")]
    while ahead:
        directory, prefix = ahead.pop()
        for entry in _entries(directory, prefix, refused):
            relative = f"{prefix}{readable(entry.name)}"
            if entry.name == LOG and entry.is_dir():
                table(prefix)
            elif entry.is_dir(follow_symlinks=False):
                ahead.append((entry.path, f"{relative}/"))
            elif not _never_a_log(relative) and (found := _stat(Path(entry.path), relative)):
                yield found


def _entries(directory: str, prefix: str, refused: Callable[[str, OSError], None]) -> list[os.DirEntry[str]]:
    """List what is not hidden in a directory, in reverse order: the walk takes the last one first."""
    try:
        with os.scandir(directory) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []  # vanished since it was listed
    except OSError as error:
        refused(prefix.rstrip("/") or ".", error)
        return []
    return sorted(seen, key=lambda entry: entry.name, reverse=True)


def _never_a_log(relative: str) -> bool:
    if relative in REFERENCE_NAMES or relative in OWN_NAMES or relative.endswith(DEFINITION):
        return True
    return relative.lower().endswith(SOURCE_SUFFIXES)


def is_wanted(relative: str, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> bool:
    """Tell whether a path below a log directory may be a log, by its name and the configured patterns."""
    hidden = any(part.startswith(".") for part in relative.split("/"))
    return not hidden and not _never_a_log(relative) and _wanted(relative, include, exclude)


def _wanted(relative: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    if include and not any(fnmatch.fnmatch(relative, pattern) for pattern in include):
        return False
    return not any(fnmatch.fnmatch(relative, pattern) for pattern in exclude)


def _stat(path: Path, relative: str) -> Found | None:
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None  # a FIFO or a device would block for ever
    return Found(path, relative, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def patterns_of(root: Path, paths: Iterable[Path]) -> list[str]:
    """Return glob patterns of those of some paths that are below a directory, and of what is in directories there."""
    found = (path.resolve() for path in paths)
    return [
        glob.escape(path.relative_to(root).as_posix()) + ("/*" if path.is_dir() else "")
        for path in found
        if path.is_relative_to(root)
    ]


def compression_of(head: bytes) -> Compression:
    """Tell the compression from the first bytes of a file."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd"
    return "none"


def format_of(head: bytes, name: str, path: Path) -> Format | str:
    """Tell the format from the first (decompressed) bytes of a file.

    Args:
        head: Up to some kilobytes from the start; a byte order mark is passed over.
        name: File name, which decides only where the content leaves a choice.
        path: Where the file lies: some formats are known by what is beside it, too.

    Returns:
        The format, or, when it is none of ours, a sentence that says why, with a leading `!`.
    """
    if (binary := _binary_format(head)) is not None:
        return binary
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0 \t\r\n")
    if text.startswith(b"{"):
        return _of_objects(text, name, path)
    if _ARRAY.match(text):
        return "json"
    if b"\0" in text:
        return "!a binary file, or text that is not UTF-8"
    if is_text_log(text):
        return "jsonl"  # lines, which the importer of their format reads
    return _of_lines(text, name)


def _of_objects(text: bytes, name: str, path: Path) -> Format:
    first, newline, _ = text.partition(b"\n")
    named = name.lower().endswith((".json", ".json.gz", ".json.zst"))
    if not newline and (named or _runs_on(text)):
        return "json"  # one object around all records, perhaps; the document reader takes single ones too
    pretty = newline and not first.rstrip().endswith(b"}")
    if pretty and len(text) > len(first) + 1 and not _has_object_line(text):
        return "json"
    return "wrapped" if has_chatter(text) and recognise(text, path) is None else "jsonl"


def _of_lines(text: bytes, name: str) -> Format | str:
    lines = [line for line in text.split(b"\n")[:5] if line.strip()]
    if not lines:
        return "!empty so far"
    if _is_named_delimited(name):
        return "csv"
    if begins_wrapped(text):
        return "wrapped"
    if any(line.lstrip().startswith(b"{") for line in lines):
        return "jsonl"  # text before the first record, such as a start-up banner
    logged = begins_logged(text)  # no header does, and sentences and times have commas, too
    if is_wrapped(text) and (logged or not _looks_delimited(lines, b"\t")):
        return "wrapped"
    return "csv" if not logged and _looks_delimited(lines) else UNKNOWN


def _binary_format(head: bytes) -> Format | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    return "tfrecord" if begins_log(head) else None


def _runs_on(text: bytes) -> bool:
    """Tell whether a record follows the first one without a line's end, as delivery streams put them into files."""
    written = text.decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder().raw_decode(written)
    except (ValueError, RecursionError):
        return False
    return written[end:].lstrip().startswith("{")


def _has_object_line(text: bytes) -> bool:
    """Tell whether some line is an object of its own, so that a damaged first line does not mislead."""
    lines = text.split(b"\n")[1:]
    return any(line.startswith(b"{") and line.rstrip().endswith(b"}") and b":" in line for line in lines)


def _is_named_delimited(name: str) -> bool:
    return any(part in name.lower() for part in (".csv", ".tsv", ".psv"))


def _looks_delimited(lines: Sequence[bytes], marks: bytes = b",\t;|\x01") -> bool:
    """Tell whether the lines have as many of the most frequent of some marks as the first has."""
    rows = [*dropwhile(lambda line: line.startswith(b"#"), lines)]
    counts = [max(line.count(mark) for mark in marks) for line in (rows if len(rows) > 1 else lines)]
    return len(counts) > 1 and min(counts) >= 1 and counts[0] == counts[1]
