"""The same value is the same whatever it is written as, in logs, in a reference, and in two tables."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path

N = 400
STORES = np.arange(N) % 8 + 1
TRUE = np.arange(N) % 3 == 0
DAYS = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(N) % 30, unit="D")
LONG = STORES.astype(object) + 12_345_678_901_234_567_000
"""Doubles have too few digits for them."""
FORMATS = ("jsonl", "csv", "parquet")
NUMBERS = {
    "integers": STORES,
    "floats": STORES.astype(float),
    "one missing": [None, *map(int, STORES[1:])],
    "text": STORES.astype(str),
}
TRUTHS = {
    "boolean": TRUE,
    "0 and 1": TRUE.astype(int),
    "true": np.where(TRUE, "true", "false"),
    "True": np.where(TRUE, "True", "False"),
    "yes": np.where(TRUE, "yes", "no"),
}


def table(path: Path, values: Any, name: str = "x", **more: Any) -> Path:
    frame = pd.DataFrame({name: values, "other": np.arange(N) % 11 + 0.5, **more})
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".jsonl":
        rows = [
            {key: None if value is None or value != value else value for key, value in row.items()}  # noqa: PLR0124
            for row in frame.to_dict("records")
        ]
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def logs(path: Path, values: Any, name: str = "x") -> Path:
    times = pd.date_range("2026-11-03T08:00Z", periods=N, freq="20s").map(lambda one: one.isoformat())
    ids = [f"r{n}" for n in range(N)]
    table(path, values, name, timestamp=times, request_id=ids, version="v1", prediction=np.arange(N) % 2)
    return path.parent


def of_logs(directory: Path, reference: Path, name: str = "x", config: Path | None = None) -> Any:
    with mlwatch.open(directory, db=":memory:", reference=reference, config=config) as opened:
        (model,) = opened.snapshot().models.values()
    return model.versions["v1"].quality.features[name]


def assert_same(found: Any, missing: int = 0) -> None:
    assert (found.n, found.missing, found.invalid, found.unseen) == (N, missing, 0, 0)
    assert found.drift.n_reference > N - 3
    assert found.drift.score < 0.02


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("logged", NUMBERS)
def test_numbers_in_logs_are_those_that_a_reference_has_as_text(
    tmp_path: Path, form: str, logged: str
) -> None:
    reference = table(tmp_path / "before.parquet", pd.Categorical(STORES.astype(str)))
    found = of_logs(logs(tmp_path / "logs" / f"p.{form}", NUMBERS[logged]), reference)
    assert found.kind == "categorical"
    assert_same(found, missing=logged == "one missing")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("logged", TRUTHS)
@pytest.mark.parametrize("had", TRUTHS)
def test_truth_values_are_the_same_however_either_side_writes_them(
    tmp_path: Path, form: str, logged: str, had: str
) -> None:
    reference = table(tmp_path / "before.parquet", TRUTHS[had])
    assert_same(of_logs(logs(tmp_path / "logs" / f"p.{form}", TRUTHS[logged]), reference))


@pytest.mark.parametrize("had", FORMATS)
@pytest.mark.parametrize("now", FORMATS)
@pytest.mark.parametrize("values", [NUMBERS, TRUTHS], ids=["numbers", "truths"])
def test_two_tables_hold_the_same_whatever_they_are_written_as(
    tmp_path: Path, had: str, now: str, values: dict[str, Any]
) -> None:
    for one in values.values():
        before = table(tmp_path / f"before.{had}", one)
        for other, second in values.items():
            after = table(tmp_path / f"after.{now}", second)
            found = mlwatch.drift(after, reference=before).quality.features["x"]
            assert_same(found, missing=other == "one missing")


@pytest.mark.parametrize("form", FORMATS)
def test_long_numbers_keep_their_digits_where_the_reference_has_text(tmp_path: Path, form: str) -> None:
    reference = table(tmp_path / "before.parquet", LONG.astype(str))
    values = LONG.astype("uint64") if form == "parquet" else LONG
    found = of_logs(logs(tmp_path / "logs" / f"p.{form}", values), reference)
    assert (found.unseen, found.missing) == (0, 0)


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_that_are_said_to_be_words_are_those_of_a_reference_that_misses_one(
    tmp_path: Path, form: str
) -> None:
    config = tmp_path / "mlwatch.toml"
    config.write_text('[roles]\ncategorical = ["x"]\n')
    reference = table(tmp_path / "before.parquet", NUMBERS["one missing"])
    found = of_logs(logs(tmp_path / "logs" / f"p.{form}", STORES), reference, config=config)
    assert found.kind == "categorical"
    assert_same(found)


@pytest.mark.parametrize("had", ["datetime64", "datetime64 in UTC", "dates", "text"])
@pytest.mark.parametrize("timed", [True, False])
def test_days_of_a_reference_are_those_of_the_logs(tmp_path: Path, had: str, timed: bool) -> None:
    values = {
        "datetime64": DAYS,
        "datetime64 in UTC": DAYS.tz_localize("UTC"),
        "dates": DAYS.date,
        "text": DAYS.strftime("%Y-%m-%d"),
    }[had]
    times = {"timestamp": pd.date_range("2026-09-01", periods=N, freq="10min", tz="UTC")} if timed else {}
    reference = table(tmp_path / "before.parquet", values, "dob", **times)
    directory = logs(tmp_path / "logs" / "p.jsonl", DAYS.strftime("%Y-%m-%d"), "dob")
    assert_same(of_logs(directory, reference, "dob"))
    now = table(tmp_path / "now.csv", DAYS.strftime("%Y-%m-%d"), "dob")
    assert_same(mlwatch.drift(now, reference=reference).quality.features["dob"])


@pytest.mark.parametrize("word", ["None", "NULL", "N/A", "", "NaN"])
def test_a_number_that_is_spelled_out_as_missing_is_missing_in_json(tmp_path: Path, word: str) -> None:
    numbers = (np.arange(N) % 50 / 4).tolist()
    before = table(tmp_path / "before.jsonl", [None if n % 5 == 0 else x for n, x in enumerate(numbers)])
    after = table(tmp_path / "after.jsonl", [word if n % 5 == 0 else x for n, x in enumerate(numbers)])
    found = mlwatch.drift(after, reference=before).quality.features["x"]
    assert (found.kind, found.missing, found.invalid) == ("numeric", N // 5, 0)
    assert found.drift is not None
    assert found.drift.score == 0


@pytest.mark.parametrize("packed", [True, False])
def test_a_reference_of_delimited_text_is_read_as_logs_are(tmp_path: Path, packed: bool) -> None:
    amounts = np.arange(N) % 50 / 4
    codes = np.char.zfill(STORES.astype(str), 4)
    frame = pd.DataFrame(
        {"amount": amounts, "postcode": codes, "score": np.arange(N) % 100 / 100, "label": TRUE * 1}
    )
    text = frame.to_csv(index=False, sep=";", decimal=",")
    path = tmp_path / ("before.csv.gz" if packed else "before.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    now = tmp_path / "now.parquet"
    frame.to_parquet(now)
    found = mlwatch.drift(now, reference=path).quality
    assert {name: one.kind for name, one in found.features.items()} == {
        "amount": "numeric",
        "postcode": "categorical",
    }
    for one in found.features.values():
        assert_same(one)
    assert found.score_drift is not None
    assert found.score_drift.n_reference == N
