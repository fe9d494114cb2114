"""The MLflow registry, on answers recorded from MLflow 3 and replayed by a real local server."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.config import RegistrySettings, parse
from mlwatch.errors import ConfigError
from mlwatch.faces.rows import rows_of
from mlwatch.session import Options, Session
from mlwatch.systems.mlflow_client import Mlflow, RegistryError
from mlwatch.systems.mlflow_registry import Entry, Registered, is_same, read_model

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
        if asked.get("run_id", "").startswith("run-"):
            self._answer(200, '{"run": {"info": {"lifecycle_stage": "active"}}}')
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
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def settings(server: Any, **rest: Any) -> RegistrySettings:
    return RegistrySettings(mlflow=f"http://127.0.0.1:{server.server_port}", **rest)


def ask(wanted: RegistrySettings, model: str = "flight-delay", directory: Path = Path()) -> Registered:
    async def once() -> Registered:
        async with Mlflow(wanted, directory.joinpath) as mlflow:
            return await read_model(mlflow, model)

    return asyncio.run(once())


def logs_with(tmp_path: Path, server: Any, more: str = "", *, whole: bool = False) -> Path:
    """Return an hour of the sample logs, in which both versions answer, or all of them."""
    logs, samples = tmp_path / "logs", ROOT / "sample_logs"
    if whole:
        shutil.copytree(samples, logs, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    else:
        logs.mkdir()
        shutil.copy(samples / "predictions" / "2026-11-03T18.jsonl", logs)
    text = f'[registry]\nmlflow = "http://127.0.0.1:{server.server_port}"\n{more}'
    (logs / "mlwatch.toml").write_text(text)
    return logs


def test_versions_come_with_aliases_runs_and_data(server: Any) -> None:
    found = ask(settings(server))
    assert [(entry.version, entry.aliases) for entry in found.entries] == [
        ("2", ("challenger",)),
        ("1", ("champion",)),
    ]
    newest = found.entries[0]
    assert newest.metrics == {"accuracy": 0.901, "val_roc_auc": pytest.approx(0.9)}
    assert newest.params == {"max_depth": "6", "learning_rate": "0.1"}
    assert newest.data == "flights@95fb170a"
    assert found.summary.startswith("flight-delay: challenger 2 (run cbe70979")
    assert ", data flights@95fb170a, max_depth=6, learning_rate=0.1); champion 1 (run " in found.summary


def test_aliases_say_which_version_is_which(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server)
    with mlwatch.open(logs, db=":memory:") as opened:
        snapshot = opened.snapshot()
    versions = snapshot.models["flight-delay"].versions
    assert {name: version.role for name, version in versions.items()} == {"v1": "baseline", "v2": "candidate"}
    document = snapshot.to_dict()
    assert document["models"]["flight-delay"]["versions"]["v2"]["registry"]["metrics"]["accuracy"] == 0.901
    assert document["provenance"]["registry"] == snapshot.provenance["registry"]
    rows = {row.name: row.cells for row in rows_of(list(snapshot.models["flight-delay"].versions.values()))}
    assert rows["Accuracy, in training"] == ["0.897", "0.901"]


def test_the_configuration_wins_over_aliases(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server, '[rollout]\nbaseline = "v2"\ncandidate = "v1"\n')
    with mlwatch.open(logs, db=":memory:") as opened:
        versions = opened.snapshot().models["flight-delay"].versions
    assert versions["v2"].role == "baseline"


def test_live_numbers_are_written_back_once_a_run(tmp_path: Path, server: Any) -> None:
    logs = logs_with(tmp_path, server, "write = true\n", whole=True)
    with mlwatch.open(logs, db=":memory:") as opened:
        registry = opened._neighbours.registry
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
        assert opened._neighbours.registry is not None
        opened._neighbours.registry.look(write=True)
    assert server.posted == []


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((401, "{}"), r"it refuses us \(status 401\): set \[registry\] token"),
        ((200, "<html>hello</html>"), r"not what MLflow says \(status 200\)"),
        ((200, "[]"), "not what MLflow says"),
        ((404, "<html>not here</html>"), r"status 404\): correct \[registry\] mlflow"),
        ((500, '{"message": "no\\nspace \\u001b[31m left"}'), "no space .* left"),
        ((200, '"' + "x" * (5 << 20) + '"'), "larger than 4 MB"),
    ],
)
def test_a_registry_in_trouble_is_one_alert(
    tmp_path: Path, server: Any, says: tuple[int, str], why: str
) -> None:
    server.says = says
    with pytest.raises(RegistryError, match=why):
        ask(settings(server))
    with mlwatch.open(logs_with(tmp_path, server), db=":memory:") as opened:
        snapshot = opened.snapshot()
    (alert,) = (alert for alert in snapshot.alerts if alert.rule == "registry")
    assert (alert.severity, alert.state) == ("warning", "firing")
    assert snapshot.models["flight-delay"].versions["v1"].role == "baseline", "the rest goes on"


def test_a_check_says_so_and_judges_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text('{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "model": "m"}\n')
    (logs / "mlwatch.toml").write_text(
        '[registry]\nmlflow = "http://127.0.0.1:1"\n[[rule]]\nmetric = "error_rate"\nwhen = "> 5%"\n'
    )
    assert main(["check", str(logs), "--db", ":memory:"]) == 0
    assert (
        "PASS  registry: the MLflow registry at http://127.0.0.1:1 is not used: refused"
        in capsys.readouterr().out
    )


def test_a_model_that_is_not_registered_is_said(server: Any) -> None:
    with pytest.raises(RegistryError, match="Registered Model with name=nothing not found"):
        ask(settings(server), "nothing")


def test_a_registry_that_is_not_there_is_said() -> None:
    with pytest.raises(RegistryError, match=r"^refused: start the server, or correct \[registry\] mlflow$"):
        ask(RegistrySettings(mlflow="http://127.0.0.1:1"))


def test_the_token_comes_from_the_environment_or_a_file(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWATCH_TOKEN", "abc\n")
    ask(settings(server, token="env:MLWATCH_TOKEN"))
    assert set(server.tokens) == {"Bearer abc"}
    monkeypatch.delenv("MLWATCH_TOKEN")
    with pytest.raises(
        RegistryError, match=r"\[registry\] token: the environment has no variable MLWATCH_TOKEN"
    ):
        ask(settings(server, token="env:MLWATCH_TOKEN"))
    (tmp_path / "token").write_text("def\n")
    server.tokens.clear()
    ask(settings(server, token="file:token"), directory=tmp_path)
    assert set(server.tokens) == {"Bearer def"}
    server.tokens.clear()
    ask(settings(server, token="file:token", user="ann"), directory=tmp_path)
    assert set(server.tokens) == {"Basic YW5uOmRlZg=="}, "ann:def, as RFC 7617 encodes it"


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="must be a reference"):
        parse('[registry]\nmlflow = "http://m:5000"\ntoken = "abc"\n')
    with pytest.raises(ConfigError, match="must be an address"):
        parse('[registry]\nmlflow = "databricks"\n')


def test_versions_are_matched_with_and_without_a_v() -> None:
    assert is_same("v2", "2")
    assert is_same("2", "2")
    assert not is_same("v12", "2")


MALFORMED = [
    {"run": "x"},
    {"run": {"data": "x", "inputs": []}},
    {"run": {"data": {"metrics": "x", "params": [1]}, "inputs": {"dataset_inputs": ["text"]}}},
    {"run": {"data": {"metrics": [{"key": "a", "value": "x"}, {"value": 1}, {"key": "b", "value": None}]}}},
    {"run": {"inputs": {"dataset_inputs": [{"dataset": "text"}, {"dataset": None}]}}},
]


@pytest.mark.parametrize("run", MALFORMED)
def test_malformed_runs_are_as_good_as_not_there(
    server: Any, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = [{**each, "body": json.dumps(run)} if each["path"] == "runs/get" else each for each in RECORDED]
    monkeypatch.setattr(f"{__name__}.RECORDED", spoilt)
    found = ask(settings(server))
    assert [(entry.version, entry.metrics, entry.data) for entry in found.entries] == [
        ("2", {}, None),
        ("1", {}, None),
    ]


def test_metrics_that_are_no_numbers_are_left_out(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = '{"run": {"data": {"metrics": [{"key": "a", "value": NaN}, {"key": "b", "value": "NaN"},'
    odd += ' {"key": "c", "value": Infinity}, {"key": "d", "value": "0.5"}]}}}'
    spoilt = [{**each, "body": odd} if each["path"] == "runs/get" else each for each in RECORDED]
    monkeypatch.setattr(f"{__name__}.RECORDED", spoilt)
    assert ask(settings(server)).entries[0].metrics == {"d": 0.5}


def test_an_answer_that_nobody_foresaw_is_an_alert_and_not_an_end(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> Registered:
        raise AttributeError("x")

    monkeypatch.setattr("mlwatch.registry.read_model", broken)
    with mlwatch.open(logs_with(tmp_path, server), db=":memory:") as opened:
        (alert,) = (alert for alert in opened.snapshot().alerts if alert.rule == "registry")
    assert "its answers are not understood (AttributeError)" in alert.message


def test_a_server_that_drips_does_not_hold_up_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time; all together would take minutes."""
    over = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not over.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
            """Be quiet."""

    monkeypatch.setattr("mlwatch.systems.mlflow_client.TIMEOUT_S", 0.5)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with mlwatch.open(logs_with(tmp_path, made), db=":memory:") as opened:
            snapshot = opened.snapshot()
    finally:
        over.set()
        made.shutdown()
        made.server_close()
    (alert,) = (alert for alert in snapshot.alerts if alert.rule == "registry")
    assert f"at http://127.0.0.1:{made.server_port} is not used: timed out after 500 ms" in alert.message


