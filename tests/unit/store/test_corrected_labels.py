"""Labels of equal times, as those that are dated by day: the one that was written later is a correction."""

from __future__ import annotations

import os
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import lines, prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PREDICTIONS = [prediction(number) for number in range(100)]
DAY = "2026-11-05"
VERSIONS = {
    "labels-1": {f"r{n}": 1 for n in range(100)},
    "labels-2": {f"r{n}": 0 for n in range(0, 100, 2)},
    "late": {f"r{n}": n % 2 for n in range(0, 100, 5)},
}
"""What three files say, in the order in which they are written."""


def write(path: Path, labels: dict[str, int], at: int) -> None:
    table = pd.DataFrame({"request_id": list(labels), "label": list(labels.values()), "timestamp": DAY})
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    os.utime(path, (1_793_700_000 + at,) * 2)


def expected(names: Sequence[str]) -> dict[str, str]:
    held: dict[str, int] = {}
    for name in names:
        held |= VERSIONS[name]
    return {name: str(label) for name, label in held.items()}


@pytest.mark.usual(1)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_file_that_was_written_later_holds(
    logs: Path, opened: Callable[[], Any], kind: str, at_once: bool
) -> None:
    (logs / "app.jsonl").write_text(lines(PREDICTIONS))
    with opened() as session:
        for place, (name, labels) in enumerate(VERSIONS.items()):
            write(logs / f"{name}.{kind}", labels, place)
            if not at_once:
                session.ingest_all()
        session.ingest_all()
        _, rows = session.query("SELECT id, label FROM outcomes")
        performance = session.snapshot().models["m"].versions["v1"].performance
    held = expected(list(VERSIONS))
    assert dict(rows) == held
    right = sum(held[f"r{n}"] == str(n % 2) for n in range(100))
    assert performance["accuracy"].value == pytest.approx(right / 100, abs=1e-12)


@pytest.mark.usual(1)
@pytest.mark.parametrize("broken", list(VERSIONS))
def test_a_bad_line_in_one_of_the_files_changes_no_order(
    logs: Path, opened: Callable[[], Any], broken: str
) -> None:
    (logs / "app.jsonl").write_text(lines(PREDICTIONS))
    for place, (name, labels) in enumerate(VERSIONS.items()):
        path = logs / f"{name}.jsonl"
        write(path, labels, place)
        if name == broken:
            path.write_text("no record\n" + path.read_text())
            os.utime(path, (1_793_700_000 + place,) * 2)
    with opened() as session:
        session.ingest_all()
        _, rows = session.query("SELECT id, label FROM outcomes")
        _, refused = session.query("SELECT file, line FROM quarantine")
    assert dict(rows) == expected(list(VERSIONS))
    assert refused == [(f"{broken}.jsonl", 1)]


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", list(permutations(VERSIONS)), ids=" then ".join)
def test_in_whatever_order_they_are_read(logs: Path, opened: Callable[[], Any], order: Sequence[str]) -> None:
    (logs / "app.jsonl").write_text(lines(PREDICTIONS))
    with opened() as session:
        for name in order:
            write(logs / f"{name}.csv", VERSIONS[name], list(VERSIONS).index(name))
            session.ingest_all()
        _, rows = session.query("SELECT id, label FROM outcomes")
        version = session.snapshot().models["m"].versions["v1"]
    held = expected(list(VERSIONS))
    assert dict(rows) == held
    assert version.labelled == 100
    right = sum(held[f"r{n}"] == str(n % 2) for n in range(100))
    assert version.performance["accuracy"].value == pytest.approx(right / 100, abs=1e-12)


@pytest.mark.usual(1)
@pytest.mark.parametrize("broken", ["", "no record\n"])
def test_of_one_file_the_later_line_holds(logs: Path, opened: Callable[[], Any], broken: str) -> None:
    (logs / "app.jsonl").write_text(lines(PREDICTIONS))
    told = [
        {"request_id": f"r{n}", "label": label, "timestamp": DAY}
        for label in (1, 0, 1, 0)
        for n in range(100)
    ]
    told += [{"request_id": f"r{n}", "label": n % 2, "timestamp": DAY} for n in range(50)]
    (logs / "labels.jsonl").write_text(broken + lines(told))
    with opened() as session:
        session.ingest_all()
        _, rows = session.query("SELECT id, label FROM outcomes")
    assert dict(rows) == {f"r{n}": str(n % 2) if n < 50 else "0" for n in range(100)}


def test_what_is_said_again_last_holds_too(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "app.jsonl").write_text(lines(PREDICTIONS))
    with opened() as session:
        write(logs / "a.csv", {"r1": 1}, 1)
        session.ingest_all()
        write(logs / "c.csv", {"r2": 1, "r1": 1}, 3)
        session.ingest_all()
        write(logs / "b.csv", {"r1": 0, "r3": 1}, 2)
        session.ingest_all()
        _, rows = session.query("SELECT id, label FROM outcomes")
    assert dict(rows) == {"r1": "1", "r2": "1", "r3": "1"}
