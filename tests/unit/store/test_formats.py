"""The same twelve predictions in every format give the same numbers."""

from __future__ import annotations

import gzip
import io
import json
from datetime import date, time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from logfiles import Take, lines, prediction

import mlwatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS = [prediction(number) for number in range(12)]
FLAT = [{**{k: v for k, v in r.items() if k != "features"}, **r["features"]} for r in RECORDS]


def as_csv(separator: str = ",", decimal: str = ".", ending: str = "\n") -> str:
    text: str = pd.DataFrame(FLAT).to_csv(index=False, sep=separator, decimal=decimal, lineterminator=ending)
    return text


def as_parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def struct_table() -> pa.Table:
    stamps = pd.to_datetime([record["timestamp"] for record in RECORDS], utc=True).tz_convert("Europe/Oslo")
    rest = {name: [record[name] for record in RECORDS] for name in RECORDS[0] if name != "timestamp"}
    return pa.table({"timestamp": pa.array(stamps, pa.timestamp("us", "Europe/Oslo")), **rest})


FILES: dict[str, tuple[str, bytes]] = {
    "json lines": ("a.jsonl", lines(RECORDS).encode()),
    "json lines, CRLF and byte order mark": (
        "a.jsonl",
        b"\xef\xbb\xbf" + lines(RECORDS).replace("\n", "\r\n").encode(),
    ),
    "json lines, no last newline": ("a.log", lines(RECORDS).rstrip("\n").encode()),
    "json lines, blank lines": ("a.jsonl", lines(RECORDS).replace("\n", "\n\n").encode()),
    "json lines after a banner": ("a.log", b"" + lines(RECORDS).encode()),
    "json lines behind a hole of zeros": ("a.jsonl", b"\0" * 5000 + lines(RECORDS).encode()),
    "gzip": ("a.jsonl.gz", gzip.compress(lines(RECORDS).encode())),
    "gzip in two members": (
        "a.gz",
        gzip.compress(lines(RECORDS[:5]).encode()) + gzip.compress(lines(RECORDS[5:]).encode()),
    ),
    "zstd": ("a.jsonl.zst", zstandard.compress(lines(RECORDS).encode())),
    "json array": ("a.json", json.dumps(RECORDS).encode()),
    "pretty json array": ("a.json", json.dumps(RECORDS, indent=2).encode()),
    "json array in an object": ("a.json", json.dumps({"records": RECORDS, "count": 12}).encode()),
    "objects over several lines": ("a.json", "\n".join(json.dumps(r, indent=1) for r in RECORDS).encode()),
    "csv": ("a.csv", as_csv().encode()),
    "tsv": ("a.tsv", as_csv("\t").encode()),
    "semicolons and decimal comma": ("a.csv", as_csv(";", ",").encode()),
    "csv, CRLF and byte order mark": ("a.csv", b"\xef\xbb\xbf" + as_csv(ending="\r\n").encode()),
    "csv in gzip": ("a.csv.gz", gzip.compress(as_csv().encode())),
    "parquet": ("a.parquet", as_parquet(pa.Table.from_pylist(FLAT))),
    "parquet with structs and zones": ("a.parquet", as_parquet(struct_table())),
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_numbers(logs: Path, take: Take, name: str) -> None:
    file, content = FILES[name]
    (logs / file).write_bytes(content)
    found = take()
    assert (found.ingest.records, found.ingest.predictions, found.ingest.rejected) == (12, 12, 0)
    version = found.models["m"].versions["v1"]
    assert version.latency.mean == pytest.approx(6.5, rel=1e-12)
    assert version.first is not None
    assert version.first.isoformat() == "2026-11-03T10:00:00+00:00"
    assert {feature: quality.kind for feature, quality in version.quality.features.items()} == {
        "age": "numeric",
        "city": "categorical",
    }
    assert all(quality.n == 12 and quality.missing == 0 for quality in version.quality.features.values())


TIMES: dict[str, Callable[[int], Any]] = {
    "seconds": lambda s: 1793700000 + s,
    "fractions of seconds": lambda s: 1793700000.5 + s,
    "milliseconds": lambda s: (1793700000 + s) * 1000,
    "microseconds": lambda s: (1793700000 + s) * 10**6,
    "nanoseconds": lambda s: (1793700000 + s) * 10**9,
    "text of seconds": lambda s: str(1793700000 + s),
    "zoned": lambda s: pd.Timestamp(1793700000 + s, unit="s", tz="Asia/Tokyo").isoformat(),
    "apache": lambda s: pd.Timestamp(1793700000 + s, unit="s", tz="UTC").strftime("%d/%b/%Y:%H:%M:%S +0000"),
    "basic": lambda s: pd.Timestamp(1793700000 + s, unit="s").strftime("%Y%m%dT%H%M%SZ"),
    "comma": lambda s: pd.Timestamp(1793700000 + s, unit="s").strftime("%Y-%m-%d %H:%M:%S,000"),
}


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", TIMES)
def test_every_notation_of_time_is_the_same_time(logs: Path, take: Take, name: str) -> None:
    records = [prediction(number, timestamp=TIMES[name](number)) for number in range(5)]
    (logs / "a.jsonl").write_text(lines(records))
    version = take().models["m"].versions["v1"]
    assert version.predictions == 5
    assert version.first is not None
    assert int(version.first.timestamp()) == 1793700000
    assert version.last is not None
    assert int(version.last.timestamp()) == 1793700004


def test_naive_times_are_in_the_configured_zone(logs: Path, take: Take) -> None:
    (logs / "a.jsonl").write_text(lines([prediction(0, timestamp="2026-07-01 12:00:00")]))
    (logs / "mlwatch.toml").write_text('[roles]\ntimezone = "Europe/Oslo"\n')
    first = take().models["m"].versions["v1"].first
    assert first is not None
    assert first.isoformat() == "2026-07-01T10:00:00+00:00"


DAYS = [("2026-07-01", "08:00:30"), ("2026-07-01", "23:59"), ("2026-07-02", "")]


def as_dated_csv(days: list[tuple[str, str]]) -> bytes:
    rows = [f"{day},{clock},r{number},1,3.5" for number, (day, clock) in enumerate(days)]
    return "\n".join(["date,time,request_id,prediction,age", *rows, ""]).encode()


def as_dated_parquet() -> bytes:
    table = pa.table(
        {
            "date": pa.array([date.fromisoformat(day) for day, _ in DAYS]),
            "time": pa.array([time.fromisoformat(clock) if clock else None for _, clock in DAYS]),
            "request_id": ["r0", "r1", "r2"],
            "prediction": [1, 1, 1],
            "age": [3.5, 3.5, 3.5],
        }
    )
    return as_parquet(table)


DATED: dict[str, tuple[str, bytes]] = {
    "csv": ("a.csv", as_dated_csv(DAYS)),
    "csv, slashes": ("a.csv", as_dated_csv([(day.replace("-", "/"), clock) for day, clock in DAYS])),
    "csv, day first": (
        "a.csv",
        as_dated_csv([(".".join(reversed(day.split("-"))), clock) for day, clock in DAYS]),
    ),
    "json lines": (
        "a.jsonl",
        lines(
            {"date": day, "time": clock or None, "request_id": f"r{number}", "prediction": 1, "age": 3.5}
            for number, (day, clock) in enumerate(DAYS)
        ).encode(),
    ),
    "parquet": ("a.parquet", as_dated_parquet()),
}


@pytest.mark.usual(2)
@pytest.mark.parametrize("settings", ["", 'timestamp = "date"\n', 'timezone = "Europe/Oslo"\n'])
@pytest.mark.parametrize("name", DATED)
def test_a_date_and_a_time_of_day_are_one_time(logs: Path, name: str, settings: str) -> None:
    file, content = DATED[name]
    (logs / file).write_bytes(content)
    (logs / "mlwatch.toml").write_text("[roles]\n" + settings)
    with mlwatch.open(logs, db=":memory:") as watched:
        _, found = watched.query("SELECT CAST(ts AS VARCHAR) FROM predictions ORDER BY id")
        _, features = watched.query("SELECT name FROM features")

    utc = ["2026-07-01 08:00:30", "2026-07-01 23:59:00", "2026-07-02 00:00:00"]
    oslo = ["2026-07-01 06:00:30", "2026-07-01 21:59:00", "2026-07-01 22:00:00"]
    assert [at for (at,) in found] == (oslo if "Oslo" in settings else utc)
    assert features == [("age",)]


@pytest.mark.usual(1)
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_of_tables_are_no_feature(logs: Path, take: Take, first: int) -> None:
    table = pd.DataFrame(FLAT)
    table.index += first
    (logs / "a.csv").write_text(table.to_csv(), encoding="utf-8")

    assert set(take().models["m"].versions["v1"].quality.features) == {"age", "city"}


def test_a_time_of_day_is_remembered(logs: Path, tmp_path: Path) -> None:
    for hour in ("08", "09"):
        with (logs / "a.jsonl").open("a") as file:
            row = {"date": "2026-07-01", "time": f"{hour}:00:30", "request_id": hour, "prediction": 1}
            file.write(lines([row]))
        with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watched:
            _, found = watched.query("SELECT id, strftime(ts, '%H:%M:%S') FROM predictions ORDER BY id")

    assert found == [("08", "08:00:30"), ("09", "09:00:30")]


def test_damaged_utf8_is_taken_with_replacement(logs: Path, take: Take) -> None:
    good = lines([prediction(number) for number in range(3)]).encode()
    (logs / "a.jsonl").write_bytes(
        good.replace(b'"abc"', b'"a"') + lines([prediction(3)]).encode().replace(b"m", b"m\xff", 0)
    )
    damaged = lines([prediction(4)]).encode().replace(b'"city": "b"', b'"city": "b\xff"')
    assert b"\xff" in damaged
    with (logs / "a.jsonl").open("ab") as out:
        out.write(damaged)
    found = take()
    assert (found.ingest.predictions, found.ingest.rejected) == (5, 0)


def test_quoted_newlines_in_csv_belong_to_their_value(logs: Path, take: Take) -> None:
    rows = "timestamp,request_id,prediction,note\n" + "".join(
        f'2026-11-03T10:00:0{i}Z,r{i},1,"two\nlines, ""quoted"""\n' for i in range(4)
    )
    (logs / "a.csv").write_text(rows)
    found = take()
    assert (found.ingest.records, found.ingest.predictions, found.ingest.rejected) == (4, 4, 0)


def numbers_as(mark: str, places: int, separator: str = ";") -> str:
    """Write predictions as whole numbers and labels with places behind the point; every third one is wrong."""
    rows = [
        f"2026-11-03T10:00:{n:02d}Z{separator}r{n}{separator}{n % 2}{separator}"
        f"{f'{(n + (n % 3 == 0)) % 2:.{places}f}'.replace('.', mark)}"
        for n in range(60)
    ]
    return "\n".join([separator.join(("timestamp", "request_id", "prediction", "label")), *rows, ""])


@pytest.mark.usual(1)
@pytest.mark.parametrize("broken", ["", "no time;r0;1;1\n"], ids=["whole", "with a bad row"])
@pytest.mark.parametrize(("mark", "places"), [(",", 1), (",", 3), (".", 2), (".", 6)])
def test_the_same_number_is_the_same_class(
    logs: Path, take: Take, mark: str, places: int, broken: str
) -> None:
    (logs / "a.csv").write_text(numbers_as(mark, places) + broken)
    (model,) = take().models.values()
    (version,) = model.versions.values()
    assert version.confusion is not None
    assert (model.task, version.confusion.labels) == ("binary", ("0", "1"))
    assert version.performance["accuracy"].value == pytest.approx(2 / 3)


def test_decimals_of_parquet_are_classes_without_their_zeros(logs: Path, take: Take) -> None:
    table = pa.Table.from_pylist([record | {"label": record["prediction"]} for record in FLAT])
    labels = table["label"].cast(pa.float64()).cast(pa.decimal128(5, 2))
    (logs / "a.parquet").write_bytes(as_parquet(table.set_column(table.num_columns - 1, "label", labels)))
    version = take().models["m"].versions["v1"]
    assert version.confusion is not None
    assert (version.confusion.labels, version.performance["accuracy"].value) == (("0", "1"), 1)


@pytest.mark.usual(1)
@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_regression_may_be_written_with_a_decimal_comma(logs: Path, take: Take, separator: str) -> None:
    frame = pd.DataFrame(FLAT).drop(columns="score")
    frame["prediction"] = [1300 + n + 0.25 for n in range(12)]
    frame["label"] = frame["prediction"] + 2
    frame.to_csv(logs / "a.csv", index=False, sep=separator, decimal=",")
    model = take().models["m"]
    version = model.versions["v1"]
    assert (model.task, version.performance["mae"].value, version.performance["mae"].n) == (
        "regression",
        2,
        12,
    )


@pytest.mark.usual(1)
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "with a bad row"])
@pytest.mark.parametrize(
    ("separator", "decimal", "thousands"),
    [(";", ",", "."), (",", ".", ","), ("\t", ".", ","), ("\t", ",", ".")],
)
def test_marks_of_thousands_are_no_decimals(
    logs: Path, opened: Callable[[], Any], separator: str, decimal: str, thousands: str, *, broken: bool
) -> None:
    swap = str.maketrans({",": thousands, ".": decimal})
    frame = pd.DataFrame(FLAT).astype({"age": int})
    frame["score"] = [f"{score:.4f}".translate(swap) for score in frame["score"]]
    frame["latency_ms"] = [f"{1000.5 + n:,.2f}".translate(swap) for n in range(12)]
    frame["sum"] = [f"{900.25 + 100 * n:,.2f}".translate(swap) for n in range(12)]
    frame["km"] = [f"{26_000 + n:,}".translate(swap) for n in range(12)]
    text = frame.to_csv(index=False, sep=separator)
    (logs / "a.csv").write_text(text + (f"no time{separator * (len(frame.columns) - 1)}\n" if broken else ""))
    with opened() as session:
        version = session.snapshot().models["m"].versions["v1"]
        columns = dict(session.query("SELECT name, column_name FROM features")[1])
        sums = session.query(f"SELECT SUM({columns['sum']}), SUM({columns['km']}) FROM predictions")[1]
    assert version.latency.mean == pytest.approx(1006)
    assert sums == [(12 * 900.25 + 6600, 12 * 26_000 + 66)]


def test_where_nothing_tells_thousands_from_decimals_it_is_said(logs: Path, take: Take) -> None:
    rows = [f"2026-11-03T10:00:{n:02d}Z;r{n};26,{n + 100};1\n" for n in range(12)]
    (logs / "a.csv").write_text("timestamp;request_id;amount;prediction\n" + "".join(rows))
    (said,) = (alert.message for alert in take().alerts if "26,100" in alert.message)
    assert said.startswith("a.csv: nothing tells whether numbers such as 26,100 have decimals or thousands")
    assert said.endswith("they are read as decimals")
