"""The statements that were run, kept between sessions in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path

MOST = 200
LONGEST_FILE = 4_000_000


class History:
    """Statements, the newest last.

    Args:
        path: Where they are kept; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.statements: list[str] = _read(path) if path is not None else []

    def add(self, statement: str) -> None:
        """Remember a statement; the same once more moves to the end. A file that cannot be written is left alone."""
        if self._path is not None:
            self.statements = _read(self._path) or self.statements  # another session may have added some
        others = [old for old in self.statements if old != statement]
        self.statements = [*others[-(MOST - 1) :], statement]
        if self._path is not None:
            with contextlib.suppress(OSError):
                _write(self._path, self.statements)


def _read(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LONGEST_FILE:
            return []
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [text for text in found if isinstance(text, str)][-MOST:] if isinstance(found, list) else []


def _write(path: Path, statements: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(statements, file)
    part.replace(path)
