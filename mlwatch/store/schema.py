"""The tables of the store, and how a store of an earlier version is brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.asking import all_or_nothing, meta_value
from mlwatch.sources.canonical import BOOLEANS
from mlwatch.sources.sql import identifier
from mlwatch.store import (
    event_kinds,
    events,
    outcomes,
    output_rollups,
    probes,
    reference_tables,
    rollups,
    server_sums,
)
from mlwatch.store.protected import ANSWERS
from mlwatch.store.rollup import bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

VERSION = 28

BASE_COLUMNS = {
    "ts": "TIMESTAMP",
    "id": "VARCHAR",
    "h": "UBIGINT",
    "model": "VARCHAR",
    "version": "VARCHAR",
    "prediction": "VARCHAR",
    "score": "DOUBLE",
    "label": "VARCHAR",
    "latency_ms": "DOUBLE",
    "status": "INTEGER",
    "failed": "BOOLEAN",
    "error": "VARCHAR",
    "unit": "VARCHAR",
    "invalid": "VARCHAR",
}
"""Columns of `predictions` before its features. `h` is a hash of `id`: joins and duplicate checks scan it alone."""

WORKING_COLUMNS = frozenset(
    {
        "is_plain",
        "known_category",
        "known_bin",
        "known|cell",
        "known|code",
        "known|edge",
        "known|next|edge",
        "line",
        "event",
        "value",
        "currency",
        "event_id",
        "is_request",
        "is_outcome",
        "is_event",
        "bad",
        "duplicate",
        "predicted",
        "who",
        "quarter",
        "bucket",
        "bin",
        "weight",
        "file_row_number",
        "own_model",
        "unread_number",
    }
)
"""Columns of a batch on its way in."""


def predictions_ddl(features: str = "") -> str:
    """Return the statement that creates `predictions`, with further columns behind a comma."""
    columns = ", ".join(f"{name} {kind}" for name, kind in BASE_COLUMNS.items())
    ids = columns.replace("id VARCHAR", "id VARCHAR USING COMPRESSION uncompressed", 1)
    return f"CREATE OR REPLACE TABLE predictions ({ids}{features})"


_WAITING = "CREATE TABLE waiting (format VARCHAR, key VARCHAR, side VARCHAR, record VARCHAR)"
"""Requests that wait for their responses, and the reverse, where a format logs them apart."""

_SIDES = "CREATE TABLE sides (format VARCHAR, model VARCHAR, side VARCHAR, newest TIMESTAMP)"
"""The newest request and the newest response of such a format that were seen of each model."""

_SILENCES = (
    "CREATE TABLE silences (rule VARCHAR, about VARCHAR, word VARCHAR, said_at TIMESTAMP, until TIMESTAMP)",
    "CREATE TABLE told (rule VARCHAR, about VARCHAR, message VARCHAR)",
)
"""What people said about alerts, and the alerts that people were told of."""

_REFERENCE_WINDOWS = "CREATE TABLE reference_windows (feature INTEGER, part INTEGER, bin INTEGER, n BIGINT)"
"""The reference's rows by tenths, in order of time."""

