"""The real process in a real terminal (tmux): keys, sizes, and what it leaves behind when it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from terminals import Terminal
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

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


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    lines = [record(at, "v2" if at % 3 == 0 else "v1") for at in range(600)]
    (directory / "app.jsonl").write_text("".join(lines), encoding="utf-8")
    return directory


@pytest.fixture
def terminal(logs: Path) -> Iterator[Terminal]:
    made = Terminal(120, 40, "watch", str(logs), "--db", ":memory:")
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


@pytest.mark.usual(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_a_clean_terminal(terminal: Terminal, number: signal.Signals) -> None:
    terminal.wait_for("600 rows")
    os.kill(terminal.app_process(), number)
    terminal.assert_clean(128 + number)


@pytest.mark.usual(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_screen_leaves_a_clean_terminal_too(
    terminal: Terminal, number: signal.Signals
) -> None:
    until(lambda: terminal.ask("#{alternate_on}") == "1")
    os.kill(terminal.app_process(), number)
    terminal.assert_clean(128 + number)


@pytest.mark.deep
def test_a_terminal_that_hangs_up_ends_the_app(terminal: Terminal) -> None:
    terminal.wait_for("600 rows")
    process = terminal.app_process()
    os.kill(process, signal.SIGHUP)
    os.kill(process, signal.SIGCONT)  # the kernel sends both: it must not wake the screen again
    terminal.assert_clean(128 + signal.SIGHUP)


@pytest.mark.deep
def test_ctrl_z_goes_back_to_the_shell_and_fg_goes_on(logs: Path) -> None:
    arguments = ("watch", str(logs), "--db", ":memory:")
    terminal = Terminal(120, 40, *arguments, after="read line; fg; echo AGAIN $?; stty -a; exec cat")
    try:
        terminal.wait_for("600 rows")
        terminal.press("C-z")
        terminal.assert_clean(128 + signal.SIGSTOP)
        with (logs / "app.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(record(at, "v1") for at in range(600, 650))
        terminal.press("Enter")
        terminal.wait_for("650 rows", "live")
        terminal.press("2")
        terminal.wait_for("Confusion matrix")
        terminal.press("q")
        terminal.wait_for("AGAIN 0", " icanon")
    finally:
        terminal.close()


def test_quits_before_the_first_numbers(terminal: Terminal) -> None:
    terminal.wait_for("mlwatch")
    terminal.press("q")
    terminal.assert_clean(0)
