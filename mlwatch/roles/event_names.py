"""What an event means for the business, told by its name: `purchase`, `page_view`, `Order Refunded`, `addToCart`.

Money hangs on it, so a name counts as a conversion only where nothing in it says otherwise: a payment that was denied,
a step of the checkout and a button that was shown are none.
"""

from __future__ import annotations

import re
from typing import Literal

Meaning = Literal["conversion", "engagement", "refund", "other"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_ACT = re.compile(r"\b((page|screen|item|product|video|ad)? ?view|click|tap(s|ped)?\b|open|hover|scroll)")
"""Whoever only looks at an order has not placed it."""
_BOUGHT = r"(order|item|product|purchase|payment|booking|subscription|sale)s?"
_REFUND = re.compile(
    rf"\b(refund|charge ?back|reversal|reversed|void(ed)?\b|{_BOUGHT} (cancel|return)|(cancel|return)\w* {_BOUGHT}\b)"
    r"|^(cancel\w*|return(ed|s)?)$"
)
_CONVERSION = re.compile(
    r"\b((re ?)?(purchas|buy|bought|order|subscri)|convert|conversion|check ?out|sign(ed)? ?up|sale|sold|paid|payment|"
    r"install(s|ed|ation)?\b|accept|((re ?)?book(ed|ings?)|(?<=^)book)\b(?! mark))"
)
_FAILED = re.compile(
    r"\b(fail|error|timeout|abandon|declin|reject|expir|den(y|ied)|refus|block|overdue|due\b|missed|not\b|un\b|cancel|"
    r"unsuccessful|unpaid|delet|remov|ended|paused|down\b)|\bsold out\b"
)
_STEP = re.compile(
    r"\b(info\b|step|progress|method|shown|impression|load|banner|page\b|screen|form\b|remind|histor|updat|sort|chang|"
    r"ship|deliver|cookie|terms|consent|display|render)"
)
_BEGUN = re.compile(r"\b(begin|began|start(s|ed|ing)?\b|attempt|initiat|intent|pending)")
_DONE = re.compile(r"\b(succe|complet|paid\b|confirm|subscri)")
"""What makes good that something was only begun."""
_ENGAGEMENT = re.compile(
    r"\b(like[sd]?\b|shar(e|es|ed|ing)\b|(auto ?)?play(s|ed|ing|back)?\b|watch(ed|es|ing)?\b|dwell|engage|read\b|"
    r"save[sd]?\b|comment|rating|rated\b|thumb|add(ed)? ?to ?|cart\b|visit|book ?mark|favou?rite|follow)"
)


def meaning_of(kind: str) -> Meaning:
    """Tell what a kind of event means.

    Args:
        kind: Its name, in words with any separator or in camel case.
    """
    words = " ".join(word.lower() for word in _WORD.findall(kind))
    if _ACT.search(words):
        return "engagement"
    refund = _REFUND.search(words) is not None
    if refund or _CONVERSION.search(words):
        return _told(words, refund=refund)
    return "engagement" if _ENGAGEMENT.search(words) and not _FAILED.search(words) else "other"


def _told(words: str, *, refund: bool) -> Meaning:
    """Tell whether money went or came back, or neither."""
    if refund:
        cancelled = words.replace("cancel", "")  # that is what the refund is
        return "other" if _FAILED.search(cancelled) else "refund"
    begun = _BEGUN.search(words) and not _DONE.search(words)
    return "other" if begun or _STEP.search(words) or _FAILED.search(words) else "conversion"
