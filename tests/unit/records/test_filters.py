from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.records.compiling import condition
from mlwatch.records.fields import Field, Fields, read_fields
from mlwatch.records.lexing import FilterError
from mlwatch.store import schema
from mlwatch.store.outcomes import label_joins

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
FIELDS = Fields(
    [
        Field("age", "number", """nullif(p."age", 'NaN'::DOUBLE)"""),
        Field("city", "text", 'p."city"'),
        Field('odd "name"', "text", 'p."odd ""name"""'),
    ]
)


@pytest.fixture(scope="module")
def store() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    schema.create(connection)
    connection.execute('ALTER TABLE predictions ADD COLUMN "age" DOUBLE')
    connection.execute('ALTER TABLE predictions ADD COLUMN "city" VARCHAR')
    connection.execute('ALTER TABLE predictions ADD COLUMN "odd ""name""" VARCHAR')
    rows = [
        ("10:00", "a", 1, "v1", "0", 0.1, "0", 5.0, 200, False, None, None, 30.0, "Oslo", None),
        ("11:00", "b", 2, "v2", "1", 0.9, None, 250.0, 200, False, None, "|0|", None, "Bergen", "x"),
        ("11:30", "c", 3, "v2", "1", 0.8, None, 300.0, 500, True, "boom", None, 40.0, "NaN", None),
        (
            "11:59",
            "it's",
            4,
            "v10",
            "1.0",
            None,
            "1",
            None,
            None,
            False,
            None,
            None,
            float("nan"),
            None,
            None,
        ),
    ]
    connection.executemany(
        """INSERT INTO predictions SELECT '2026-11-03 ' || ?, ?, ?, 'm', ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?""",
        rows,
    )
    connection.execute("INSERT INTO outcomes VALUES ('b', 2, 'm', '0', '2026-11-04', TRUE, 0)")
    connection.execute("INSERT INTO outcomes VALUES ('c', 3, 'm', '1', '2026-11-04', TRUE, 0)")
    return connection


