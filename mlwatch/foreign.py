"""JSON that others wrote: read so that every text in it can be stored and shown."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    r"""Read JSON; half of a character (`"\ud800"`), which is no text to the engine, becomes a question mark.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply.
    """
    found = json.loads(text)
    return found if is_text(text, found) else json.loads(_encoded(found, "replace"))


def is_text(text: str | bytes, found: Any) -> bool:
    """Tell whether JSON holds whole characters only.

    Args:
        text: As it is written.
        found: What `json.loads` made of it.
    """
    if "\\" not in text if isinstance(text, str) else text.isascii() and b"\\" not in text:
        return True  # half a character is either written as an escape, or as bytes that are no UTF-8
    try:
        _encoded(found, "strict")
    except UnicodeEncodeError:
        return False
    return True


def _encoded(found: Any, errors: str) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode("utf-8", errors)
