"""Decide what a file on disk is to the ledger: known and unchanged, grown, renamed, rotated, truncated or new."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlwatch.sources.files import Found, format_of
from mlwatch.sources.streams import HEAD_BYTES, DamagedFileError, Stream, continues, digest, fingerprint
from mlwatch.store.ledger import Entry, Ledger


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that wants attention, and the ledger entry to carry on."""

    found: Found
    entry: Entry
    moved: bool = False
    """Only the path or the file's dates changed: the entry is to be written, nothing to be read."""


def resolve(found: Found, ledger: Ledger) -> Plan | None:
    """Return what is to be done about a file; None for nothing.

    Raises:
        OSError: when the file cannot be opened.
    """
    known = ledger.by_path.get(found.relative) or ledger.by_inode(found.device, found.inode)
    if known is not None and known.unchanged(found):
        return None if known.path == found.relative else Plan(found, _seen(known, found), moved=True)
    same = ledger.by_inode(found.device, found.inode)
    for candidate in (same, ledger.by_path.get(found.relative)):
        if candidate is not None and _carries_on(candidate, found):
            return Plan(found, _seen(replace(candidate, state="open", reason=None), found))
    return _new(found, ledger)


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


def _carries_on(entry: Entry, found: Found) -> bool:
    """Tell whether a file still begins with what was read of it."""
    if entry.fingerprint is None:
        return entry.offset == 0
    if entry.format == "parquet":
        return fingerprint(found.path, found.size) == entry.fingerprint
    if entry.format == "json":
        with Stream(found.path) as stream:
            return digest(stream.read(entry.fingerprint.head_length)) == entry.fingerprint.head
    return continues(found.path, entry.fingerprint, entry.offset)


def _new(found: Found, ledger: Ledger) -> Plan | None:
    try:
        with Stream(found.path) as stream:
            head = stream.read(HEAD_BYTES)
            compression = stream.compression
    except DamagedFileError:
        return _skipped(found, ledger, "the compressed data is damaged or not complete yet", "damaged")
    form = format_of(head, found.relative)
    if form == "!empty so far":
        return None
    if form.startswith("!"):
        return _skipped(found, ledger, form[1:], "skipped")
    if form == "parquet" and compression != "none":
        return _skipped(found, ledger, "a Parquet file inside another compression", "skipped")
    copy = _rotated_copy(found, head, form, ledger)
    entry = Entry(
        ledger.reserve(), found.relative, found.device, found.inode, found.size, found.mtime_ns, form
    )
    if copy is not None:
        entry = replace(
            entry, offset=copy.offset, lines=copy.lines, fingerprint=copy.fingerprint, shape=copy.shape
        )
    return Plan(found, entry)


def _rotated_copy(found: Found, head: bytes, form: str, ledger: Ledger) -> Entry | None:
    """Find the entry whose content this file repeats: a rotated, compressed or copied log."""
    for entry in ledger.beginning_like(head):
        if entry.format == form and _carries_on(entry, found):
            return entry
    return None


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
