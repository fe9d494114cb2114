"""Where a command's document goes, apart from what only those import that open a session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlwatch.errors import InputError
from mlwatch.rights import public

if TYPE_CHECKING:
    from pathlib import Path


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
        sys.stdout.write(text)
        return
    try:
        with public():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", str(path), f"give another file with {option}"
        ) from error
