"""Secrets that are references to the environment or to files, for headers above all; nothing is shown or logged."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.endpoints.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 64 * 1024


def headers(given: Mapping[str, str], resolve: Callable[[str], Path] = Path) -> dict[str, str]:
    """Return headers with their references replaced.

    Args:
        given: Values such as "env:TOKEN", "file:token.txt" or plain text.
        resolve: Makes a file's name a path.

    Raises:
        Failure: A variable or file is missing, or what it holds cannot be a header.
    """
    return {name: _header(name, secret(f"header {name}", text, resolve)) for name, text in given.items()}


def secret(what: str, text: str, resolve: Callable[[str], Path] = Path) -> str:
    """Return what a setting refers to: plain text refers to itself.

    Args:
        what: The setting, for messages.
        text: Such as "env:TOKEN" or "file:token.txt".
        resolve: Makes a file's name a path.

    Raises:
        Failure: A variable or file is missing.
    """
    kind, colon, where = text.partition(":")
    if not colon or kind not in {"env", "file"}:
        return text
    if kind == "env":
        found = os.environ.get(where)
        if found is None:
            raise Failure(f"{what}: the environment has no variable {where}")
        return found
    try:
        with resolve(where).open("rb") as file:
            return file.read(_LARGEST).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Failure(f"{what}: cannot read the file {where}") from None


def _header(name: str, value: str) -> str:
    if re.search(r"[\r\n\0]", value) or not value.isascii():
        raise Failure(
            f"header {name}: what it refers to is no header: line breaks or characters beyond ASCII"
        )
    return value
