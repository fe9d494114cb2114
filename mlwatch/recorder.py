"""Write what polling and sampling yield into the store, from one thread with one cursor, once a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from mlwatch.endpoints.types import Probe, ServerMetrics
from mlwatch.errors import reason_of
from mlwatch.store import probes as table

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

    from mlwatch.host.types import HostSample

FLUSH_S = 1.0
MOST_WAITING = 50_000
"""Probes that are kept while the store takes none, such as on a full disk; of more the oldest are lost."""


class Recorder:
    """Sample the host at intervals, take probes from any thread, and store both.

    Args:
        connect: Returns a cursor on the store for the recording thread.
        sample: Looks at the host once.
        every_s: Seconds between two looks at the host.
        on_written: Called after each transaction, in the recording thread.
    """

    def __init__(
        self,
        connect: Callable[[], DuckDBPyConnection],
        sample: Callable[[], HostSample],
        every_s: float,
        on_written: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect, self._sample, self._every_s, self._on_written = connect, sample, every_s, on_written
        self._found: deque[Probe | ServerMetrics] = deque(maxlen=MOST_WAITING)
        self._samples: deque[HostSample] = deque(maxlen=100)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """Why the last attempt to write failed; None when it did not."""

    def take(self, found: Probe | ServerMetrics) -> None:
        """Take what polling found; it is stored within a second. Any thread may call this."""
        self._found.append(found)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="mlwatch-record", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Store what is still waiting, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def _run(self) -> None:
        connection, due = self._connect(), time.monotonic()
        try:
            while not self._stopping.is_set():
                if time.monotonic() >= due:
                    self._look()
                    due = time.monotonic() + self._every_s
                self.flush(connection)
                self._stopping.wait(min(FLUSH_S, max(0.0, due - time.monotonic())) if due else FLUSH_S)
            self.flush(connection)
        finally:
            connection.close()

    def _look(self) -> None:
        try:
            self._samples.append(self._sample())
        except Exception as error:  # noqa: BLE001  a system that hides something must not end the recording
            self.failure = f"the host cannot be sampled: {type(error).__name__}: {error}"

    def flush(self, connection: DuckDBPyConnection) -> None:
        """Store what waits; what cannot be stored waits on, and why is in `failure`."""
        found = [self._found.popleft() for _ in range(len(self._found))]
        samples = [self._samples.popleft() for _ in range(len(self._samples))]
        if not found and not samples:
            return
        probes = [each for each in found if isinstance(each, Probe)]
        metrics = [each for each in found if isinstance(each, ServerMetrics)]
        try:
            table.record(connection, probes, samples, metrics)
        except Exception as error:  # noqa: BLE001  a full disk ends, and then everything is stored
            self._found.extendleft(reversed(found[: MOST_WAITING - len(self._found)]))
            self.failure = f"probes and samples of the host cannot be stored: {reason_of(error)}"
        else:
            self.failure = None
        self._on_written()
