"""`mlwatch watch PATH`: the live app."""

from __future__ import annotations

import os
import sys
import threading
from argparse import Namespace
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlwatch import garbage
from mlwatch.choice import USUAL, Choice
from mlwatch.config import Config, discover, load
from mlwatch.errors import InputError, MlwatchError
from mlwatch.host import heap
from mlwatch.paths import check_path
from mlwatch.terminal import require_terminal, speaks_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from mlwatch.app.options import AppOptions
    from mlwatch.records.desk import Desk
    from mlwatch.session import Session
    from mlwatch.silences import Word
    from mlwatch.snapshot.types import Alert, Snapshot

MAX_SPEED = 86_400.0
"""A day a second."""


def run(arguments: Namespace) -> int:
    """Open the app; return its exit code."""
    check_path(arguments.path)
    config = load(arguments.config or (discover(arguments.path) if arguments.path.is_dir() else None))
    if arguments.exporter is not None and not sys.stdout.isatty():
        return _serve(arguments)
    require_terminal()
    if arguments.no_color:
        os.environ["NO_COLOR"] = "1"

    limit_repaints(arguments, config)
    garbage.postpone()
    heap.share_arenas()
    from mlwatch.app.app import MlwatchApp  # noqa: PLC0415  Textual is dear to import

    source = LazySource(arguments)
    app = MlwatchApp(source, options=app_options(arguments, config))
    try:
        with _exporting(source, arguments):
            app.run()
    finally:
        garbage.resume()
    if app.start_error is not None:
        if isinstance(app.start_error, MlwatchError):
            raise app.start_error
        raise InputError("cannot start", source.title, str(app.start_error)) from app.start_error
    return app.return_code or 0


@contextmanager
def _exporting(source: LazySource, arguments: Namespace) -> Iterator[str | None]:
    """Serve metrics as long as the block runs, where the command line asks for it; yield their URL."""
    if arguments.exporter is None:
        yield None
        return
    from mlwatch.systems.exporter import Exporter  # noqa: PLC0415

    exporter = Exporter(source, arguments.exporter, _shown(arguments)[0])
    try:
        yield exporter.url
    finally:
        exporter.close()


def _serve(arguments: Namespace) -> int:
    """Follow the directory and serve metrics without a screen, until a signal says stop."""
    import signal  # noqa: PLC0415  only for this
    import threading  # noqa: PLC0415

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    source = LazySource(arguments)
    try:
        source.start()
        with _exporting(source, arguments) as url:
            sys.stderr.write(f"mlwatch: metrics at {url}\n")
            sys.stderr.flush()
            over.wait()
    finally:
        source.stop()
    return 0


def limit_repaints(arguments: Namespace, config: Config) -> None:
    """Tell Textual how often to paint: it reads that from the environment when it is imported.

    Raises:
        InputError: The number is out of range.
    """
    if arguments.fps is not None and not 1 <= arguments.fps <= 120:
        raise InputError("--fps is out of range", str(arguments.fps), "give 1 to 120")
    os.environ["TEXTUAL_FPS"] = str(arguments.fps or config.app.fps)


def _shown(arguments: Namespace) -> tuple[timedelta | None, datetime | None]:
    """Read the length of the range to begin with, and the moment of the past that it ends at.

    Raises:
        InputError: One cannot be read, or they do not go together.
    """
    from mlwatch.times import parse_time  # noqa: PLC0415

    at, since, until, window = (getattr(arguments, name, None) for name in ("at", "since", "until", "window"))
    if at and until:
        raise InputError("--at and --until are the same", "command line", "leave one out")
    until = until or at
    if not (since or until or window):
        return None, None
    from mlwatch.commands.common import chosen_range  # noqa: PLC0415  pulls DuckDB, and few ask

    wanted = chosen_range(Namespace(since=since, until=until, window=window, at=at))
    if not since:
        return wanted.span, wanted.at
    end = parse_time(until or "now")
    return end - parse_time(since), end if until else None  # without an end it goes on with the newest data


def _speed(arguments: Namespace) -> float | None:
    """Read `--replay`, such as 60x.

    Raises:
        InputError: It is no speed.
    """
    given: str | None = getattr(arguments, "replay", None)
    if given is None:
        return None
    try:
        speed = float(given.lower().removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= MAX_SPEED:
        raise InputError(f"no speed: {given}", "--replay", f"give one such as 60x, at most {MAX_SPEED:g}x")
    return speed


def app_options(arguments: Namespace, config: Config) -> AppOptions:
    """Return how the app looks."""
    from mlwatch.app.options import AppOptions  # noqa: PLC0415

    span, at = _shown(arguments)
    plain = config.app.ascii or not speaks_utf8(os.environ)
    return AppOptions(
        refresh_s=config.app.refresh.total_seconds(),
        ascii=plain if arguments.ascii is None else arguments.ascii,
        mouse=config.app.mouse and not arguments.no_mouse,
        theme=arguments.theme or config.app.theme,
        timezone=config.app.timezone,
        history=None if arguments.read_only else _state("statements.json"),
        greeted=_state("greeted"),
        read_only=arguments.read_only,
        toasts=config.app.toasts,
        keys=config.app.keys,
        span=span,
        at=at,
        replay=_speed(arguments),
    )


def _state(name: str) -> Path | None:
    """Return where something is kept between runs; None where nothing can be."""
    from mlwatch.store.places import state_directory  # noqa: PLC0415

    directory = state_directory()
    return directory / name if directory is not None else None


def _import_snapshots() -> None:
    """Import what makes snapshots: the first look asks for it, and it is most of what that takes."""
    import mlwatch.snapshot.build  # noqa: F401, PLC0415


class LazySource:
    """A session that is opened by `start`, so that the screen is there first."""

    def __init__(self, arguments: Namespace) -> None:
        self._arguments = arguments
        self._session: Session | None = None
        self._opening = threading.Lock()
        self._stopped = False
        self._settling = garbage.Settling()
        topics = getattr(arguments, "topics", None)
        paths = (arguments.path, *arguments.others)
        names = topics.names if topics is not None else [path.resolve().name for path in paths]
        self.title = ", ".join(names)

    def start(self) -> None:
        """Open the session and begin to follow the directory."""
        from mlwatch.commands.common import options  # noqa: PLC0415  pulls DuckDB
        from mlwatch.session import Session  # noqa: PLC0415

        # the engine works without the interpreter while the store is opened
        threading.Thread(target=_import_snapshots, name="mlwatch-imports", daemon=True).start()
        with self._opening:
            if not self._stopped:
                self._session = Session(options(self._arguments))
                self._session.start()

    def stop(self) -> None:
        """Close the session."""
        self._stopped = True
        self._settling.cancel()
        with self._opening:  # one that is just being opened is closed, too
            if self._session is not None:
                self._session.stop()

    @property
    def generation(self) -> int:
        """A number that grows when there is something new."""
        return self._session.generation if self._session is not None else 0

    @property
    def desk(self) -> Desk | None:
        """Where raw rows are asked for; None before `start`."""
        return self._session.desk if self._session is not None else None

    def silence(self, alert: Alert, word: Word, length: timedelta | None = None) -> None:
        """Mute or acknowledge an alert, or take that back."""
        if self._session is not None:
            self._session.silence(alert, word, length)

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Return how far all features together moved; only after `start`."""
        if self._session is None:
            raise InputError("the store is not open yet", self.title)
        return self._session.together(span, at)

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Return what to show; only after `start`."""
        if self._session is None:
            raise InputError("the store is not open yet", self.title)
        found = self._session.snapshot(span, at, choice)
        self._settling.begin()
        return found
