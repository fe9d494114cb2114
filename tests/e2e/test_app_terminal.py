"""The real process in a real terminal (tmux): keys, sizes, and what it leaves behind when it ends."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
START = datetime(2026, 3, 14, tzinfo=UTC)


def record(at: int, version: str) -> str:
    """Return one prediction as a JSON line."""
    moment = START + timedelta(seconds=30 * at)
    fields = {
        "timestamp": moment.isoformat(), "request_id": f"r{at}", "model": "fraud", "model_version": version,
        "prediction": at % 2, "score": 0.3 + 0.4 * (at % 2), "latency_ms": 20 + at % 7, "status": 200,
        "features": {"amount": at % 13},
    }  # fmt: skip
    return json.dumps(fields) + "\n"


class Terminal:
    """A tmux server of its own with one pane."""

    def __init__(self, logs: Path, width: int, height: int) -> None:
        self._socket = f"mlwatch-test-{uuid.uuid4().hex[:12]}"
        # sizes that are exported by whoever runs the tests would hide the terminal's own
        watch = [sys.executable, "-m", "mlwatch", "watch", str(logs), "--db", ":memory:"]
        program = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *watch])
        # `stty` after the end shows whether the line discipline is back; `cat` keeps the pane open
        command = f"cd {shlex.quote(str(ROOT))} && {program}; echo ENDED $?; stty -a; exec cat"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "-s", "t", command
        )

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments], capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "t", *keys)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "t")

    def ask(self, format_: str) -> str:
        return self._tmux("display-message", "-p", "-t", "t", format_).strip()

    def wait_for(self, *wanted: str, absent: str | None = None) -> str:
        """Return the screen once it shows all that is wanted; fail after the deadline."""
        ends = time.monotonic() + DEADLINE_S
        while time.monotonic() < ends:
            drawn = self.screen()
            if all(text in drawn for text in wanted) and (absent is None or absent not in drawn):
                return drawn
            time.sleep(0.05)
        raise AssertionError(f"not shown in {DEADLINE_S:.0f} s: {wanted}\n{self.screen()}")

    def app_process(self) -> int:
        """Return the process id of the app: the child of the pane's shell."""
        shell = self.ask("#{pane_pid}")
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", shell], capture_output=True, text=True, check=True
        )
        return int(children.stdout.split()[0])

    def assert_clean(self, code: int) -> None:
        """Check that the shell is back and the terminal is as it was."""
        drawn = self.wait_for(f"ENDED {code}", "icanon")
        assert "Traceback" not in drawn
        assert "leaked" not in drawn
        assert " icanon" in drawn
        assert "-icanon" not in drawn
        assert "-echo " not in drawn
        assert self.ask("#{alternate_on} #{mouse_any_flag} #{cursor_flag}") == "0 0 1"

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False, timeout=20
        )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    lines = [record(at, "v2" if at % 3 == 0 else "v1") for at in range(600)]
    (directory / "app.jsonl").write_text("".join(lines), encoding="utf-8")
    return directory


@pytest.fixture
def terminal(logs: Path) -> Iterator[Terminal]:
    made = Terminal(logs, 120, 40)
    yield made
    made.close()


def test_starts_shows_and_follows_keys_growth_and_size(terminal: Terminal, logs: Path) -> None:
    terminal.wait_for("mlwatch", "fraud", "live", "600 rows")
    terminal.press("2")
    terminal.wait_for("Confusion matrix")
    terminal.press("4")
    terminal.wait_for("Requests by outcome")
    terminal.press("1")
    terminal.wait_for("Model performance", absent="Requests by outcome")
    terminal.press("?")
    terminal.wait_for("leave", "freeze the picture")
    terminal.press("Escape")
    terminal.wait_for("600 rows", absent="freeze the picture")

    terminal.press("Space")
    terminal.wait_for("Frozen at")
    with (logs / "app.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(record(at, "v1") for at in range(600, 650))
    terminal.press("Space")
    terminal.wait_for("650 rows", absent="Frozen at")

    for width, height in ((80, 24), (40, 12), (200, 60), (120, 40)):
        terminal.resize(width, height)
        drawn = terminal.wait_for("mlwatch", "live", "q Quit")
        assert max(map(len, drawn.splitlines())) <= width
    terminal.press("q")
    terminal.assert_clean(0)


def test_ctrl_c_leaves_a_clean_terminal(terminal: Terminal) -> None:
    terminal.wait_for("600 rows")
    terminal.press("C-c")
    terminal.assert_clean(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_clean_terminal(terminal: Terminal, number: signal.Signals) -> None:
    terminal.wait_for("600 rows")
    os.kill(terminal.app_process(), number)
    terminal.assert_clean(128 + number)


def test_quits_before_the_first_numbers(terminal: Terminal) -> None:
    terminal.wait_for("mlwatch")
    terminal.press("q")
    terminal.assert_clean(0)
