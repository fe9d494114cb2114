"""Measure a rollout verdict over 30 days of minutes and its incremental update, against their budgets.

Part of `make bench`, which runs it in a process of its own with one thread: the matrices are small, and waiting for a
second core that is busy elsewhere costs more than it saves. Prints the milliseconds as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics.rollout import align, judge_rollout, plan_rollout, rollout_verdict, tally
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    FloatArray,
    HistogramSeries,
    MeanSeries,
    MetricSpec,
    ProportionSeries,
    RolloutSettings,
    default_metric,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = 30 * 1_440
EDGES = np.exp(np.arange(0, 351) * np.log(1.02))  # 1 ms to 1 s in bins of 2 %
VERDICT_MS, MINUTE_MS = 50.0, 2.0
"""Budgets."""


def arm(rng: np.random.Generator, minutes: int, requests: int) -> ArmSeries:
    """Return one arm's minutes with eight metrics' series."""
    n = rng.poisson(requests, minutes)
    latency = rng.multinomial(requests, _latency_weights(), minutes).astype(np.int32)
    histogram = HistogramSeries(EDGES, latency)
    value = rng.normal(2.0 * n, 3.0 * np.sqrt(n))
    return ArmSeries(
        np.arange(minutes, dtype=np.int64),
        n,
        {
            "accuracy": ProportionSeries(n, rng.binomial(n, 0.10)),
            "error_rate": ProportionSeries(n, rng.binomial(n, 0.005)),
            "conversion": ProportionSeries(n, n - rng.binomial(n, 0.04)),
            "engagement": ProportionSeries(n, n - rng.binomial(n, 0.3)),
            "revenue": MeanSeries(n, value, (13.0 * n).astype(np.float64)),
            "latency_mean": MeanSeries(n, value * 10, (1_300.0 * n).astype(np.float64)),
            "latency_p95": histogram,
            "latency_p99": histogram,
        },
    )


def _latency_weights() -> FloatArray:
    middle = np.log(np.sqrt(EDGES[1:] * EDGES[:-1]))
    weights = np.exp(-0.5 * ((middle - np.log(80)) / 0.5) ** 2)
    normalised: FloatArray = weights / weights.sum()
    return normalised


def specs() -> tuple[MetricSpec, ...]:
    """Return eight metrics, the quantiles with a frozen reference."""
    thresholds = {"latency_p95": 182.0, "latency_p99": 256.0}
    names = ["accuracy", "error_rate", "conversion", "engagement", "revenue", "latency_mean", *thresholds]
    return tuple(default_metric(name, threshold=thresholds.get(name)) for name in names)


def best_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the CPU time of the shortest of several runs: what the machine can do when left alone."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1_000 * min(times)


def measure() -> dict[str, float]:
    """Return the milliseconds that a verdict takes, and one more minute of it."""
    rng = np.random.default_rng(0)
    settings = RolloutSettings(metrics=specs(), share=0.5)
    baseline, candidate = arm(rng, MINUTES, 60), arm(rng, MINUTES, 60)
    strata = align(baseline, candidate, settings)
    plan = plan_rollout(strata, settings)
    totals = tally(strata, plan)
    minute = strata.rows(MINUTES - 1, MINUTES)
    return {
        "verdict": best_ms(lambda: rollout_verdict(baseline, candidate, settings), 25),
        "minute": best_ms(lambda: judge_rollout(totals + tally(minute, plan), plan), 200),
    }


def run(figure: Callable[[str, float, str, float], None]) -> None:
    """Measure in a process with one thread, and hand each figure on with its unit and budget."""
    done = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    found = json.loads(done.stdout)
    figure(f"verdict over {MINUTES:,} minutes x {len(specs())} metrics", found["verdict"], "ms", VERDICT_MS)
    figure("the same with one more minute", found["minute"], "ms", MINUTE_MS)


if __name__ == "__main__":
    print(json.dumps(measure()))  # noqa: T201 - a script's output
