"""Delimited files of other hands: rare delimiters, comments, line ends and decimal commas between commas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from mlwatch.session import Options, Session
from mlwatch.sources.files import UNKNOWN, format_of
from mlwatch.sources.samples import sniff

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pd.DataFrame(
    {
        "timestamp": [f"2026-11-03T09:00:{n:02}Z" for n in range(40)],
        "request_id": [f"r{n}" for n in range(40)],
        "version": "v1",
        "amount": [n + 0.25 for n in range(40)],
        "country": ["NO", "SE"] * 20,
        "prediction": [0, 1] * 20,
        "latency_ms": [n * 1.5 for n in range(40)],
    }
)


def read(logs: Path) -> tuple[list[tuple[Any, ...]], list[str]]:
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        columns = {row[0] for row in session.connection.execute("DESCRIBE predictions").fetchall()}
        asked = "id, amount, country, latency_ms" if "amount" in columns else "id"
        rows = session.connection.execute(f"SELECT {asked} FROM predictions ORDER BY rowid").fetchall()
        said = [alert.message for alert in session.snapshot().alerts if alert.rule.startswith("ingest: ")]
    return rows, said


def expected() -> list[tuple[Any, ...]]:
    return list(TABLE[["request_id", "amount", "country", "latency_ms"]].itertuples(index=False, name=None))


@pytest.mark.usual(1)
@pytest.mark.parametrize("delimiter", ["^", "~", "\x01"])
def test_rare_delimiters_are_told_by_header_and_rows(tmp_path: Path, delimiter: str) -> None:
    TABLE.to_csv(tmp_path / "a.csv", sep=delimiter, index=False)
    assert read(tmp_path) == (expected(), [])


@pytest.mark.usual(1)
@pytest.mark.parametrize("name", ["a.csv", "000000_0"])
@pytest.mark.parametrize("comment", ["# made by a job, on time\n", "#\n# two\n"])
def test_comments_before_the_header_are_passed_over(tmp_path: Path, comment: str, name: str) -> None:
    (tmp_path / name).write_text(comment + TABLE.to_csv(index=False))
    assert read(tmp_path) == (expected(), [])


def test_a_header_may_begin_with_the_mark_of_a_comment(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("#" + TABLE.to_csv(index=False))
    assert read(tmp_path)[0] == expected()


def test_a_rejected_row_below_comments_has_its_own_number(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# one\n# two\n" + TABLE.to_csv(index=False) + "no row\n")
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all()
        found = session.connection.execute("SELECT line, raw FROM quarantine").fetchall()
    assert found == [(44, "no row")]


def test_a_file_with_carriage_returns_alone_is_named_and_why(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE.to_csv(index=False), newline="\r")
    assert read(tmp_path) == (
        [],
        ["a.csv is not read: its lines end with a carriage return alone: write LF or CRLF"],
    )


@pytest.mark.parametrize("text", ["10:00 ~ started ^ now\n", "/home/~me said ^\n", "a ^ b\nc\n"])
def test_text_logs_are_no_delimited_files(tmp_path: Path, text: str) -> None:
    assert format_of(text.encode() * 3, "app.log", tmp_path / "app.log") == UNKNOWN


def test_usual_delimiters_come_before_rare_ones() -> None:
    text = "id,from^to,label\n" + "1,a^b,0\n" * 5
    found = sniff(text)
    assert found is not None
    assert found[0] == ","


@pytest.mark.usual(1)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_decimal_commas_are_alike_between_all_delimiters(tmp_path: Path, delimiter: str) -> None:
    TABLE.to_csv(tmp_path / "a.csv", sep=delimiter, decimal=",", index=False)
    rows, said = read(tmp_path)
    table = pd.read_csv(tmp_path / "a.csv", sep=delimiter, decimal=",")
    assert [row[1] for row in rows] == list(table.amount)
    assert (rows, said) == (expected(), [])


def test_pairs_of_numbers_between_commas_are_none_with_decimal_commas(tmp_path: Path) -> None:
    table = TABLE.assign(country=[f"{n},{n % 3}" for n in range(40)])
    table.to_csv(tmp_path / "a.csv", index=False)
    rows, _ = read(tmp_path)
    assert [row[2] for row in rows] == list(table.country)
    assert [row[1] for row in rows] == list(table.amount)
