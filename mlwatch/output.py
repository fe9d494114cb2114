"""Standard output and error: documents are UTF-8, and text for people is what the locale can write."""

from __future__ import annotations

import codecs
import io
import sys

_SIGNS = "mlwatch.signs"
"""How an encoding's errors are handled, by the name that Python knows it by."""


def prepare() -> None:
    """See to it that neither a log's characters nor our own can break what is written."""
    codecs.register_error(_SIGNS, _signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_SIGNS)


def print_document(text: str) -> None:
    """Print what programs read: as UTF-8, whatever the locale, unless a terminal shows it."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8", errors=_SIGNS)
    sys.stdout.write(text)


def _signs(error: UnicodeError) -> tuple[str, int]:
    """Write ASCII for typographic characters, and a visible escape for every other that the locale does not have."""
    from widgets.text import as_ascii  # noqa: PLC0415  pulls rich; hardly any locale is without UTF-8

    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return as_ascii(lost).encode("ascii", "backslashreplace").decode("ascii"), error.end
