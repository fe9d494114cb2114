"""A/A: split the baseline's past traffic at random, and see how noisy two equal versions are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlwatch.asking import number, row
from mlwatch.errors import InputError
from mlwatch.metrics.bin_sql import latency_bin_sql
from mlwatch.metrics.rollout_calibration import Calibration, calibrate
from mlwatch.snapshot.randomised import REQUESTS, settled, unit_sql
from mlwatch.snapshot.read import Table, fetch
from mlwatch.snapshot.reader import Reader
from mlwatch.snapshot.rollout_calibration import store_inflation
from mlwatch.snapshot.rollout_caps import Caps, frozen_caps
from mlwatch.snapshot.rollout_pairing import Pairing
from mlwatch.snapshot.rollout_positives import positive_sums
from mlwatch.snapshot.rollout_rows import requests_sql
from mlwatch.snapshot.rollout_series import Arms, Sums, arms_of, stratum_sql
from mlwatch.snapshot.rollout_settings import settle
from mlwatch.snapshot.rollout_units import Units, count_units, design_effects, with_units
from mlwatch.store.rollup import RESIDUAL

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.metrics.rollout_types import ArmSeries, RolloutSettings
    from mlwatch.snapshot.rollout_history import Subject

FEWEST_ROWS = 2_000
PARTS = 1_000_000
"""Parts of the traffic that a side is made of."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What the splits of one baseline found."""

    model: str
    baseline: str
    requests: int
    before_candidate: bool
    """Whether there was enough traffic before the candidate; else all of the baseline's traffic was split."""
    result: Calibration
    settings: RolloutSettings
    """How the splits were judged."""


def calibrate_baseline(
    connection: DuckDBPyConnection, subject: Subject, config: Config, splits: int
) -> Calibrated:
    """Split past traffic of a baseline, judge the splits as the rollout is judged, and keep the inflation found.

    Args:
        connection: A cursor of this thread; it writes to the store.
        subject: The model and its versions.
        config: What is judged, and which events are a prediction's doing.
        splits: How many random splits.

    Raises:
        InputError: when there is too little traffic.
    """
    life = subject.roles.baseline
    if life is None:
        raise InputError("there is no baseline", subject.judged.model, "name it with --baseline")
    tested = (*subject.roles.candidates, *subject.roles.withdrawn)
    came = min((each.first for each in tested), default=subject.end)
    config = replace(config, rollout=settled(Reader(connection), subject.judged.model, config))
    name = life.pair.version
    past = Pairing(subject.judged, name, name, life.first, came)
    requests = _take(connection, past, config)
    before = requests >= FEWEST_ROWS
    if not before:
        requests = _take(connection, replace(past, end=subject.end + timedelta(seconds=1)), config)
    if requests < FEWEST_ROWS:
        raise InputError(
            f"{name} has only {requests:,} requests",
            subject.judged.model,
            f"calibrate with {FEWEST_ROWS:,} or more",
        )
    start, end = _range(connection)
    newer = subject.roles.candidate
    other = newer.pair.version if newer is not None else "the next version"
    pairing = replace(past, candidate=other, start=start, end=end, came=came)
    caps = frozen_caps(Reader(connection), pairing.model, pairing.baseline, pairing.frozen)
    trial = _Trial(connection, pairing, config.rollout, caps)
    settings = trial.settings(config.rollout.alpha / subject.roles.tested)
    result = calibrate(lambda: map(trial.split, range(splits)), settings)
    store_inflation(connection, subject.judged.model, name, result.inflation)
    return Calibrated(subject.judged.model, name, requests, before, result, settings)


