"""What an event means for the business, told by its name: `purchase`, `page_view`, `Order Refunded`, `addToCart`."""

from __future__ import annotations

import re
from typing import Literal

Meaning = Literal["conversion", "engagement", "refund", "other"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_REFUND = re.compile(
    r"\b(refund|charge ?back|cancel|reversal|reversed|void|return(s|ed)?\b(?! (visit|user|customer|session)))"
)
_ACT = re.compile(r"\b((page|screen|item|product|video|ad)? ?view|click|tap(s|ped)?\b|open|hover|scroll)")
"""Whoever only looks at an order has not placed it."""
_UNDONE = re.compile(
    r"\b(fail|abandon|declin|reject|expir|begin|began|attempt|initiat|intent|pending|error|(?<!subscription )start)"
)
_CONVERSION = re.compile(
    r"\b(re ?)?(purchas|convert|conversion|buy|bought|order|check ?out|sign(ed)? ?up|subscri|book(s|ed|ing|ings)?\b|"
    r"sale|sold|paid|payment|install|accept)"
)
_ENGAGEMENT = re.compile(
    r"\b(like[sd]?\b|share|(auto ?)?play|watch|dwell|engag|read|save|comment|rating|rated\b|thumb|add ?to ?|cart|"
    r"visit|book ?mark|favou?rite|follow)"
)


def meaning_of(kind: str) -> Meaning:
    """Tell what a kind of event means.

    Args:
        kind: Its name, in words with any separator or in camel case.
    """
    words = " ".join(word.lower() for word in _WORD.findall(kind))
    if _REFUND.search(words):
        return "refund"
    if _ACT.search(words):
        return "engagement"
    if _CONVERSION.search(words):
        return "other" if _UNDONE.search(words) else "conversion"
    return "engagement" if _ENGAGEMENT.search(words) else "other"
