"""Recognise files that repeat what another file holds, so that no record is read twice.

A log that is rotated by copying and truncating, or compressed, is there twice for a while; the copy may be caught
half written, and a backup may be written anew while its original grows. All that counts is content: what a file
repeats of a log that is accounted for is passed over, in its ledger entry too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from heapq import nlargest
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlwatch.sources.likeness import mark, shared
from mlwatch.sources.shapes import shape_key
from mlwatch.sources.streams import (
    HEAD_BYTES,
    TAIL_BYTES,
    DamagedFileError,
    Stream,
    continues,
    fingerprint,
    first_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlwatch.sources.files import Found
    from mlwatch.store.ledger import Entry, Ledger
    from mlwatch.store.resolve import Plan


MOST_ORIGINALS = 8
"""Files of a kind, those that changed last, that a file of a few lines is compared with."""


def past_copies(plan: Plan, ledger: Ledger, places: Mapping[tuple[int, int], Path]) -> Plan | None:
    """Move a plan behind what its file repeats of files that are accounted for.

    Args:
        plan: A file, and the entry that it carries on.
        ledger: All entries.
        places: Where each device and inode was seen in this scan.

    Returns:
        The plan, with `kin` naming the entries whose further content may be the same; one with nothing to be read
        where the file only repeats; None where not even one line is known to be repeated.
    """
    kin = []
    for entry in (*_relatives(plan, ledger), *_originals(plan, ledger, places)):
        if continues_entry(entry, plan.found):
            kin.append(entry.file)
            if entry.offset > plan.entry.offset:
                plan = replace(plan, entry=_at(plan.entry, entry))
        elif entry.offset > plan.entry.offset and (path := _there(entry, places)) is not None:
            common = _repeats(plan, path, entry)
            if common is not None:
                return common if common.entry.offset else None
    return replace(plan, kin=frozenset(kin))


def _relatives(plan: Plan, ledger: Ledger) -> Iterator[Entry]:
    """Find the other entries that began as a plan's file does, the one that was read furthest first."""
    for entry in ledger.beginning_like(plan.head):
        if (
            entry.file != plan.entry.file
            and entry.format == plan.entry.format
            and may_be_moved(entry, plan.found)
        ):
            yield entry


def _originals(plan: Plan, ledger: Ledger, places: Mapping[tuple[int, int], Path]) -> Iterator[Entry]:
    """Find the entries that a copy may be of which is too short for their fingerprints: it has only begun."""
    if len(plan.head) >= HEAD_BYTES or not plan.head:
        return
    kind = _kind(plan.found.relative)
    longer = (
        entry
        for entry in ledger.entries.values()
        if entry.fingerprint is not None
        and entry.fingerprint.head_length > len(plan.head)
        and (entry.device, entry.inode) != (plan.entry.device, plan.entry.inode)
        and entry.format == plan.entry.format
        and _kind(entry.path) == kind
    )
    for entry in nlargest(MOST_ORIGINALS, longer, key=lambda entry: entry.mtime_ns):
        path = _there(entry, places)
        if path is not None and _begins(path, plan.head):
            yield entry


@lru_cache(maxsize=10_000)
def _kind(relative: str) -> str:
    """Name what a file's rotations have in common with it: the directory, and the name without numbers."""
    return shape_key(relative, "jsonl")


def _begins(path: Path, head: bytes) -> bool:
    try:
        return first_bytes(path).startswith(head)
    except (OSError, DamagedFileError):
        return False


def continues_entry(entry: Entry, found: Found) -> bool:
    """Tell whether a file still begins with what was read of an entry's."""
    if entry.fingerprint is None:
        return entry.offset == 0
    if entry.format == "parquet":
        return fingerprint(found.path, found.size) == entry.fingerprint
    if entry.format == "json":
        return entry.fingerprint.begins(first_bytes(found.path))
    return continues(found.path, entry.fingerprint, entry.offset)


