from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlwatch.records.history import MOST, History

if TYPE_CHECKING:
    from pathlib import Path


def test_keeps_statements_between_sessions_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "statements.json"
    first = History(path)
    for statement in ("SELECT 1", "SELECT 'é\u202e'", "SELECT 1"):
        first.add(statement)
    assert History(path).statements == ["SELECT 'é\u202e'", "SELECT 1"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["statements.json"]


def test_two_sessions_do_not_lose_each_others_statements(tmp_path: Path) -> None:
    one, other = History(tmp_path / "h.json"), History(tmp_path / "h.json")
    one.add("SELECT 1")
    other.add("SELECT 2")
    assert History(tmp_path / "h.json").statements == ["SELECT 1", "SELECT 2"]


def test_keeps_a_limited_number(tmp_path: Path) -> None:
    history = History(None)
    for number in range(MOST + 5):
        history.add(f"SELECT {number}")
    assert len(history.statements) == MOST
    assert history.statements[-1] == f"SELECT {MOST + 4}"


@pytest.mark.parametrize("content", ["", "not json", "{}", '[1, "SELECT 1", null]', "[" * 100_000])
def test_a_damaged_file_is_no_trouble(tmp_path: Path, content: str) -> None:
    path = tmp_path / "h.json"
    path.write_text(content)
    history = History(path)
    assert history.statements == (["SELECT 1"] if "SELECT" in content else [])
    history.add("SELECT 2")
    assert History(path).statements[-1] == "SELECT 2"


def test_a_place_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(tmp_path / "file" / "h.json")
    history.add("SELECT 1")
    assert history.statements == ["SELECT 1"]
