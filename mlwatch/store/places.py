"""Where stores are kept; it imports nothing dear, for the app asks before its first paint."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlwatch.config.topics import Topics


def state_directory() -> Path:
    """Return the user's state directory for stores, following the platform's convention."""
    import platformdirs  # noqa: PLC0415

    return Path(platformdirs.user_state_path("mlwatch", appauthor=False))


def default_path(log_directory: Path) -> Path:
    """Return the store's path for a log directory: its name and a digest of its full path."""
    resolved = log_directory.resolve()
    return _in_state_directory(resolved.name, str(resolved))


def usual_store(topics: Topics) -> Path:
    """Return the store's path for topics: their names and a digest of their address and group."""
    return _in_state_directory("-".join(topics.names), f"{topics.address}?group={topics.group}")


def _in_state_directory(name: str, identity: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "logs"
    return state_directory() / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.duckdb"
