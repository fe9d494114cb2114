"""What the names of two versions tell of their roles, where both began together or nearly so."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"([0-9]{1,18})")
_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_DIGITS = "0123456789"

BASELINES = frozenset(
    {
        *("control", "champion", "baseline", "stable", "prod", "production", "current", "incumbent"),
        *("original", "old"),
    }
)
CANDIDATES = frozenset(
    {
        *("treatment", "challenger", "candidate", "canary", "variant", "variation", "experiment", "shadow"),
        "new",
    }
)
"""Words for what a version is, by itself: a canary is the candidate beside any other name."""
PAIRS = (
    (frozenset({"a"}), frozenset({"b", "c", "d"})),
    (frozenset({"blue"}), frozenset({"green"})),
)
"""Words that say something only beside each other: the baseline's, and the candidates'."""


def is_older(name: str, other: str) -> bool:
    """Tell whether one name has the lower number where two differ in numbers only."""
    parts, others = (_NUMBERS.split(text) for text in (name, other))
    if len(parts) != len(others) or parts[::2] != others[::2]:
        return False
    return [int(part) for part in parts[1::2]] < [int(part) for part in others[1::2]]


def is_baseline(name: str, other: str) -> bool:
    """Tell whether one of two names is that of a baseline, by a whole word that the other has not."""
    of_name, of_other = (_words(text) for text in (name, other))
    return _rank(of_name - of_other) < _rank(of_other - of_name)


def is_first(name: str, other: str) -> bool:
    """Tell whether names are the letters or colours of a pair: which serves first, though arms may take turns.

    Letters are words only where no digit is beside them: hashes are full of those that have.
    """
    of_name, of_other = (_words(text) for text in (name, other))
    mine, theirs = of_name - of_other, of_other - of_name
    return any(not mine.isdisjoint(first) and not theirs.isdisjoint(then) for first, then in PAIRS)


def _words(name: str) -> frozenset[str]:
    parts = {part.lower() for part in _BETWEEN_WORDS.split(name)}
    return frozenset(part if len(part.strip(_DIGITS)) < 2 else part.strip(_DIGITS) for part in parts if part)


def _rank(words: frozenset[str]) -> int:
    """Return 0 for a baseline, 2 for a candidate, 1 where the words say nothing or both."""
    return 1 - bool(words & BASELINES) + bool(words & CANDIDATES)
