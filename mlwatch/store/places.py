"""Where stores are kept; it imports nothing dear, for the app asks before its first paint."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwatch.config.topics import Topics


def state_directory() -> Path | None:
    """Return the user's state directory for stores, following the platform's convention; None without a home."""
    import platformdirs  # noqa: PLC0415

    try:
        path = Path(platformdirs.user_state_path("mlwatch", appauthor=False))
    except RuntimeError:  # neither HOME nor an entry in the list of users, as in a container
        return None
    return None if path.parts[:1] == ("~",) else path  # older versions leave the sign of the home as it is


def default_path(log_directory: Path) -> Path | None:
    """Return the store's path for a log directory: its name and a digest of its full path; None without a home."""
    resolved = log_directory.resolve()
    return _in_state_directory(resolved.name, str(resolved))


def usual_store(topics: Topics) -> Path | None:
    """Return the store's path for topics: their names and a digest of address and group; None without a home."""
    return _in_state_directory("-".join(topics.names), f"{topics.address}?group={topics.group}")


def log_of(path: Path) -> Path:
    """Return the write-ahead log of a database file."""
    return path.with_name(path.name + ".wal")


def verdicts_path(lakes: Sequence[Path]) -> Path | None:
    """Return where the verdicts on rollups are remembered, which have no store; None without a home."""
    paths = [str(lake.resolve()) for lake in lakes]
    found = _in_state_directory(lakes[0].resolve().name, "\n".join(["verdicts", *paths]))
    return found.with_suffix(".verdicts.json") if found is not None else None


def _in_state_directory(name: str, identity: str) -> Path | None:
    directory = state_directory()
    if directory is None:
        return None
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "logs"
    return directory / f"{name}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]}.duckdb"
