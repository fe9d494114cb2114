"""Secrets that are references to the environment or to files, for headers above all; nothing is shown or logged."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.endpoints.failures import NotAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME_ANOTHER = "make it readable, or name another"
_LARGEST = 64 * 1024


def headers(given: Mapping[str, str], resolve: Callable[[str], Path] = Path) -> dict[str, str]:
    """Return headers with their references replaced.

    Args:
        given: Values such as "env:TOKEN", "file:token.txt" or plain text.
        resolve: Makes a file's name a path.

    Raises:
        NotAsked: A variable or file is missing, or what it holds cannot be a header.
    """
    return {name: _header(name, secret(f"header {name}", text, resolve)) for name, text in given.items()}


def secret(what: str, text: str, resolve: Callable[[str], Path] = Path) -> str:
    """Return what a setting refers to: plain text refers to itself.

    Args:
        what: The setting, for messages.
        text: Such as "env:TOKEN" or "file:token.txt".
        resolve: Makes a file's name a path.

    Raises:
        NotAsked: A variable or file is missing.
    """
    kind, colon, where = text.partition(":")
    if not colon or kind not in {"env", "file"}:
        return text
    if kind == "env":
        found = os.environ.get(where)
        if found is None:
            raise NotAsked(f"{what}: the environment has no variable {where}", f"set {where}")
        return found
    try:
        with resolve(where).open("rb") as file:
            return file.read(_LARGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NotAsked(f"{what}: cannot read the file {where}", NAME_ANOTHER) from None


def authorities(verify: bool | str, resolve: Callable[[str], Path] = Path) -> bool | str:
    """Return how certificates are checked, with the path of a file of authorities.

    Args:
        verify: Whether they are checked, or the file.
        resolve: Makes a file's name a path.

    Raises:
        NotAsked: The file cannot be read.
    """
    if isinstance(verify, bool):
        return verify
    path = resolve(verify)
    try:
        path.open("rb").close()
    except OSError:
        words = f"cannot read the certificate authorities in {verify}"
        raise NotAsked(words, NAME_ANOTHER) from None
    return str(path)


def _header(name: str, value: str) -> str:
    if re.search(r"[\r\n\0]", value) or not value.isascii():
        words = f"header {name}: what it refers to is no header: line breaks or characters beyond ASCII"
        raise NotAsked(words, "correct it")
    return value
