"""Numbers as SQL text that every engine reads back as the same double."""

from __future__ import annotations

import math


def sql_number(value: float) -> str:
    """Return a DOUBLE literal for DuckDB and Spark.

    A literal without an exponent is a DECIMAL to both, and its conversion may be off in the last bit.
    """
    if math.isnan(value):
        return "CAST('NaN' AS DOUBLE)"
    if math.isinf(value):
        return f"CAST('{'-' if value < 0 else ''}Infinity' AS DOUBLE)"
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
