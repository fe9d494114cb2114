"""Endpoints through a whole session: real servers on this machine, seen in snapshots and judged by check."""

from __future__ import annotations

import json
import re
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from mlwatch import lookout
from mlwatch.cli import main
from mlwatch.endpoints import poller
from mlwatch.errors import InputError
from mlwatch.session import Options, Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


STATS = """http_requests_total{{status="200"}} {all}
http_requests_total{{status="500"}} {bad}
http_request_duration_seconds_bucket{{le="0.1"}} {all}
http_request_duration_seconds_bucket{{le="+Inf"}} {all}
"""


class Handler(BaseHTTPRequestHandler):
    """A model server of somebody's own making, described by OpenAPI."""

    ANSWERS: dict[str, Any] = {  # noqa: RUF012  of a test
        "/openapi.json": {
            "openapi": "3.1.0",
            "info": {"title": "fraud", "version": "1"},
            "paths": {"/healthz": {}, "/version": {}, "/predict": {}},
        },
        "/healthz": {"status": "ok"},
        "/version": {"model": "fraud", "version": "v2"},
    }

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"probability": self.server.probability})  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        if self.path == "/stats":
            self.server.scrapes += self.server.busy  # type: ignore[attr-defined]
            self._send(STATS.format(all=100 * self.server.scrapes, bad=self.server.scrapes).encode())  # type: ignore[attr-defined]
        else:
            self._answer(self.ANSWERS.get(self.path))

    def _answer(self, answer: Any) -> None:
        self._send(json.dumps(answer).encode(), 200 if answer is not None else 404, "application/json")

    def _send(self, body: bytes, status: int = 200, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(port: int = 0, probability: float = 0.5, *, busy: bool = True) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.probability, server.scrapes, server.busy = probability, 0, busy  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    lines = (
        {"timestamp": f"2026-11-03T12:00:{n:02d}Z", "prediction": 1, "request_id": str(n), "version": "v2"}
        for n in range(20)
    )
    (directory / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the looks of those who judge once come sooner: these servers answer at once."""
    monkeypatch.setattr(poller, "HURRY", 0.1)


def state(session: Session) -> str:
    return next((endpoint.state for endpoint in session.snapshot().endpoints), "")


def test_an_endpoint_is_seen_up_down_and_up_again(logs: Path) -> None:
    with serving() as port:
        (logs / "mlwatch.toml").write_text(
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\ninterval = "200ms"\ntimeout = "1s"\n'
        )
        session = Session(Options(logs, db=":memory:"))
        session.start()
        until(lambda: state(session) == "ok")
        (endpoint,) = session.snapshot().endpoints
        assert (endpoint.name, endpoint.live, endpoint.ready) == ("fraud", True, True)
        assert [(one.model, one.version) for one in endpoint.served] == [("fraud", "v2")]
    try:
        until(lambda: state(session) == "bad")
        until(lambda: any("fraud is down" in alert.message for alert in session.snapshot().alerts))
        with serving(port):
            until(lambda: state(session) == "ok")
            said = {alert.message.partition(":")[0]: alert.state for alert in session.snapshot().alerts}
            assert "fraud is down" not in said
            assert said["fraud was down"] == "resolved"
    finally:
        session.stop()


def check(capsys: pytest.CaptureFixture[str], logs: Path, *more: str) -> tuple[int, str, str]:
    code = main(["check", str(logs), "--db", ":memory:", *more])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_check_polls_before_it_judges(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as port:
        _, out, err = check(capsys, logs, "--endpoint", f"http://127.0.0.1:{port}")
        assert "up, serves fraud v2" in out, err
    code, out, _ = check(capsys, logs, "--endpoint", f"http://127.0.0.1:{port}")
    assert code == 1
    assert f"http://127.0.0.1:{port} is down" in out


def test_check_fails_where_a_condition_is_broken(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "TELLING", 6)  # nothing more is to come
    with serving() as port:
        (logs / "mlwatch.toml").write_text(
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\n'
            """conditions = ["status == 200", "version == 'v3'", "metrics.queue_length < 9"]\n"""
        )
        code, out, _ = check(capsys, logs)
    assert code == 1
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for said in (
        "PASS endpoint: fraud: status == 200: 200",
        "FAIL endpoint: fraud: version == 'v3': v2",
        "HOLD endpoint: fraud: metrics.queue_length < 9: n/a, because the server has not said queue_length yet",
    ):
        assert said in lines


def test_check_knows_rates_and_quantiles(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "TELLING", 12)  # this server counts at once, and rates take two scrapes
    monkeypatch.setattr(poller, "HURRY", 0.4)
    kept = ("metrics.error_share < 50%", "metrics.requests_per_s > 1", "metrics.latency_p95_ms < 2000")
    conditions = [*kept, "metrics.error_share < 0.1%"]
    with serving() as port:
        (logs / "mlwatch.toml").write_text(
            "[[rule]]\nmetric = 'error_rate'\nwhen = '> 50%'\n"
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\nmetrics = "/stats"\n'
            f"conditions = {json.dumps(conditions)}\n"
        )
        code, out, _ = check(capsys, logs)
    said = {" ".join(line.split()) for line in out.splitlines() if "fraud:" in line}
    assert [sum(line.startswith(f"PASS endpoint: fraud: {one}: ") for line in said) for one in kept] == [
        1
    ] * 3
    assert "PASS endpoint: fraud: metrics.latency_p95_ms < 2000: 95 ms" in said
    assert "FAIL endpoint: fraud: metrics.error_share < 0.1%: 0.9901 %" in said
    assert code == 1


@pytest.mark.deep
def test_check_says_that_no_requests_came(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "TELLING", 12)
    monkeypatch.setattr(poller, "HURRY", 0.4)
    with serving(busy=False) as port:
        (logs / "mlwatch.toml").write_text(
            "[[rule]]\nmetric = 'error_rate'\nwhen = '> 50%'\n"
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\nmetrics = "/stats"\n'
            "conditions = ['metrics.error_share < 1%', 'metrics.latency_p95_ms < 100']\n"
        )
        code, out, _ = check(capsys, logs)
    said = [" ".join(line.split()) for line in out.splitlines() if "metrics." in line]
    assert code == 3
    assert len(said) == 2
    for line in said:
        assert re.fullmatch(
            r"HOLD endpoint: fraud: .*: n/a, because no requests came in the last [1-9]\d* s", line
        )


@pytest.mark.deep
def test_an_endpoint_that_goes_down_during_a_wait_ends_it(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as servers:
        port = servers.enter_context(serving())
        (logs / "mlwatch.toml").write_text(
            "[[rule]]\nmetric = 'accuracy'\nwhen = '< 50%'\n"
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\ninterval = "200ms"\n'
        )
        monkeypatch.setattr("mlwatch.commands.check.pause", lambda _: servers.close())
        code, out, err = check(capsys, logs, "--wait", "20s")
    assert "waiting" in err
    assert "fraud is down" in out
    assert code == 1


@pytest.mark.deep
def test_an_endpoint_that_stays_up_during_a_wait_goes_on_being_polled(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However seldom it is polled otherwise: what nobody has looked at lately holds."""
    monkeypatch.setattr("mlwatch.lookout.OFTEN", timedelta(seconds=0.3))
    monkeypatch.setattr("mlwatch.snapshot.endpoints.QUIET", timedelta(seconds=3))
    with serving() as port:
        (logs / "mlwatch.toml").write_text(
            "[[rule]]\nmetric = 'accuracy'\nwhen = '< 50%'\n"
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\ninterval = "5m"\n'
        )
        code, out, _ = check(capsys, logs, "--wait", "6s")
    assert code == 3
    assert "fraud is up, serves fraud v2" in out


@pytest.mark.deep
def test_check_passes_over_what_is_not_configured_any_more(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule, store = "[[rule]]\nmetric = 'error_rate'\nwhen = '> 50%'\n", str(logs.parent / "store.duckdb")
    (logs / "golden.json").write_text('{"amount": 12}')
    (logs / "expected.json").write_text('{"probability": 2}')
    with serving() as port:
        endpoint = f"{rule}[[endpoint]]\nname = 'fraud'\nurl = 'http://127.0.0.1:{port}'\n"
        probe = "probe = {input = 'golden.json', expect = 'expected.json'}\n"
        (logs / "mlwatch.toml").write_text(endpoint + probe)
        code, out, _ = check(capsys, logs, "--db", store)
        assert (code, "expected answer" in out) == (1, True)
        (logs / "mlwatch.toml").write_text(endpoint)
        code, out, _ = check(capsys, logs, "--db", store)
        assert (code, "fraud is up, serves fraud v2" in out) == (0, True)
    (logs / "mlwatch.toml").write_text(endpoint)
    assert check(capsys, logs, "--db", store)[0] == 1, "down"
    (logs / "mlwatch.toml").write_text(rule)
    code, out, _ = check(capsys, logs, "--db", store)
    assert code == 0
    assert "fraud was polled earlier, but is not configured any more: it is not checked" in out


def golden(logs: Path, port: int) -> str:
    """Look at an endpoint with a golden probe until it has answered; return its alerts."""
    (logs / "golden.json").write_text('{"amount": 12}')
    (logs / "mlwatch.toml").write_text(
        f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\ninterval = "200ms"\n'
        'probe = {input = "golden.json", every = "1s"}\n'
    )
    with Session(Options(logs, db=logs.parent / "store.duckdb")) as session:
        session.look_around()
        (endpoint,) = session.snapshot().endpoints
        assert endpoint.golden is not None
        return "; ".join(alert.message for alert in session.snapshot().alerts if "input" in alert.message)


@pytest.mark.deep
def test_another_model_behind_the_same_version_is_told_also_after_a_restart(logs: Path) -> None:
    with serving(probability=0.5) as port:
        assert not golden(logs, port)
    with serving(port, probability=0.5):
        assert not golden(logs, port)
    with serving(port, probability=0.75):
        assert golden(logs, port) == (
            "fraud does not give the expected answer to its fixed input: output changed without a new version: "
            "probability: 0.75 instead of 0.5 (0.25 apart)"
        )


@pytest.mark.deep
def test_a_golden_probe_that_is_not_configured_any_more_is_not_told_of(logs: Path) -> None:
    def told(probe: str) -> list[tuple[bool, bool]]:
        (logs / "mlwatch.toml").write_text(f'[[endpoint]]\nurl = "http://127.0.0.1:{port}"\n{probe}')
        with Session(Options(logs, db=logs.parent / "store.duckdb")) as session:
            session.look_around()
            now, past = session.snapshot(), session.snapshot(at=datetime.now(UTC))
        return [
            (one.endpoints[0].golden is not None, any("fixed input" in each.message for each in one.alerts))
            for one in (now, past)
        ]

    (logs / "golden.json").write_text('{"amount": 12}')
    (logs / "expected.json").write_text('{"probability": 2}')
    with serving() as port:
        assert told("probe = {input = 'golden.json', expect = 'expected.json'}\n") == [(True, True)] * 2
        assert told("") == [(False, False), (True, True)], "the past stays what it was"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('headers = {Authorization = "env:MLWATCH_NOT_SET"}',
         "header Authorization: the environment has no variable MLWATCH_NOT_SET: endpoint fraud: set MLWATCH_NOT_SET"),
        ('headers = {Authorization = "file:token"}',
         "header Authorization: cannot read the file token: endpoint fraud: make it readable, or name another"),
        ('management_headers = {X-Key = "env:MLWATCH_NOT_SET"}',
         "header X-Key: the environment has no variable MLWATCH_NOT_SET: endpoint fraud: set MLWATCH_NOT_SET"),
        ('verify = "ca.pem"',
         "cannot read the certificate authorities in ca.pem: endpoint fraud: make it readable, or name another"),
    ],
)  # fmt: skip
def test_who_judges_once_is_told_what_the_configuration_lacks(
    logs: Path, capsys: pytest.CaptureFixture[str], setting: str, said: str
) -> None:
    (logs / "mlwatch.toml").write_text(
        f"[[endpoint]]\nname = 'fraud'\nurl = 'http://127.0.0.1:9'\n{setting}\n"
    )
    assert check(capsys, logs) == (2, "", f"mlwatch: {said}\n")


def test_an_endpoint_that_cannot_be_asked_is_an_alert_and_no_outage(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLWATCH_TEST_LATE", raising=False)
    with serving() as port:
        (logs / "mlwatch.toml").write_text(
            f'[[endpoint]]\nname = "fraud"\nurl = "http://127.0.0.1:{port}"\ninterval = "200ms"\n'
            'headers = {X-Key = "env:MLWATCH_TEST_LATE"}\n'
        )
        with Session(Options(logs, db=":memory:")) as session:
            session.start()
            until(lambda: session.snapshot().endpoints)
            found = session.snapshot()
            (endpoint,), (alert,) = found.endpoints, [a for a in found.alerts if "fraud" in a.rule]
            why = "header X-Key: the environment has no variable MLWATCH_TEST_LATE: set MLWATCH_TEST_LATE"
            assert (endpoint.state, endpoint.unasked, endpoint.probes) == ("unknown", why, 0)
            assert (alert.severity, alert.message) == ("warning", f"fraud is not asked: {why}")
            assert session.connection.execute("SELECT COUNT(*) FROM probes").fetchone() == (0,)
            monkeypatch.setenv("MLWATCH_TEST_LATE", "k3y")
            until(lambda: state(session) == "ok")
            assert not [alert for alert in session.snapshot().alerts if "fraud" in alert.rule]


@pytest.mark.usual(1)
@pytest.mark.parametrize("url", ["ftp://x", "nosuchkind+http://127.0.0.1:1"])
def test_a_wrong_address_is_one_line(logs: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = check(capsys, logs, "--endpoint", url)
    assert code == 2
    assert len(err.splitlines()) == 1
    with Session(Options(logs, db=":memory:", endpoints=(url,))) as session, pytest.raises(InputError):
        session.start()
