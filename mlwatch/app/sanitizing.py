from __future__ import annotations

import unicodedata


def sanitize(text: str) -> str:
    """Replace what acts on a terminal."""
    return "".join(
        " " if c in "\n\r\t" else "�" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c
        for c in text[:2000]
    )