TABLES = (
    _WAITING,
    _SIDES,
    output_rollups.RANKED,
    *probes.TABLES,
    *probes.GOLDEN,
    *probes.METRICS,
    server_sums.TABLE,
    "CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR)",
    predictions_ddl(),
    """CREATE TABLE outcomes (
        id VARCHAR, h UBIGINT, model VARCHAR, label VARCHAR, ts TIMESTAMP, matched BOOLEAN, came BIGINT)""",
    """CREATE TABLE events (
        id VARCHAR, h UBIGINT, model VARCHAR, kind VARCHAR, class VARCHAR, value DOUBLE, currency VARCHAR,
        event_id VARCHAR, ts TIMESTAMP, matched BOOLEAN, unit VARCHAR, any_model BOOLEAN)""",
    """CREATE TABLE files (
        file INTEGER PRIMARY KEY, path VARCHAR, device VARCHAR, inode VARCHAR, size BIGINT, mtime_ns BIGINT,
        format VARCHAR, offset_bytes BIGINT, lines BIGINT, records BIGINT, rejected BIGINT,
        head_length INTEGER, head BLOB, tail_length INTEGER, tail BLOB,
        state VARCHAR, reason VARCHAR, shape VARCHAR)""",
    """CREATE TABLE batches (
        batch INTEGER, taken_at TIMESTAMP, bytes BIGINT, records BIGINT, rows BIGINT, predictions BIGINT,
        outcomes BIGINT, events BIGINT, rejected BIGINT, duplicates BIGINT,
        outcomes_unmatched BIGINT, events_unmatched BIGINT, newest TIMESTAMP)""",
    "CREATE TABLE quarantine (seen_at TIMESTAMP, file VARCHAR, line BIGINT, reason VARCHAR, raw VARCHAR)",
    "CREATE TABLE shapes (key VARCHAR PRIMARY KEY, roles VARCHAR, document VARCHAR)",
    "CREATE TABLE features (feature INTEGER PRIMARY KEY, name VARCHAR, column_name VARCHAR, kind VARCHAR)",
    "CREATE TABLE model_features (model VARCHAR, feature INTEGER)",
    "CREATE TABLE models (model VARCHAR PRIMARY KEY, task VARCHAR, positive_class VARCHAR)",
    "CREATE TABLE bins (feature INTEGER PRIMARY KEY, kind VARCHAR, edges DOUBLE[], source VARCHAR)",
    "CREATE TABLE categories (feature INTEGER, category VARCHAR, bin INTEGER)",
    "CREATE TABLE reference (feature INTEGER, bin INTEGER, n BIGINT, total DOUBLE)",
    *map(reference_tables.ddl, reference_tables.COLUMNS),
    *_SILENCES,
    _REFERENCE_WINDOWS,
    "CREATE TABLE notices (said_at TIMESTAMP, severity VARCHAR, topic VARCHAR, message VARCHAR, resolved BOOLEAN)",
    """CREATE TABLE alerts (
        rule VARCHAR, model VARCHAR, version VARCHAR, state VARCHAR, severity VARCHAR, message VARCHAR,
        value DOUBLE, since TIMESTAMP, breached TIMESTAMP, resolved TIMESTAMP)""",
)


def create(connection: DuckDBPyConnection, *, rolled_up: bool = True) -> None:
    """Create all tables in an empty database; those of the rollups are most of them."""
    with all_or_nothing(connection):
        for statement in TABLES:
            connection.execute(statement)
        for rollup in rollups.ALL if rolled_up else ():
            for level in rollup.levels:
                connection.execute(rollup.ddl(level))
        connection.execute("INSERT INTO meta VALUES ('schema', ?)", [str(VERSION)])


def version_of(connection: DuckDBPyConnection) -> int | None:
    """Return the schema version of an open database; None when it is empty."""
    # of this database alone: for those of the engine it would make all of its own views first
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    if not tables:
        return None
    if ("meta",) not in tables:
        return 0
    said = meta_value(connection, "schema")
    return int(said) if said is not None and said.isdigit() else 0


_SCORED_BEFORE = f"""({rollups.decided_sql("predictions", ())}) AS scored
    WHERE model IN (SELECT model FROM models WHERE task IN ('binary', 'multiclass'))"""
