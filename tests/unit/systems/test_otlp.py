"""Metrics to OpenTelemetry: received by a local server, and decoded by the project's own classes."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as messages
from waiting import until

import mlwatch
from mlwatch.cli import main
from mlwatch.config import OtlpSettings, parse
from mlwatch.errors import ConfigError
from mlwatch.pushing import Pushing
from mlwatch.session import Options, Session
from mlwatch.systems.exporter import SPAN
from mlwatch.systems.otlp import Collector
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

SAMPLES = Path(__file__).resolve().parents[3] / "sample_logs"


@contextmanager
def collector(status: int = 200, body: bytes = b"", after_s: float = 0.0) -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append(
                (self.path, dict(self.headers), messages.ExportMetricsServiceRequest.FromString(sent))
            )
            if after_s:
                made.over.wait(after_s)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
            """Be quiet."""

    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.got, made.over, made.url = [], threading.Event(), f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        made.over.set()
        made.shutdown()
        made.server_close()


def points(request: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return what was received, as names and labels with values."""
    found = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            labels = frozenset((each.key, each.value.string_value) for each in point.attributes)
            found[metric.name, labels] = point.as_double
    return found


def small_logs(directory: Path, text: str = "") -> Path:
    directory.mkdir()
    (directory / "a.jsonl").write_text(
        '{"timestamp": "2026-11-03T12:00:00Z", "prediction": 1, "version": "v1", "model": "m"}\n'
    )
    (directory / "mlwatch.toml").write_text(text)
    return directory


def test_a_collector_gets_every_number_that_prometheus_gets(
    capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    began, store = time.time(), str(sample_store())
    with collector() as server:
        code = main(["export", str(SAMPLES), "--to", "otlp", "--collector", server.url, "--db", store])
    assert (code, capsys.readouterr().out) == (0, f"The metrics are sent to {server.url}.\n")
    ((path, headers, request),) = server.got
    assert (path, headers["Content-Type"]) == ("/v1/metrics", "application/x-protobuf")
    found = points(request)
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        snapshot = opened.snapshot(SPAN)  # as is sent while the logs are followed
    expected = {(one.family, frozenset(one.labels)): one.value for one in samples_of(snapshot)}
    still = {key for key in expected if not key[0].startswith(("mlwatch_host", "mlwatch_alerts"))}
    assert {key: found[key] for key in still} == pytest.approx({key: expected[key] for key in still})
    resource = request.resource_metrics[0]
    assert [(one.key, one.value.string_value) for one in resource.resource.attributes] == [
        ("service.name", "mlwatch")
    ]
    metrics = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert len(metrics) == len(resource.scope_metrics[0].metrics), (
        "a metric is told once, with all its points"
    )
    assert (metrics["mlwatch_latency_seconds"].unit, metrics["mlwatch_error_ratio"].unit) == ("s", "1")
    counter = metrics["mlwatch_ingest_records"].sum
    assert (counter.is_monotonic, counter.aggregation_temporality) == (True, 2)
    assert began - 1 < counter.data_points[0].time_unix_nano / 1e9 < time.time() + 1


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, "it refuses us (status 401): set [otlp] headers"),
        (404, "it does not take them (404: no such path): is it OTLP over HTTP, port 4318?"),
        (503, "it does not take them (503: not available): is it OTLP over HTTP, port 4318?"),
    ],
)
def test_a_refusal_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, why: str
) -> None:
    logs = small_logs(tmp_path / "logs")
    with collector(status) as server:
        assert main(["export", str(logs), "--to", "otlp", "--collector", server.url, "--db", ":memory:"]) == 2
    assert capsys.readouterr().err == f"mlwatch: no metrics are sent: {server.url}: {why}\n"


def test_points_that_are_not_taken_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = messages.ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 7
    answer.partial_success.error_message = "too \x1b[31m old"
    command = ["export", str(small_logs(tmp_path / "logs")), "--to", "otlp", "--db", ":memory:"]
    with collector(body=answer.SerializeToString()) as server:
        assert main([*command, "--collector", server.url]) == 2
    assert "it took all but 7 points: too \\x1b[31m old" in capsys.readouterr().err
    with collector(body=b"<html>taken</html>") as server:
        assert main([*command, "--collector", server.url]) == 0, "an answer that is no protobuf says nothing"


