"""What JSON has no numbers for."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:
    """Replace what is not a finite number by null: sums of absurd values overflow, and JSON has no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        found = {key: finite(inner) for key, inner in value.items()}
        if found.get("value", 0) is None and not found.get("reason") and value["value"] is not None:
            found["reason"] = "the numbers are too large to sum up"
        return found
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return value
