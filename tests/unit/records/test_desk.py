from __future__ import annotations

import csv
import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest
from logfiles import lines, prediction

from mlwatch.errors import InputError
from mlwatch.records.desk import Cancelled, Desk
from mlwatch.records.export import ExistsError
from mlwatch.records.paging import Question
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("desk") / "logs"
    directory.mkdir()
    records = [prediction(number, version=f"v{1 + number % 2}") for number in range(250)]
    records[7]["features"] = {"age": 7.0}
    records[8]["features"] = {"age": 1e6, "city": "[red]Oslo[/]\x1b[31m"}
    (directory / "a.jsonl").write_text(lines(records) + 'not json\n{"request_id": "r", "prediction": 1}\n')
    outcomes = [
        {"request_id": f"r{n}", "label": int(n % 3 == 0), "timestamp": "2026-11-03T12:00:00Z"}
        for n in range(200)
    ]
    (directory / "b.jsonl").write_text(lines(outcomes))
    event = {
        "request_id": "r8",
        "event": "purchase",
        "value": 12.5,
        "currency": "EUR",
        "timestamp": "2026-11-03T11:00:00Z",
    }
    (directory / "c.jsonl").write_text(lines([event]))
    reference = [prediction(number)["features"] for number in range(120)]
    (directory / "reference.jsonl").write_text(lines(reference))
    return directory


@pytest.fixture(scope="module")
def session(logs: Path) -> Iterator[Session]:
    with Session(Options(logs, db=":memory:")) as opened:
        opened.ingest_all()
        yield opened


@pytest.fixture
def desk(session: Session) -> Desk:
    return session.desk


def test_newest_first_in_pages(desk: Desk) -> None:
    first, last = desk.page(Question()), desk.page(Question(page=2))
    assert (first.total, first.pages) == (250, 3)
    assert [record.values[3] for record in first.records[:3]] == ["r249", "r248", "r247"]
    assert len(first.records) == 100
    assert [record.values[3] for record in last.records][-1] == "r0"
    assert len(last.records) == 50


def test_filters_and_sorts_in_the_store(desk: Desk) -> None:
    found = desk.page(
        Question("version = v2 and latency > 200 and not label = prediction", "latency", reverse=False)
    )
    # odd numbers are v2 and predicted 1; labels are 1 for multiples of 3, and known below 200
    assert [record.values[3] for record in found.records] == []
    found = desk.page(
        Question("version = v2 and latency > 150 and not label = prediction", "latency", reverse=False)
    )
    expected = [f"r{n}" for n in range(150, 200) if n % 2 and n % 3]
    assert [record.values[3] for record in found.records] == expected
    assert all(record.values[5] == "0" for record in found.records)


def test_keeps_to_a_range_of_time(desk: Desk) -> None:
    since, until = datetime(2026, 11, 3, 10, 1, tzinfo=UTC), datetime(2026, 11, 3, 10, 1, 10, tzinfo=UTC)
    found = desk.page(Question(since=since, until=until))
    assert [record.values[3] for record in found.records] == [f"r{n}" for n in range(69, 59, -1)]


def test_keeps_to_a_model(desk: Desk) -> None:
    assert desk.page(Question(model="m")).total == 250
    assert desk.page(Question(model="' OR 1=1 --")).total == 0


def test_a_field_that_there_is_none_of_cannot_be_sorted_by(desk: Desk) -> None:
    with pytest.raises(InputError, match="cannot sort"):
        desk.page(Question(sort='ts" DESC; DROP TABLE predictions; --'))


def test_shows_a_record_against_the_reference(desk: Desk) -> None:
    (record,) = desk.page(Question("id = r8")).records
    found = desk.detail(record.row)
    assert found is not None
    age, city = found.features
    assert (age.value, age.state, age.range) == (1e6, "above", (0.0, 119.0))
    assert (city.state, city.value) == ("unseen", "[red]Oslo[/]\x1b[31m")
    assert found.roles["label"] == "0"
    assert found.label_at == datetime(2026, 11, 3, 12, tzinfo=UTC)
    assert [(event.kind, event.means, event.value) for event in found.events] == [
        ("purchase", "conversion", 12.5)
    ]
    assert found.reference == "the reference reference.jsonl"
    document = json.loads(json.dumps(found.document()))
    assert document["features"]["age"] == 1e6
    assert document["time"] == "2026-11-03T10:00:08Z"
    assert document["events"][0]["event"] == "purchase"


