"""Make a prediction log of any size, deterministically and fast: DuckDB writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

NUMERIC, CATEGORICAL = 15, 5
SPAN_HOURS = 24
EPOCH = "TIMESTAMP '2026-11-03 00:00:00'"


def make(directory: Path, rows: int) -> tuple[Path, Path]:
    """Write `rows` predictions (20 features, two versions, one day) as JSON lines and as Parquet.

    Args:
        directory: Gets `jsonl-ROWS/log.jsonl` and `parquet-ROWS/log.parquet`; what is there already is kept.
        rows: Number of records; a million is about 520 MB of JSON.

    Returns:
        The two directories.
    """
    lines, table = directory / f"jsonl-{rows}", directory / f"parquet-{rows}"
    if not (lines / "log.jsonl").exists() or not (table / "log.parquet").exists():
        lines.mkdir(parents=True, exist_ok=True)
        table.mkdir(parents=True, exist_ok=True)
        _write(lines / "log.jsonl", table / "log.parquet", rows)
    return lines, table


def _write(lines: Path, table: Path, rows: int) -> None:
    features = [
        *(f"'num_{j:02d}': round({j} + {1 + j} * {_normal(j)}, 5)" for j in range(NUMERIC)),
        *(f"'cat_{j}': 'c' || (hash(i * 31 + {100 + j}) % 30)" for j in range(CATEGORICAL)),
    ]
    step_us = SPAN_HOURS * 3_600_000_000 / rows
    query = f"""
        SELECT strftime({EPOCH} + to_microseconds(CAST(i * {step_us} AS BIGINT)), '%Y-%m-%dT%H:%M:%S.%fZ') AS timestamp,
            md5(CAST(i AS VARCHAR)) AS request_id, 'm' AS model,
            CASE WHEN hash(i) % 5 = 0 THEN 'v2' ELSE 'v1' END AS version,
            {{{", ".join(features)}}} AS features,
            CAST(hash(i + 7) % 2 AS INTEGER) AS prediction, round({_uniform(900)}, 5) AS score,
            round(exp(3 + 0.5 * {_normal(901)}), 3) AS latency_ms, 200 AS status
        FROM range({rows}) AS r(i)"""
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '2GB'")
    connection.execute(f"COPY ({query}) TO '{table}' (FORMAT parquet)")
    connection.execute(f"COPY (FROM '{table}') TO '{lines}' (FORMAT json)")


def _uniform(salt: int) -> str:
    return f"((hash(i * 1000003 + {salt}) % 1000003) / 1000003.0)"


def _normal(salt: int) -> str:
    """Return an expression that is about standard normal: a sum of uniforms, centred."""
    return f"(({_uniform(salt)} + {_uniform(salt + 300)} + {_uniform(salt + 600)} - 1.5) * 2)"