_SAMPLING = tuple(rollups.SAMPLING.ddl(level) for level in rollups.SAMPLING.levels)
_DECIDED = (
    *(
        f"ALTER TABLE {rollups.SCORES.table(level)} ADD COLUMN prediction VARCHAR"
        for level in rollups.SCORES.levels
    ),
    *(rollups.DECIDED.ddl(level) for level in rollups.DECIDED.levels),
    *(
        f"INSERT INTO {rollups.DECIDED.table(level)} BY NAME "
        + rollups.DECIDED.merged(_SCORED_BEFORE, bucket(level, "bucket"))
        for level in rollups.DECIDED.levels
    ),
)
_LABELLED = f"""({rollups.lags_sql(outcomes.labelled())}) AS labelled"""
_LAGS = (
    *(rollups.LAGS.ddl(level) for level in rollups.LAGS.levels),
    *(
        f"INSERT INTO {rollups.LAGS.table(level)} BY NAME "
        + rollups.LAGS.merged(_LABELLED, bucket(level, "bucket"))
        for level in rollups.LAGS.levels
    ),
)
_NET = f"({rollups.worth_sql(events.worth_of_all())}) AS netted"
_WORTH = (
    *(rollups.WORTH.ddl(level) for level in rollups.WORTH.levels),
    *(
        f"INSERT INTO {rollups.WORTH.table(level)} BY NAME "
        + rollups.WORTH.merged(_NET, bucket(level, "bucket"))
        for level in rollups.WORTH.levels
    ),
)
_OUTPUTS = (
    output_rollups.RANKED,
    *(rollup.ddl(level) for rollup in output_rollups.OUTPUTS for level in rollup.levels),
    *(
        f"ALTER TABLE {rollups.OUTCOMES.table(level)} ADD COLUMN sum_ape_sq DOUBLE"
        for level in rollups.OUTCOMES.levels
    ),
    "INSERT OR REPLACE INTO meta VALUES ('outputs_as', 'not counted yet')",
)
"""The stored rows are counted into them at the next ingest, which knows what their columns mean."""
_TEXTUAL = "SELECT model FROM models WHERE task = 'unknown'"
_WORDS = f"({output_rollups.vocabulary_sql('predictions', _TEXTUAL)}) AS hashed"
_VOCABULARY = tuple(
    statement
    for level in output_rollups.MEASURES.levels
    for statement in (
        f"DELETE FROM {output_rollups.MEASURES.table(level)} WHERE measure = '{output_rollups.VOCABULARY}'",
        f"INSERT INTO {output_rollups.MEASURES.table(level)} BY NAME "
        + output_rollups.MEASURES.merged(_WORDS, bucket(level, "bucket")),
    )
)
"""Words went into other buckets, by a hash that was the engine's own: those of the stored rows are counted again."""
_BOOLEANS = (
    f"""CREATE OR REPLACE TEMP TABLE named AS
    SELECT feature, CASE WHEN category IN {BOOLEANS} THEN LOWER(category) ELSE category END AS category,
        MIN(bin) AS bin FROM categories GROUP BY ALL""",
    "DELETE FROM categories",
    "INSERT INTO categories FROM named",
    "DROP TABLE named",
    """UPDATE meta SET value = replace(replace(value, '"True"', '"true"'), '"False"', '"false"')
    WHERE key = 'reference_losses'""",
)
"""Tables write `True` for the `true` of JSON: the names that were known are those of JSON now."""


def _rename_booleans(connection: DuckDBPyConnection) -> None:
    """Name truth values of the stored rows as those of rows to come."""
    columns = connection.execute("SELECT column_name FROM features WHERE kind = 'categorical'").fetchall()
    for (name,) in columns:
        column = identifier(name)
        connection.execute(f"UPDATE predictions SET {column} = LOWER({column}) WHERE {column} IN {BOOLEANS}")


_ENGAGEMENTS = f"""INSERT INTO meta
    SELECT '{event_kinds.SINCE}', strftime(MAX(ts), '%Y-%m-%d %H:%M:%S') FROM predictions HAVING COUNT(*) > 0"""
"""Kinds of engagement are followed from then on: what they brought before is partly gone."""

_LABEL_SUMS = tuple(
    f"ALTER TABLE {rollups.SEGMENTS.table(level)} ADD COLUMN IF NOT EXISTS {name} {rollups.SEGMENTS.measures[name]}"
    for level in rollups.SEGMENTS.levels
    for name in ("n_label", "sum_label", "sum_label_sq")
)
"""Labels of regressions are summed by segment from then on."""

_UNITS = tuple(
    f"ALTER TABLE events ADD COLUMN IF NOT EXISTS {name} {kind}"
    for name, kind in (("unit", "VARCHAR"), ("any_model", "BOOLEAN"))
)
"""Events that were joined by user are known from then on; what was joined before stays with its prediction."""

_SIDES_OF_QUANTILES = tuple(
    f"ALTER TABLE {rollup.table(level)} ADD COLUMN IF NOT EXISTS {name} {rollup.measures[name]}"
    for rollup in (output_rollups.QUANTILES,)
    for level in rollup.levels
    for name in ("n_sides", "under", "over")
)
"""Labels are told apart by the side of a quantile on which they lie from then on."""

