"""How numbers are written in sentences, the same everywhere."""

from __future__ import annotations


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    """Write a share, such as 0.125, in percent with a space before the sign (SI, ISO 80000-1): `12.5 %`."""
    return f"{100 * share:{'+' if signed else ''}.{digits}f} %"
