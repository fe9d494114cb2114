"""Telling people of alerts: once, in time, through a real Apprise to a real local server."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch import delivery
from mlwatch.config import NotifySettings, parse
from mlwatch.delivery import Message
from mlwatch.errors import ConfigError
from mlwatch.notify import Notifier, news, remember, remembered, silenced
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
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = server.status
        server.at.append(time.monotonic())
        server.got.append(body)
        if status == 200:
            server.took.append(body)
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


@contextmanager
def receiving() -> Iterator[ThreadingHTTPServer]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    made.got, made.took, made.at, made.status = [], [], [], 200
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with receiving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    with receiving() as made:
        yield made


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
        Message("mlwatch: resolved", "this is over: a is broken", "success", ("a", "", "critical"))
    ]
    assert news(store, [], settings) == []
    assert len(news(store, [alert()], settings)) == 1, "it fires again"


def test_the_end_is_told_in_the_words_of_the_end(store: DuckDBPyConnection) -> None:
    down = Alert("endpoint: one", "firing", "critical", "one is down: refused", NOW)
    burns = Alert("endpoint: one", "firing", "critical", "its budget burns", NOW, about="error budget")
    was = Alert("endpoint: one", "resolved", "warning", "one was down: refused", NOW)
    long_ago = Alert("endpoint: one", "resolved", "critical", "one was down: reset", NOW - timedelta(days=1))
    settings = NotifySettings()
    news(store, [down, burns], settings)
    assert sorted(message.body for message in news(store, [was, long_ago], settings)) == [
        "one was down: refused",
        "this is over: its budget burns",
    ]


def test_while_an_endpoint_is_down_nothing_else_of_it_is_over(store: DuckDBPyConnection) -> None:
    clock = alert("endpoint: one", severity="warning", about="clock")
    other = alert("endpoint: two", severity="warning", about="clock")
    down = alert("endpoint: one")
    assert told(store, clock, other) == ["warning", "warning"]
    assert told(store, down, other) == ["critical"]
    assert told(store, down) == ["resolved"], "of the other one"
    assert told(store, clock) == ["resolved"], "it is up again"
    assert told(store) == ["resolved"]


def test_what_is_muted_or_pending_is_not_told(store: DuckDBPyConnection) -> None:
    alerts = [alert(silence="mute"), alert("b", silence="acknowledge"), alert("c", state="pending")]
    assert news(store, alerts, NotifySettings()) == []
    assert [m.alert for m in news(store, [alert(), alert("b", about="m v2")], NotifySettings())] == [
        ("a", "", "critical"),
        ("b", "m v2", "critical"),
    ]
    assert silenced([*alerts, alert("d", state="resolved", silence="mute")]) == {
        ("a", "", "critical"),
        ("b", "", "critical"),
    }


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
    assert said == [("warning", "notify address 1", "[notify] urls: address 1 took no message")]


def test_too_many_messages_are_held_back_and_counted(server: ThreadingHTTPServer) -> None:
    settings = NotifySettings(urls=(f"json://127.0.0.1:{server.server_port}/",), most_per_minute=2)
    notifier = Notifier(settings, lambda *_: None)
    began = time.monotonic()
    notifier.send([Message("t", f"message {i}", "warning") for i in range(100)])
    assert time.monotonic() - began < 1.0, "nobody waits"
    wait_for(lambda: notifier._deliveries[1].held == 98)
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
    assert news(store, [], NotifySettings()) == [
        Message("mlwatch: resolved", "this is over: latency: high", "success", ("a", "", ""))
    ]


def begins(rule: str, severity: str = "critical") -> Message:
    return Message(f"mlwatch: {severity}", f"{rule} is broken", severity, (rule, "", severity))


def ends(rule: str, severity: str = "critical") -> Message:
    return Message("mlwatch: resolved", f"{rule} is broken", "success", (rule, "", severity))


Said = list[tuple[str, str, str]]
FAILS, WORKS = (
    ("warning", "notify address 1", "[notify] urls: address 1 took no message"),
    ("info", "notify address 1", "[notify] urls: address 1 takes messages again"),
)


def told_by(server: Any) -> list[tuple[str, str]]:
    """Return the kinds and texts of what a server took."""
    return [(got["type"], got["message"]) for got in server.took]


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.1)


def notifier_of(said: Said, *servers: Any, **rest: Any) -> Notifier:
    urls = tuple(f"json://127.0.0.1:{server.server_port}/" for server in servers)
    undelivered = rest.pop("undelivered", None)
    settings = NotifySettings(urls=urls, **{"most_per_minute": 100, **rest})
    return Notifier(settings, lambda *each: said.append(each), undelivered)


@pytest.mark.usefixtures("impatient")
def test_what_was_not_taken_is_tried_again_and_the_warning_ends(server: Any, said: Said) -> None:
    server.status = 503
    notifier = notifier_of(said, server)
    notifier.send([begins("a"), begins("b")])
    wait_for(lambda: len(server.got) >= 4)
    assert said == [FAILS]
    server.status = 200
    wait_for(lambda: not notifier.undelivered())
    notifier.send([begins("c")])
    wait_for(lambda: len(server.took) == 3)
    notifier.stop()
    assert sorted(told_by(server)) == [("failure", f"{rule} is broken") for rule in "abc"]
    assert said == [FAILS, WORKS]


@pytest.mark.usefixtures("impatient")
def test_of_what_was_over_before_it_was_told_nothing_is_told(server: Any, said: Said) -> None:
    notifier = notifier_of(said, server)
    notifier.send([begins("known")])
    wait_for(lambda: len(server.took) == 1)
    server.status = 503
    notifier.send([begins("a"), begins("b", "warning"), ends("known")])
    wait_for(lambda: len(server.got) >= 4)
    notifier.send([ends("a"), begins("known")])  # of that the address still knows that it fires
    server.status = 200
    wait_for(lambda: not notifier.undelivered())
    notifier.send([ends("b", "warning")])
    wait_for(lambda: len(server.took) == 3)
    notifier.stop()
    assert told_by(server) == [
        ("failure", "known is broken"),
        ("warning", "b is broken"),
        ("success", "b is broken"),
    ]


@pytest.mark.usefixtures("impatient")
def test_who_does_not_want_to_hear_of_ends_hears_nothing_late(server: Any, said: Said) -> None:
    server.status = 503
    notifier = notifier_of(said, server, resolved=False)
    notifier.send([begins("a"), begins("b")])
    wait_for(lambda: len(server.got) >= 2)
    notifier.send([ends("a"), ends("c")])
    server.status = 200
    wait_for(lambda: not notifier.undelivered())
    notifier.stop()
    assert told_by(server) == [("failure", "b is broken")]


@pytest.mark.usefixtures("impatient")
def test_what_was_muted_meanwhile_waits(server: Any, said: Said) -> None:
    server.status = 503
    notifier = notifier_of(said, server)
    notifier.send([begins("a"), begins("b")])
    wait_for(lambda: len(server.got) >= 2)
    notifier.send([], {("a", "", "critical")})
    server.status = 200
    wait_for(lambda: notifier.undelivered() == {1: [begins("a")]})
    notifier.send([])
    wait_for(lambda: not notifier.undelivered())
    notifier.stop()
    assert [text for _, text in told_by(server)] == ["b is broken", "a is broken"]


@pytest.mark.usefixtures("impatient")
def test_addresses_wait_for_none_other_and_are_not_told_twice(server: Any, other: Any, said: Said) -> None:
    server.status = 503
    notifier = notifier_of(said, server, other)
    own = begins("ingest: notify address 1", "warning")
    notifier.send([begins("a"), own])
    wait_for(lambda: len(other.took) == 2)
    wait_for(lambda: len(server.got) >= 3)
    assert notifier.undelivered() == {1: [begins("a")]}, "its own trouble is no news to it"
    server.status = 200
    wait_for(lambda: not notifier.undelivered())
    notifier.stop()
    assert told_by(server) == [("failure", "a is broken")]
    assert told_by(other) == [("failure", "a is broken"), ("warning", own.body)]
    assert said == [FAILS, WORKS]


def test_a_restart_tries_again_what_still_stands(store: DuckDBPyConnection, server: Any, said: Said) -> None:
    assert remembered(store) == {}
    server.status = 503
    notifier = notifier_of(said, server)
    notifier.send([begins("a"), begins("b")])
    wait_for(lambda: bool(said))
    notifier.stop()
    assert len(server.got) == 1, "there is a pause"
    remember(store, notifier.undelivered())
    server.status = 200
    notifier = notifier_of(said, server, undelivered=remembered(store))
    assert notifier.undelivered() == {1: [begins("b"), begins("a")]}, "nothing before it is known what stands"
    notifier.send([ends("b")])
    wait_for(lambda: not notifier.undelivered())
    notifier.stop()
    remember(store, notifier.undelivered())
    assert remembered(store) == {}
    assert told_by(server) == [("failure", "a is broken")]
    assert said == [FAILS, WORKS]


@pytest.mark.usefixtures("impatient")
def test_what_waited_for_an_address_is_not_held_back(
    server: Any, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MINUTE", 1.0)
    server.status = 503
    notifier = notifier_of(said, server, most_per_minute=2)
    notifier.send([begins(rule) for rule in "abcde"])
    wait_for(lambda: len(server.got) >= 3)
    server.status = 200
    wait_for(lambda: len(server.took) == 2)
    time.sleep(0.2)
    assert len(server.took) == 2
    wait_for(lambda: not notifier.undelivered())
    notifier.stop()
    assert sorted(text for _, text in told_by(server)) == [f"{rule} is broken" for rule in "abcde"]


def test_pauses_grow(server: Any, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.1)
    server.status = 503
    notifier = notifier_of(said, server)
    notifier.send([begins("a")])
    wait_for(lambda: len(server.at) == 4)
    notifier.stop()
    pauses = [late - early for early, late in pairwise(server.at)]
    assert all(pause > least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True))


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
