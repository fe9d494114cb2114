"""Count records into the rollups: the SQL of the store over relations of Spark, its sums into the driver's store."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.sources.pathnames import file_literal
from mlwatch.sources.sql import literal
from mlwatch.spark.dialect import to_spark
from mlwatch.store import (
    constraints,
    event_kinds,
    events,
    feature_rollup,
    fold,
    outcomes,
    output_rollups,
    outputs,
    protected,
    rankings,
    rollups,
    slices,
)
from mlwatch.store.newest_events import newest_sql
from mlwatch.store.protected import ANSWERS
from mlwatch.store.registry import ModelRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from mlwatch.config import Config
    from mlwatch.spark.sampling import Learnt
    from mlwatch.store.rollup import Rollup

PLACED = """
    SELECT *,
        row_number() OVER (PARTITION BY id, model, version, CAST(ts AS DATE) ORDER BY failed, ts, line) AS place
    FROM taken WHERE is_request"""
"""Requests, and which of those with one id holds, an answered one first: a repeated one is found within its day."""
OUTCOMES = """
    SELECT id, h, model, label, ts FROM taken WHERE is_outcome
    UNION ALL
    SELECT id, h, model, label, ts FROM placed WHERE place > 1 AND id IS NOT NULL AND label IS NOT NULL"""
EVENTS = """
    SELECT id, h, model, kind, class, value, currency, event_id, ts FROM (
        SELECT t.id, t.h, COALESCE(t.model, '') AS model, t.event AS kind, k.class, t.value, t.currency, t.event_id,
            t.ts, row_number() OVER (PARTITION BY t.event_id ORDER BY t.ts, t.line) AS place
        FROM taken AS t JOIN kinds AS k ON k.kind = t.event WHERE t.is_event) AS told
    WHERE event_id IS NULL OR place = 1"""
SAID = """
    SELECT DISTINCT COALESCE(model, '') AS model, currency FROM taken WHERE is_event AND currency IS NOT NULL"""
"""What events are in, by the model that they name."""
FOUND = """
    SELECT DISTINCT COALESCE(p.model, '') AS model, t.currency FROM taken AS t JOIN predictions AS p ON p.id = t.id
    WHERE t.is_event AND t.model IS NULL AND t.currency IS NOT NULL"""
"""What events that name no model are in, by the model whose requests they found."""
RANKED_WITHIN = " || ' ' || CAST(CAST(ts AS DATE) AS VARCHAR)"
"""Added to the name of a query: a ranking is one within its day, so that a day can be counted again alone."""
STATEMENT_FEATURES = 12
"""Spark takes longer than DuckDB to plan a statement."""
PIECES = 4
"""In which the sums of a statement come to the driver: each is a job of its own, and one of them is held in memory."""
REQUESTS = feature_rollup.Requests("predictions", who="who", quarter="quarter")


class Counter:
    """Counts what was taken in.

    Args:
        spark: The session.
        learnt: Where the sums go; learns the models.
        config: What values and events mean.
        taken: Good records; requests only of the days that are counted.
    """

    def __init__(self, spark: SparkSession, learnt: Learnt, config: Config, taken: DataFrame) -> None:
        self._spark = spark
        self._learnt = learnt
        self._config = config
        self._engagements: Sequence[str] = ()
        """Kinds that are followed."""
        taken.createOrReplaceTempView("taken")

    def count(self) -> None:
        """Fill every rollup of the driver's store."""
        self._view("placed", PLACED)
        kept = [self._kept("predictions", "SELECT * FROM placed WHERE id IS NULL OR place = 1")]
        told = outcomes.latest(f"({OUTCOMES}) AS told")
        self._view("outcomes", f"SELECT *, CAST(0 AS BIGINT) AS came FROM ({told}) AS told")
        self._learn_kinds()
        self._view("events", EVENTS)
        self._learn_models()
        there = set(self._spark.table("predictions").columns)
        present = [row.number for row in self._learnt.registry.features.values() if row.column in there]
        settings = self._config.outputs
        parts = slices.columns(self._learnt.connection, self._learnt.registry, settings=settings).of(present)
        kept.append(self._kept("scored", fold.scored_of_all(parts)))
        for rollup, select, values in self._statements(parts, present):
            self._collect(rollup, select, values)
        for frame in kept:
            frame.unpersist()

    def _view(self, name: str, select: str) -> DataFrame:
        frame = self._spark.sql(to_spark(select))
        frame.createOrReplaceTempView(name)
        return frame

    def _kept(self, name: str, select: str) -> DataFrame:
        """Return a view that is worked out once, though many statements read it."""
        frame = self._view(name, select).persist()
        frame.createOrReplaceTempView(name)
        return frame

    def _table(self, name: str, rows: list[Any], schema: str) -> None:
        self._spark.createDataFrame(rows, schema).createOrReplaceTempView(name)

    def _learn_kinds(self) -> None:
        settings = self._config.business
        counts = self._rows("SELECT event, COUNT(*) AS n FROM taken WHERE is_event GROUP BY event")
        classes = {kind: events.class_of(kind, settings) for kind, _ in counts}
        self._table("kinds", list(classes.items()), "kind string, class string")
        engaged = [(kind, n) for kind, n in counts if classes[kind] == "engagement"]
        self._engagements = event_kinds.follow(self._learnt.connection, engaged, settings)
        said = self._rows(SAID)
        if len({currency for _, currency in said}) > 1:
            said += self._rows(FOUND)
        for model, currency in said:
            insert = "INSERT INTO events (model, currency) VALUES (?, ?)"
            self._learnt.connection.execute(insert, [model, currency])
        past = f"""(SELECT COALESCE(model, '') AS model, ts FROM taken
            WHERE is_event AND epoch_us(ts) <= {time.time_ns() // 1000}) AS past"""
        for model, at in self._rows(newest_sql(past)):
            insert = "INSERT INTO events (model, ts) VALUES (?, make_timestamp(?))"
            self._learnt.connection.execute(insert, [model, at])

    def _rows(self, select: str) -> list[Any]:
        return list(self._spark.sql(to_spark(select)).collect())

    def _learn_models(self) -> None:
        registry, connection = self._learnt.registry, self._learnt.connection
        there = set(self._spark.table("predictions").columns)
        columns = [row for row in registry.features.values() if row.column in there]
        counts = "".join(f', COUNT("{row.column.replace(chr(34), chr(34) * 2)}")' for row in columns)
        for model, *present in self._rows(
            f"SELECT model{counts} FROM predictions WHERE NOT failed GROUP BY model"
        ):
            if model not in registry.models:
                where = f"predictions WHERE model = {literal(model)} AND NOT failed"
                (told,) = self._rows(f"SELECT {fold.TASK_COUNTS} FROM {where}")
                registry.add_model(model, ModelRow(self._config.roles.task or fold.task_by(told), None))
            numbers = [row.number for row, values in zip(columns, present, strict=True) if values]
            registry.add_model_features(model, numbers)
        rows = connection.execute("SELECT feature, category, bin FROM categories").fetchall()
        self._table("categories", rows, "feature int, category string, bin int")

    def _statements(
        self, parts: slices.Columns, present: Sequence[int]
    ) -> Iterator[tuple[Rollup, str, Mapping[str, object]]]:
        registry = self._learnt.registry
        numeric, free = registry.plain_models()
        plain = [*numeric, *free]
        yield rollups.TRAFFIC, rollups.traffic_sql("predictions"), {}
        yield rollups.LATENCY, rollups.latency_sql("predictions"), {}
        yield rollups.DECIDED, rollups.decided_sql("predictions", plain), {}
        if (answers := protected.statement(registry, "predictions", parts)) is not None:
            yield ANSWERS, answers, {}
        features = [*registry.feature_bins(present), *registry.lacking(present, registry.models)]
        for group in fold.in_groups(features, STATEMENT_FEATURES):
            yield rollups.FEATURES, feature_rollup.features_sql(REQUESTS, group), {}
        yield rollups.OUTCOMES, rollups.outcomes_sql("scored", numeric, free), {}
        yield rollups.SCORES, rollups.scores_sql("scored", plain), {}
        yield rollups.LAGS, rollups.lags_sql("scored"), {}
        if (labels := fold.label_values_sql(registry)) is not None:
            yield rollups.FEATURES, labels, {}
        names = {column.feature.number: column.name for column in parts.columns}
        if names:
            yield rollups.SEGMENTS, rollups.segments_sql("scored", names, numeric, free), {}
        brought = {
            name: f"({select}) AS {name}"
            for name, select in events.of_all(self._config, self._engagements).items()
        }
        yield rollups.BUSINESS, rollups.business_sql(brought["gains"]), {}
        yield rollups.WORTH, rollups.worth_sql(brought["worth"]), {}
        yield rollups.EVENT_VALUES, rollups.event_values_sql(brought["measured"]), {}
        yield output_rollups.EVENT_LAGS, output_rollups.event_lags_sql(brought["converted"]), {}
        for select, values in constraints.statements(registry, self._config):
            yield rollups.CONSTRAINTS, select, values
        for rollup, select in self._outputs(parts, present):
            yield rollup, select, {}

    def _outputs(self, parts: slices.Columns, present: Sequence[int]) -> Iterator[tuple[Rollup, str]]:
        """Yield what is counted of errors, tokens, texts, probabilities, quantiles, residuals and rankings."""
        registry, settings = self._learnt.registry, self._config.outputs
        have = [outputs.raw_name(number) for number, _ in parts.raw]
        yield output_rollups.KINDS, output_rollups.kinds_sql("predictions")
        yield from outputs.request_statements(registry, settings, "predictions", registry.models, present)
        yield from outputs.scored_statements(registry, settings, "scored", have)
        items = [
            *rankings.requests_statements(registry, settings, "predictions", present, RANKED_WITHIN),
            *rankings.scored_statements(registry, settings, have, RANKED_WITHIN),
        ]
        if items:
            self._view("ranked", " UNION ALL ".join(items))
            yield output_rollups.RANKINGS, output_rollups.rankings_sql("ranked", 1)

    def _collect(self, rollup: Rollup, select: str, values: Mapping[str, object]) -> None:
        """Bring the sums over: as JSON lines, which carry every double exactly."""
        from pyspark.sql import functions as F  # noqa: N812, PLC0415

        kinds = {"bucket": "TIMESTAMP", "model": "VARCHAR", "version": "VARCHAR"}
        kinds |= {**rollup.keys, **rollup.measures}
        frame = self._spark.sql(to_spark(select, values))
        mine = {name: kind for name, kind in kinds.items() if name in frame.columns}
        columns = [
            F.unix_micros(F.col(name).cast("timestamp_ltz")).alias(name)
            if kind == "TIMESTAMP"
            else F.col(name)
            for name, kind in mine.items()
        ]
        lines = frame.select(F.to_json(F.struct(*columns))).coalesce(PIECES)
        with tempfile.TemporaryDirectory() as place:
            spool = Path(place) / "sums.jsonl"
            with spool.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for (line,) in lines.toLocalIterator(prefetchPartitions=True))
            self._insert(rollup, mine, spool)

    def _insert(self, rollup: Rollup, kinds: Mapping[str, str], spool: Path) -> None:
        read = {name: "BIGINT" if kind == "TIMESTAMP" else kind for name, kind in kinds.items()}
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in read.items())
        times = ", ".join(
            f"make_timestamp({name}) AS {name}" for name, kind in kinds.items() if kind == "TIMESTAMP"
        )
        self._learnt.connection.execute(f"""
            INSERT INTO {rollup.table(rollup.levels[0])} BY NAME
            SELECT * REPLACE ({times}) FROM read_json({file_literal(spool)}, format = 'newline_delimited',
                columns = {{{columns}}})""")
