"""The rollup SQL in Spark's dialect: every function is one that both engines know, and the traps are stepped over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from sqlglot import exp

from mlwatch.config import BusinessSettings, Config, ConstraintSettings, OutputSettings
from mlwatch.sources.time_sql import EARLIEST, tolerant_time_sql
from mlwatch.spark.counting import FOUND, SAID, Counter
from mlwatch.spark.dialect import UnknownFunctionError, to_spark
from mlwatch.spark.rolling import COUNTS
from mlwatch.spark.sampling import Learnt
from mlwatch.store import (
    batch,
    events,
    feature_rollup,
    fold,
    outcomes,
    output_rollups,
    protected,
    rollups,
    slices,
)
from mlwatch.store.database import open_store
from mlwatch.store.feature_rollup import FeatureBins, Requests
from mlwatch.store.loss_trees import LossTree
from mlwatch.store.newest_events import newest_sql
from mlwatch.store.registry import OUTPUTS, Bins, ModelRow, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlwatch.store.rollup import Rollup

CANONICAL = (
    "SELECT ts, id, model, own_model, version, prediction, score, label, latency_ms, status, error, event"
)
FEATURES = [
    FeatureBins(1, '"a"', "numeric", (0.0, 1.5, 2.0), ("m",)),
    FeatureBins(2, '"it""s"', "categorical", models=("it's",), has_categories=True),
]
GAINED = events.of_all(Config(business=BusinessSettings(attribution=timedelta(days=7))), ("click",))
STATEMENTS = {
    "classified": batch.classified(f"{CANONICAL} FROM x", predicts=True),
    "traffic": rollups.traffic_sql("requests"),
    "latency": rollups.latency_sql("requests"),
    "features": feature_rollup.features_sql(Requests("requests", who="who", quarter="quarter"), FEATURES),
    "outcomes": rollups.outcomes_sql("scored", ["m"], ["n"]),
    "scores": rollups.scores_sql("scored", ["m"]),
    "decided": rollups.decided_sql("requests", []),
    "lags": rollups.lags_sql("scored"),
    "segments": rollups.segments_sql("scored", {1: "part_4"}, ["m"], ["n"]),
    "answers": protected.answers_sql("answered", {1: "part_4", 2: "part_5"}, ["it's"]),
    "segments of classes": rollups.segments_sql("scored", {1: "part_4"}, []),
    "business": rollups.business_sql(f"({GAINED['gains']}) AS gains"),
    "worth": rollups.worth_sql(f"({GAINED['worth']}) AS worth"),
    "event values": rollups.event_values_sql(f"({GAINED['measured']}) AS measured"),
    "event lags": output_rollups.event_lags_sql(f"({GAINED['converted']}) AS converted"),
    "newest events": newest_sql(
        "(SELECT COALESCE(model, '') AS model, ts FROM taken WHERE is_event) AS past"
    ),
    "currencies": SAID,
    "currencies of requests": FOUND,
    "scored": fold.scored_of_all(slices.Columns((slices.Column(FEATURES[0], (0.5,)),))),
    "latest": outcomes.latest("told"),
    "tasks": f"SELECT {fold.TASK_COUNTS} FROM requests",
    "files": f"SELECT line AS source, {COUNTS} FROM records GROUP BY line",
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


def assert_spark_knows(said: str) -> None:
    assert not [word for word in NEVER if word in said.lower()]
    stars = list(sqlglot.parse_one(said, read="spark").find_all(exp.Star))
    assert not [one for one in stars if any(one.args.values())], "Spark 3 has neither EXCEPT nor REPLACE"


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_said_in_what_spark_knows(name: str) -> None:
    assert_spark_knows(to_spark(STATEMENTS[name]))


NUMBERS = (
    *("amount", "prompt_tokens", "completion_tokens", "ttft_ms", "proba_a", "proba_b", "p10", "p90"),
    "position",
)
TEXTS = ("city", "query_id", 'it\'s "odd"')
TASKS = {"it's": "binary", "species": "multiclass", "price": "regression", "chat": "unknown"}
EVERYTHING = Config(
    business=BusinessSettings(attribution=timedelta(days=7)),
    outputs=OutputSettings(input_price={"chat": 2.5}, output_price={"chat": 10.0}),
    schema={
        "amount": ConstraintSettings(
            "integer", 0, 9.5, ("1", "true"), nullable=False, unique=True, regex="[0-9]+"
        ),
        'it\'s "odd"': ConstraintSettings("boolean", 0, 9.5, ("it's", "1"), unique=True, regex="[a-z']+"),
        "city": ConstraintSettings("number"),
        "score": ConstraintSettings(min=0, max=1),
        "prediction": ConstraintSettings("text", allowed=("0", "1")),
    },
)
"""Settings under which every statement is asked."""
MEASURES = {
    *("input_tokens", "output_tokens", "first_token", "per_token", "cost"),
    *("characters", "words", "refusal", "empty", "vocabulary"),
}
RULES = {"type", "min", "max", "allowed", "nullable", "regex", "unique"}


def knowing_everything(place: Path) -> Learnt:
    """Return a store with models of every task, and with features of every meaning."""
    connection = open_store(place, ":memory:").connection
    registry = Registry(connection)
    for name in NUMBERS:
        registry.numbered(name, "numeric")
    for name in TEXTS:
        registry.numbered(name, "categorical")
    for model, task in TASKS.items():
        registry.add_model(model, ModelRow(task, None))
        registry.add_model_features(model, range(len(registry.features)))
    kinds = {row.number: row.kind for row in registry.features.values()}
    kinds |= {number: kind for number, (_, kind) in OUTPUTS.items()}
    for number, kind in kinds.items():
        edges = (0.0, 1.5, 2.0) if kind == "numeric" else ()
        registry.bins[number] = Bins(kind, edges, "reference")
    registry.segments = registry.protected = (0, len(NUMBERS))
    among = {"feature": "city", "among": ["it's"], "missing": True, "yes": 1, "no": 0}
    root = {"feature": "amount", "upto": 1.5, "open": True, "yes": 0, "no": among}
    registry.losses = LossTree(root, ((1, 1.0, 1.0, 1.0), (1, 1.0, 1.0, 1.0)))
    return Learnt(connection, registry, ())


class NoRows:
    """Stands for Spark's session and its frames: keeps the statements that it is given, and has no rows."""

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.said: list[str] = []
        self.views: set[str] = set()

    def sql(self, text: str) -> NoRows:
        self.said.append(text)
        return self

    def table(self, _: str) -> NoRows:
        return self

    def createDataFrame(self, _rows: list[Any], _schema: str) -> NoRows:  # noqa: N802
        return self

    def createOrReplaceTempView(self, name: str) -> None:  # noqa: N802
        self.views.add(name)

    def persist(self) -> NoRows:
        return self

    def unpersist(self) -> None:
        pass

    def collect(self) -> list[Any]:
        return []


def test_all_that_is_counted_is_said_in_what_spark_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: set[str] = set()

    def ask(self: Counter, rollup: Rollup, select: str, values: Mapping[str, object]) -> None:
        counted.add(rollup.name)
        self._spark.sql(to_spark(select, values))

    monkeypatch.setattr(Counter, "_collect", ask)  # which brings rows over, by Spark's own functions
    learnt = knowing_everything(tmp_path)
    spark: Any = NoRows([row.column for row in learnt.registry.features.values()])
    Counter(spark, learnt, EVERYTHING, spark).count()
    for said in spark.said:
        assert_spark_knows(said)
    assert counted == {rollup.name for rollup in rollups.ALL} - {rollups.SAMPLING.name}
    assert spark.views == {
        *("taken", "placed", "predictions", "outcomes", "kinds", "events", "categories", "scored", "ranked")
    }
    measures = {name for name in MEASURES if any(f"'{name}' AS measure" in said for said in spark.said)}
    assert measures == MEASURES
    rules = {rule for rule in RULES if any(f"'{rule}'" in said for said in spark.said)}
    assert rules == RULES


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
