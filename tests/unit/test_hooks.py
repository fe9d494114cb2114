"""The user's command runs when a verdict changes: once, without a shell, with the verdict on standard input."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from mlwatch import hooks
from mlwatch.cli import main
from mlwatch.hooks import Call, Runner
from mlwatch.session import Options, Session
from mlwatch.store.database import open_store
from mlwatch.verdictfile import VerdictFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


def rows(first: int, count: int, wrong: int) -> str:
    """Return requests of two versions with their labels; of a hundred of v2, `wrong` are wrong."""
    lines = []
    for n in range(first, first + count):
        version, label = f"v{1 + n % 2}", (n // 2) % 2
        bad = version == "v2" and n % 100 < wrong
        time_ = f"2026-11-03T{10 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z"
        lines.append(
            json.dumps(
                {"timestamp": time_, "id": f"r{n}", "model": "m", "version": version, "label": label}
                | {"prediction": 1 - label if bad else label}
            )
        )
    return "\n".join(lines) + "\n"


def prepare(tmp_path: Path, command: list[str], more: str = "") -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    settings = f"[rollout]\non_rollback = {json.dumps(command)}\nmin_time = '1m'\n{more}"
    (logs / "mlwatch.toml").write_text(settings)
    return logs


def follow(logs: Path, tmp_path: Path, out: Path, rows_more: str | None) -> bool:
    """Follow the logs until all is judged; return whether the command has run."""
    session = Session(Options(logs, db=tmp_path / "store.duckdb"))
    session.start()
    try:
        until(lambda: session.snapshot().ingest.predictions >= 2000)
        if rows_more is None:
            until(lambda: session._keeper.ruled == session._meter.taken_in)
        else:
            (logs / "b.jsonl").write_text(rows_more)
            said = "ran for the verdict rollback"
            until(lambda: any(said in alert.message for alert in session.snapshot().alerts))
    finally:
        session.stop()
    return out.exists()


def test_a_roll_back_runs_the_command_once_also_after_a_restart(tmp_path: Path) -> None:
    out = tmp_path / "it's $HOME; `id`.txt"
    logs = prepare(tmp_path, [sys.executable, "-c", WRITE, str(out)])
    (logs / "a.jsonl").write_text(rows(0, 2000, 0))
    assert not follow(logs, tmp_path, out, rows_more=None)
    assert follow(logs, tmp_path, out, rows_more=rows(2000, 4000, 90))
    assert follow(logs, tmp_path, out, rows_more=None)
    assert out.read_text().count("\n") == 1
    document = json.loads(out.read_text())
    assert (document["model"], document["candidate"], document["verdict"]) == ("m", "v2", "rollback")
    assert document["before"] == "hold"
    assert document["reasons"]


def test_check_runs_no_command(tmp_path: Path) -> None:
    out = tmp_path / "ran.txt"
    logs = prepare(tmp_path, [sys.executable, "-c", WRITE, str(out)])
    (logs / "a.jsonl").write_text(rows(0, 4000, 90))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        assert [rollout.verdict for rollout in session.snapshot().rollouts] == ["rollback"]
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "dry", "said"),
    [
        (
            (sys.executable, "-c", "import sys; sys.exit('no \x1b[31mway')"),
            False,
            "exit code 1: no \\x1b[31mway",
        ),
        (("/nowhere/at all",), False, "/nowhere/at all cannot be run (No such file or directory)"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), False, "was ended after 1 s"),
        (("/nowhere/at all",), True, "would run /nowhere/at all: rollback"),
    ],
)
def test_what_came_of_it_is_said(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], dry: bool, said: str
) -> None:
    monkeypatch.setattr(hooks, "LIMIT_S", 1.0)
    heard: list[tuple[str, str, str]] = []
    runner = Runner(lambda *found: heard.append(found), dry=dry)
    runner.run([Call("on_rollback", command, "rollback", "{}")])
    runner.stop(timeout=20)
    assert [(severity, topic) for severity, topic, _ in heard] == [
        ("info" if dry else "warning", "on_rollback")
    ]
    assert said in heard[0][2]


def test_a_slow_command_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "LIMIT_S", 1.0)
    heard: list[str] = []
    runner = Runner(lambda _severity, _topic, sentence: heard.append(sentence))
    slow = Call("on_verdict", (sys.executable, "-c", "import time; time.sleep(60)"), "hold", "{}")
    began = time.monotonic()
    runner.run([slow] * (hooks.WAITING + 5))
    assert time.monotonic() - began < 0.5
    assert any("was not run: 20 others wait" in sentence for sentence in heard)
    runner.stop(timeout=0.1)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/ok", "took the verdict rollback"), ("/gone", "the verdict rollback was refused with status 404")],
)
def test_a_webhook_gets_the_verdict_and_is_not_named(path: str, sentence: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    said: list[tuple[str, str, str]] = []
    runner = Runner(lambda *each: said.append(each))
    url = f"http://127.0.0.1:{server.server_port}{path}"
    runner.run([Call("webhook", (url,), "rollback", '{"verdict": "rollback"}')])
    runner.stop()
    server.shutdown()
    server.server_close()
    assert server.got == [{"verdict": "rollback"}]  # type: ignore[attr-defined]
    ((_, _, told),) = said
    assert told == f"[rollout] webhook: {sentence}"


def test_a_webhook_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLWATCH_HOOK", raising=False)
    said: list[tuple[str, str, str]] = []
    runner = Runner(lambda *each: said.append(each))
    runner.run(
        [Call("webhook", (url,), "hold", "{}") for url in ("http://127.0.0.1:1/secret", "env:MLWATCH_HOOK")]
    )
    runner.stop()
    assert [told for _, _, told in said] == [
        "[rollout] webhook: the verdict hold was not taken (ConnectError)",
        "[rollout] webhook: the environment has no variable MLWATCH_HOOK",
    ]


class Endless(BaseHTTPRequestHandler):
    """Answers with text that does not end."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        server: Any = self.server
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(b"x" * 65536)
                time.sleep(0.02)
            server.read_on = True

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