def test_read_only_writes_nothing_to_the_registry_either(tmp_path: Path, server: Any) -> None:
    options = Options(logs_with(tmp_path, server, "write = true\n"), db=":memory:", read_only=True)
    with Session(options) as session:
        session.ingest_all()
        assert session._neighbours.registry is not None
        session._neighbours.registry.look(write=True)
    assert server.posted == []


def test_a_registry_is_asked_as_soon_as_the_logs_name_a_model(tmp_path: Path, server: Any) -> None:
    """A fresh store knows none yet: that must not cost a whole interval."""
    logs = logs_with(tmp_path, server, 'interval = "1h"\n')
    with Session(Options(logs, db=":memory:")) as session:
        session.start()
        deadline = time.monotonic() + 60
        while (registry := session._neighbours.registry) is None or registry.current is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert registry.current.model == "flight-delay"


def test_only_the_registered_model_is_written(tmp_path: Path, server: Any) -> None:
    """Another model of the logs has versions of the same numbers."""
    logs = logs_with(tmp_path, server, 'write = true\nmodel = "flight-delay"\n')
    other = (
        {
            "timestamp": f"2026-11-03T10:0{minute}:00Z", "request_id": f"o{minute}", "model": "another",
            "version": "v2", "features": {"x": minute}, "prediction": 1, "score": 0.7,
        }
        for minute in range(5)
    )  # fmt: skip
    (logs / "another.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
    with mlwatch.open(logs, db=":memory:") as opened:
        assert set(opened.snapshot().models) == {"another", "flight-delay"}
        assert opened._neighbours.registry is not None
        opened._neighbours.registry.look(write=True)
    runs = [body["run_name"] for path, body in server.posted if path == "runs/create"]
    assert sorted(runs) == ["flight-delay v1, monitored", "flight-delay v2, monitored"]


@pytest.mark.deep
def test_a_run_belongs_to_its_server(tmp_path: Path, server: Any) -> None:
    logs, db = logs_with(tmp_path, server, "write = true\n"), tmp_path / "store.duckdb"
    for _ in range(2):
        with mlwatch.open(logs, db=db) as opened:
            assert opened._neighbours.registry is not None
            opened._neighbours.registry.look(write=True)
    assert [path for path, _ in server.posted].count("runs/create") == 2, "a later session goes on in them"
    text = (logs / "mlwatch.toml").read_text().replace("127.0.0.1", "localhost")
    (logs / "mlwatch.toml").write_text(text)
    with mlwatch.open(logs, db=db) as opened:
        assert opened._neighbours.registry is not None
        opened._neighbours.registry.look(write=True)
    assert [path for path, _ in server.posted].count("runs/create") == 4


def test_metrics_of_training_are_found_under_the_names_that_libraries_give_them() -> None:
    entry = Entry(
        "1",
        metrics={"training_roc_auc": 0.99, "val_auc": 0.9, "f1_score": 0.8, "root_mean_squared_error": 2.0},
    )
    assert entry.in_training("roc_auc") == 0.9, "what was measured on unseen data goes first"
    assert entry.in_training("f1") == 0.8
    assert entry.in_training("rmse") == 2.0
    assert entry.in_training("recall") is None
