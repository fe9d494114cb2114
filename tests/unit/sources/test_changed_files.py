"""Files of every format, changed at random: what is left of them is taken in, and other logs are whole beside them."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import zstandard
from mutating import mutated

from mlwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = Path(__file__).parents[2] / "fixtures" / "formats"
RECORDS = 30


def records(model: str) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": f"2026-11-03T10:{number:02d}:00Z",
            "request_id": f"{model}{number}",
            "model": model,
            "version": "v1",
            "features": {"age": number * 1.5, "city": f"x{number % 3}"},
            "prediction": number % 2,
            "score": number / 100,
            "label": number % 2,
            "latency_ms": 5.5,
        }
        for number in range(RECORDS)
    ]


def lines(model: str) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records(model)).encode()


def write_plain(directory: Path) -> None:
    """Write one file of each kind that needs no importer."""
    directory.mkdir()
    (directory / "a.jsonl").write_bytes(lines("a"))
    (directory / "b.jsonl.gz").write_bytes(gzip.compress(lines("b"), mtime=0))
    (directory / "c.jsonl.zst").write_bytes(zstandard.compress(lines("c")))
    (directory / "d.json").write_text(json.dumps(records("d")))
    with duckdb.connect() as engine:
        read = f"read_json('{directory / 'a.jsonl'}')"
        flat = f"SELECT * EXCLUDE features, features.age, features.city FROM {read}"
        for name in ("e.csv", "f.parquet"):
            engine.execute(f"COPY ({flat}) TO '{directory / name}'")


def check(logs: Path, take: Callable[[], Any], seed: int) -> None:
    """Change the files of all formats, which are side by side."""
    chance = random.Random(seed)
    shutil.copytree(FORMATS, logs, dirs_exist_ok=True)
    write_plain(logs / "plain")
    for path in sorted(path for path in logs.rglob("*") if path.is_file()):
        if chance.random() < 0.8:
            path.write_bytes(mutated(path.read_bytes(), chance))
    (logs / "good").mkdir()
    (logs / "good" / "a.jsonl").write_bytes(lines("good"))
    with take() as taken:
        assert taken.rows("SELECT COUNT(*) FROM predictions WHERE model = 'good'") == [(RECORDS,)]
        before = taken.totals
    with take() as again:
        assert again.totals.records == before.records


@pytest.mark.deep
def test_changed_files_leave_the_others_alone(logs: Path, take: Callable[[], Any]) -> None:
    check(logs, take, seed=5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_changed_files_leave_the_others_alone(seed: int, logs: Path, take: Callable[[], Any]) -> None:
    check(logs, take, seed)


def test_half_a_character_in_a_name_refuses_its_record_alone(logs: Path, take: Callable[[], Any]) -> None:
    """It is JSON to Python, and none to the engine."""
    odd = [record | {"features": {"\ud800": 1.0}} for record in records("odd")[:3]]
    (logs / "a.jsonl").write_bytes(lines("a") + "".join(json.dumps(each) + "\n" for each in odd).encode())
    with take() as taken:
        assert (taken.totals.predictions, taken.totals.rejected) == (RECORDS, 3)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))])
def test_a_changed_reference_profile_or_lake_is_one_line(
    seed: int, tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "a.jsonl").write_bytes(lines("a"))
    profile, lake, changed = tmp_path / "profile.json", tmp_path / "lake", tmp_path / "changed"
    assert main(["profile", str(logs / "a.jsonl"), "-o", str(profile)]) == 0
    assert main(["rollup", str(logs), "-o", str(lake), "--db", ":memory:"]) == 0
    chance = random.Random(seed)
    for number in range(4):
        target = tmp_path / f"{number}.json"
        target.write_bytes(mutated(profile.read_bytes(), chance))
        shutil.copytree(lake, changed)
        for path in sorted(path for path in changed.rglob("*") if path.is_file()):
            if chance.random() < 0.1 or path.name == "manifest.json":
                path.write_bytes(mutated(path.read_bytes(), chance))
        for given in ([str(logs), "--reference", str(target)], [str(changed)]):
            code = main(["report", *given, "--db", ":memory:", "-o", str(tmp_path / "out.json")])
            said = capsys.readouterr().err
            assert code in {0, 2}
            assert "mlwatch: unexpected" not in said, said
        shutil.rmtree(changed)
