"""The data version of the reference, as DVC wrote it down: `FILE.dvc`, `dvc.lock`, tracked directories.

DVC itself is not needed, only PyYAML. Formats: https://dvc.org/doc/user-guide/project-structure
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST = 4 * 1024 * 1024
"""Bytes of a file of DVC that are read."""
DEEPEST = 30
"""Directories above the reference that are looked into."""
MISSING = "unknown: DVC's files need PyYAML: pip install 'mlwatch[dvc]'"


@dataclass(frozen=True, slots=True)
class _Out:
    """What DVC says about one path."""

    path: Path
    md5: str
    source: Path
    """The file that says it."""
    raw: bool
    """Whether the hash is of the bytes; DVC before 3.0 hashed text with Unix line ends."""


def data_version(reference: Path) -> str | None:
    """Return the version of a reference file in DVC's terms.

    Args:
        reference: The file that drift is measured against.

    Returns:
        `md5 HASH (FILE OF DVC)`, with what is wrong where the file is another; None where DVC does not track it.
    """
    path = _place(reference)
    tracking = list(_tracking(path))
    if not tracking:
        return None
    try:
        outs = [out for source in tracking for out in _outs(source)]
    except ImportError:
        return MISSING
    own = next((out for out in outs if out.path == path), None)
    if own is not None:
        return _said(own, path, own.md5)
    above = next((out for out in outs if out.md5.endswith(".dir") and out.path in path.parents), None)
    return _within(above, path) if above is not None else None


def _place(path: Path) -> Path:
    """Return where a file is, not what it links to: DVC may link it into its cache."""
    return path.parent.resolve() / path.name


def _tracking(path: Path) -> Iterator[Path]:
    """Return the files of DVC that may speak of a path, the nearest first."""
    for below in (path, *list(path.parents)[:DEEPEST]):
        for name in (f"{below.name}.dvc", "dvc.lock"):
            found = below.parent / name
            if found.is_file():
                yield found
        if (below / ".dvc").is_dir():
            return


def _outs(source: Path) -> Iterator[_Out]:
    """Read the outputs of one file; what is not of DVC's form has none."""
    import yaml  # noqa: PLC0415  an extra

    try:
        with source.open("rb") as file:
            document = yaml.safe_load(file.read(LARGEST))
    except (OSError, yaml.YAMLError, RecursionError, ValueError):
        return
    for given, base in _given(document, source.parent):
        if (
            isinstance(given, dict)
            and isinstance(given.get("path"), str)
            and isinstance(given.get("md5"), str)
        ):
            path = _place(base / PurePosixPath(given["path"]))
            yield _Out(path, given["md5"], source, given.get("hash") == "md5")


def _given(document: Any, base: Path) -> Iterator[tuple[Any, Path]]:
    if not isinstance(document, dict):
        return
    place = document.get("wdir")
    for given in _list(document.get("outs")):
        yield given, base / place if isinstance(place, str) else base
    stages = document.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for given in _list(stage.get("outs") if isinstance(stage, dict) else None):
            yield given, base


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _within(directory: _Out, path: Path) -> str:
    """Tell the version of a file in a tracked directory: its own hash is in the cache, if that is here."""
    relative = path.relative_to(directory.path).as_posix()
    recorded = next(
        (entry["md5"] for entry in _manifest(directory) if entry.get("relpath") == relative), None
    )
    if recorded is None:
        return f"md5 {_short(directory.md5)} of {one_line(directory.path.name)}/ ({_name(directory)})"
    return _said(directory, path, recorded)


def _manifest(directory: _Out) -> list[dict[str, str]]:
    """Read DVC's list of a directory's files from the cache, of version 3 or before."""
    name = Path(directory.md5[:2], directory.md5[2:])
    if not directory.md5.removesuffix(".dir").isalnum():
        return []
    for parent in directory.source.parents:
        cache = parent / ".dvc" / "cache"
        for file in (cache / "files" / "md5" / name, cache / name):
            if file.is_file() and file.stat().st_size <= LARGEST:
                return _entries(file)
    return []


def _entries(file: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [entry for entry in _list(found) if isinstance(entry, dict) and isinstance(entry.get("md5"), str)]


def _said(out: _Out, path: Path, recorded: str) -> str:
    changed = "" if recorded in _digests(path, raw=out.raw) else "; the file is another, run dvc status"
    return f"md5 {_short(recorded)} ({_name(out)}){changed}"


def _digests(path: Path, *, raw: bool) -> set[str]:
    try:
        data = path.read_bytes()
    except OSError:
        return set()
    forms = [data] if raw else [data, data.replace(b"\r\n", b"\n")]
    return {hashlib.md5(form, usedforsecurity=False).hexdigest() for form in forms}


def _short(digest: str) -> str:
    return one_line(digest)[:64]


def _name(out: _Out) -> str:
    return one_line(out.source.name)
