"""Comparisons with a limit, as rules and the conditions of endpoints share them: signs, numbers with units."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIGN = r"(<=|>=|<|>|==|!=)"
NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(%|ms|s)?"
"""A number and its unit."""
SCALES: Mapping[str, float] = {"%": 0.01, "s": 1000.0}
"""What a number is multiplied by: shares are 0 to 1, durations milliseconds."""
MATURE = 0.99
"""Share of the events to come that requests must have had the time for: with fewer they would seem to bring little."""
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def holds(sign: str, value: float, limit: float) -> bool:
    """Tell whether a value stands to a limit as a sign says."""
    return _HOLDS[sign](value, limit)
