"""A row of a table of labels whose label is still to come is read, and says nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import lines, prediction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def table(known: int, *, timed: bool) -> pd.DataFrame:
    """Return labels of the first predictions, and rows without one for the others."""
    labels = [float(n % 3 == 0) if n < known else None for n in range(60)]
    at = "2026-11-04T00:00:00Z"
    times = [at if timed or label is not None else None for label in labels]
    return pd.DataFrame({"request_id": [f"r{n}" for n in range(60)], "label": labels, "timestamp": times})


@pytest.mark.usual(1)
@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_it_is_no_rejected_record_and_a_later_file_fills_it(
    logs: Path, opened: Callable[[], Any], kind: str, timed: bool
) -> None:
    def write(name: str, labels: pd.DataFrame) -> None:
        if kind == "csv":
            labels.to_csv(logs / f"{name}.csv", index=False)
        elif kind == "jsonl":
            labels.to_json(logs / f"{name}.jsonl", orient="records", lines=True)
        else:
            labels.to_parquet(logs / f"{name}.parquet")

    (logs / "app.jsonl").write_text(lines(prediction(n) for n in range(60)))
    write("labels", table(40, timed=timed))
    with opened() as session:
        found = session.snapshot()
        total = found.ingest
        assert (total.records, total.rows, total.rejected, total.duplicates) == (120, 120, 0, 0)
        assert (total.predictions, total.outcomes, total.outcomes_unmatched) == (60, 40, 0)
        assert found.models["m"].versions["v1"].labelled == 40
        write("later", table(60, timed=timed)[35:])
        session.ingest_all()
        found = session.snapshot()
        total = found.ingest
    assert total.rows + total.rejected + total.duplicates == total.records == 145
    assert (total.rejected, total.duplicates, total.outcomes) == (0, 5, 60)
    version = found.models["m"].versions["v1"]
    right = sum((n % 3 == 0) == n % 2 for n in range(60))
    assert version.labelled == 60
    assert version.performance["accuracy"].value == pytest.approx(right / 60, abs=1e-12)


def test_a_row_without_an_id_is_still_rejected(logs: Path, opened: Callable[[], Any]) -> None:
    (logs / "app.jsonl").write_text(lines(prediction(n) for n in range(60)))
    rows = "".join(f"r{n},{n % 2},2026-11-04T00:00:00Z\n" for n in range(30))
    (logs / "labels.csv").write_text(f"request_id,label,timestamp\n{rows},,2026-11-04T00:00:00Z\n")
    with opened() as session:
        total = session.snapshot().ingest
    assert (total.records, total.rejected, total.outcomes) == (91, 1, 30)
