"""What holds for every log format: exactly once, in one go or as the files grow, whole or with damaged lines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.cli import main
from mlwatch.sources.formats import LISTED

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
PARTS = 2
DESCRIPTIONS = ("schema.0.log", "data_definition.json")
"""Written at once, before the data that they are about."""
EVERY = sorted(path.name for path in FORMATS.iterdir())
ROWS = "SELECT id, model, version, prediction, score, latency_ms, status, label FROM predictions ORDER BY ALL"
LABELS = "SELECT id, label, matched FROM outcomes ORDER BY ALL"


def facts(taken: Any) -> tuple[object, ...]:
    total = taken.totals
    counts = (total.records, total.predictions, total.outcomes, total.rejected, total.duplicates)
    return counts, taken.rows(ROWS), taken.rows(LABELS)


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", EVERY)
def test_growing_files_come_to_the_same_and_are_read_once(
    name: str, logs: Path, given: Callable[[str], None], take: Callable[[], Any]
) -> None:
    given(name)
    with take() as taken:
        whole = facts(taken)
    files = [path for path in logs.rglob("*") if path.is_file()]
    texts = {path: path.read_bytes() for path in files}
    shutil.rmtree(logs)
    (logs.parent / "store.duckdb").unlink()
    for part in range(PARTS):  # cut anywhere, in the middle of a line too
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                if path.name in DESCRIPTIONS:
                    file.write(text if part == 0 else b"")
                    continue
                file.write(text[len(text) * part // PARTS : len(text) * (part + 1) // PARTS])
        with take() as taken:
            pieces = facts(taken)
            batches = taken.rows("FROM batches ORDER BY batch")
    assert pieces == whole
    with take() as taken:
        assert facts(taken) == whole
        assert taken.rows("FROM batches ORDER BY batch") == batches


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--format", "json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in known] == [one.name for one in LISTED]
    assert main(["formats"]) == 0
    text = capsys.readouterr().out
    assert all(f"{one.name}: {one.title}" in text for one in LISTED)


def test_a_written_configuration_names_the_format(
    given: Callable[[str], None], logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given("vertex")
    assert main(["init", str(logs), "--stdout", "--db", ":memory:"]) == 0
    text = capsys.readouterr().out
    assert "# Files of vertex are read as their format says" in text
    assert "[roles]" not in text
