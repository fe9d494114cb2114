"""A damaged store is told as one, and can be reset: nobody holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from logfiles import without_ids

import mlwatch
from mlwatch.cli import main
from mlwatch.errors import StoreError
from mlwatch.store import schema
from mlwatch.store.database import open_store

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = (4200, 8300)
"""Places of a store's file that the engine looks at as it opens it."""


def damage(store: Path, places: tuple[int, ...]) -> None:
    with store.open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(b"\xff" * 8)


@pytest.mark.parametrize("folder", ["logs", "unlock-model", "read-only", "no-permission"])
def test_a_damaged_store_is_not_told_as_one_that_is_held(tmp_path: Path, folder: str) -> None:
    logs = tmp_path / folder
    logs.mkdir()
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    store = logs / "store.duckdb"
    mlwatch.open(logs, db=store).stop()
    damage(store, HEADERS)
    with pytest.raises(
        StoreError, match=r"^the store is damaged \(Corrupt database file: .* in block at loc"
    ):
        open_store(logs, None, usual=store)


def test_a_damaged_store_can_be_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    logs = tmp_path / "unlock-model"
    logs.mkdir()
    (logs / "a.jsonl").write_text(without_ids(0, 20))
    assert main(["check", str(logs)]) == 3
    (store,) = (tmp_path / "state" / "mlwatch").glob("*.duckdb")
    damage(store, HEADERS)
    capsys.readouterr()
    assert main(["check", str(logs)]) == 2
    told = capsys.readouterr().err
    assert "the store is damaged" in told
    assert "mlwatch store reset deletes it" in told
    assert main(["store", "reset", str(logs), "--yes"]) == 0
    assert main(["check", str(logs)]) == 3


def test_damage_that_shows_as_a_table_is_read_does_not_keep_a_store_from_its_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_connection: object) -> int:
        raise duckdb.IOException("Corrupt database file")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "a.jsonl").write_text(without_ids(0, 20))
    assert main(["check", str(tmp_path / "a.jsonl")]) == 3
    (store,) = (tmp_path / "state" / "mlwatch").glob("*.duckdb")
    monkeypatch.setattr(schema, "version_of", refuse)
    assert main(["store", "reset", str(tmp_path / "a.jsonl"), "--yes"]) == 0
    assert not store.exists()