def test_nobody_and_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    command = ["export", str(small_logs(tmp_path / "logs")), "--to", "otlp", "--db", ":memory:"]
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "mlwatch: no metrics are sent: --to otlp: no collector is named: give --collector, or [otlp] url\n"
    )
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1/")
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "mlwatch: no metrics are sent: http://127.0.0.1:1: refused: start the collector, or correct its address\n"
    )
    assert main(["export", "--to", "otlp"]) == 2
    assert "PATH is missing" in capsys.readouterr().err


def test_headers_of_the_environment_are_percent_encoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["export", str(small_logs(tmp_path / "logs")), "--to", "otlp", "--db", ":memory:"]
    given = "Authorization=Basic%20dXNlcjpwYXNz, x-scope = a%2Cb%3Dc+d ,x-key=k=="
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", given)
    with collector() as server:
        assert main([*command, "--collector", server.url]) == 0
        ((_, headers, _),) = server.got
        found = [headers[name] for name in ("Authorization", "x-scope", "x-key")]
        assert found == ["Basic dXNlcjpwYXNz", "a,b=c+d", "k=="]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=a%0d%0aHost:%20evil")
        assert main([*command, "--collector", server.url]) == 2
        assert len(server.got) == 1
    assert "header x-scope: what it refers to is no header" in capsys.readouterr().err


def test_without_the_package_one_line_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.metrics.v1", None)
    assert main(["export", str(tmp_path), "--to", "otlp"]) == 2
    assert capsys.readouterr().err == (
        "mlwatch: metrics to OpenTelemetry need one more package: OTLP: pip install 'mlwatch[otlp]'\n"
    )


def test_while_logs_are_followed_metrics_are_sent_with_the_secret_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLECTOR_KEY", "Bearer abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a")
    with collector() as server:
        text = (
            f'[otlp]\nurl = "{server.url}/v1/metrics"\ninterval = "100ms"\n'
            'headers = {Authorization = "env:COLLECTOR_KEY"}\n'
        )
        with Session(Options(small_logs(tmp_path / "logs", text), db=":memory:")) as session:
            session.start()
            key = ("mlwatch_predictions", frozenset({("model", "m"), ("version", "v1")}))
            until(lambda: server.got and points(server.got[-1][2]).get(key) == 1)
            assert [one for one in session.snapshot().alerts if one.rule == "otlp"] == []
    path, headers, _ = server.got[-1]
    assert (path, headers["Authorization"], headers["x-tenant"]) == ("/v1/metrics", "Bearer abc", "a")


def test_nothing_is_sent_with_read_only(tmp_path: Path) -> None:
    with collector() as server:
        text = f'[otlp]\nurl = "{server.url}"\ninterval = "10ms"\n'
        options = Options(small_logs(tmp_path / "logs", text), db=":memory:", read_only=True)
        with Session(options) as session:
            session.start()
            until(lambda: session.snapshot().ingest.predictions == 1)
    assert server.got == []


def test_a_collector_that_hangs_or_dies_is_an_alert_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.systems.otlp.TIMEOUT_S", 0.3)
    with mlwatch.open(small_logs(tmp_path / "logs"), db=":memory:") as opened:
        with collector(after_s=20) as server:
            pushing = Pushing(parse(f'[otlp]\nurl = "{server.url}"\n'), opened.snapshot)
            pushing.push()
            assert pushing.failure == (
                f"the OpenTelemetry collector at {server.url} gets no metrics: timed out after 300 ms: "
                "start the collector, or correct its address"
            )
        pushing.push()
        assert pushing.failure is not None
        assert "gets no metrics: refused" in pushing.failure
        with collector() as server:
            pushing._collector = Collector(OtlpSettings(url=server.url), Path)
            pushing.push()
            assert pushing.failure is None


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="must be an address"):
        parse('[otlp]\nurl = "collector:4317"\n')
    with pytest.raises(ConfigError, match="Authorization must be a reference"):
        parse('[otlp]\nheaders = {Authorization = "abc"}\n')
