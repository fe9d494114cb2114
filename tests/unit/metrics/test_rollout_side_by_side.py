"""Metrics that are judged side by side, in blocks of rows, are judged as each of them alone, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlwatch.metrics.rollout import align, plan_rollout, tally
from mlwatch.metrics.rollout_fold import RunningFold
from mlwatch.metrics.rollout_judge import judge_metrics
from mlwatch.metrics.rollout_tally_moments import BLOCK
from mlwatch.metrics.rollout_types import (
    ArmSeries,
    MeanSeries,
    ProportionSeries,
    RolloutSettings,
    default_metric,
)

NAMES = ("accuracy", "revenue", "conversion", "mae")
SETTINGS = RolloutSettings(
    metrics=tuple(default_metric(name, method="normal") for name in NAMES),
    inflation={"accuracy": 1.5, "mae": 2.5},
    stratum_minutes=1,
)


def _arm(seed: int, minutes: int) -> ArmSeries:
    """Return minutes without requests, with one, and with some, of which not all have labels."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(2, minutes)
    labelled = rng.binomial(n, 0.5)
    money, loss = (rng.exponential(scale, (minutes, 20)) for scale in (3.0, 0.4))

    def mean(values: np.ndarray, units: np.ndarray) -> MeanSeries:
        kept = np.where(np.arange(20) < units[:, None], values, 0)
        return MeanSeries(units, kept.sum(axis=1), (kept**2).sum(axis=1))

    return ArmSeries(
        np.arange(minutes),
        n,
        {
            "accuracy": ProportionSeries(labelled, rng.binomial(labelled, 0.1)),
            "conversion": ProportionSeries(n, rng.binomial(n, 0.7)),
            "revenue": mean(money, n),
            "mae": mean(loss, labelled),
        },
    )


@pytest.mark.parametrize("running", [False, True])
def test_metrics_are_judged_side_by_side_as_they_are_alone(running: bool) -> None:
    rows = BLOCK + 700  # more than a block
    strata = align(_arm(1, rows), _arm(2, rows), SETTINGS)
    plan = plan_rollout(strata, SETTINGS)
    assert {metric.test for metric in plan.metrics} == {"normal"}
    together = judge_metrics(tally(strata, plan, RunningFold()), plan)
    for number, metric in enumerate(plan.metrics):
        alone = replace(plan, metrics=(metric,))
        if running:
            (judged,) = judge_metrics(tally(strata, alone, RunningFold()), alone)
            last = slice(None)
        else:
            totals = tally(strata, alone)
            moment = type(totals)(
                *(
                    {
                        key: {name: values[None] for name, values in columns.items()}
                        for key, columns in part.items()
                    }
                    for part in (totals.sums, totals.peaks)
                )
            )
            (judged,) = judge_metrics(moment, alone)
            last = slice(-1, None)
        for field in (
            "status",
            "log_e",
            "baseline",
            "difference",
            "low",
            "high",
            "limit",
            "ratio",
            "ratio_low",
        ):
            found = getattr(together[number], field)[last]
            np.testing.assert_allclose(found, getattr(judged, field), rtol=1e-9, atol=1e-9, err_msg=field)
    assert {int(code) for judged in together for code in judged.status} >= {0, 1}
