"""A candidate that gets easier requests than the baseline: what a rollout says of the mix, against pandas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import mlwatch
from mlwatch.metrics.standardised import standardised

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
ROWS = 6_000


def traffic(easy: tuple[float, float], loss: float, *, number: bool = False) -> pd.DataFrame:
    """Return labelled requests of two versions.

    Args:
        easy: Share of easy requests by version.
        loss: How much worse the candidate is in each kind of request.
        number: Whether it predicts numbers.
    """
    rng = np.random.default_rng(3)
    new = rng.random(ROWS) < 0.5
    hard = rng.random(ROWS) >= np.where(new, easy[1], easy[0])
    harm = np.where(hard, 0.4, 0.1) + np.where(new, loss, 0)
    label = rng.integers(0, 2, ROWS)
    prediction = (
        label + rng.normal(0, harm) if number else np.where(rng.random(ROWS) < harm, 1 - label, label)
    )
    times = [(START + timedelta(seconds=i)).isoformat() for i in range(ROWS)]
    version = np.where(new, "v2", "v1")
    light = np.where(hard, "dark", "day")
    return pd.DataFrame(
        {"timestamp": times, "model": "m", "version": version, "light": light, "prediction": prediction, "label": label}
    )  # fmt: skip


def said(directory: Path, rows: pd.DataFrame) -> list[str]:
    """Return what the rollout says of the mix."""
    directory.mkdir(exist_ok=True)
    rows.to_json(directory / "a.jsonl", orient="records", lines=True)
    with mlwatch.open(directory, db=":memory:") as watch:
        (found,) = watch.snapshot().rollouts
    return [reason for reason in found.reasons if "another mix" in reason]


def gaps(rows: pd.DataFrame, loss: pd.Series) -> tuple[float, float]:
    """Return the crude difference of losses, and that of Mantel and Haenszel."""
    crude = loss.groupby(rows.version).mean()
    cells = loss.groupby([rows.light, rows.version]).agg(["mean", "size"]).unstack()
    n_old, n_new = cells["size"]["v1"], cells["size"]["v2"]
    weight = n_old * n_new / (n_old + n_new)
    within = (cells["mean"]["v2"] - cells["mean"]["v1"]) * weight
    return float(crude["v2"] - crude["v1"]), float(within.sum() / weight.sum())


def test_easier_requests_are_told_with_the_accuracy_at_the_same_mix(tmp_path: Path) -> None:
    rows = traffic((0.5, 0.9), 0.05)
    crude, adjusted = gaps(rows, (rows.prediction != rows.label).astype(float))
    assert crude < 0 < adjusted
    day = 100 * (rows.light == "day").groupby(rows.version).mean()
    (text,) = said(tmp_path, rows)
    assert text == (
        f"v2 gets another mix of light than v1 (day: {day['v2']:.2g} % of its labelled predictions, "
        f"{day['v1']:.2g} % of v1's): at the same mix its accuracy is {100 * adjusted:.2g} points below v1's, "
        f"not {-100 * crude:.2g} points above"
    )


def test_a_regression_is_told_in_its_own_unit(tmp_path: Path) -> None:
    rows = traffic((0.3, 0.8), 0.0, number=True)
    crude, adjusted = gaps(rows, (rows.prediction - rows.label).abs())
    (text,) = said(tmp_path, rows)
    side = "above" if adjusted > 0 else "below"
    assert f"at the same mix its mean absolute error is {abs(adjusted):.2g} {side} v1's" in text
    assert text.endswith(f"not {-crude:.2g} below")


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(traffic((0.5, 0.5), 0.05), id="the same mix"),
        pytest.param(traffic((0.5, 0.9), 0.05)[:900], id="few"),
        pytest.param(traffic((0.5, 0.9), 0.05).assign(prediction=1, label=1), id="as easy"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_not_told(tmp_path: Path, rows: pd.DataFrame) -> None:
    assert said(tmp_path, rows) == []


def test_versions_without_a_segment_in_common_cannot_be_compared() -> None:
    apart: Any = np.array([[10.0, 0.0], [0.0, 10.0]])
    assert standardised(apart, apart / 2) is None


def test_within_strata_is_what_is_left_without_the_mix() -> None:
    n, wrong = np.array([[100.0, 900.0], [900.0, 100.0]]), np.array([[50.0, 90.0], [450.0, 10.0]])
    found = standardised(n, wrong)
    assert found is not None
    assert (found.apart, found.crude, found.adjusted) == pytest.approx((0.8, 0.32, 0.0))
