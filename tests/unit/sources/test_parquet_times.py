"""Times in Parquet of every unit, with a zone and without: pandas and others write all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import mlwatch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usual(1)
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Oslo"])
def test_times_of_every_unit_and_zone_are_read(tmp_path: Path, unit: str, zone: str | None) -> None:
    times = pd.date_range("2026-07-01T10:00:00.250", periods=50, freq="s", tz=zone).as_unit(unit)  # type: ignore[arg-type]
    table = pd.DataFrame(
        {"timestamp": times, "request_id": [f"r{i}" for i in range(50)], "prediction": [0, 1] * 25}
    )
    table.to_parquet(tmp_path / "log.parquet")
    with mlwatch.open(tmp_path, db=":memory:") as opened:
        ((first, count),) = opened.query("SELECT MIN(ts), COUNT(*) FROM predictions")[1]
        assert not opened.snapshot().alerts
    expected = times[0] if zone is None else times[0].tz_convert("UTC").tz_localize(None)
    assert (pd.Timestamp(first), count) == (expected, 50)
