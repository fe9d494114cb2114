"""A short version of the simulation table: error rates under continuous looking, with fixed seeds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate_rollouts.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("simulate_rollouts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


simulation = _load()
RUNS = 400


@pytest.mark.parametrize("scenario", simulation.SCENARIOS, ids=lambda scenario: scenario.name)
def test_error_rates_hold_while_one_watches(scenario: Any) -> None:
    """False alarms ≤ 5 % and detection as expected, with three Monte-Carlo errors of slack on the latter."""
    outcome = scenario.run(np.random.default_rng(17), RUNS)
    expected = scenario.expected
    if scenario.must_fail:
        assert outcome.false > 0.9
        return
    assert outcome.false <= 0.05
    if expected.detected is not None:
        slack = 3 * np.sqrt(expected.detected * (1 - expected.detected) / RUNS)
        assert abs(outcome.detected - expected.detected) <= 0.03 + slack
    if expected.naive is not None:
        assert outcome.naive > 0.25  # the contrast: peeking at a p-value
