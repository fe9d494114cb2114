"""Where the app can be drawn, and with which characters."""

from __future__ import annotations

import json
import os
import pty
import pwd
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from logfiles import lines, prediction

from mlwatch.terminal import speaks_utf8

if TYPE_CHECKING:
    from logfiles import SampleStore

ROOT = Path(__file__).resolve().parents[2]
HOMELESS = """
import pwd, sys
def nobody(number): raise KeyError(number)
pwd.getpwuid = nobody
from mlwatch.cli import main
raise SystemExit(main(sys.argv[1:]))
"""
"""Runs a command line as a user whom the system does not know, as a container may have one."""
IN_MEMORY = (
    "mlwatch: note: the state directory cannot be written (there is no home directory), "
    "so this run keeps its store in memory\n"
)


@pytest.mark.parametrize(
    ("environment", "answer"),
    [
        ({}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, True),
    ],
)
def test_the_locale_says_which_characters(environment: dict[str, str], answer: bool) -> None:
    assert speaks_utf8(environment) is answer


@pytest.mark.parametrize(
    ("locale", "given", "drawn"),
    [("C", None, True), ("C", False, False), ("C.UTF-8", None, False), ("C.UTF-8", True, True)],
)
def test_the_command_line_wins_over_the_locale(
    monkeypatch: pytest.MonkeyPatch, locale: str, given: bool | None, drawn: bool
) -> None:
    from mlwatch.commands.watch import app_options
    from mlwatch.config import Config

    monkeypatch.setenv("LC_ALL", locale)
    arguments = Namespace(ascii=given, no_mouse=False, theme=None, read_only=True, at=None, replay=None)
    assert app_options(arguments, Config()).ascii is drawn


def test_without_a_home_nothing_is_kept_between_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlwatch.commands.watch import app_options
    from mlwatch.config import Config

    def nobody(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    arguments = Namespace(ascii=None, no_mouse=False, theme=None, read_only=False, at=None, replay=None)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert app_options(arguments, Config()).history is not None
    monkeypatch.delenv("HOME")
    options = app_options(arguments, Config())
    assert (options.history, options.greeted) == (None, None)


@pytest.mark.parametrize("command", [[str(ROOT / "sample_logs")], ["demo"]])
def test_a_dumb_terminal_gets_a_sentence(tmp_path: Path, command: list[str]) -> None:
    inner, outer = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mlwatch", *command],
            stdin=outer, stdout=outer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            env={**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
    finally:
        os.close(inner)
        os.close(outer)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "mlwatch: a terminal of type dumb cannot draw the app: TERM: set TERM, or use "
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("bare", "named"),
    [
        ({}, True),
        ({"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, True),
        ({"HOME": "/dev/null/home", "XDG_STATE_HOME": "/dev/null/state"}, False),
    ],
    ids=["no home", "no UTF-8", "no home that can be made"],
)
def test_a_bare_environment_is_enough(
    tmp_path: Path, bare: dict[str, str], named: bool, sample_store: SampleStore
) -> None:
    more = ["--db", str(sample_store())] if named else []
    done = subprocess.run(
        [sys.executable, "-m", "mlwatch", "check", str(ROOT / "sample_logs"), *more],
        capture_output=True,
        timeout=120,
        cwd=ROOT,
        env={"PATH": os.defpath, "TMPDIR": str(tmp_path), **bare},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(b"ROLL BACK  flight-delay: v2 against v1, canary\n")
    assert done.stderr.count(b"\n") <= 1, "at most the note that the store is in memory"


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["report", "logs"], 0, IN_MEMORY),
        (["report", "logs", "--db", ":memory:"], 0, ""),
        (["report", "logs", "--db", "store.duckdb"], 0, ""),
        (
            ["store", "info", "logs"],
            2,
            "mlwatch: no store without a home directory: HOME: set it, or name a file with --db\n",
        ),
    ],
)
def test_a_user_without_a_home_needs_none(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").write_text(lines(prediction(n) for n in range(10)))
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS, *arguments],
        capture_output=True, text=True, timeout=120, check=False,
        cwd=tmp_path, env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)
    assert not (tmp_path / "~").exists()
    if code == 0:
        assert json.loads(done.stdout)["ingest"]["predictions"] == 10
