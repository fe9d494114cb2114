"""Directories that are nested deeper than Python's functions may be are read like any other."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.sources.files import discover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

LEVELS = 1200
"""Their path is 2,400 characters long, which every system takes."""


@pytest.fixture
def deepest(logs: Path) -> Iterator[Path]:
    """A directory at the end of many others below `logs`; what removes directories for pytest could not."""
    nested = [Path(f"{logs}{'/d' * level}") for level in range(1, LEVELS + 1)]
    for directory in nested:
        directory.mkdir()
    yield nested[-1]
    for directory in reversed(nested):
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()


def test_logs_in_deep_directories_are_read(logs: Path, deepest: Path) -> None:
    assert sys.getrecursionlimit() < LEVELS
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(3)))
    (deepest / "b.jsonl").write_text(lines(prediction(n) for n in range(3, 8)))
    refused: list[str] = []
    found = discover(logs, refused=lambda relative, _: refused.append(relative))
    assert {one.relative for one in found} == {"a.jsonl", "d/" * LEVELS + "b.jsonl"}
    assert refused == []
    with mlwatch.open(logs, db=":memory:") as session:
        assert session.snapshot().ingest.predictions == 8


def test_directories_that_cannot_be_listed_are_told_in_their_order(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/y", "b/x", "a/z"):
        (logs / name).mkdir(parents=True)
        (logs / name / "a.jsonl").write_text(lines([prediction(1)]))
    scandir = os.scandir

    def shut(directory: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if directory.endswith(("x", "y", "z")):
            raise PermissionError(errno.EACCES, "Permission denied", directory)
        return scandir(directory)

    monkeypatch.setattr("mlwatch.sources.files.os.scandir", shut)
    refused: list[tuple[str, str | None]] = []
    assert discover(logs, refused=lambda relative, error: refused.append((relative, error.strerror))) == []
    assert refused == [(name, "Permission denied") for name in ("a/z", "b/x", "b/y")]
