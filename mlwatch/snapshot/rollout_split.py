"""A/A: split the baseline's past traffic at random, and see how noisy two equal versions are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mlwatch.errors import InputError
from mlwatch.metrics.bin_sql import latency_bin_sql
from mlwatch.metrics.rollout_calibration import Calibration, calibrate
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.rollout import settle
from mlwatch.snapshot.rollout_calibration import store_inflation
from mlwatch.snapshot.rollout_rows import requests_sql
from mlwatch.snapshot.rollout_series import Arms, Pairing, Sums, arms_of
from mlwatch.snapshot.rollout_units import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.metrics.rollout_types import ArmSeries
    from mlwatch.snapshot.rollout_history import Subject

FEWEST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What the splits of one baseline found."""

    model: str
    baseline: str
    requests: int
    before_candidate: bool
    """Whether there was enough traffic before the candidate; else all of the baseline's traffic was split."""
    result: Calibration


def calibrate_baseline(
    connection: DuckDBPyConnection, subject: Subject, config: Configured, splits: int
) -> Calibrated:
    """Split past traffic of a baseline, and keep the inflation that was found.

    Args:
        connection: A cursor of this thread; it writes to the store.
        subject: The model and its versions.
        config: What is judged.
        splits: How many random splits.

    Raises:
        InputError: when there is too little traffic.
    """
    life = subject.roles.baseline
    if life is None:
        raise InputError("there is no baseline", subject.model, "name it with --baseline")
    first = min((each.first for each in subject.roles.candidates), default=subject.end)
    name = life.pair.version
    requests = _take(connection, Pairing(subject.model, subject.task, name, name, life.first, first), config)
    before = requests >= FEWEST_ROWS
    if not before:
        whole = Pairing(
            subject.model, subject.task, name, name, life.first, subject.end + timedelta(seconds=1)
        )
        requests = _take(connection, whole, config)
    if requests < FEWEST_ROWS:
        raise InputError(
            f"{name} has only {requests:,} requests", subject.model, f"calibrate with {FEWEST_ROWS:,} or more"
        )
    pairing = Pairing(subject.model, subject.task, name, name, *_range(connection))
    arms = _split(connection, pairing, 0)
    settings = settle(
        connection, replace(pairing, candidate=f"{name} again"), config, arms, config.alpha
    ).settings
    result = calibrate(
        _splits(connection, pairing, arms, splits),
        replace(settings, inflation=None, share=None, hard_limits=()),
    )
    store_inflation(connection, subject.model, name, result.inflation)
    return Calibrated(subject.model, name, requests, before, result)


def _take(connection: DuckDBPyConnection, pairing: Pairing, config: Configured) -> int:
    """Copy the newest requests with what came of them, and return how many there are.

    They are split by the unit where the logs have one, unless the rollout splits requests: users stay on one side.
    """
    unit = "" if config.unit in REQUESTS - {None} else "p.unit, "
    who = f"hash(COALESCE({unit}p.id, CAST(p.ts AS VARCHAR))) AS who, "
    bins = f"{latency_bin_sql('p.latency_ms')} AS bin,"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE aa AS {requests_sql(who + bins)}",
        [pairing.model, pairing.baseline, pairing.start, pairing.end],
    )
    row = connection.execute("SELECT COUNT(*) FROM aa").fetchone()
    return int(row[0]) if row else 0


def _range(connection: DuckDBPyConnection) -> tuple[Any, Any]:
    row = connection.execute("SELECT MIN(ts), MAX(ts) + INTERVAL 1 SECOND FROM aa").fetchone()
    return (row[0], row[1]) if row else (None, None)


def _splits(
    connection: DuckDBPyConnection, pairing: Pairing, first: Arms, splits: int
) -> Iterator[tuple[ArmSeries, ArmSeries]]:
    yield first.baseline, first.candidate
    for seed in range(1, splits):
        arms = _split(connection, pairing, seed)
        yield arms.baseline, arms.candidate


def _split(connection: DuckDBPyConnection, pairing: Pairing, seed: int) -> Arms:
    """Sum each random half up by stratum, as the rollups would."""
    minutes = pairing.minutes
    head = f"""SELECT CAST(epoch_us(ts) // {60_000_000 * minutes} AS INTEGER) * {minutes} AS minute,
        CAST(hash(who, {int(seed)}) % 2 AS TINYINT) AS is_candidate"""
    traffic = fetch(
        connection,
        f"""{head}, COUNT(*) AS n, SUM(CAST(failed AS INTEGER)) AS failed, COUNT(latency_ms) AS n_latency,
            SUM(latency_ms) AS latency, SUM(latency_ms * latency_ms) AS latency_sq,
            CAST(epoch_us(MAX(ts)) // 60000000 AS INTEGER) AS last_minute
        FROM aa GROUP BY ALL""",
    )
    error = "TRY_CAST(prediction AS DOUBLE) - TRY_CAST(label AS DOUBLE)"
    outcomes = fetch(
        connection,
        f"""{head}, COUNT(*) AS n, SUM(CAST(label <> prediction AS INTEGER)) AS bad, COUNT(error) AS n_number,
            SUM(ABS(error)) AS sum_abs, SUM(error * error) AS sum_sq, SUM(POWER(error, 4)) AS sum_err4
        FROM (SELECT *, {error} AS error FROM aa WHERE label IS NOT NULL AND NOT failed) GROUP BY ALL""",
    )
    gains = [
        fetch(
            connection,
            f"""{head}, '{name}' AS class, SUM({first}) AS n_first, SUM({value}) AS value, SUM({value} * {value}) AS
            value_sq FROM aa WHERE {where} GROUP BY ALL""",
        )
        for name, first, value, where in (
            ("conversion", "1", "0", "conversion"),
            ("engagement", "1", "0", "engagement"),
            ("net", "1", "net", "net IS NOT NULL"),
        )
    ]
    latencies = fetch(
        connection, f"{head}, bin, CAST(COUNT(*) AS INTEGER) AS n FROM aa WHERE bin IS NOT NULL GROUP BY ALL"
    )
    return arms_of(pairing.task, minutes, Sums(traffic, outcomes, _stacked(gains), latencies))


def _stacked(tables: list[Table]) -> Table:
    names = tables[0].columns
    return Table({name: np.concatenate([table[name] for table in tables]) for name in names})
