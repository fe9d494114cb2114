"""Detection, looks and golden probes against real servers: `make test-servers`."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from realservers import APPS, answers, free_port, free_ports, request, run, started, until, until_answers

from mlwatch.config import EndpointSettings
from mlwatch.config.polled import ProbeSettings
from mlwatch.endpoints.adapters.feast import METRICS_PORT
from mlwatch.endpoints.address import parse
from mlwatch.endpoints.golden import UNKNOWN, Baselines, GoldenProbe
from mlwatch.endpoints.server_metrics import since_start
from mlwatch.endpoints.target import Target
from mlwatch.endpoints.types import Probe, ServedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def look(
    url: str, directory: Path, sent: Any = None, known: Baselines | None = None, **settings: Any
) -> Probe:
    """Find out what answers at a URL and look at it once, with a golden probe where there is something to send."""
    of_probe = None
    if sent is not None:
        (directory / "golden.json").write_text(json.dumps(sent))
        of_probe = ProbeSettings(input="golden.json")
    endpoint = EndpointSettings(url=url, timeout=timedelta(seconds=20), probe=of_probe, **settings)
    golden = GoldenProbe("e", of_probe, directory.joinpath, known or Baselines()) if of_probe else None

    async def once() -> Probe:
        target = Target("e", parse(url), endpoint, directory.joinpath, golden=golden)
        try:
            return await target.probe(asyncio.get_running_loop().time())
        finally:
            await target.aclose()

    return asyncio.run(once())


def answer(probe: Probe) -> Any:
    """Return the first answer to the fixed input."""
    assert probe.golden is not None
    assert probe.golden.matches, probe.golden.reason
    assert probe.golden.first is not None
    return json.loads(probe.golden.first.answer)


@contextmanager
def mlflow(directory: Path, factor: float) -> Iterator[str]:
    model, port = directory / f"model-{factor}", free_port()
    run("mlflow", "python", str(APPS / "make_mlflow.py"), str(model), str(factor), cwd=directory)
    command = ("mlflow", "models", "serve", "-m", str(model), "-p", str(port), "--env-manager", "local")
    with started("mlflow", *command, cwd=directory) as log:
        until_answers(f"http://127.0.0.1:{port}/ping", log)
        yield f"http://127.0.0.1:{port}"


def test_mlflow(tmp_path: Path) -> None:
    known, sent = Baselines(), {"dataframe_split": {"columns": ["x"], "data": [[2.0], [3.0]]}}
    with mlflow(tmp_path, 2) as url:
        probe = look(url, tmp_path, sent, known)
    assert (probe.server, probe.up, probe.error, probe.served) == ("mlflow", True, "", ())
    assert answer(probe) == {"predictions": [4.0, 6.0]}
    with mlflow(tmp_path, 2.5) as url:
        changed = look(url, tmp_path, sent, known).golden
    assert changed is not None
    assert changed.reason == f"{UNKNOWN}: predictions[0]: 5 instead of 4 (1 apart), 1 more"
    assert changed.difference == 1.5


def test_bentoml(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "service.py").write_text((APPS / "service.py").read_text())
    command = ("bentoml", "serve", "service:Times", "--port", str(port), "--host", "127.0.0.1")
    with started(
        "bentoml", *command, cwd=tmp_path, env={"FACTOR": "2", "BENTOML_HOME": str(tmp_path)}
    ) as log:
        url = f"http://127.0.0.1:{port}"
        until_answers(f"{url}/livez", log, None)
        early = look(url, tmp_path)
        until_answers(f"{url}/readyz", log)
        probe = look(url, tmp_path, {"instances": [[2.0], [3.0]]})
    assert (early.server, early.live) == ("bentoml", True)
    assert (probe.server, probe.up, probe.error) == ("bentoml", True, "")
    assert answer(probe) == [4.0, 6.0]


def test_mlserver_with_one_model_that_still_loads(tmp_path: Path) -> None:
    first = free_ports(3)
    (tmp_path / "runtime.py").write_text((APPS / "runtime.py").read_text())
    ports = {"http_port": first, "grpc_port": first + 1, "metrics_port": first + 2}
    (tmp_path / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports}))
    for name, seconds in (("fraud", 0), ("slow", 20)):
        (tmp_path / name).mkdir()
        parameters = {"version": "v7", "extra": {"factor": 2.0, "seconds": seconds}}
        settings = {"name": name, "implementation": "runtime.Times", "parameters": parameters}
        (tmp_path / name / "model-settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{first}"
    sent = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [2.0, 3.0]}]}
    with started(
        "mlserver", "mlserver", "start", ".", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}
    ) as log:
        until_answers(f"{url}/v2/models/fraud/ready", log)
        loading, fraud = look(url, tmp_path), look(url, tmp_path, sent, model="fraud")
        until_answers(f"{url}/v2/health/ready", log)
        ready, unknown = look(url, tmp_path), look(url, tmp_path, model="nope")
    assert (loading.server, loading.live, loading.ready) == ("mlserver", True, False)
    assert loading.error
    assert (fraud.server, fraud.up) == ("mlserver", True)
    assert answer(fraud)["outputs"][0]["data"] == [4.0, 6.0]
    assert fraud.golden is not None
    assert fraud.golden.first is not None
    assert fraud.golden.first.version == "v7"
    assert ready.up
    assert set(ready.served) == {ServedVersion("fraud", "v7", True), ServedVersion("slow", "v7", True)}
    assert (unknown.live, unknown.ready) == (True, False)


def told(url: str, directory: Path, log: Path, wanted: str) -> Mapping[str, float]:
    """Look until the server says something about itself, where its kind says that it does."""
    found: dict[str, float] = {}

    async def once() -> None:
        target = Target(
            "e", parse(url), EndpointSettings(url=url, timeout=timedelta(seconds=20)), directory.joinpath
        )
        try:
            await target.probe(asyncio.get_running_loop().time())
            said = await target.scrape(asyncio.Semaphore(1))
            found.update(since_start(target.last_scrape) if said is not None and target.last_scrape else {})
        finally:
            await target.aclose()

    def says() -> bool:
        asyncio.run(once())
        return wanted in found

    until(says, log)
    return found


def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, dashboard = free_port(), free_port()
    monkeypatch.setattr("mlwatch.endpoints.adapters.ray.DASHBOARD", dashboard)
    (tmp_path / "application.py").write_text((APPS / "application.py").read_text())
    (tmp_path / "start.py").write_text(
        "import time, ray\nfrom ray import serve\nfrom application import app\n"
        f"ray.init(num_cpus=2, include_dashboard=True, dashboard_host='127.0.0.1', dashboard_port={dashboard})\n"
        f"serve.start(http_options={{'host': '127.0.0.1', 'port': {port}}})\n"
        "serve.run(app, name='fraud', route_prefix='/fraud')\ntime.sleep(600)\n"
    )
    url = f"http://127.0.0.1:{port}"
    open_to_all = {"FACTOR": "2", "RAY_AUTH_MODE": "disabled"}
    with started("ray", "python", "start.py", cwd=tmp_path, env=open_to_all) as log:
        until_answers(f"{url}/-/healthz", log)
        until_answers(f"{url}/fraud", log, None)
        probe = look(url, tmp_path, {"instances": [2.0]})
        said = told(url, tmp_path, log, "requests")  # where its dashboard says that they are
    assert said["requests"] >= 1
    assert said["latency_p50_ms"] > 0
    assert (probe.server, probe.up, probe.served) == ("ray", True, ())
    assert answer(probe) == {"predictions": [4.0]}


def test_feast(tmp_path: Path) -> None:
    if answers(f"http://127.0.0.1:{METRICS_PORT}/") is not None:
        pytest.skip(f"something listens at {METRICS_PORT}, Feast's port of metrics")
    port = free_port()
    run("feast", "python", str(APPS / "features.py"), cwd=tmp_path, FEAST_USAGE="False")
    sent = {"features": ["driver_stats:conv", "driver_stats:trips"], "entities": {"driver_id": [1, 2, 9]}}
    command = ("feast", "serve", "-h", "127.0.0.1", "-p", str(port), "--no-access-log", "--metrics")
    with started("feast", *command, cwd=tmp_path, env={"FEAST_USAGE": "False"}) as log:
        until_answers(f"http://127.0.0.1:{port}/health", log)
        probe = look(f"http://127.0.0.1:{port}", tmp_path, sent)
        said = told(f"http://127.0.0.1:{port}", tmp_path, log, "requests")
    assert said["requests"] >= 1
    assert (probe.server, probe.up, probe.golden) == ("feast", True, None)
    assert probe.metrics["feature_age_s.conv"] == pytest.approx(3 * 3600, abs=120)
    assert probe.metrics["feature_absent.trips"] == pytest.approx(1 / 3)
    assert "feature_age_s.driver_id" not in probe.metrics


def archived(directory: Path, version: str) -> None:
    """Make the archive that TorchServe serves."""
    (directory / "models").mkdir(exist_ok=True)
    run(
        "torchserve", "torch-model-archiver", "--model-name", "fraud", "--version", version, "--handler",
        str(APPS / "handler.py"), "--export-path", "models", "--force", cwd=directory,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("java") is None, reason="TorchServe needs Java")
def test_torchserve_without_a_worker_is_healthy_and_not_ready(tmp_path: Path) -> None:
    first = free_ports(3)
    url, management = f"http://127.0.0.1:{first}", f"http://127.0.0.1:{first + 1}"
    archived(tmp_path, "1.0")
    (tmp_path / "config.properties").write_text(
        f"inference_address={url}\nmanagement_address={management}\nmetrics_address=http://127.0.0.1:{first + 2}\n"
        f"grpc_inference_port={free_port()}\ngrpc_management_port={free_port()}\n"
        "disable_token_authorization=true\nenable_model_api=true\ndefault_workers_per_model=1\n"
    )
    command = (
        "torchserve", "--foreground", "--model-store", "models", "--models", "fraud=fraud.mar", "--ncs",
        "--ts-config", "config.properties",
    )  # fmt: skip
    with started(
        "torchserve", *command, cwd=tmp_path, env={"TEMP": str(tmp_path), "LOG_LOCATION": "."}
    ) as log:
        until_answers(f"{url}/ping", log)
        until(lambda: look(url, tmp_path).ready is True, log)
        probe = look(url, tmp_path, {"x": [2.0, 3.0]})
        request(f"{management}/models/fraud?max_worker=0&min_worker=0&synchronous=true", "PUT")
        until(lambda: look(url, tmp_path).ready is False, log)
        idle = look(url, tmp_path)
    assert (probe.server, probe.up, probe.error) == ("torchserve", True, "")
    assert probe.served == (ServedVersion("fraud", "1.0", True),)
    assert answer(probe) == {"probs": [4.0, 6.0]}
    assert (idle.live, idle.status, idle.error) == (True, 200, "no worker for fraud 1.0")


V2_INPUT = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [2.0, 3.0]}]}


def test_kserve_is_judged_by_its_models(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with started("kserve", "python", str(APPS / "kserved.py"), str(port), cwd=tmp_path) as log:
        until_answers(f"{url}/v2/models/fraud/ready", log)
        until_answers(f"{url}/v2/models/other/ready", log, 503)
        probe, whole = look(url, tmp_path, V2_INPUT, model="fraud"), look(url, tmp_path)
    assert (probe.server, probe.up) == ("kserve", True)
    assert answer(probe)["outputs"][0]["data"] == [4.0, 6.0]
    assert (whole.live, whole.ready, whole.error) == (True, False, "not ready: other")


def test_triton_with_two_versions_and_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    first = free_ports(3)
    url = f"http://127.0.0.1:{first}"
    command = ("python", str(APPS / "tritoned.py"), *(str(first + at) for at in range(3)), "broken")
    with started("triton", *command, cwd=tmp_path) as log:
        until_answers(f"{url}/v2/models/fraud/ready", log)
        probe, whole = look(url, tmp_path, V2_INPUT, model="fraud"), look(url, tmp_path)
        broken, unknown = look(url, tmp_path, model="broken"), look(url, tmp_path, model="nope")
    versions = {ServedVersion("fraud", version, True) for version in ("6", "7")}
    assert (probe.server, probe.up) == ("triton", True)
    assert versions < set(probe.served)
    assert answer(probe)["outputs"][0]["data"] == [4.0, 6.0]
    assert probe.golden is not None
    assert probe.golden.first is not None
    assert probe.golden.first.version == "7"
    assert (whole.live, whole.ready, whole.error) == (True, False, "not ready: broken 1")
    assert (broken.live, broken.ready) == (True, False)
    assert (unknown.live, unknown.ready) == (True, False)
