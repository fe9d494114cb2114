"""A numeric column of delimited text in which a few fields are no numbers: they are invalid, the others count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import FeatureQuality

HEADER = "timestamp,request_id,version,amount,shop,prediction\n"


def row(number: int, amount: str) -> str:
    second = f"2026-11-03T10:{number // 60:02d}:{number % 60:02d}Z"
    return f"{second},r{number},v1,{amount},s{number % 3},{number % 2}\n"


def read(directory: Path, text: str) -> tuple[FeatureQuality, tuple[int, int]]:
    (directory / "a.csv").write_text(text)
    with mlwatch.open(directory, db=":memory:") as watch:
        found = watch.snapshot()
    (model,) = found.models.values()
    quality = model.versions["v1"].quality.features["amount"]
    return quality, (found.ingest.records, found.ingest.rejected)


def test_a_stray_word_is_one_invalid_value(tmp_path: Path) -> None:
    text = HEADER + "".join(row(n, "unknown" if n == 300 else str(n / 4)) for n in range(600))
    amount, counts = read(tmp_path, text)
    assert (amount.kind, amount.invalid, amount.missing, counts) == ("numeric", 1, 0, (600, 0))


def test_a_header_that_is_repeated_makes_no_words_of_numbers(tmp_path: Path) -> None:
    halves = ["".join(row(n, str(n / 4)) for n in part) for part in (range(300), range(300, 600))]
    amount, counts = read(tmp_path, HEADER + HEADER.join(halves))
    assert (amount.kind, amount.invalid, counts) == ("numeric", 0, (601, 1))


@pytest.mark.usual(1)
@pytest.mark.parametrize("every", [50, 2])
def test_words_among_numbers_are_categories(tmp_path: Path, every: int) -> None:
    text = HEADER + "".join(row(n, "HQ" if n % every == 0 else str(n % 9)) for n in range(600))
    assert read(tmp_path, text)[0].kind == "categorical"
