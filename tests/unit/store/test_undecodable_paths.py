"""Directories and stores whose names are not UTF-8, or not what the locale takes for text."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

import mlwatch
from mlwatch.errors import StoreError
from mlwatch.sources.pathnames import engine_name, is_utf8, readable
from mlwatch.store.places import default_path

if TYPE_CHECKING:
    from pathlib import Path

NO_UTF8 = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A directory whose name is Latin-1, with a log in it."""
    directory = tmp_path / os.fsdecode(b"dir\xe9")
    try:
        directory.mkdir()
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    (directory / "log.jsonl").write_text(lines({**prediction(number), "model": None} for number in range(40)))
    return directory


def test_names_as_the_engine_takes_them() -> None:
    assert (engine_name("größe"), readable("größe"), is_utf8("größe")) == ("größe", "größe", True)
    latin = os.fsdecode(b"dir\xe9")
    assert (engine_name(latin), readable(latin), is_utf8(latin)) == (latin, "dir\\udce9", False)


def test_a_log_directory_may_have_any_name(latin: Path) -> None:
    with mlwatch.open(latin, db=":memory:") as watch:
        found = watch.snapshot()
    assert found.ingest.predictions == 40
    assert list(found.models) == [
        "dir\\udce9"
    ]  # the directory's name is the model's where the log names none


def test_the_usual_store_of_a_directory_of_any_name(latin: Path) -> None:
    usual = default_path(latin)
    assert usual is not None
    assert usual.name.startswith("dir-")
    assert default_path(latin.parent) != usual


def test_a_store_must_have_a_name_that_the_engine_opens(latin: Path) -> None:
    with pytest.raises(StoreError) as caught:
        mlwatch.open(latin, db=latin / "store.duckdb")
    assert str(caught.value).startswith(
        "the path of the store is not UTF-8, and the engine opens no such file: "
    )
    assert str(caught.value).endswith("/dir\\udce9/store.duckdb: give another file with --db")


def test_a_parquet_file_that_the_engine_cannot_open_is_named(latin: Path) -> None:
    import pandas as pd

    pd.DataFrame([{"timestamp": "2026-11-03T10:00:00Z", "prediction": 1}]).to_parquet(
        latin.parent / "more.parquet"
    )
    (latin.parent / "more.parquet").rename(latin / "more.parquet")
    with mlwatch.open(latin, db=":memory:") as watch:
        found = watch.snapshot()
    assert found.ingest.predictions == 40
    said = "".join(alert.message for alert in found.alerts)
    assert (
        "more.parquet is not read: its path is not UTF-8, and the engine opens no such file: rename it"
        in said
    )


@pytest.mark.deep
def test_a_locale_without_utf8_means_the_same_files(tmp_path: Path) -> None:
    logs = tmp_path / "größe"
    logs.mkdir()
    (logs / "ö.jsonl").write_text(lines(prediction(number) for number in range(40)))
    store = logs / "ä.duckdb"
    said = [
        subprocess.run(
            [sys.executable, "-m", "mlwatch", "query", logs, "SELECT path, records FROM files", "--format", "csv",
             "--db", store],
            capture_output=True, timeout=60, check=False,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), **locale},
        )
        for locale in (NO_UTF8, {})
    ]  # fmt: skip
    assert [(done.stdout.decode(), done.stderr) for done in said] == [("path,records\nö.jsonl,40\n", b"")] * 2
