"""Check what the command line points at, before anything dear is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_path(path: Path) -> None:
    """Make sure that a path can be watched.

    Raises:
        InputError: saying what is wrong and what to do.
    """
    try:
        if not path.exists():
            raise InputError(
                "no such file or directory", str(path), "give the directory that holds the prediction logs"
            )
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with path.open("rb"):
                pass
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), "check its permissions") from error
