"""Names of files as text: what the engine takes, and what is shown, is UTF-8 whatever the locale."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlwatch.sources.sql import literal

if TYPE_CHECKING:
    from pathlib import Path


REFERENCE_NAMES = frozenset(
    f"reference.{suffix}" for suffix in ("parquet", "csv", "tsv", "jsonl", "ndjson", "json", "profile.json")
)
"""At the root of a log directory these hold the reference data: they are not logs."""


def engine_name(path: Path | str) -> str:
    """Return a path as the engine takes it; a byte that is not UTF-8 stays a surrogate, which it refuses."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def file_literal(path: Path | str) -> str:
    """Return a path as it stands in a statement."""
    return literal(engine_name(path))


def is_utf8(path: Path | str) -> bool:
    """Tell whether the engine can open a path."""
    return readable(str(path)) == engine_name(path)


def readable(name: str) -> str:
    """Return a name with visible escapes for bytes that are not UTF-8, as it can be stored."""
    return engine_name(name).encode(errors="backslashreplace").decode()
