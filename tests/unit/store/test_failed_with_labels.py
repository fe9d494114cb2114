"""A request that failed is one, also where its label stands beside it in a table of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from logfiles import lines, prediction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def table(missing: float) -> pd.DataFrame:
    """Return a regression's table of a thousand rows, with a tenth of the predictions missing."""
    draw = np.random.default_rng(4)
    label = draw.normal(100, 10, 1000)
    return pd.DataFrame(
        {
            "timestamp": pd.date_range("2026-11-20 08:00", periods=1000, freq="9s"),
            "request_id": [f"r{n}" for n in range(1000)],
            "version": "v1",
            "f": draw.normal(size=1000),
            "g": draw.choice(list("xyz"), 1000),
            "prediction": np.where(draw.random(1000) < 0.1, missing, label + 1),
            "label": label,
        }
    )


@pytest.mark.parametrize("missing", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table_without_a_prediction_have_failed(
    logs: Path, opened: Callable[[], Any], kind: str, missing: float
) -> None:
    rows = table(missing)
    rows.to_csv(logs / "a.csv", index=False) if kind == "csv" else rows.to_parquet(logs / "a.parquet")
    failed = int((~np.isfinite(rows.prediction)).sum())
    with opened() as session:
        found = session.snapshot()
    version = found.models["logs"].versions["v1"]
    assert (found.ingest.predictions, found.ingest.outcomes, found.ingest.outcomes_unmatched) == (
        1000,
        1000,
        0,
    )
    assert (version.predictions, version.labelled) == (1000, 1000 - failed)
    assert version.errors.rate == pytest.approx(failed / 1000, abs=1e-12)
    assert version.performance["mae"].value == pytest.approx(1, abs=1e-9)


def test_outcomes_among_predictions_stay_outcomes(logs: Path, opened: Callable[[], Any]) -> None:
    later = "2026-11-04T00:00:00Z"
    records = [prediction(n, label=None) for n in range(30)]
    records += [{"request_id": f"r{n}", "label": 1, "timestamp": later} for n in range(5)]
    records += [
        {"request_id": f"r{n}", "label": 1, "timestamp": later, "labeller": "kim"} for n in range(5, 10)
    ]
    records += [  # a row joined from a warehouse: inputs again, but no version
        {"request_id": f"r{n}", "label": 1, "timestamp": later, "features": {"age": 1.0}}
        for n in range(10, 15)
    ]
    (logs / "a.jsonl").write_text(lines(records))
    with opened() as session:
        found = session.snapshot()
    assert (found.ingest.predictions, found.ingest.outcomes) == (30, 15)
    assert list(found.models["m"].versions) == ["v1"]
    version = found.models["m"].versions["v1"]
    assert (version.labelled, version.errors.rate) == (15, 0)


def test_a_failure_of_one_version_of_a_pair_counts(logs: Path, opened: Callable[[], Any]) -> None:
    answered = [prediction(n, label=n % 2) for n in range(30)]
    failed = [prediction(n, version="v2", label=n % 2) for n in range(30)]
    for record in failed:
        for role in ("prediction", "score", "latency_ms", "status"):
            del record[role]
    (logs / "a.jsonl").write_text(lines([*answered, *failed]))
    with opened() as session:
        versions = session.snapshot().models["m"].versions
    assert {name: one.errors.rate for name, one in versions.items()} == {"v1": 0, "v2": 1}