def _take(connection: DuckDBPyConnection, pairing: Pairing, config: Config) -> int:
    """Copy the newest requests with what came of them, and return how many there are.

    They are split by the unit where the logs have one, unless the rollout splits requests: users stay on one side.
    """
    named = config.rollout.unit
    unit = "p.unit" if named in REQUESTS else unit_sql(connection, pairing.model, str(named))
    who = "" if named in REQUESTS - {None} else f"{unit}, "
    columns = f"""{unit} AS unit, hash(COALESCE({who}p.id, CAST(p.ts AS VARCHAR))) AS who,
        {latency_bin_sql("p.latency_ms")} AS bin,"""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE aa AS
        SELECT *, {latency_bin_sql("net")} AS worth FROM ({requests_sql(columns, config=config)})""",
        [pairing.model, pairing.baseline, pairing.start, pairing.end],
    )
    return number(connection, "SELECT COUNT(*) FROM aa")


def _range(connection: DuckDBPyConnection) -> tuple[Any, Any]:
    begin, end = row(connection, "SELECT MIN(ts), MAX(ts) + INTERVAL 1 SECOND FROM aa")
    return begin, end


@dataclass(frozen=True, slots=True)
class _Trial:
    """A rollout of a version against itself, with the limits that one against the candidate has."""

    connection: DuckDBPyConnection
    pairing: Pairing
    config: Configured
    caps: Caps

    def settings(self, alpha: float) -> RolloutSettings:
        """Return how splits are judged: as the rollout will be, but for hard limits and what a calibration found."""
        settled = settle(Reader(self.connection), self.pairing, self.config, self._sums(0), alpha).settings
        plain = replace(settled, inflation=None, share=None, hard_limits=(), unjudged=(), unknown_roles="")
        if not self._units(0).count:
            return plain
        minutes = self.pairing.minutes
        self.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE by_unit AS
            SELECT *, {self._side(0)} AS side, {stratum_sql("ts", minutes)} AS stratum FROM aa WHERE unit IS NOT NULL"""
        )
        return replace(
            plain,
            unit=str(self.config.unit),
            design=design_effects(self.connection, plain.metrics, self.pairing.positive),
        )

    def split(self, seed: int) -> tuple[ArmSeries, ArmSeries]:
        """Return a random split."""
        arms, units = self._sums(seed), self._units(seed)
        arms = with_units(arms, units) if units.count else arms
        return arms.baseline, arms.candidate

    def _units(self, seed: int) -> Units:
        """Count users, where these are randomised."""
        if self.config.unit in REQUESTS:
            return Units()
        source = f"(SELECT unit, {self._side(seed)} AS side, ts FROM aa)"
        return count_units(self.connection, source, [], self.pairing.minutes)

    def _side(self, seed: int) -> str:
        """Return which side a request falls on, as a condition: as much of the traffic as the candidate gets."""
        share = self.config.share if isinstance(self.config.share, float) else 0.5
        return f"hash(who, {int(seed)}) % {PARTS} < {round(share * PARTS)}"

    def _sums(self, seed: int) -> Arms:
        """Sum each side up by stratum, as the rollups would."""
        head = f"""SELECT {stratum_sql("ts", self.pairing.minutes)} AS minute,
            CAST({self._side(seed)} AS TINYINT) AS is_candidate"""
        traffic = fetch(
            self.connection,
            f"""{head}, COUNT(*) AS n, SUM(CAST(failed AS INTEGER)) AS failed, COUNT(latency_ms) AS n_latency,
                SUM(latency_ms) AS latency, SUM(latency_ms * latency_ms) AS latency_sq,
                CAST(epoch_us(MAX(ts)) // 60000000 AS INTEGER) AS last_minute
            FROM aa GROUP BY ALL""",
        )
        outcomes = fetch(
            self.connection,
            f"""{head}, COUNT(*) AS n, COUNT(*) - COUNT(prediction) AS undecided, 0 AS n_wild,
                SUM(CAST(label <> prediction AS INTEGER)) AS bad, COUNT(error) AS n_number,
                SUM(ABS(error)) AS sum_abs, SUM(error * error) AS sum_sq, SUM(POWER(error, 4)) AS sum_err4,
                {positive_sums("1")}
            FROM (SELECT *, {RESIDUAL} AS error FROM aa WHERE label IS NOT NULL AND NOT failed) GROUP BY ALL""",
            {"positive": self.pairing.positive},
        )
        latencies = fetch(
            self.connection,
            f"{head}, bin, CAST(COUNT(*) AS INTEGER) AS n FROM aa WHERE bin IS NOT NULL GROUP BY ALL",
        )
        worth = fetch(
            self.connection,
            f"""{head}, worth AS bin, COUNT(*) AS n, SUM(net) AS value, SUM(net * net) AS value_sq
            FROM aa WHERE net IS NOT NULL GROUP BY ALL""",
        )
        sums = Sums(traffic, outcomes, self._gains(head), latencies, worth)
        return arms_of(self.pairing.task, self.pairing.minutes, sums, self.caps)

    def _gains(self, head: str) -> Table:
        classes = (
            ("conversion", "0", "conversion"),
            ("engagement", "0", "engagement"),
            ("net", "net", "net IS NOT NULL"),
        )
        return fetch(
            self.connection,
            " UNION ALL ".join(
                f"""{head}, '{name}' AS class, COUNT(*) AS n_first, SUM({value}) AS value,
                SUM({value} * {value}) AS value_sq FROM aa WHERE {where} GROUP BY 1, 2"""
                for name, value, where in classes
            ),
        )
