"""`mlwatch demo`: a real rollout on this machine, with the app on top."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.errors import InputError
from mlwatch.terminal import require_terminal
from mlwatch.times import parse_duration

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.demo.rollout import Rollout

NEEDED = ("fastapi", "uvicorn")


def run(arguments: Namespace) -> int:
    """Serve two versions, send traffic, and show it; return the exit code of the app, or of `check`."""
    length = _length(arguments.length, "--for")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{' and '.join(missing)} not installed", "demo", "install mlwatch[demo]")
    if not arguments.headless:
        require_terminal("use --headless")

    from mlwatch.demo.rollout import Rollout  # noqa: PLC0415  pulls NumPy

    if arguments.headless:  # the app takes care of signals itself
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="mlwatch-demo-") as name:
        directory = Path(name) / "demo"  # its name is the title of the app
        directory.mkdir()
        with Rollout(directory, length, arguments.rate) as rollout:
            return (
                _headless(rollout, length, arguments) if arguments.headless else _watch(directory, arguments)
            )


def _length(text: str, where: str) -> float:
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise InputError(str(error), where, "give a length such as 4m") from error
    if not 5 <= seconds <= 86_400:
        raise InputError(f"{text} is too short or too long", where, "give 5s to 24h")
    return seconds


def _watch(directory: Path, arguments: Namespace) -> int:
    """Open the app on the demo's logs."""
    from mlwatch.commands import watch  # noqa: PLC0415

    looks = {"ascii": None, "no_mouse": False, "theme": None, "fps": None, "read_only": False}
    return watch.run(_common(directory, arguments, **looks, exporter=None))


def _headless(rollout: Rollout, length: float, arguments: Namespace) -> int:
    """Follow the demo without a screen for its length, then say what the verdict is."""
    from mlwatch.commands.check import checked  # noqa: PLC0415
    from mlwatch.commands.common import options  # noqa: PLC0415
    from mlwatch.faces.check import FORMATS  # noqa: PLC0415
    from mlwatch.session import Session  # noqa: PLC0415

    sys.stderr.write(f"mlwatch: demo: {length:.0f} s, logs in {rollout.directory}\n")
    with Session(options(_common(rollout.directory, arguments))) as session:
        session.start()
        end = time.monotonic() + length
        while time.monotonic() < end:
            time.sleep(min(0.5, max(0.0, end - time.monotonic())))
        check = checked(session)
    sys.stdout.write(FORMATS["text"](check))
    return check.exit_code


def _common(directory: Path, arguments: Namespace, **more: object) -> Namespace:
    """Return what the command line would say about a session on the demo's directory."""
    return argparse.Namespace(
        path=directory, others=(), apart=False, config=None, db=":memory:", reference=None,
        model=None, baseline=None, candidate=None, since=None, until=None, window=None, endpoint=None,
        no_color=arguments.no_color, debug=arguments.debug, **more,
    )  # fmt: skip