_LABELLED_ALONE = """
    SELECT time_bucket(INTERVAL '900 seconds', ts) AS bucket, model, version, -COUNT(*) AS n,
        -SUM(CASE WHEN ideal > 0 THEN 1 ELSE 0 END) AS n_relevant,
        -SUM(CASE WHEN ideal > 0 THEN dcg / ideal END) AS ndcg,
        -SUM(CASE WHEN ideal > 0 THEN dcg * dcg / ideal / ideal END) AS ndcg_sq,
        -SUM(reciprocal) AS reciprocal, -SUM(reciprocal * reciprocal) AS reciprocal_sq,
        -SUM(CASE WHEN reciprocal * 10 >= 0.999999 THEN 1 ELSE 0 END) AS hits
    FROM (SELECT model, version, query, MIN(ts) AS ts,
            SUM(relevance * n / LOG2(place + 1) * CASE WHEN place <= 10 THEN 1 ELSE 0 END) AS dcg,
            SUM(relevance * n / LOG2(best + 1) * CASE WHEN best <= 10 THEN 1 ELSE 0 END) AS ideal,
            MAX(CASE WHEN relevance > 0 THEN 1e0 / place ELSE 0 END) AS reciprocal
        FROM (SELECT *, row_number() OVER (PARTITION BY model, version, query ORDER BY position, relevance) AS place,
                row_number() OVER (PARTITION BY model, version, query ORDER BY relevance DESC) AS best
            FROM (SELECT model, version, query, position, relevance, MIN(ts) AS ts, SUM(weight) AS n FROM ranked
                GROUP BY model, version, query, position, relevance HAVING SUM(weight) > 0))
        GROUP BY model, version, query)
    GROUP BY 1, 2, 3"""
"""What takes back the rankings of `ranked` as they were counted, by the places of items among the labelled ones."""
RANKINGS_AS, NOT_PLACED = "rankings_as", "not placed yet"
"""In `meta`, where the stored items of rankings are to be counted by their places among all that were logged."""
_PLACES = (
    *(
        f"INSERT INTO {output_rollups.RANKINGS.table(level)} BY NAME "
        + output_rollups.RANKINGS.merged(f"({_LABELLED_ALONE}) AS former", bucket(level, "bucket"))
        for level in output_rollups.RANKINGS.levels
    ),
    # what is left is labelled, and its records have gone
    """DELETE FROM ranked WHERE EXISTS (FROM predictions AS p
        WHERE p.ts = ranked.ts AND p.model = ranked.model AND p.version = ranked.version)""",
    f"INSERT OR REPLACE INTO meta VALUES ('{RANKINGS_AS}', '{NOT_PLACED}')",
)
"""Rankings that are forgotten stay as they were counted; the others are counted again when logs are next read, by what
the configuration says of their columns then."""

MIGRATIONS: dict[int, tuple[str | Callable[[DuckDBPyConnection], None], ...]] = {
    1: (_WAITING,),
    2: (_SIDES,),
    3: probes.TABLES,
    4: _SAMPLING,
    5: _DECIDED,
    6: probes.GOLDEN,
    7: tuple(rollups.SEGMENTS.ddl(level) for level in rollups.SEGMENTS.levels),
    8: (reference_tables.ddl("labels"),),
    9: _LAGS,
    10: tuple(rollups.CONSTRAINTS.ddl(level) for level in rollups.CONSTRAINTS.levels),
    11: probes.METRICS,
    12: _SILENCES,
    13: (_REFERENCE_WINDOWS,),
    14: probes.CONDITIONS,
    15: _WORTH,
    16: (*probes.RECOGNISED, *server_sums.TABLES),
    17: _OUTPUTS,
    18: server_sums.HITS,
    19: _VOCABULARY,
    20: (),  # labels of regressions are among the counts of features since then, where nobody knew them before
    21: (),  # and so are the leaves of the tree of losses
    22: (*_BOOLEANS, _rename_booleans),
    23: (_ENGAGEMENTS,),
    24: (
        *map(reference_tables.ddl, ("label_windows", "outcomes", "classes", "importance", "ranks")),
        *_LABEL_SUMS,
    ),
    25: tuple(rollups.EVENT_VALUES.ddl(level) for level in rollups.EVENT_VALUES.levels),
    26: (
        # the stored answers are counted with the next batch, by what the configuration says then
        *_SIDES_OF_QUANTILES,
        *(ANSWERS.ddl(level) for level in ANSWERS.levels),
        "ALTER TABLE outcomes ADD COLUMN came BIGINT",  # what was read before came before what will be
    ),
    27: (*_PLACES, *_UNITS),
}
"""Statements, and what depends on the columns of a store, that lead from the given version to the next."""


def migrate(connection: DuckDBPyConnection, version: int) -> None:
    """Bring an older store up to date in one transaction."""
    with all_or_nothing(connection):
        for step in range(version, VERSION):
            for work in MIGRATIONS[step]:
                if isinstance(work, str):
                    connection.execute(work)
                else:
                    work(connection)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [str(VERSION)])
