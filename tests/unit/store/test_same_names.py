"""An id or a version is the same however a table wrote it, and a word for nothing is none."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import Take, lines, prediction

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

N = 12


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Write records in the form that the file's name says."""
    if path.suffix == ".csv":
        pd.DataFrame(records).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pd.DataFrame(records).to_parquet(path, index=False)
    else:
        path.write_text(lines(records))


def plain(n: int, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in prediction(n, **changes).items() if name != "features"}


def versions(found: Snapshot) -> dict[str, int]:
    return {name: version.predictions for name, version in found.models["m"].versions.items()}


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("word", ["NULL", "None", r"\N", "n/a", "nan", "<NA>", "#N/A"])
def test_a_word_for_nothing_is_no_id_and_no_version(logs: Path, take: Take, suffix: str, word: str) -> None:
    records = [plain(n) for n in range(N)]
    for n in (3, 5, 8):
        records[n] |= {"request_id": word}
    records[4]["version"] = word
    write(logs / f"a.{suffix}", records)
    found = take()
    assert (found.ingest.predictions, found.ingest.duplicates) == (N, 0)
    assert versions(found) == {"-": 1, "v1": N - 1}


@pytest.mark.usual(1)
@pytest.mark.parametrize("labels", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("predictions", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("missing", ["label", "prediction"])
def test_ids_that_a_table_made_fractions_join(
    logs: Path, take: Take, labels: str, predictions: str, missing: str
) -> None:
    requests = [plain(n, request_id=1000 + n) for n in range(N)]
    outcomes: list[dict[str, Any]] = [
        {"request_id": 1000 + n, "label": 1, "timestamp": "2026-11-03T12:00:00Z"} for n in range(N)
    ]
    (requests if missing == "prediction" else outcomes)[3]["request_id"] = None
    for records in (requests, outcomes):
        if any(one["request_id"] is None for one in records):
            for one in records:
                one["request_id"] = one["request_id"] and float(one["request_id"])
    write(logs / f"p.{predictions}", requests)
    write(logs / f"l.{labels}", outcomes)
    found = take()
    assert found.models["m"].versions["v1"].labelled == N - 1


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("first", ["whole", "fractions"])
def test_versions_that_a_table_made_fractions_are_the_same(
    logs: Path, take: Take, suffix: str, first: str
) -> None:
    whole = [plain(n, version=1 + n % 2) for n in range(N)]
    fractions: list[dict[str, Any]] = [plain(n, version=1.0 + n % 2) for n in range(N, 2 * N)]
    fractions[3]["version"] = None
    for at, records in enumerate([whole, fractions] if first == "whole" else [fractions, whole]):
        path = logs / f"day{at}.{suffix}"
        write(path, records)
        os.utime(path, (1e9 - at, 1e9 - at))
    assert versions(take()) == {"-": 1, "1": N, "2": N - 1}


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    "names", [["1.0", "2.0"], ["1.0", "2.0", "2.1"], ["1.9", "1.10", "2.0"], [1.0, 2.0, 2.1]], ids=str
)
def test_versions_that_may_be_called_so_stay_what_they_are(
    logs: Path, take: Take, suffix: str, names: list[Any]
) -> None:
    records = [plain(n, version=names[n % len(names)]) for n in range(N)]
    write(logs / f"a.{suffix}", records)
    assert versions(take()) == dict.fromkeys(map(str, names), N // len(names))


def test_spaces_around_an_id_are_not_of_it(logs: Path, take: Take) -> None:
    write(logs / "p.jsonl", [plain(n) for n in range(N)])
    rows = (f"1, {json.loads(lines([plain(n)]))['request_id']}, 2026-11-03T12:00:00Z" for n in range(N))
    (logs / "l.csv").write_text("\n".join(["label, request_id, timestamp", *rows, ""]))
    assert take().models["m"].versions["v1"].labelled == N