def _at(entry: Entry, other: Entry) -> Entry:
    """Account for as much of a file as of another that it repeats."""
    return replace(
        entry, offset=other.offset, lines=other.lines, fingerprint=other.fingerprint, shape=other.shape
    )


def _repeats(plan: Plan, path: Path, other: Entry) -> Plan | None:
    """Return a plan to read nothing where the file is, so far, a piece of another's accounted content.

    Args:
        plan: The file.
        path: Where the other one was seen; another log may have its place or its inode by now, with content that
            nobody has read yet.
        other: What is accounted for.
    """
    if plan.entry.format not in {"jsonl", "wrapped", "csv"} or other.fingerprint is None:
        return None
    found = shared(plan.found.path, path, plan.entry.offset, other.offset)
    if found is None or not found.whole or not continues(path, other.fingerprint, other.offset):
        return None
    entry = replace(
        plan.entry,
        offset=found.end,
        lines=plan.entry.lines + found.lines,
        fingerprint=mark(plan.head, found) if found.end else None,
    )
    return replace(plan, entry=entry, moved=True)


def _there(entry: Entry, places: Mapping[tuple[int, int], Path]) -> Path | None:
    """Return where an entry's file is now; None when it is gone or another generation has taken its place."""
    return None if entry.state == "replaced" else places.get((entry.device, entry.inode))


def may_be_moved(entry: Entry, found: Found) -> bool:
    """Tell whether a file may be another's rotation: beside it, or anywhere once the other is gone.

    The same text in another directory may be another model's.
    """
    if PurePosixPath(entry.path).parent == PurePosixPath(found.relative).parent:
        return True
    root = Path(str(found.path).removesuffix(found.relative))
    return not (root / entry.path).exists()


def without_twins(plans: Sequence[Plan]) -> list[Plan]:
    """Leave out files whose new content is about to be read from another file; the next scan knows them as copies.

    Of several the one that changed first is read: the original rather than its copy.
    """
    families = _families(plans)
    reading: set[int] = set()
    kept: list[Plan] = []
    rivals: defaultdict[int, list[Plan]] = defaultdict(list)
    for plan, family in zip(reversed(plans), reversed(families), strict=True):
        if plan.kin & reading or any(_is_twin(plan, other) for other in rivals[family]):
            continue
        reading.add(plan.entry.file)
        kept.append(plan)
        rivals[family].append(plan)
    return kept[::-1]


def _families(plans: Sequence[Plan]) -> list[int]:
    """Number the plans so that files of one directory that begin alike share a number: only they can be twins.

    In order of their heads, every head that goes on from another's follows it; a file without a head is alone.
    """
    places = [(PurePosixPath(plan.found.relative).parent, plan.head) for plan in plans]
    families = list(range(len(plans)))
    leader: int | None = None
    for number in sorted(families, key=lambda number: places[number]):
        directory, head = places[number]
        if not head:
            continue
        if leader is not None and directory == places[leader][0] and head.startswith(places[leader][1]):
            families[number] = leader
        else:
            leader = number
    return families


def _is_twin(plan: Plan, other: Plan) -> bool:
    """Tell whether two files of a family hold the same as far as the shorter one reaches."""
    length = min(len(plan.head), len(other.head))
    if plan.head[:length] != other.head[:length]:
        return False
    if length < HEAD_BYTES:
        return True
    ends = [
        _before(path, min(plan.found.size, other.found.size)) for path in (plan.found.path, other.found.path)
    ]
    return None in ends or ends[0] == ends[1]


def _before(path: Path, offset: int) -> bytes | None:
    """Return the last bytes before an offset; None for a compressed file, where looking is not cheap."""
    try:
        with Stream(path) as stream:
            if stream.compression != "none":
                return None
            stream.seek(offset - TAIL_BYTES)
            return stream.read(TAIL_BYTES)
    except (OSError, DamagedFileError):
        return None
