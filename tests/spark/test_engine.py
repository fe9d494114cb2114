"""What Spark counts is what DuckDB counts, in every table, on one machine and on a cluster: `make test-spark`."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import sparklogs
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.config import ConstraintSettings
from mlwatch.store import lake, rollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.store.rollup import Rollup

MISSING = [
    name
    for name, there in (("PySpark", importlib.util.find_spec("pyspark")), ("Java", shutil.which("java")))
    if not there
]
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} is not installed: make test-spark"),
]
TOLERANCE = 1e-12
"""Relative. Engines add in orders of their own, so a sum whose terms cancel could be off by more: here the errors of a
minute leave at least a ten-thousandth of their sizes, and a double holds sixteen digits."""
QUICK = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
"""Of so little, Java takes longer to compile its best code than to count."""

Rows = dict[tuple[Any, ...], dict[str, Any]]


@contextmanager
def standalone(place: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a standalone master with two workers of one core; yields its address, and what its clients need."""
    import pyspark

    spark = Path(pyspark.__file__).parent / "bin" / "spark-class"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"spark://127.0.0.1:{port}"
    place.mkdir()
    (place / "spark-defaults.conf").write_text("spark.sql.shuffle.partitions 4\nspark.executor.memory 900m\n")
    own = QUICK | {
        "SPARK_CONF_DIR": str(place),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    at = ("--host", "127.0.0.1", "--webui-port", "0")
    master = ["master.Master", *at, "--port", str(port)]
    worker = ["worker.Worker", *at, "--cores", "1", "--memory", "1g", address]
    running = []
    try:
        for number, (kind, *rest) in enumerate((master, worker, worker)):
            command = [str(spark), f"org.apache.spark.deploy.{kind}", *rest]
            with (place / f"{number}.log").open("w") as log:
                running.append(
                    subprocess.Popen(command, stdout=log, stderr=log, cwd=place, env=os.environ | own)
                )
        deadline = time.monotonic() + 120
        while (said := (place / "0.log").read_text()).count("Registering worker") < 2:
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        yield address, own
        done = (place / "0.log").read_text()
        assert done.count("Launching executor") >= 2, done
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=30)


@contextmanager
def local(_: Path) -> Iterator[tuple[str, dict[str, str]]]:
    yield "local[2]", QUICK


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(sparklogs.write_small, id="small"),
        pytest.param(sparklogs.write_samples, id="sample_logs"),
        pytest.param(sparklogs.write_million, id="million", marks=pytest.mark.slow),
    ],
)
def by_duckdb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return logs, and what DuckDB counts of them."""
    root = tmp_path_factory.mktemp("engines")
    logs, made = root / "logs", root / "duckdb"
    request.param(logs)
    assert main(["rollup", str(logs), "-o", str(made), "--db", ":memory:"]) == 0
    return logs, made


@pytest.fixture(scope="module", params=[local, standalone], ids=["local", "standalone"])
def made(request: pytest.FixtureRequest, by_duckdb: tuple[Path, Path]) -> tuple[Path, Path]:
    """Return what DuckDB counts and what Spark counts."""
    logs, expected = by_duckdb
    target = logs.parent / request.param.__name__
    with request.param(logs.parent / "cluster") as (address, own):
        command = [sys.executable, "-m", "mlwatch", "rollup", str(logs), "-o", str(target)]
        command += ["--engine", "spark", "--master", address]
        done = subprocess.run(
            command, env=os.environ | own, stderr=subprocess.PIPE, text=True, check=False, timeout=1800
        )
    assert done.returncode == 0, done.stderr
    assert lake.manifest(target)["engine"] == "spark"
    return expected, target


def rows(path: Path, rollup: Rollup) -> Rows:
    """Return measures by keys, features by their names: their numbers are each engine's own."""
    files = sorted((path / rollup.name).glob("*.parquet"))
    if not files:
        return {}
    named = rollup.keys.get("feature") == "INTEGER"
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
    return {row[:width]: dict(zip(rollup.measures, row[width:], strict=True)) for row in found}


def error(found: Any, expected: Any) -> float:
    """Return how far a number is from another, relative to it; what is no float is equal or not."""
    if found == expected:
        return 0.0
    if not isinstance(found, float) or not isinstance(expected, float):
        return math.inf
    return abs(found - expected) / abs(expected) if expected else math.inf


@pytest.mark.parametrize("rollup", rollups.ALL, ids=lambda rollup: rollup.name)
def test_both_engines_count_the_same(
    made: tuple[Path, Path], rollup: Rollup, request: pytest.FixtureRequest
) -> None:
    expected, found = (rows(path, rollup) for path in made)
    if "small" in request.node.name:
        assert expected or rollup is rollups.SAMPLING, "the log has something for every table"
    assert set(found) == set(expected)
    worst = max(
        (
            (error(found[key][name], value), name, key, found[key][name], value)
            for key, row in expected.items()
            for name, value in row.items()
        ),
        key=lambda each: each[0],
        default=(0.0,),
    )
    assert worst[0] <= TOLERANCE, worst


def requests(day: int, count: int) -> str:
    return lines(
        prediction(n, request_id=f"{day}-{n}", timestamp=f"2026-11-{day:02d}T10:{n // 60:02d}:{n % 60:02d}Z")
        for n in range(count)
    )


def labels(day: int, count: int) -> str:
    records = (
        {"timestamp": "2026-11-09T00:00:00Z", "request_id": f"{day}-{n}", "label": n % 2}
        for n in range(count)
    )
    return "".join(json.dumps(record) + "\n" for record in records)


def sums(path: Path, rollup: Rollup) -> dict[str, int]:
    found: Counter[str] = Counter()
    for key, values in rows(path, rollup).items():
        found[f"{key[0]:%d}"] += values["n"]
    return dict(found)


def test_a_lake_follows_logs_and_settings_that_change(tmp_path: Path) -> None:
    from mlwatch.config import load
    from mlwatch.spark.cluster import session
    from mlwatch.spark.rolling import roll

    logs, path, config = tmp_path / "logs", tmp_path / "lake", load(None)
    logs.mkdir()
    for day in (1, 2, 3):
        (logs / f"{day}.jsonl").write_text(requests(day, 60))
    (logs / "labels.jsonl").write_text(labels(2, 20))
    with session("local[2]") as spark:
        assert roll(spark, str(logs), config, path, None).days > 0
        assert roll(spark, str(logs), config, path, None).read == 0
        (logs / "3.jsonl").write_text(requests(4, 61))
        (logs / "labels.jsonl").write_text(labels(1, 30))
        assert roll(spark, str(logs), config, path, None).lost == ()
        assert sums(path, rollups.TRAFFIC) == {"01": 60, "02": 60, "04": 61}
        assert sums(path, rollups.OUTCOMES) == {"01": 30}
        (path / "r_traffic" / "2026-11-02.parquet").unlink()
        assert roll(spark, str(logs), config, path, None).days == 1
        assert sums(path, rollups.TRAFFIC) == {"01": 60, "02": 60, "04": 61}
        (logs / "2.jsonl").unlink()
        other = replace(config, schema={"age": ConstraintSettings(min=0.0)})
        assert roll(spark, str(logs), other, path, None).lost == ("2026-11-02",)
        assert sums(path, rollups.TRAFFIC) == {"01": 60, "02": 60, "04": 61}
        assert set(sums(path, rollups.CONSTRAINTS)) == {"01", "04"}