def test_a_value_inside_the_reference_has_its_quantile(desk: Desk) -> None:
    (record,) = desk.page(Question("id = r30")).records
    found = desk.detail(record.row)
    assert found is not None
    age, city = found.features
    # the reference has 0 … 119 once each: 30 of 120 are below 30
    assert age.low is not None
    assert age.high is not None
    assert age.low <= 30 / 120 < age.high
    assert age.high - age.low == pytest.approx(age.share)
    assert city.share == pytest.approx(1 / 3)


def test_a_feature_that_is_not_there_is_missing(desk: Desk) -> None:
    (record,) = desk.page(Question("city missing and id = r7")).records
    found = desk.detail(record.row)
    assert found is not None
    assert {fact.name: fact.state for fact in found.features} == {"age": "", "city": "missing"}


def test_a_record_that_is_gone_is_none(desk: Desk) -> None:
    assert desk.detail(10**9) is None


def test_exports_what_passes_with_labels_and_features(desk: Desk, tmp_path: Path) -> None:
    question = Question("city ~ oslo or id = r9", sort="id", reverse=False)
    assert desk.export(question, str(tmp_path / "rows.csv")) == 2
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["label"], row["city"]) for row in rows] == [
        ("r8", "0", "[red]Oslo[/]\x1b[31m"), ("r9", "1", "a")
    ]  # fmt: skip
    assert desk.export(Question("version = v2"), str(tmp_path / "rows.parquet")) == 125
    sql = f"SELECT count(*), count(label), max(age) FROM '{tmp_path}/rows.parquet'"
    assert duckdb.execute(sql).fetchone() == (125, 100, 249.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.parquet"]
    assert (tmp_path / "rows.csv").stat().st_mode & 0o077 == 0


def test_export_never_overwrites_unless_told(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "mine.csv"
    target.write_text("mine")
    with pytest.raises(ExistsError):
        desk.export(Question(), str(target))
    assert target.read_text() == "mine"
    assert desk.export(Question(), str(target), replace=True) == 250
    assert target.read_text() != "mine"


@pytest.mark.parametrize("name", ["rows.txt", "nowhere/rows.csv"])
def test_export_says_what_is_wrong_with_a_path(desk: Desk, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"rows\."):
        desk.export(Question(), str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_no_file(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot export"):
        desk.export_query("SELECT error('no') FROM predictions", str(tmp_path / "rows.csv"))
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_desk_writes_nothing(logs: Path, tmp_path: Path) -> None:
    with Session(Options(logs, db=":memory:", read_only=True)) as session:
        with pytest.raises(InputError, match="read-only"):
            session.desk.export_query("SELECT 1", str(tmp_path / "x.csv"))
        with pytest.raises(InputError, match="read-only"):
            session.desk.export(Question(), str(tmp_path / "x.csv"))
    assert list(tmp_path.iterdir()) == []


def test_shows_the_quarantine(desk: Desk) -> None:
    found = desk.rejects()
    assert found.total == 2
    assert {(reject.line, reject.raw) for reject in found.rejects} >= {(251, "not json")}
    assert all(reject.file.endswith("a.jsonl") and reject.reason for reject in found.rejects)
    assert sum(n for _, n in found.reasons) == 2
    assert desk.rejects(containing="NOT JSON").total == 1
    assert desk.rejects(containing="' OR 1=1 --").total == 0


def test_runs_a_select(desk: Desk) -> None:
    found = desk.query(
        "WITH x AS (SELECT version, count(*) AS n FROM predictions GROUP BY 1) FROM x ORDER BY 1;"
    )
    assert found.columns == ("version", "n")
    assert found.rows == (("v1", "125"), ("v2", "125"))
    assert found.numeric == (False, True)
    assert not found.cut


def test_says_when_there_are_more_rows(desk: Desk) -> None:
    found = desk.query("SELECT * FROM range(5000)")
    assert (len(found.rows), found.cut) == (1000, True)


def test_shows_times_with_a_zone_and_odd_types(desk: Desk) -> None:
    found = desk.query(
        "SELECT TIMESTAMPTZ '2026-11-03 10:00+02', [1, 2], {'a': NULL}, NULL, 1.50::DECIMAL(5,2), 'x'::BLOB"
    )
    assert found.rows == (("2026-11-03 08:00:00", "[1, 2]", "{'a': None}", None, "1.50", "b'x'"),)


REFUSED = [
    "FROM '{file}'",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT * FROM predictions WHERE id IN (FROM '{file}')",
    "WITH predictions AS (FROM '{file}') FROM predictions",
    'WITH "{file}" AS (SELECT 1) FROM "{file}"',
    "WITH x AS (WITH \"{file}\" AS (SELECT 1) SELECT 2) FROM '{file}'",
    "SELECT * FROM query('FROM ''{file}''')",
    "SELECT * FROM query_table('{file}')",
    "SELECT * FROM glob('{folder}/*')",
    "FROM (SUMMARIZE FROM '{file}')",
    "FROM predictions POSITIONAL JOIN '{file}'",
    "SELECT * FROM predictions, LATERAL (FROM read_blob('{file}'))",
    "SELECT [x FOR x IN (SELECT a FROM '{file}')]",
    "DESCRIBE '{file}'",
    "SHOW DATABASES",
    "COPY predictions TO '{folder}/out.csv'",
    "ATTACH '{folder}/other.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 1",
    "PRAGMA database_list",
    "CREATE TABLE x AS SELECT 1",
    "DELETE FROM predictions",
    "DROP TABLE predictions",
    "CALL checkpoint()",
    "EXPORT DATABASE '{folder}'",
    "SELECT 1; DELETE FROM predictions",
    "SELECT * FROM json_execute_serialized_sql('x')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM pandas_scan(1)",
    "SELECT getenv('HOME')",
    "SELECT current_setting('secret_directory')",
    "SELECT FROM",
    "",
    ";",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_the_console_reaches_nothing_but_the_store(desk: Desk, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\nTOPSECRET,2\n")
    statement = sql.replace("{file}", str(file)).replace("{folder}", str(tmp_path))
    with pytest.raises(InputError) as caught:
        desk.query(statement)
    assert "TOPSECRET" not in str(caught.value)
    with pytest.raises(InputError):
        desk.export_query(statement, str(tmp_path / "export.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_every_table_function_of_this_duckdb_was_judged(desk: Desk) -> None:
    from mlwatch.records.statement import TABLE_FUNCTIONS

    sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'table'"
    known = {name for (name,) in duckdb.execute(sql).fetchall()}
    for name in known - TABLE_FUNCTIONS:
        with pytest.raises(InputError, match="not allowed"):
            desk.query(f"SELECT * FROM {name}('x')")


def test_the_ingest_goes_on_after_a_query(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "a.jsonl").write_text(lines(map(prediction, range(5))))
    with Session(Options(directory, db=":memory:")) as session:
        session.ingest_all()
        assert session.desk.query("SELECT count(*) FROM predictions").rows == (("5",),)
        (directory / "b.jsonl").write_text(lines(map(prediction, range(5, 9))))
        session.ingest_all()
        assert session.desk.query("SELECT count(*) FROM predictions").rows == (("9",),)


def test_a_running_query_can_be_cancelled(desk: Desk) -> None:
    ended: list[BaseException] = []

    def run() -> None:
        try:
            desk.query("SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b")
        except InputError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < deadline:
        desk.cancel("query")
        thread.join(0.05)
    assert not thread.is_alive()
    assert isinstance(ended[0], Cancelled)
    assert not desk.cancel("query")


def test_names_for_completion(desk: Desk) -> None:
    assert {"version", "label", "age", "city"} <= set(desk.names())
    tables = desk.tables()
    assert "age" in tables["predictions"]
    assert "reason" in tables["quarantine"]