def test_the_end_of_a_webhooks_answer_is_not_waited_for() -> None:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.read_on = False
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    began = time.monotonic()
    assert post(server, "rollback") == [("info", "webhook", "[rollout] webhook: took the verdict rollback")]
    assert time.monotonic() - began < 3
    server.shutdown()
    server.server_close()
    assert not server.read_on


class Recovering(BaseHTTPRequestHandler):
    """Answers with the statuses of its server in turn, and asks for a second's patience."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.got.append((time.monotonic(), body))
        status = server.statuses.pop(0)
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name of the base class
        """Be quiet."""


@pytest.fixture
def recovering() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Recovering)
    server.got = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def post(server: Any, *verdicts: str) -> list[tuple[str, str, str]]:
    """Return what is said of verdicts that are posted to a server, once all is said."""
    said: list[tuple[str, str, str]] = []
    runner = Runner(lambda *each: said.append(each))
    url = f"http://127.0.0.1:{server.server_port}/"
    runner.run([Call("webhook", (url,), verdict, json.dumps(verdict)) for verdict in verdicts])
    until(lambda: len(said) == len(verdicts))
    runner.stop()
    return said


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("statuses", "severity", "sentence"),
    [
        ([503, 200], "info", "took the verdict rollback"),
        ([500, 502, 503, 204], "info", "took the verdict rollback"),
        ([503, 503, 503, 500], "warning", "the verdict rollback was refused with status 500"),
        ([503, 401], "warning", "the verdict rollback was refused with status 401"),
    ],
)
def test_a_webhook_that_fails_is_asked_again_a_few_times(
    recovering: Any, monkeypatch: pytest.MonkeyPatch, statuses: list[int], severity: str, sentence: str
) -> None:
    monkeypatch.setattr(hooks, "PAUSES_S", (0.1, 0.2, 0.4))
    recovering.statuses = list(statuses)
    assert post(recovering, "rollback") == [(severity, "webhook", f"[rollout] webhook: {sentence}")]
    assert [body for _, body in recovering.got] == ["rollback"] * len(statuses)
    moments = [at for at, _ in recovering.got]
    pauses = [late - early for early, late in pairwise(moments)]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=False))


def test_a_webhook_is_given_the_time_that_it_asks_for_and_verdicts_stay_in_order(
    recovering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "PAUSES_S", (0.01,))
    recovering.statuses = [429, 200, 200]
    post(recovering, "rollback", "promote")
    assert [body for _, body in recovering.got] == ["rollback", "rollback", "promote"]
    (first, _), (second, _), _ = recovering.got
    assert second - first >= 1.0


def test_a_webhook_that_fails_holds_up_no_command_and_no_end(recovering: Any) -> None:
    recovering.statuses = [503]
    heard: list[tuple[str, str, str]] = []
    runner = Runner(lambda *found: heard.append(found))
    url = f"http://127.0.0.1:{recovering.server_port}/"
    runner.run([Call("webhook", (url,), "hold", "{}"), Call("on_rollback", ("false",), "rollback", "{}")])
    until(lambda: heard and recovering.got)
    assert heard == [("warning", "on_rollback", "[rollout] on_rollback: false failed with exit code 1")]
    runner.stop()
    assert heard[1:] == [
        ("warning", "webhook", "[rollout] webhook: the verdict hold was refused with status 503")
    ]


def test_a_full_queue_does_not_hold_up_the_end() -> None:
    runner = Runner(lambda *_: None)
    sleep = Call("on_verdict", (sys.executable, "-c", "import time; time.sleep(30)"), "hold", "{}")
    runner.run([sleep] * (hooks.WAITING + 1))
    began = time.monotonic()
    runner.stop(timeout=0.2)
    assert time.monotonic() - began < 5


@pytest.mark.deep
def test_of_rollups_too_a_command_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    out, lake = tmp_path / "out.txt", tmp_path / "lake"
    logs = prepare(tmp_path, [sys.executable, "-c", WRITE, str(out)])
    (logs / "a.jsonl").write_text(rows(0, 6000, 90))
    assert main(["rollup", str(logs), "-o", str(lake), "--db", ":memory:"]) == 0
    for verdicts in (["rollback"], ["rollback"]):
        with Session(Options(lake, config=logs / "mlwatch.toml")) as session:
            session.start()
            until(lambda keeper=session._keeper: keeper.ruled >= 0)  # type: ignore[misc]
        assert [json.loads(line)["verdict"] for line in out.read_text().splitlines()] == verdicts
    (kept,) = (tmp_path / "state" / "mlwatch").glob("lake-*.verdicts.json")
    assert json.loads(kept.read_text()) == {'verdict ["m", "v2"]': "rollback"}
    assert kept.stat().st_mode & 0o077 == 0


def test_a_file_of_verdicts_that_is_damaged_is_none(tmp_path: Path) -> None:
    path, opened = tmp_path / "state" / "verdicts.json", open_store(tmp_path, ":memory:")
    file = VerdictFile(path)
    for said in ("{", "[1]", '{"other": 1}'):
        path.parent.mkdir(exist_ok=True)
        path.write_text(said)
        file.load(opened.connection)
    assert opened.connection.execute("SELECT COUNT(*) FROM meta WHERE key LIKE 'verdict%'").fetchone() == (0,)
    opened.close()


def test_that_a_command_ran_is_over_at_once(tmp_path: Path) -> None:
    with Session(Options(prepare(tmp_path, ["true"]), db=":memory:")) as session:
        session._keeper._hear("info", "on_rollback", "it ran")
        session._keeper._hear("warning", "on_promote", "it failed")
        session._keeper.note()
        found = {alert.message: alert.state for alert in session.snapshot().alerts if "it " in alert.message}
    assert found == {"it ran": "resolved", "it failed": "firing"}
