from __future__ import annotations

import json
import math

from mlwatch.metrics.estimate import Estimate, estimate, undefined


def test_defined_estimate_writes_value_n_and_interval() -> None:
    assert estimate(0.9, 10, (0.8, 0.95), "Wilson").to_dict() == {
        "value": 0.9,
        "n": 10,
        "low": 0.8,
        "high": 0.95,
        "method": "Wilson",
    }


def test_undefined_estimate_writes_null_n_and_reason() -> None:
    assert undefined("no labels yet", 3).to_dict() == {"value": None, "n": 3, "reason": "no labels yet"}


def test_numbers_that_are_not_finite_never_get_out() -> None:
    for bad in (math.nan, math.inf, -math.inf):
        shown = Estimate(bad, n=2, low=0.0, high=1.0)
        assert not shown.defined
        assert json.loads(json.dumps(shown.to_dict(), allow_nan=False))["value"] is None
        assert shown.to_dict()["reason"]
        open_ended = Estimate(1.0, n=2, low=bad, high=2.0).to_dict()
        assert open_ended["low"] is None
        assert open_ended["value"] == 1.0
