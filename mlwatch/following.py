"""Take in what is written below a directory: once, or in a thread as long as it changes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mlwatch.store import notices, retention
from mlwatch.store.cuts import ENOUGH_ROWS
from mlwatch.store.touched import noting

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.config.unapplied import Unapplied
    from mlwatch.keeper import Keeper
    from mlwatch.meter import Meter
    from mlwatch.options import Options
    from mlwatch.store.ingest import Ingest
    from mlwatch.store.lakes import Lakes

QUIET_S = 0.25
"""Time that changes are gathered for before they are read."""
RULES_S = 5.0
"""Least time between two evaluations of the rules while following."""
CONFIGURATION = "configuration"
"""What a notice about the configuration file goes by."""


class Follower:
    """Read for one session, and do what is due after reading: rules, retention.

    Args:
        options: What to watch.
        config: Of the session.
        connect: Returns the calling thread's cursor.
        source: The ingest, and the directories of rollups where those are opened instead of logs.
        keeper: Of the rules.
        meter: Hears how it gets on.
        secure: Makes the files of the store private, new ones among them.
        unapplied: Tells that the configuration file has changed.
    """

    def __init__(
        self,
        options: Options,
        config: Config,
        connect: Callable[[], DuckDBPyConnection],
        source: tuple[Ingest, Lakes | None],
        keeper: Keeper,
        meter: Meter,
        secure: Callable[[], None],
        unapplied: Unapplied | None,
    ) -> None:
        self._options, self._config, self._connect = options, config, connect
        self._ingest, self._lake = source
        self._keeper, self._meter, self._secure = keeper, meter, secure
        self._unapplied, self._difference = unapplied, ""
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._watching: threading.Thread | None = None
        self._swept, self._ruled = time.monotonic(), 0.0
        """When old rows were last deleted, and the rules evaluated, in seconds."""

    @property
    def follows(self) -> bool:
        """Tell whether the thread was started."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to follow in a thread of its own."""
        self._thread = threading.Thread(target=self._follow, name="mlwatch-ingest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the threads, once what is read just now is taken in."""
        self._stopping.set()
        self._ingest.stop()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
            self._thread = None
        if self._watching is not None:  # native code: it may not outlive the interpreter
            self._watching.join(timeout=2)
            self._watching = None

    def take_in_present(self) -> None:
        """Take in what is there now, in the calling thread.

        Raises:
            InputError: when the directory holds no log at all, or the topics cannot be read.
        """
        if self._lake is not None:
            self._guarded(self._read)
        else:
            self._ingest.stop_at_present_end()
            self._ingest.read_present()
            self._settle(enough=1)

    def _follow(self) -> None:
        """Read what is there, then whatever changes, until stopped."""
        from mlwatch.sources.watch import watch  # noqa: PLC0415  pulls a native library

        if self._options.topics is None:
            self._watching = threading.Thread(
                target=watch,
                args=(self._options.path, self._wake.set, self._stopping, self._config.watch),
                name="mlwatch-watch",
                daemon=True,
            )
            self._watching.start()
        if self._lake is None:
            self._ingest.follow()
            self._guarded(self._settle)  # an earlier run may have ended just before
        self._guarded(lambda: self._pass(first=True))
        while not self._stopping.is_set():
            self._wake.wait(timeout=self._config.watch.interval.total_seconds())
            self._stopping.wait(QUIET_S)
            self._wake.clear()
            self._guarded(self._pass)

    def _settle(self, enough: int = ENOUGH_ROWS) -> None:
        """Do what is due at the end of reading; see `Ingest.settle`."""
        with noting() as touched:
            self._ingest.settle(enough)
        if touched:
            self._meter.changed(touched)

    def _guarded(self, action: Callable[[], object]) -> None:
        """Do something; a failure is shown and what failed is tried again, never raised."""
        try:
            action()
        except Exception as error:  # noqa: BLE001  the thread must outlive a full disk or a vanished directory
            self._meter.passed(error)
        else:
            self._meter.passed(None)

    def _pass(self, *, first: bool = False) -> None:
        """Read once, and do what is due."""
        try:
            self._read()
        finally:
            self._meter.stands("through")
            self._secure()
        self._keeper.note()
        self._compare_configuration()
        if first:
            return  # what there was is shown before it is judged
        if time.monotonic() - self._ruled > RULES_S:
            self._keeper.keep()
            self._ruled = time.monotonic()
        if time.monotonic() - self._swept > retention.pause(self._config.store.keep).total_seconds():
            retention.apply(self._connect(), self._config.store.keep)
            self._swept, self._ruled = time.monotonic(), 0.0

    def _read(self) -> None:
        if self._lake is None:
            self._ingest.run_once()
        elif self._lake.renew(self._connect()):
            self._meter.changed(None)

    def _compare_configuration(self) -> None:
        """Say that the configuration is another than the one in use, until it is the same again."""
        said = (self._unapplied.look() if self._unapplied is not None else None) or ""
        if said == self._difference:
            return
        if said:
            notices.post(self._connect(), "warning", CONFIGURATION, said)
        else:
            notices.resolve(self._connect(), CONFIGURATION)
        self._difference = said
        self._meter.looked()
