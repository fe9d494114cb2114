"""How numbers and names are written in sentences, the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    """Write a share, such as 0.125, in percent with a space before the sign (SI, ISO 80000-1): `12.5 %`."""
    return f"{100 * share:{'+' if signed else ''}.{digits}f} %"


def whose(models: Collection[str], model: str) -> str:
    """Return what sentences say after a version's name: its model where there are several, nothing elsewhere."""
    return f" of {model}" if len(models) > 1 else ""
