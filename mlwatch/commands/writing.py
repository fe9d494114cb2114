"""Where a command's document goes, apart from what only those import that open a session."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mlwatch.errors import InputError, tells_of_full_disk
from mlwatch.output import print_document
from mlwatch.rights import private, public

if TYPE_CHECKING:
    from io import TextIOWrapper


def write(text: str, path: Path | None, option: str = "-o") -> None:
    """Print a document, or write it to a file.

    Args:
        text: The document.
        path: The file; None to print it.
        option: That gave the file.

    Raises:
        InputError: when the file cannot be written.
    """
    if path is None:
        print_document(text)
        return
    try:
        with public():
            put(text, path)
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", str(path), f"give another file with {option}"
        ) from error


def put(text: str, path: Path) -> None:
    """Write a file; one that is there keeps what it holds until the new text is whole, as far as that is possible.

    Raises:
        OSError: when it cannot be written.
    """
    if not (_is_replaceable(path) and _replaced(text, Path(os.path.realpath(path)))):
        path.write_text(text, encoding="utf-8")


def _is_replaceable(path: Path) -> bool:
    """Tell whether a path leads to a file that another may take the place of: no pipe, and no open output."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False  # nothing is lost there
    outputs = [os.fstat(number) for number in (1, 2)]
    return (
        stat.S_ISREG(there.st_mode)
        and there.st_nlink == 1
        and os.access(path, os.W_OK)
        and not _has_more_rights(path)
        and not any(os.path.samestat(there, output) for output in outputs)
    )


def _has_more_rights(path: Path) -> bool:
    """Tell whether a file has more than an owner and permissions, such as a list of who may read it."""
    try:
        return any(not name.startswith("security.") for name in os.listxattr(path))
    except (AttributeError, OSError):  # not everywhere
        return False


def _replaced(text: str, path: Path) -> bool:
    """Write a file beside another, and let it take its place; return False where the directory does not allow that.

    Raises:
        OSError: when the text cannot be written, such as on a full disk.
    """
    part = path.with_name(f".{path.name[:50]}.{uuid4().hex[:8]}.part")
    try:
        with private():
            file = part.open("x", encoding="utf-8")
    except OSError as error:
        if tells_of_full_disk(str(error)):
            raise
        return False
    try:
        with file:
            if not _has_rights_of(file, path.stat()):
                return False
            file.write(text)
        return _moved(part, path)
    finally:
        part.unlink(missing_ok=True)


def _has_rights_of(file: TextIOWrapper, other: os.stat_result) -> bool:
    """Give a new file another's owner and permissions; return whether it has them."""
    mine = os.fstat(file.fileno())
    try:
        if (mine.st_uid, mine.st_gid) != (other.st_uid, other.st_gid):
            os.fchown(file.fileno(), other.st_uid, other.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(other.st_mode))
    except OSError:
        return False
    return True


def _moved(part: Path, path: Path) -> bool:
    try:
        part.replace(path)
    except OSError:  # one file of a container is mounted there, perhaps
        return False
    return True
