"""What of the configuration decides what is counted: with another one, the same records make other sums."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from mlwatch.store.reference import digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.config import Config

DECIDING = ("roles", "business", "outputs", "segments", "schema")
"""Settings that decide what is counted, beside the reference; which files are read tells itself."""


def settings_of(config: Config, reference: Path | None = None) -> str:
    """Return a text that changes when what the configuration and a reference make of the same records does."""
    said = [repr(getattr(config, name)) for name in DECIDING]
    return hashlib.sha256(json.dumps([said, reference and digest_of(reference)]).encode()).hexdigest()
