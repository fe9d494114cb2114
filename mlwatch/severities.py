"""How grave alerts are among each other."""

from __future__ import annotations

RANKS = {"critical": 0, "warning": 1, "info": 2}


def rank(severity: str) -> int:
    """Return a number that is the smaller the graver something is."""
    return RANKS.get(severity, len(RANKS))
