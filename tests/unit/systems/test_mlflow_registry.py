"""The MLflow registry, on answers recorded from MLflow 3 and replayed by a real local server."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import mlwatch
from mlwatch.config import RegistrySettings, parse
from mlwatch.errors import ConfigError
from mlwatch.faces.rows import rows_of
from mlwatch.systems.mlflow_registry import Client, RegistryError, is_same

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
RECORDED = json.loads((ROOT / "tests" / "fixtures" / "systems" / "mlflow.json").read_text())
API = "/api/2.0/mlflow/"


class Replay(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = dict(parse_qsl(url.query))
        server: Any = self.server
        if server.says is not None:
            self._answer(*server.says)
            return
        found = next(
            (each for each in RECORDED if API + each["path"] == url.path and each["params"] == asked), None
        )
        if found is None:
            self._answer(404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not recorded"}')
        else:
            server.tokens.append(self.headers.get("Authorization"))
            self._answer(found["status"], found["body"])

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.posted.append((self.path.removeprefix(API), body))
        self._answer(200, json.dumps({"run": {"info": {"run_id": f"run-{len(server.posted)}"}}}))

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Replay)
    made.says, made.posted, made.tokens = None, [], []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def settings(server: Any, **rest: Any) -> RegistrySettings:
    return RegistrySettings(mlflow=f"http://127.0.0.1:{server.server_port}", **rest)


def logs_with(tmp_path: Path, server: Any, more: str = "") -> Path:
    logs = tmp_path / "logs"
    shutil.copytree(ROOT / "sample_logs", logs, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = f'[registry]\nmlflow = "http://127.0.0.1:{server.server_port}"\n{more}'
    (logs / "mlwatch.toml").write_text(text)
    return logs


def test_versions_come_with_aliases_runs_and_data(server: Any) -> None:
    found = Client(settings(server)).model("flight-delay")
    assert [(entry.version, entry.aliases) for entry in found.entries] == [
        ("2", ("challenger",)),
        ("1", ("champion",)),
    ]
    newest = found.entries[0]
    assert newest.metrics == {"accuracy": 0.901, "val_roc_auc": pytest.approx(0.9)}
    assert newest.params == {"max_depth": "6", "learning_rate": "0.1"}
    assert newest.data == "flights@95fb170a"
    assert found.summary.startswith("flight-delay: challenger 2 (run cbe70979")


def test_aliases_say_which_version_is_which(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server)
    with mlwatch.open(logs, db=":memory:") as opened:
        snapshot = opened.snapshot()
    versions = snapshot.models["flight-delay"].versions
    assert {name: version.role for name, version in versions.items()} == {"v1": "baseline", "v2": "candidate"}
    document = snapshot.to_dict()
    assert document["models"]["flight-delay"]["versions"]["v2"]["registry"]["metrics"]["accuracy"] == 0.901
    assert document["provenance"]["registry"] == snapshot.provenance["registry"]
    rows = {row.name: row.cells for row in rows_of(snapshot.models["flight-delay"])}
    assert rows["Accuracy, in training"] == ["0.897", "0.901"]


def test_the_configuration_wins_over_aliases(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server, '[rollout]\nbaseline = "v2"\ncandidate = "v1"\n')
    with mlwatch.open(logs, db=":memory:") as opened:
        versions = opened.snapshot().models["flight-delay"].versions
    assert versions["v2"].role == "baseline"


def test_live_numbers_are_written_back_once_a_run(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server, "write = true\n")
    with mlwatch.open(logs, db=":memory:") as opened:
        registry = opened._registry
        assert registry is not None
        registry.look(write=True)
        first = list(server.posted)
        registry.look(write=True)
    paths = [path for path, _ in first]
    assert paths.count("runs/create") == 2
    assert [path for path, _ in server.posted].count("runs/create") == 2, "a version has one run"
    batch = next(body for path, body in first if path == "runs/log-batch")
    metrics = {each["key"]: each["value"] for each in batch["metrics"]}
    assert metrics["accuracy"] == pytest.approx(0.8952, abs=1e-4)
    assert {"name": "flight-delay", "version": "2", "key": "mlwatch.verdict", "value": "rollback"} in [
        body for path, body in first if path == "model-versions/set-tag"
    ]


def test_nothing_is_written_unless_it_is_asked_for(tmp_path: Path, server: Any) -> None:
    with mlwatch.open(logs_with(tmp_path, server), db=":memory:") as opened:
        assert opened._registry is not None
        opened._registry.look(write=True)
    assert server.posted == []


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((401, "{}"), r"it refuses us \(status 401\): set \[registry\] token"),
        ((200, "<html>hello</html>"), r"not what MLflow says \(status 200\)"),
        ((200, "[]"), "not what MLflow says"),
        ((500, '{"message": "no\\nspace \\u001b[31m left"}'), "no space .* left"),
        ((200, '"' + "x" * (5 << 20) + '"'), "larger than 4 MB"),
    ],
)
def test_a_registry_in_trouble_is_one_alert(
    tmp_path: Path, server: Any, says: tuple[int, str], why: str
) -> None:
    server.says = says
    with pytest.raises(RegistryError, match=why):
        Client(settings(server)).model("flight-delay")
    with mlwatch.open(logs_with(tmp_path, server), db=":memory:") as opened:
        snapshot = opened.snapshot()
    (alert,) = (alert for alert in snapshot.alerts if alert.rule == "registry")
    assert (alert.severity, alert.state) == ("warning", "firing")
    assert snapshot.models["flight-delay"].versions["v1"].role == "baseline", "the rest goes on"


def test_a_model_that_is_not_registered_is_said(server: Any) -> None:
    with pytest.raises(RegistryError, match="Registered Model with name=nothing not found"):
        Client(settings(server)).model("nothing")


def test_a_registry_that_is_not_there_is_said() -> None:
    with pytest.raises(RegistryError, match=r"cannot be reached \(ConnectError\)"):
        Client(RegistrySettings(mlflow="http://127.0.0.1:1")).model("m")


def test_the_token_comes_from_the_environment(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWATCH_TOKEN", "abc\n")
    Client(settings(server, token="env:MLWATCH_TOKEN")).model("flight-delay")
    assert set(server.tokens) == {"Bearer abc"}
    monkeypatch.delenv("MLWATCH_TOKEN")
    with pytest.raises(RegistryError, match="no variable MLWATCH_TOKEN"):
        Client(settings(server, token="env:MLWATCH_TOKEN")).model("flight-delay")


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="must be a reference to an environment variable"):
        parse('[registry]\nmlflow = "http://m:5000"\ntoken = "abc"\n')
    with pytest.raises(ConfigError, match="must be an address"):
        parse('[registry]\nmlflow = "databricks"\n')


def test_versions_are_matched_with_and_without_a_v() -> None:
    assert is_same("v2", "2")
    assert is_same("2", "2")
    assert not is_same("v12", "2")
