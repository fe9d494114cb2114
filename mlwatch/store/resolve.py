"""Decide what a file on disk is to the ledger: known and unchanged, grown, renamed, rotated, truncated or new."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.sources.files import Found, format_of
from mlwatch.sources.streams import HEAD_BYTES, DamagedFileError, Stream, continues, digest, fingerprint
from mlwatch.store.ledger import Entry, Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLE_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that wants attention, and the ledger entry to carry on."""

    found: Found
    entry: Entry
    moved: bool = False
    """Only the path or the file's dates changed: the entry is to be written, nothing to be read."""
    source: int | None = None
    """The entry whose content this file repeats."""
    head: bytes = b""
    """The first bytes of a file that is new."""


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
            while not head.strip(b"\0") and (further := stream.read(HOLE_STEP)):
                head = further.lstrip(b"\0")[:HEAD_BYTES]  # what a truncation left before the first record
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
    source = copy.file if copy is not None else None
    return Plan(found, entry, source=source, head=b"" if form == "parquet" else head)


def without_twins(plans: Sequence[Plan]) -> list[Plan]:
    """Leave out files whose content is about to be read from another file; the next scan knows them as copies.

    While a rotated log is being compressed, it is there twice for a moment.
    """
    reading = {plan.entry.file for plan in plans}
    heads: set[tuple[str, bytes]] = set()
    kept = []
    for plan in plans:
        mark = (str(plan.found.path.parent), plan.head)
        if plan.source in reading or mark in heads:
            continue
        if plan.head:
            heads.add(mark)
        kept.append(plan)
    return kept


def _rotated_copy(found: Found, head: bytes, form: str, ledger: Ledger) -> Entry | None:
    """Find the entry whose content this file repeats: a rotated, compressed or copied log."""
    for entry in ledger.beginning_like(head):
        if entry.format == form and _may_be_moved(entry, found) and _carries_on(entry, found):
            return entry
    return None


def _may_be_moved(entry: Entry, found: Found) -> bool:
    """Tell whether a file may be another's rotation: beside it, or anywhere once the other is gone.

    The same text in another directory may be another model's.
    """
    if PurePosixPath(entry.path).parent == PurePosixPath(found.relative).parent:
        return True
    root = Path(str(found.path).removesuffix(found.relative))
    return not (root / entry.path).exists()


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
