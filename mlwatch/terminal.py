"""What the terminal can show, by what the environment says of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mlwatch.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def require_terminal(advice: str = "use mlwatch report for a document") -> None:
    """Refuse to draw where no screen can be drawn.

    Args:
        advice: What to do instead.

    Raises:
        InputError: Standard output is no terminal, or one that cannot move its cursor.
    """
    if not sys.stdout.isatty():
        raise InputError("the app needs a terminal", "standard output", advice)
    if os.environ.get("TERM") in ("dumb", "unknown"):
        kind = os.environ["TERM"]
        raise InputError(f"a terminal of type {kind} cannot draw the app", "TERM", f"set TERM, or {advice}")


def speaks_utf8(environment: Mapping[str, str]) -> bool:
    """Say whether the locale shows more than ASCII.

    The first of LC_ALL, LC_CTYPE and LANG that is set decides (POSIX.1-2017, 8.2). Where none is, as in many
    a container, the terminal outside is the user's own, and hardly any is without UTF-8 today.
    """
    locale = next(
        (environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), None
    )
    return locale is None or "utf8" in locale.lower().replace("-", "")
