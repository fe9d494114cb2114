"""What the answers in words of a reference are like: their lengths, and their words hashed into buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.store import fold, output_rollups, rollups
from mlwatch.store.outputs import TEXT_LENGTH
from mlwatch.store.rollup import QUARTER

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEASURES = {rollups.LENGTH: output_rollups.CHARACTERS, rollups.VOCABULARY: output_rollups.VOCABULARY}
"""Measures of answers by the numbers that a reference counts them under."""
NUMBERS = ", ".join(map(str, MEASURES))
NUMBER = (
    "CASE measure " + " ".join(f"WHEN '{name}' THEN {number}" for number, name in MEASURES.items()) + " END"
)
"""The number of a row of the rollup of measures."""
OF_ANSWERS = f"measure IN ('{output_rollups.CHARACTERS}', '{output_rollups.VOCABULARY}')"
"""Whether it is of answers in words."""


def learn(connection: DuckDBPyConnection) -> None:
    """Count the answers of the temporary table `given` beside the features of the reference, where they are words."""
    for table in ("reference", "reference_windows"):
        connection.execute(f"DELETE FROM {table} WHERE feature IN ({NUMBERS})")
    if not fold.is_text(connection, "given"):
        return
    # its windows take the place of time: each becomes a bucket
    at = f"TIMESTAMP '1970-01-01' + quarter * INTERVAL {QUARTER} SECOND"
    answers = f"(SELECT * REPLACE ('' AS model, '' AS version, {at} AS ts) FROM given) AS given"
    lengths = [(output_rollups.CHARACTERS, TEXT_LENGTH, "prediction IS NOT NULL")]
    for number, counted in (
        (rollups.LENGTH, output_rollups.measures_sql(answers, lengths)),
        (rollups.VOCABULARY, output_rollups.vocabulary_sql(answers, "''")),
    ):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {counted}")
        connection.execute(
            f"INSERT INTO reference SELECT {number}, bin, SUM(n), SUM(total) FROM counted GROUP BY bin"
        )
        connection.execute(f"""
            INSERT INTO reference_windows
            SELECT {number}, CAST(epoch(bucket) // {QUARTER} AS INTEGER), bin, SUM(n)
            FROM counted GROUP BY ALL""")
