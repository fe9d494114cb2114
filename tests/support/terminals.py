"""A real terminal (tmux) with the real process in it."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


class Terminal:
    """A tmux server of its own with one pane."""

    def __init__(self, width: int, height: int, *arguments: str, after: str = "exec cat") -> None:
        """Start `mlwatch ARGUMENTS` in it, and do something in the shell once that has ended, or is suspended."""
        self._socket = f"mlwatch-test-{uuid.uuid4().hex[:12]}"
        # sizes that are exported by whoever runs the tests would hide the terminal's own
        mlwatch = [sys.executable, "-m", "mlwatch", *arguments]
        program = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *mlwatch])
        # `stty` after the end shows whether the line discipline is back; `cat` keeps the pane open
        script = f"cd {shlex.quote(str(ROOT))} && {program}; echo ENDED $?; stty -a; {after}"
        command = shlex.join(["bash", "-mc", script])  # with job control, as where somebody types
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
