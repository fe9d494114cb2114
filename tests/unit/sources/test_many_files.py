"""Many small files of a native format are rewritten together, and come to the same as one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.sources.formats.rewriting import Rewriter
from mlwatch.store import natives

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = 40


def captured(name: str, second: int, data: str = "0.7") -> str:
    return json.dumps(
        {
            "captureData": {
                "endpointInput": {"data": f"{second},2.5", "encoding": "CSV"},
                "endpointOutput": {"data": data, "encoding": "CSV"},
            },
            "eventMetadata": {"eventId": name, "inferenceTime": f"2026-11-01T10:00:{second:02d}Z"},
            "eventVersion": "0",
        }
    )


def write_captures(logs: Path) -> None:
    """Write files of two variants; the fourth line of every seventh is broken, and one file is all broken."""
    for number in range(FILES):
        directory = logs / "flights" / ("blue" if number % 2 else "green") / "2026/11/01/10"
        directory.mkdir(parents=True, exist_ok=True)
        lines = [captured(f"e{number}-{line}", line) for line in range(5)]
        if number % 7 == 3:
            lines[3] = '{"captureData": {'
        (directory / f"{number:02d}-00-000-x.jsonl").write_text("\n".join(lines) + "\n")


def half(side: str, key: str, at: int, body: dict[str, Any]) -> str:
    kind = f"org.kubeflow.serving.inference.{side}"
    head = {"specversion": "1.0", "id": key, "type": kind, "source": "http://localhost/"}
    more = {"inferenceservicename": "flights", "time": f"2026-11-01T10:00:{at:02d}Z", "namespace": "default"}
    return json.dumps({**head, **more, "data": body}) + "\n"


@pytest.fixture
def rewrites(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks each rewriting had."""
    counted: list[int] = []
    whole = Rewriter._rewrite

    def count(self: Rewriter, importer: Any, select: str, texts: Any, written: Any) -> Any:
        counted.append(len(texts))
        return whole(self, importer, select, texts, written)

    monkeypatch.setattr(Rewriter, "_rewrite", count)
    return counted


@pytest.mark.deep
def test_together_is_as_one_by_one(
    logs: Path,
    take: Callable[..., Any],
    rewrites: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    write_captures(logs)
    with take() as taken:
        together = everything(taken)
    assert rewrites == [FILES // 2, FILES // 2]
    (tmp_path / "store.duckdb").unlink()
    monkeypatch.setattr(natives, "GROUP_PIECES", 1)
    with take() as taken:
        assert everything(taken) == together
    assert rewrites[2:] == [1] * FILES
    predictions, quarantined, files = together
    broken = [number for number in range(FILES) if number % 7 == 3]
    assert len(predictions) == 5 * FILES - len(broken)
    assert {(path.rpartition("/")[2][:2], line, why) for path, line, why in quarantined} == {
        (f"{number:02d}", 4, "not valid JSON") for number in broken
    }
    assert {(records, lines) for _, records, _, lines in files} == {(5, 5)}
    assert sum(rejected for *_, rejected, _ in files) == len(broken)


def everything(taken: Any) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        taken.predictions("id", "version", "score", "prediction", "f0"),
        taken.quarantined(),
        taken.rows("SELECT path, records, rejected, lines FROM files ORDER BY path"),
    )


def test_a_line_that_cannot_be_read_leaves_the_other_files(
    logs: Path, take: Callable[..., Any], rewrites: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that no statement foresaw fails all of a group: then each file is read alone, and its lines."""
    import duckdb

    write_captures(logs)
    whole = Rewriter._spread

    def spread(self: Rewriter, filled: Any) -> None:
        if self._connection.execute("SELECT COUNT(*) FROM envelopes WHERE id = 'e8-2'").fetchone() != (0,):
            raise duckdb.ConversionException("cannot")
        whole(self, filled)

    monkeypatch.setattr(Rewriter, "_spread", spread)
    with take() as taken:
        reasons = [why for *_, why in taken.quarantined() if why != "not valid JSON"]
        assert reasons == ["not a record of Amazon SageMaker Data Capture (cannot)"]
        assert len(taken.predictions("id")) == 5 * FILES - 6 - 1


@pytest.mark.deep
def test_halves_meet_across_the_files_of_a_group_and_from_before(
    logs: Path, take: Callable[..., Any]
) -> None:
    ask, answer = {"instances": [[1.0]]}, {"predictions": [1]}
    for number in range(6):
        (logs / f"a{number}.jsonl").write_text(half("request", f"k{number}", number, ask))
    with take() as taken:
        assert taken.predictions("id") == []
        assert len(taken.rows("FROM waiting")) == 6
    for number in range(6, 12):
        (logs / f"a{number}.jsonl").write_text(half("request", f"k{number}", number, ask))
    for number in range(12):
        (logs / f"b{number}.jsonl").write_text(half("response", f"k{number}", number, answer))
    with take() as taken:
        assert sorted(taken.predictions("id", "prediction")) == sorted((f"k{n}", "1") for n in range(12))
        assert taken.rows("FROM waiting") == []
