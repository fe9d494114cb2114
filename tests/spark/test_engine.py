"""What Spark counts is what DuckDB counts: every table that it fills, on one small log: `make test-spark`."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from mlwatch.cli import main
from mlwatch.store import lake, rollups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MISSING = [
    name
    for name, there in (("PySpark", importlib.util.find_spec("pyspark")), ("Java", shutil.which("java")))
    if not there
]
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} is not installed: make test-spark"),
]

START = datetime(2026, 11, 3, 20, tzinfo=UTC)
REQUESTS = 600
"""Of each model, one in 40 seconds: beyond midnight."""
CONFIG = """
[business]
attribution = "1h"

[schema.amount]
min = 5
max = 90
[schema.country]
allowed = ["de", "fr"]
"""


def requests(seed: int) -> Iterator[dict[str, Any]]:
    """Yield decisions and values with all that a store counts: failures, gaps, odd values, repeats."""
    draw = random.Random(seed)
    for i in range(REQUESTS):
        ts = (START + timedelta(seconds=40 * i + draw.random())).isoformat()
        record: dict[str, Any] = {"timestamp": ts, "version": "v1" if i % 3 else "v2"}
        score = round(draw.betavariate(2, 3), 4)
        features = {
            "amount": draw.choice([round(draw.uniform(0, 100), 2), None, "n/a"]) if i % 9 == 0 else i % 97,
            "country": draw.choice(["de", "fr", "it", None]),
        }
        latency = {"latency_ms": round(draw.lognormvariate(3, 0.6), 3)}
        failed = i % 41 == 0
        yield (
            record
            | latency
            | {
                "id": f"c{i}",
                "model": "clicks",
                "status": 503 if failed else 200,
                "prediction": None if failed else ("yes" if score > 0.5 else "no"),
                "score": None if failed else score,
                "features": features,
            }
        )
        value = round(draw.gauss(50, 12), 3)
        yield (
            record
            | latency
            | {
                "id": f"p{i}",
                "model": "prices",
                "status": 200,
                "prediction": value,
                "label": round(value + draw.gauss(0, 5), 3) if i % 4 else None,
                "features": features,
            }
        )


def labels(seed: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    for i in range(0, REQUESTS, 2):
        ts = (START + timedelta(seconds=40 * i + draw.randint(60, 40_000))).isoformat()
        yield {"timestamp": ts, "id": f"c{i}", "label": draw.choice(["yes", "no", "no"])}


def events(seed: int) -> Iterator[dict[str, Any]]:
    """Yield what came of the decisions; one in a few comes too late to be their doing."""
    draw = random.Random(seed)
    for i in range(0, REQUESTS, 3):
        kind = draw.choice(["click", "purchase", "purchase", "refund", "thumbs_up", "thumbs_down"])
        ts = (START + timedelta(seconds=40 * i + draw.randint(60, 5_000))).isoformat()
        money = (
            {"value": round(draw.uniform(1, 80), 2), "currency": "EUR"}
            if kind in {"purchase", "refund"}
            else {}
        )
        yield {"timestamp": ts, "id": f"c{i}", "event": kind, "event_id": f"e{i}"} | money


def write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Roll one log up with both engines."""
    root = tmp_path_factory.mktemp("engines")
    logs = root / "logs"
    asked = list(requests(1))
    write(logs / "requests-1.jsonl", asked[:700])
    write(logs / "requests-2.jsonl", [*asked[700:], *asked[900:910]])  # as a shipper that lost its place
    write(logs / "labels.jsonl", labels(2))
    write(logs / "events.jsonl", events(3))
    (logs / "mlwatch.toml").write_text(CONFIG, encoding="utf-8")
    made = {engine: root / engine for engine in ("duckdb", "spark")}
    assert main(["rollup", str(logs), "-o", str(made["duckdb"]), "--db", ":memory:"]) == 0
    by_spark = ["--engine", "spark", "--master", "local[2]"]
    assert main(["rollup", str(logs), "-o", str(made["spark"]), *by_spark]) == 0
    return made


def rows(path: Path, rollup: rollups.Rollup) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return measures by keys, features by their names: their numbers are each engine's own."""
    files = sorted((path / rollup.name).glob("*.parquet"))
    if not files:
        return {}
    named = "feature" in rollup.keys and rollup.keys["feature"] == "INTEGER"
    keys = [
        "COALESCE(f.name, CAST(r.feature AS VARCHAR))" if named and key == "feature" else f"r.{key}"
        for key in rollup.key_names
    ]
    join = "LEFT JOIN read_parquet($features) AS f ON f.feature = r.feature" if named else ""
    given: dict[str, Any] = {"files": [str(file) for file in files]}
    if named:
        given["features"] = str(path / "tables" / "features.parquet")
    listed = ", ".join([*keys, *(f"r.{name}" for name in rollup.measures)])
    found = duckdb.execute(f"SELECT {listed} FROM read_parquet($files) AS r {join}", given).fetchall()
    width = len(keys)
    return {row[:width]: row[width:] for row in found}


FILLED = [
    *(rollups.TRAFFIC, rollups.LATENCY, rollups.FEATURES, rollups.OUTCOMES, rollups.SCORES, rollups.DECIDED),
    *(rollups.SEGMENTS, rollups.LAGS, rollups.BUSINESS, rollups.WORTH, rollups.CONSTRAINTS),
    *(one for one in rollups.ALL if one.name == "r_event_lags"),
]


@pytest.mark.parametrize("rollup", FILLED, ids=lambda rollup: rollup.name)
def test_both_engines_count_the_same(made: dict[str, Path], rollup: rollups.Rollup) -> None:
    expected, found = (rows(made[engine], rollup) for engine in ("duckdb", "spark"))
    assert expected, "the log has something for every table"
    assert set(found) == set(expected)
    for key, measures in found.items():
        wanted = [
            pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
            for value in expected[key]
        ]
        assert list(measures) == wanted, key


def test_what_is_not_counted_is_said(made: dict[str, Path]) -> None:
    from mlwatch.spark.counting import NOT_COUNTED

    assert {rollup.name for rollup in rollups.ALL} == {rollup.name for rollup in FILLED} | set(NOT_COUNTED)
    assert lake.manifest(made["spark"])["engine"] == "spark"
    assert not [name for name in NOT_COUNTED if any((made["spark"] / name).glob("*.parquet"))]
