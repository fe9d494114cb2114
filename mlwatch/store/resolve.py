"""Decide what a file on disk is to the ledger: known and unchanged, grown, renamed, rotated, truncated or new."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlwatch.sources.files import UNKNOWN, Found, format_of
from mlwatch.sources.streams import HEAD_BYTES, DamagedFileError, Stream, first_bytes
from mlwatch.store.copies import continues_entry, past_copies
from mlwatch.store.ledger import Entry, Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Places = Mapping[tuple[int, int], Path]

HOLE_STEP = 1 << 20
CHATTER = 1 << 16
"""Bytes of a log's start, and of its end, that are searched for a record in lines of other text."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that wants attention, and the ledger entry to carry on."""

    found: Found
    entry: Entry
    moved: bool = False
    """Only the path or the file's dates changed: the entry is to be written, nothing to be read."""
    head: bytes = b""
    """The file's first bytes."""
    kin: frozenset[int] = frozenset()
    """Entries whose content this file repeats."""


def resolve(found: Found, ledger: Ledger, places: Places) -> Plan | None:
    """Return what is to be done about a file; None for nothing.

    Args:
        found: The file.
        ledger: What is known.
        places: Where each device and inode was seen in this scan.

    Raises:
        OSError: when the file cannot be opened.
    """
    known = ledger.by_path.get(found.relative) or ledger.by_inode(found.device, found.inode)
    if known is not None and known.unchanged(found) and known.state != "gone":
        return None if known.path == found.relative else Plan(found, _seen(known, found), moved=True)
    if _is_of_kernel(found):
        return _skipped(found, ledger, "a file of the kernel", "skipped")
    same = ledger.by_inode(found.device, found.inode)
    for candidate in (same, ledger.by_path.get(found.relative)):
        if candidate is not None and candidate.format and continues_entry(candidate, found):
            entry = _seen(replace(candidate, state="open", reason=None), found)
            return past_copies(Plan(found, entry, head=_head(found)), ledger, places)
    return _new(found, ledger, places)


def _is_of_kernel(found: Found) -> bool:
    """Tell whether this is what the kernel makes up: called a regular file without content, it may never end."""
    return found.size == 0 and os.path.realpath(found.path).startswith(("/proc/", "/sys/"))


def _head(found: Found) -> bytes:
    try:
        return first_bytes(found.path)
    except DamagedFileError:
        return b""


def _seen(entry: Entry, found: Found) -> Entry:
    """Note where and how a file was seen."""
    return replace(
        entry,
        path=found.relative,
        device=found.device,
        inode=found.inode,
        size=found.size,
        mtime_ns=found.mtime_ns,
    )


def _new(found: Found, ledger: Ledger, places: Places) -> Plan | None:
    try:
        with Stream(found.path) as stream:
            head = stream.read(HEAD_BYTES)
            compression = stream.compression
            if not head.strip(b"\0"):
                stream.skip_hole()  # what a truncation left before the first record
                head = stream.read(HOLE_STEP).lstrip(b"\0")[:HEAD_BYTES]
            sample = head + (b"" if b"\n" in head else stream.read(HOLE_STEP))
            form = format_of(sample, found.relative, found.path)
            if form == UNKNOWN:
                form = format_of(sample + _further(stream, found.size), found.relative, found.path)
    except DamagedFileError:
        return _skipped(found, ledger, "the compressed data is damaged or not complete yet", "damaged")
    if form == "!empty so far" and compression != "none" and b"\0" in sample:
        return _skipped(found, ledger, "it holds zeros, as far as it was looked at", "skipped")
    if form == "!empty so far":
        return None
    if form.startswith("!"):
        return _skipped(found, ledger, form[1:], "skipped")
    if form == "parquet" and compression != "none":
        return _skipped(found, ledger, "a Parquet file inside another compression", "skipped")
    entry = Entry(
        ledger.reserve(), found.relative, found.device, found.inode, found.size, found.mtime_ns, form
    )
    return past_copies(Plan(found, entry, head=head), ledger, places)


def _further(stream: Stream, size: int) -> bytes:
    """Return more of a log that is chatty at its start: its first record may come late, and be near its end only."""
    more = stream.read(CHATTER)
    if stream.compression == "none":
        stream.seek(max(stream.position, size - CHATTER))
        more += b"\n" + stream.read(CHATTER)
    return more


def _skipped(found: Found, ledger: Ledger, reason: str, state: str) -> Plan:
    entry = ledger.by_path.get(found.relative)
    number = entry.file if entry is not None and entry.offset == 0 else ledger.reserve()
    return Plan(
        found,
        Entry(
            *(number, found.relative, found.device, found.inode, found.size, found.mtime_ns, ""),
            state=state,  # type: ignore[arg-type]
            reason=reason,
        ),
        moved=True,
    )
