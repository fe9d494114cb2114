"""Read the files of a golden probe: the fixed input, and what is expected of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.foreign import loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlwatch.config.polled import ProbeSettings

LARGEST = 1024 * 1024
_TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "text/plain"}


class ProbeFileError(Exception):
    """A file of a golden probe is of no use; `key` is the setting that names it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


@dataclass(frozen=True, slots=True)
class FixedInput:
    """What is sent, and what is expected."""

    body: bytes
    content_type: str
    expected: Any = None
    """The expected answer: of JSON its value, else text."""
    expects: bool = False
    """Whether there is an expected answer; without one, the first answer of a version is."""
    document: Any = None
    """The body's value where it is JSON."""

    @property
    def fingerprint(self) -> str:
        """Return what tells this input from others."""
        return hashlib.sha256(self.body).hexdigest()


def read_probe(settings: ProbeSettings, resolve: Callable[[str], Path]) -> FixedInput:
    """Read the files that a golden probe names.

    Args:
        settings: Of the probe.
        resolve: Makes a file name of the settings a path.

    Raises:
        ProbeFileError: A file cannot be read, is too large, or is called .json and is none.
    """
    path = resolve(settings.input)
    body = _bytes(path, "input")
    content_type = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    document = _json(body, path, "input") if content_type == "application/json" else None
    if settings.expect is None:
        return FixedInput(body, content_type, document=document)
    expect = resolve(settings.expect)
    expected = _expected(_bytes(expect, "expect"), expect)
    return FixedInput(body, content_type, expected, expects=True, document=document)


def _bytes(path: Path, key: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise ProbeFileError(key, f"cannot read {path}: {why or 'not a file name'}") from None
    if len(data) > LARGEST:
        raise ProbeFileError(key, f"{path} is larger than 1 MB")
    if not data:
        raise ProbeFileError(key, f"{path} is empty")
    return data


def _json(data: bytes, path: Path, key: str) -> Any:
    try:
        return loads(data)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ProbeFileError(key, f"{path} is not valid JSON{where}") from None


def _expected(data: bytes, path: Path) -> Any:
    if path.suffix.lower() == ".json":
        return _json(data, path, "expect")
    try:
        return loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")
