"""Telling people of alerts: once, in time, through a real Apprise to a real local server."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.config import NotifySettings, parse
from mlwatch.errors import ConfigError
from mlwatch.notify import Message, Notifier, news
from mlwatch.snapshot.types import Alert
from mlwatch.store.database import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
DEADLINE_S = 20.0


def alert(rule: str = "a", state: str = "firing", severity: str = "critical", **rest: Any) -> Alert:
    return Alert(rule, state, severity, f"{rule} is broken", NOW, **rest)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBPyConnection]:
    opened = open_store(tmp_path, ":memory:")
    yield opened.connection
    opened.close()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    made.got, made.status = [], 200  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not ready():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.01)


def test_an_alert_is_told_once_and_its_end_once(store: DuckDBPyConnection) -> None:
    settings = NotifySettings()
    assert [m.severity for m in news(store, [alert(), alert("b", severity="info")], settings)] == ["critical"]
    assert news(store, [alert()], settings) == []
    assert news(store, [alert(state="resolved")], settings) == [
        Message("mlwatch: resolved", "a is broken", "success")
    ]
    assert news(store, [], settings) == []
    assert len(news(store, [alert()], settings)) == 1, "it fires again"


def test_what_is_muted_or_pending_is_not_told(store: DuckDBPyConnection) -> None:
    alerts = [alert(silence="mute"), alert("b", silence="acknowledge"), alert("c", state="pending")]
    assert news(store, alerts, NotifySettings()) == []
    assert news(
        store, [alert(), alert("b", about="m v2"), alert("b", about="m v3")], NotifySettings(resolved=False)
    )
    assert news(store, [], NotifySettings(resolved=False)) == []


def test_messages_arrive_with_their_severity(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWATCH_TEST_URL", f"json://127.0.0.1:{server.server_port}/secret-path")
    said: list[tuple[str, str, str]] = []
    notifier = Notifier(NotifySettings(urls=("env:MLWATCH_TEST_URL",)), lambda *each: said.append(each))
    notifier.send([Message("mlwatch: critical", "accuracy [b]fell[/b]\nto 0.8", "critical")])
    wait_for(lambda: len(server.got) == 1)  # type: ignore[attr-defined]
    notifier.stop()
    (got,) = server.got  # type: ignore[attr-defined]
    assert (got["title"], got["type"]) == ("mlwatch: critical", "failure")
    assert "\n" not in got["message"]
    assert said == []


def test_an_address_that_fails_is_said_without_its_name(server: ThreadingHTTPServer) -> None:
    server.status = 500  # type: ignore[attr-defined]
    said: list[tuple[str, str, str]] = []
    url = f"json://user:token-1234@127.0.0.1:{server.server_port}/"
    notifier = Notifier(NotifySettings(urls=(url,)), lambda *each: said.append(each))
    notifier.send([Message("t", "b", "warning")])
    wait_for(lambda: bool(said))
    notifier.stop()
    assert said == [("warning", "notify", "[notify] urls: address 1 took no message")]


def test_too_many_messages_are_held_back_and_counted(server: ThreadingHTTPServer) -> None:
    settings = NotifySettings(urls=(f"json://127.0.0.1:{server.server_port}/",), most_per_minute=2)
    notifier = Notifier(settings, lambda *_: None)
    began = time.monotonic()
    notifier.send([Message("t", f"message {i}", "warning") for i in range(100)])
    assert time.monotonic() - began < 1.0, "nobody waits"
    wait_for(lambda: notifier._held == 98)
    assert len(server.got) == 2  # type: ignore[attr-defined]
    notifier.stop()
    *_, last = server.got  # type: ignore[attr-defined]
    assert (len(server.got), last["message"]) == (3, "98 more messages were held back")  # type: ignore[attr-defined]


def test_what_is_gravest_is_told_first(store: DuckDBPyConnection) -> None:
    alerts = [alert("a", severity="warning"), alert("b"), alert("c", severity="warning")]
    assert [m.severity for m in news(store, alerts, NotifySettings())] == ["critical", "warning", "warning"]


def told(store: DuckDBPyConnection, *alerts: Alert) -> list[str]:
    return [message.title.removeprefix("mlwatch: ") for message in news(store, alerts, NotifySettings())]


def test_what_gets_worse_is_told_again_and_its_end_too(store: DuckDBPyConnection) -> None:
    warning = alert(severity="warning")
    assert told(store, warning) == ["warning"]
    assert told(store, alert()) == ["critical"]
    assert told(store, alert(), warning) == []
    assert told(store, warning) == ["resolved"], "the worse is over, the rest is known"
    assert told(store, alert()) == ["critical"], "it is down again"
    assert told(store) == ["resolved", "resolved"]


def test_the_gravest_of_one_rule_is_told(store: DuckDBPyConnection) -> None:
    assert told(store, alert(severity="warning"), alert()) == ["critical"]
    assert told(store, alert(severity="warning")) == ["warning", "resolved"]


def test_what_was_told_before_severities_were_kept_is_told(store: DuckDBPyConnection) -> None:
    store.execute("INSERT INTO told VALUES ('a', '', 'latency: high')")
    assert told(store, alert(severity="warning")) == []
    assert told(store, alert()) == []
    assert news(store, [], NotifySettings()) == [Message("mlwatch: resolved", "latency: high", "success")]


def test_a_dry_run_only_says() -> None:
    said: list[tuple[str, str, str]] = []
    notifier = Notifier(NotifySettings(urls=("env:NOT_SET",), dry_run=True), lambda *each: said.append(each))
    notifier.send([Message("t", "accuracy fell", "warning")])
    wait_for(lambda: bool(said))
    notifier.stop()
    assert said == [("info", "notify", "would tell: accuracy fell")]


@pytest.mark.parametrize(
    ("url", "why"),
    [("env:MLWATCH_NOT_SET", "set the variable MLWATCH_NOT_SET"), ("nonsense", "write it as Apprise")],
)
def test_addresses_that_are_none(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Notifier(NotifySettings(urls=(url,)), lambda *_: None)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"pip install 'mlwatch\[notify\]'"):
        Notifier(NotifySettings(urls=("json://127.0.0.1",)), lambda *_: None)


def test_settings_are_checked() -> None:
    assert parse('[notify]\nurls = ["env:SLACK"]\nmost_per_minute = 3\n').notify.most_per_minute == 3
    with pytest.raises(ConfigError, match="no severity loud"):
        parse('[notify]\nseverities = ["loud"]\n')
