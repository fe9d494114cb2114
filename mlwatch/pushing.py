"""Send metrics to an OpenTelemetry collector now and then, from a thread that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from mlwatch.systems.exporter import SPAN
from mlwatch.systems.otlp import Collector, OtlpError, load, request_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from mlwatch.config import Config
    from mlwatch.snapshot.types import Snapshot


class Pushing:
    """Sends the numbers of the last hour of the data.

    Args:
        config: Its `[otlp]`, and where files that it names are.
        numbers: Returns the newest numbers over a range.

    Raises:
        ConfigError: The messages of OpenTelemetry are not installed.
        InputError: The address is none.
    """

    def __init__(self, config: Config, numbers: Callable[[timedelta], Snapshot]) -> None:
        self._messages = load()
        self._interval_s = config.otlp.interval.total_seconds()
        self._collector = Collector(config.otlp, config.resolve)
        self._numbers = numbers
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """Why nothing is taken just now, in a sentence."""

    def push(self) -> None:
        """Send once; what goes wrong is told by `failure`."""
        try:
            body = request_of(self._messages, self._numbers(SPAN))
            asyncio.run(self._collector.send(self._messages, body))
        except OtlpError as error:
            self.failure = f"the OpenTelemetry collector at {self._collector.name} gets no metrics: {error}"
        except Exception as error:  # noqa: BLE001  the thread must outlive whatever it meets
            self.failure = f"no metrics are sent to OpenTelemetry ({type(error).__name__})"
        else:
            self.failure = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._follow, name="mlwatch-otlp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=15)

    def _follow(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.push()
