"""Values on their way into the store: many rows as one bound JSON array, and what JSON and DuckDB can hold."""

from __future__ import annotations

import json
import math
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def unnested(columns: Mapping[str, str]) -> str:
    """Return a query that turns one bound JSON array into rows: one parameter for any number of them."""
    shape = json.dumps([dict(columns)])
    return f"SELECT unnest(from_json(?::JSON, '{shape}'), recursive := true)"


def stamp(moment: datetime) -> str:
    """Return a time as the store has it: naive UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def finite(value: float | None) -> float | None:
    """Return a number; None for what is none."""
    return value if value is not None and math.isfinite(value) else None


def text_of(text: str) -> str:
    """Return text that JSON and DuckDB can hold: no lone surrogates, no NUL, no more than a screen of it."""
    return text[:2000].encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
