"""A number with its sample size, its interval and, where it cannot be computed, the reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric. `value` is None exactly when `reason` says why; it is never NaN or infinite."""

    value: float | None
    n: int = 0
    """Observations that the value rests on."""
    low: float | None = None
    """Lower end of the 95 % interval; None when there is none."""
    high: float | None = None
    """Upper end of the 95 % interval; None when there is none."""
    reason: str | None = None
    """Why there is no value, as a plain clause that reads on after "because"."""
    method: str | None = None
    """How the interval was made, or why there is none."""
    winsorised: Estimate | None = None
    """Of a mean of heavy tails: that of the same values with the large ones cut at a limit, which its `method` names.

    A single value does not decide it, so versions are compared by it; it is another number than the mean.
    """

    def __post_init__(self) -> None:
        """Turn numbers that JSON and people cannot read into None, so that no face has to."""
        for name, number in (("value", self.value), ("low", self.low), ("high", self.high)):
            if number is not None and not (type(number) is float and math.isfinite(number)):
                object.__setattr__(self, name, _finite(number))
        if self.value is None:
            object.__setattr__(self, "low", None)
            object.__setattr__(self, "high", None)
            object.__setattr__(self, "reason", self.reason or "the result is not a finite number")

    @property
    def defined(self) -> bool:
        """Tell whether there is a value."""
        return self.value is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the form of the JSON document: value, n, interval and method, or a null value, n and the reason."""
        if self.value is None:
            return {"value": None, "n": self.n, "reason": self.reason}
        found = {"value": self.value, "n": self.n, "low": self.low, "high": self.high, "method": self.method}
        return found if self.winsorised is None else {**found, "winsorised": self.winsorised.to_dict()}


def undefined(reason: str, n: int = 0) -> Estimate:
    """Return an estimate without a value.

    Args:
        reason: A plain clause such as "no labels yet".
        n: Observations that there are all the same.
    """
    return Estimate(None, n=n, reason=reason)


def estimate(
    value: float, n: int, interval: tuple[float, float] | None = None, method: str | None = None
) -> Estimate:
    """Return an estimate from a value and an optional (low, high)."""
    if interval is None:
        return Estimate(float(value), int(n))
    return Estimate(float(value), int(n), float(interval[0]), float(interval[1]), method=method)


def _finite(number: float | None) -> float | None:
    if number is None or not math.isfinite(number):
        return None
    return float(number)