def passing(store: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the ids that pass, in the order of time."""
    wanted = condition(text, FIELDS, NOW)
    joins = label_joins("p", "p.model") if wanted.joined else ""
    sql = f"SELECT p.id FROM predictions AS p {joins} WHERE {wanted.sql} ORDER BY p.ts"
    return " ".join(row[0] for row in store.execute(sql, wanted.values).fetchall())


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", "a b c it's"),
        ("version = v2", "b c"),
        ("version != v2", "a it's"),
        ("VERSION == 'v2'", "b c"),
        ("version = v2 and latency > 200 and not label = prediction", "b"),
        ("latency >= 250ms", "b c"),
        ("latency < 1s", "a b c"),
        ("not correct", "b it's"),
        ("correct", "a"),  # what failed is neither
        ("correct or failed", "a c"),
        ("failed = yes", "c"),
        ("version = v1 or version = v2 and status = 500", "a c"),
        ("(version = v1 or version = v2) and status = 500", "c"),
        ("prediction = 1", "b c it's"),
        ("prediction != 1", "a"),
        ("prediction > 0.5", "b c it's"),
        ("prediction = label", "a c"),
        ("city ~ ERG", "b"),
        ("city !~ erg", "a c"),
        ("city in (Oslo, 'Bergen')", "a b"),
        ("city not in (Oslo, Bergen)", "c"),
        ("city = NaN", "c"),
        ("city = `city`", "a b c"),
        ("age missing", "b it's"),
        ("age is not missing", "a c"),
        ("error is missing and label not missing", "a b it's"),
        ("invalid", "b"),
        ("time > 2026-11-03T10:30Z and time <= '2026-11-03 11:30'", "b c"),
        ("time >= -45m", "c it's"),
        ("time > '2h ago'", "b c it's"),
        ("id = 'it''s'", "it's"),
        ('id = "it\'s"', "it's"),
        ('`odd "name"` = x', "b"),
        ("feature.age > 35", "c"),
        ("id = ''", ""),
    ],
)
def test_lets_pass_what_it_says(store: duckdb.DuckDBPyConnection, text: str, ids: str) -> None:
    assert passing(store, text) == ids


def test_the_numbers_of_a_regression_are_neither_correct_nor_not(store: duckdb.DuckDBPyConnection) -> None:
    connection = store.cursor()
    connection.execute("INSERT INTO models VALUES ('m', 'regression', NULL)")
    try:
        assert passing(connection, "not correct") == ""
        assert passing(connection, "correct or not correct or failed") == "c"
        with pytest.raises(
            FilterError, match="a regression's predictions are neither correct nor not"
        ) as told:
            condition("failed or not correct", read_fields(connection))
        assert told.value.position == 14
        connection.execute("INSERT INTO models VALUES ('other', 'binary', NULL)")
        assert condition("not correct", read_fields(connection)).joined
    finally:
        connection.execute("DELETE FROM models")


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("versoin = v2", 0, "did you mean version?"),
        ("version = ", 10, "a value is missing"),
        ("version = v2 latency > 3", 13, "more than one test"),
        ("version = 'v2", 10, "a quote is not closed"),
        ("(version = v2", 0, "a bracket is not closed"),
        ("version = v2)", 12, "more than one test"),
        ("latency > fast", 10, "latency is a number"),
        ("latency > inf", 10, "latency is a number"),
        ("time > soon", 7, "time is a time"),
        ("failed > 1", 9, "true or false"),
        ("version", 0, "alone is no test"),
        ("version and failed", 0, "alone is no test"),
        ("and failed", 0, "a name is missing"),
        ("version ! v2", 8, "stray !"),
        ("version in v2", 11, "a list is expected"),
        ("version in (v1", 14, "the list is not closed"),
        ("version is v2", 11, "missing or in"),
        ("city = `nowhere`", 7, "there is no field nowhere"),
        ("(" * 60 + "failed" + ")" * 60, 50, "nested too deeply"),
        ("not " * 60 + "failed", 200, "nested too deeply"),
        ("x" * 5000, 4000, "too long"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, position: int, part: str) -> None:
    with pytest.raises(FilterError) as caught:
        condition(text, FIELDS, NOW)
    assert caught.value.position == position
    assert part in str(caught.value)
    assert f"filter, character {position + 1}" in str(caught.value)


TEXTS = st.text(min_size=1, max_size=40) | st.sampled_from(
    ["'; DROP TABLE predictions; --", '" OR 1=1 --', "?", "x'||(SELECT 1)||'", "/*", "\x00", "$1", ")"]
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@given(TEXTS, st.sampled_from(["=", "!=", "~", "!~", "<"]))
def test_text_is_bound_and_never_part_of_the_sql(text: str, sign: str) -> None:
    plain = condition(f"city {sign} 'abc'", FIELDS, NOW)
    hostile = condition(f"city {sign} {quoted(text)}", FIELDS, NOW)
    assert hostile.sql == plain.sql
    assert hostile.values == (text,)


WORDS = [
    "(", ")", "and", "or", "not", "in", "missing", "is", "=", "~", "<",
    "city", "age", "'x'", "`city`", ",", "label",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_any_text_is_a_condition_or_a_filter_error(store: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        wanted = condition(text, FIELDS, NOW)
    except FilterError:
        return
    assert wanted.sql.count("?") == len(wanted.values)
    passing(store, text)  # the store takes it


@given(TEXTS)
def test_finds_exactly_the_rows_with_a_text(text: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE predictions (id VARCHAR, city VARCHAR, ts TIMESTAMP)")
    rows = "('hit', ?, now()::TIMESTAMP), ('miss', ? || 'x', now()::TIMESTAMP)"
    connection.execute(f"INSERT INTO predictions VALUES {rows}", [text, text])
    assert passing(connection, f"city = {quoted(text)}") == "hit"


def test_names_of_features_do_not_hide_roles() -> None:
    fields = Fields([Field("status", "text", 'p."status_2"')])
    assert condition("status = 500", fields, NOW).sql == '(p."status" = ?)'
    assert condition("feature.status = x", fields, NOW).sql == '(p."status_2" = ?)'
    assert "feature.status" in fields.names
