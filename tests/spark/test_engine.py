"""What Spark counts is what DuckDB counts, in every table that it fills: `make test-spark`."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from mlwatch.cli import main
from mlwatch.store import lake, rollups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
MILLION = 1_000_000
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


def write_small(logs: Path) -> None:
    asked = list(requests(1))
    write(logs / "requests-1.jsonl", asked[:700])
    write(logs / "requests-2.jsonl", [*asked[700:], *asked[900:910]])  # as a shipper that lost its place
    write(logs / "labels.jsonl", labels(2))
    write(logs / "events.jsonl", events(3))
    (logs / "mlwatch.toml").write_text(CONFIG, encoding="utf-8")


def write_million(logs: Path) -> None:
    """Write a million requests with labels and events over a day, and what features are binned after."""
    logs.mkdir()
    asked = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400) AS timestamp, 'r' || i AS id,
            CASE WHEN i % 3 = 0 THEN 'prices' ELSE 'clicks' END AS model, 'v' || (1 + hash(i) % 2) AS version,
            CASE WHEN i % 3 = 0 THEN CAST(hash(i, 5) % 1000 / 8 AS VARCHAR) WHEN hash(i, 1) % 2 = 0 THEN 'yes'
                ELSE 'no' END AS prediction,
            hash(i, 2) % 10_000 / 10_000 AS score, hash(i, 3) % 100_000 / 256 AS latency_ms,
            CASE WHEN hash(i, 4) % 97 = 0 THEN 503 ELSE 200 END AS status,
            {{'amount': CASE WHEN hash(i, 6) % 50 > 0 THEN hash(i, 7) % 4096 / 32 END,
                'country': ['de', 'fr', 'it'][1 + hash(i, 8) % 3]}} AS features
        FROM range({MILLION}) AS t (i)"""
    told = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400 + 600_000_000) AS timestamp, 'r' || i AS id,
            CASE WHEN i % 3 = 0 THEN CAST(hash(i, 9) % 1000 / 8 AS VARCHAR) WHEN hash(i, 10) % 2 = 0 THEN 'yes'
                ELSE 'no' END AS label
        FROM range({MILLION}) AS t (i) WHERE i % 2 = 0"""
    bought = f"""
        SELECT TIMESTAMP '2026-11-03' + to_microseconds(i * 86_400 + 60_000_000) AS timestamp, 'r' || i AS id,
            'purchase' AS event, 'e' || i AS event_id, hash(i, 11) % 4096 / 64 AS value, 'EUR' AS currency
        FROM range({MILLION}) AS t (i) WHERE i % 9 = 0"""
    with duckdb.connect() as engine:
        for name, select in (("requests", asked), ("labels", told), ("events", bought)):
            engine.execute(f"COPY ({select}) TO '{logs / name}.jsonl' (FORMAT json)")
        some = (
            f"SELECT model, prediction, score, features.amount, features.country FROM ({asked}) LIMIT 20_000"
        )
        engine.execute(f"COPY ({some}) TO '{logs / 'reference.parquet'}'")
    (logs / "mlwatch.toml").write_text(CONFIG, encoding="utf-8")


def write_samples(logs: Path) -> None:
    shutil.copytree(Path(__file__).parents[2] / "sample_logs", logs)


@contextmanager
def cluster(place: Path) -> Iterator[str]:
    """Run a standalone master with two workers of one core; yields its address."""
    import pyspark

    spark = Path(pyspark.__file__).parent / "bin" / "spark-class"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"spark://127.0.0.1:{port}"
    place.mkdir()
    (place / "spark-defaults.conf").write_text("spark.sql.shuffle.partitions 4\nspark.executor.memory 900m\n")
    own = {"SPARK_CONF_DIR": str(place), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    master = ["master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [*("worker.Worker", "--cores", "1", "--memory", "1g", "--webui-port", "0"), address]
    before = {name: os.environ.get(name) for name in own}
    os.environ |= own
    running = []
    try:
        for number, (kind, *rest) in enumerate((master, worker, worker)):
            log = (place / f"{number}.log").open("w")
            command = [str(spark), f"org.apache.spark.deploy.{kind}", *rest]
            running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=place))
        deadline = time.monotonic() + 120
        while (place / "0.log").read_text().count("Registering worker") < 2:
            assert time.monotonic() < deadline, (place / "0.log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def local(_: Path) -> Iterator[str]:
    yield "local[2]"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((write_small, local), id="small"),
        pytest.param((write_small, cluster), id="small, standalone"),
        pytest.param((write_samples, local), id="sample_logs"),
        pytest.param((write_million, local), id="million", marks=pytest.mark.slow),
    ],
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Roll one log up with both engines."""
    write_logs, running = request.param
    root = tmp_path_factory.mktemp("engines")
    logs = root / "logs"
    write_logs(logs)
    made = {engine: root / engine for engine in ("duckdb", "spark")}
    assert main(["rollup", str(logs), "-o", str(made["duckdb"]), "--db", ":memory:"]) == 0
    with running(root / "cluster") as address:
        by_spark = ["--engine", "spark", "--master", address]
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
def test_both_engines_count_the_same(
    made: dict[str, Path], rollup: rollups.Rollup, request: pytest.FixtureRequest
) -> None:
    expected, found = (rows(made[engine], rollup) for engine in ("duckdb", "spark"))
    if "small" in request.node.name:
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
