"""What Feast says of features: a dump and REST answers recorded from Feast 0.63, and what becomes of them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.config import parse
from mlwatch.config.settings import ConstraintSettings
from mlwatch.errors import ConfigError
from mlwatch.featurestore import constraints
from mlwatch.snapshot.feature_ages import age_alerts
from mlwatch.snapshot.health_types import Endpoint
from mlwatch.systems.feast_registry import FeastError, Feature, features_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.snapshot.types import Snapshot

RECORDED = Path(__file__).parents[2] / "fixtures" / "systems"
DUMP = json.loads((RECORDED / "feast_dump.json").read_text())
REST = json.loads((RECORDED / "feast_rest.json").read_text())
DAY = timedelta(days=1)
FEATURES = {
    Feature("driver_stats", "conv", "number", DAY),
    Feature("driver_stats", "trips", "integer", DAY),
    Feature("driver_profile", "trips", "integer", None),
    Feature("driver_profile", "city", "text", None),
    Feature("driver_profile", "vip", "boolean", None),
}


def test_a_dump_and_the_server_say_the_same() -> None:
    assert set(features_of(DUMP)) == FEATURES
    assert set(features_of(REST["/api/v1/feature_views"])) == FEATURES
    assert {each.name for each in features_of(DUMP, ["driver_stats"])} == {"conv", "trips"}
    with pytest.raises(FeastError, match="it has no view nothing"):
        features_of(DUMP, ["nothing"])


def test_features_become_constraints_under_both_their_names() -> None:
    found = constraints(sorted(FEATURES, key=lambda each: each.view))
    assert found["conv"] == ConstraintSettings("number", ttl=DAY, optional=True)
    assert found["driver_stats__trips"] == ConstraintSettings("integer", ttl=DAY, optional=True)
    assert found["trips"] == ConstraintSettings("integer", optional=True), "two views agree on the type alone"
    assert constraints([Feature("v", "x", "text", None), Feature("w", "x", "number", None)]).keys() == {
        "v__x",
        "w__x",
    }


@pytest.mark.parametrize(
    "document",
    [
        {"featureViews": [{"spec": "x"}, "y", {"spec": {"name": 3}}]},
        {"featureViews": [{"spec": {"name": "v", "features": "x"}}]},
        {"featureViews": [{"spec": {"name": "v", "features": [{"name": ""}, {"name": 1}, "z"]}}]},
    ],
)
def test_malformed_views_have_no_features(document: dict[str, Any]) -> None:
    assert features_of(document) == ()


@pytest.mark.parametrize("document", [[], {}, {"featureViews": {}}, "x", None])
def test_what_is_no_dump_is_said(document: Any) -> None:
    with pytest.raises(FeastError, match="not what feast registry-dump prints"):
        features_of(document)


def test_odd_times_to_live_are_no_limit() -> None:
    views = [
        {"spec": {"name": "v", "ttl": ttl, "features": [{"name": "x", "valueType": "ODD"}]}}
        for ttl in ("0s", "-5s", "soon", "9" * 30 + "s", None, 7)
    ]
    assert {(each.ttl, each.type) for each in features_of({"featureViews": views})} == {(None, None)}


def logs_of(directory: Path, text: str, **values: Any) -> Path:
    row = {"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "version": "v1", "model": "m"}
    rows = [
        {**row, "request_id": str(number), "features": {"conv": 0.5, "driver_stats__trips": 3, **values}}
        for number in range(10)
    ]
    directory.mkdir(exist_ok=True)
    (directory / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (directory / "mlwatch.toml").write_text(text)
    return directory


def seen(logs: Path, db: Path | str = ":memory:") -> Snapshot:
    with mlwatch.open(logs, db=db) as opened:
        return opened.snapshot()


def broken(snapshot: Snapshot) -> dict[tuple[str, str], int]:
    asked = snapshot.models["m"].versions["v1"].constraints
    return {(each.feature, each.rule): each.bad for each in asked}


def troubles(snapshot: Snapshot) -> list[str]:
    return [alert.message for alert in snapshot.alerts if alert.rule == "feast"]


def test_a_dump_among_the_logs_is_the_schema_and_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = logs_of(tmp_path / "logs", '[feast]\nregistry = "feast.json"\n', vip="maybe", city="Oslo")
    (logs / "feast.json").write_text(json.dumps(DUMP))
    snapshot = seen(logs)
    assert broken(snapshot) == {
        ("conv", "type"): 0,
        ("driver_stats__trips", "type"): 0,
        ("city", "type"): 0,
        ("vip", "type"): 10,
    }, "what the logs do not have is not asked for"
    assert snapshot.ingest.records == 10
    assert troubles(snapshot) == []
    assert main(["check", str(logs), "--db", ":memory:"]) == 1
    assert "vip of v1: 10 of 10 values are not a boolean, for example 'maybe'" in capsys.readouterr().out


def test_the_schema_of_the_configuration_wins(tmp_path: Path) -> None:
    text = '[feast]\nregistry = "feast.json"\nviews = ["driver_stats"]\n[schema.conv]\nmax = 0.1\n'
    logs = logs_of(tmp_path / "logs", text)
    (logs / "feast.json").write_text(json.dumps(DUMP))
    assert broken(seen(logs)) == {("conv", "max"): 10, ("driver_stats__trips", "type"): 0}


@contextmanager
def serving(**changes: Any) -> Iterator[Any]:
    """Replay the recorded answers, or others by path."""
    answers = {**{path: (200, json.dumps(said)) for path, said in REST.items() if path != "note"}, **changes}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            made.asked.append((url.path, parse_qs(url.query), self.headers.get("Authorization")))
            status, body = answers.get(url.path, (404, '{"detail": "Not Found"}'))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
            """Be quiet."""

    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.url = [], f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def test_the_server_is_asked_for_its_only_project_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEAST_TOKEN", "abc")
    db = tmp_path / "store.duckdb"
    with serving() as server:
        text = f'[feast]\nregistry = "{server.url}"\ntoken = "env:FEAST_TOKEN"\n'
        logs = logs_of(tmp_path / "logs", text, vip="maybe")
        first = seen(logs, db)
        assert [(path, query.get("project"), token) for path, query, token in server.asked] == [
            ("/api/v1/projects", None, "Bearer abc"),
            ("/api/v1/feature_views", ["shop"], "Bearer abc"),
        ]
    later = seen(logs, db)
    assert broken(first) == broken(later)
    assert broken(first)["vip", "type"] == 10
    assert troubles(first) == []
    (said,) = troubles(later)
    assert said.startswith(
        f"Feast's registry {server.url} is not used: refused: start feast serve_registry, or"
    )
    assert said.endswith("; what it said last is kept")


PROJECTS = {"projects": [{"spec": {"name": "a"}}, {"spec": {"name": "b\x1b[31m"}}]}


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"/api/v1/projects": (403, "{}")}, "it refuses us (status 403): set [feast] token"),
        ({"/api/v1/projects": (200, "<html>")}, "its answer is not what Feast's registry says (status 200)"),
        ({"/api/v1/projects": (404, "{}")}, "its answer is not what Feast's registry says (status 404)"),
        (
            {"/api/v1/projects": (200, json.dumps(PROJECTS))},
            "it has not one project (a, b\\x1b[31m): say which with [feast] project",
        ),
        (
            {"/api/v1/feature_views": (200, '{"featureViews": []}')},
            "project shop has no feature views: correct [feast] project",
        ),
        (
            {"/api/v1/feature_views": (200, '{"featureViews": ["x"]}')},
            "project shop has no feature views: correct [feast] project",
        ),
    ],
)
def test_a_server_in_trouble_is_one_alert(
    tmp_path: Path, changes: dict[str, tuple[int, str]], why: str
) -> None:
    with serving(**changes) as server:
        logs = logs_of(tmp_path / "logs", f'[feast]\nregistry = "{server.url}"\n')
        snapshot = seen(logs)
    (said,) = troubles(snapshot)
    assert said.startswith(f"Feast's registry {server.url} is not used: {why}")
    assert snapshot.models["m"].versions["v1"].predictions == 10, "the rest goes on"


def test_a_slow_server_does_not_hold_up_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlwatch.systems.feast_registry.TIMEOUT_S", 0.3)
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # listens, and nobody answers
    try:
        address = f"http://127.0.0.1:{silent.server_port}"
        snapshot = seen(logs_of(tmp_path / "logs", f'[feast]\nregistry = "{address}"\n'))
    finally:
        silent.server_close()
    (said,) = troubles(snapshot)
    assert "timed out after 300 ms" in said


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it cannot be read (No such file or directory): correct [feast] registry"),
        ("{", "it is no JSON: save what feast registry-dump prints"),
        ("[]", "it is not what feast registry-dump prints: export it again"),
    ],
)
def test_a_dump_that_is_none_is_one_alert_and_a_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, why: str
) -> None:
    logs = logs_of(tmp_path / "logs", '[feast]\nregistry = "../feast.json"\n')
    if content is not None:
        (tmp_path / "feast.json").write_text(content)
    said = f"Feast's registry ../feast.json is not used: {why}"
    assert troubles(seen(logs)) == [said]
    assert main(["check", str(logs), "--db", ":memory:"]) == 3, "nothing was validated"
    assert f"HOLD  feast: {said}" in capsys.readouterr().out


def test_features_older_than_their_time_to_live_are_told() -> None:
    now = datetime(2026, 11, 3, tzinfo=UTC)
    ages = {"feature_age_s.conv": 90_000.0, "feature_age_s.trips": 9e9, "feature_age_s.odd": 9e9, "conv": 9e9}
    endpoint = Endpoint("features", now, "feast", live=True, ready=True, metrics=ages)
    schema = {"conv": ConstraintSettings(ttl=DAY), "trips": ConstraintSettings()}
    (alert,) = age_alerts([endpoint], schema)
    assert (alert.rule, alert.severity, alert.value) == ("stale feature: conv", "warning", 90_000.0)
    assert alert.message == "conv at features is 1d1h old, and may be 1d"
    fresh = Endpoint("f", now, "feast", live=True, ready=True, metrics={"feature_age_s.conv": 86_400.0})
    assert age_alerts([fresh], schema) == ()
    gone = Endpoint("f", now, "feast", live=True, ready=True, metrics=ages, stale=True)
    assert age_alerts([gone], schema) == ()


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="must be a reference"):
        parse('[feast]\ntoken = "abc"\n')
    assert parse('[schema.x]\nttl = "1h"\n').schema["x"].ttl == timedelta(hours=1)
