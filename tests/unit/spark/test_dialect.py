"""The rollup SQL in Spark's dialect: every function is one that both engines know, and the traps are stepped over."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlglot
from sqlglot import exp

from mlwatch.config import BusinessSettings
from mlwatch.sources.canonical import EARLIEST, tolerant_time_sql
from mlwatch.spark.dialect import UnknownFunctionError, to_spark
from mlwatch.store import batch, events, feature_rollup, fold, outcomes, output_rollups, rollups, slices
from mlwatch.store.feature_rollup import FeatureBins, Requests

CANONICAL = (
    "SELECT ts, id, model, own_model, version, prediction, score, label, latency_ms, status, error, event"
)
FEATURES = [
    FeatureBins(1, '"a"', "numeric", (0.0, 1.5, 2.0), ("m",)),
    FeatureBins(2, '"it""s"', "categorical", models=("it's",), has_categories=True),
]
GAINED = events.of_all(BusinessSettings(attribution=timedelta(days=7)), ("click",))
STATEMENTS = {
    "classified": batch.classified(f"{CANONICAL} FROM x", predicts=True),
    "traffic": rollups.traffic_sql("requests"),
    "latency": rollups.latency_sql("requests"),
    "features": feature_rollup.features_sql(Requests("requests", who="who", quarter="quarter"), FEATURES),
    "outcomes": rollups.outcomes_sql("scored", ["m"], ["n"]),
    "scores": rollups.scores_sql("scored", ["m"]),
    "decided": rollups.decided_sql("requests", []),
    "lags": rollups.lags_sql("scored"),
    "segments": rollups.segments_sql("scored", {1: "part_4"}, ["m"]),
    "business": rollups.business_sql(f"({GAINED['gains']}) AS gains"),
    "worth": rollups.worth_sql(f"({GAINED['worth']}) AS worth"),
    "event lags": output_rollups.event_lags_sql(f"({GAINED['converted']}) AS converted"),
    "scored": fold.scored_of_all(slices.Columns((slices.Column(FEATURES[0], (0.5,)),))),
    "latest": outcomes.latest("told"),
    "tasks": f"SELECT {fold.TASK_COUNTS} FROM requests",
    "times": f"SELECT {tolerant_time_sql('x', 'Europe/Berlin')} AS ts FROM r",
}
NEVER = (
    "date_bin",
    "time_bucket",
    "epoch_us",
    "epoch_ms",
    "histogram",
    "list_",
    "qualify",
    "exclude",
    "try_strptime",
)


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_said_in_what_spark_knows(name: str) -> None:
    said = to_spark(STATEMENTS[name])
    assert not [word for word in NEVER if word in said.lower()]
    stars = list(sqlglot.parse_one(said, read="spark").find_all(exp.Star))
    assert not [one for one in stars if any(one.args.values())], "Spark 3 has neither EXCEPT nor REPLACE"


@pytest.mark.parametrize(
    "call",
    [
        *("list_position(a, 1)", "histogram(a)", "epoch_ms(ts)", "arg_max(a, b)", "date_trunc('hour', ts)"),
        *(
            "quantile_cont(a, 0.5)",
            "random()",
            "reflect('java.lang.System', 'exit', 1)",
            "strftime(ts, '%Y')",
        ),
    ],
)
def test_a_function_that_nobody_has_compared_is_refused(call: str) -> None:
    with pytest.raises(UnknownFunctionError):
        to_spark(f"SELECT {call} FROM r")


def test_a_bucket_begins_where_it_does_in_duckdb() -> None:
    assert to_spark("SELECT time_bucket(INTERVAL '900 seconds', ts) AS bucket FROM r") == (
        "SELECT CAST(TIMESTAMP_MICROS((UNIX_MICROS(CAST(ts AS TIMESTAMP_LTZ)) DIV 900000000) * 900000000) "
        "AS TIMESTAMP_NTZ) AS bucket FROM r"
    )


def test_times_have_a_zone_or_none_whatever_the_session_says() -> None:
    assert to_spark(f"SELECT {EARLIEST} AS a, CAST(x AS TIMESTAMPTZ) AS b FROM r") == (
        "SELECT CAST('1990-01-01' AS TIMESTAMP_NTZ) AS a, CAST(x AS TIMESTAMP_LTZ) AS b FROM r"
    )


def test_a_hash_tells_what_is_missing_from_what_is_not_there() -> None:
    assert to_spark("SELECT hash(a, b) FROM r") == "SELECT XXHASH64(ISNULL(a), a, ISNULL(b), b) FROM r"


def test_whole_seconds_are_borders_between_them() -> None:
    said = to_spark("SELECT date_diff('second', ts, labelled_at) AS lag FROM r")
    assert "DIV 1000000" in said
    assert "DATEDIFF" not in said


@pytest.mark.parametrize(
    "text", ["it's", "back\\slash", "new\nline", "'; DROP TABLE x --", "\\'", "`", "$v {x} %s"]
)
def test_values_and_names_cannot_leave_their_quotes(text: str) -> None:
    quoted = text.replace("'", "''")
    for said in (to_spark("SELECT $v AS v", {"v": text}), to_spark(f"SELECT '{quoted}' AS v")):
        (literal,) = sqlglot.parse_one(said, read="spark").find_all(exp.Literal)
        assert literal.name == text
    name = text.replace('"', '""')
    (column,) = sqlglot.parse_one(to_spark(f'SELECT "{name}" FROM r'), read="spark").find_all(exp.Column)
    assert column.name == text
