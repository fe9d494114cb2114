"""Look beyond the logs: the threads that sample this host and record what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config


class Lookout:
    """Sample the host, and store what is seen, until stopped.

    Args:
        connect: Returns a cursor on the store for a thread.
        config: Which processes and disks, how often.
        path: Of the logs: their file system is watched where no other is named.
        on_news: Called from another thread when something new is stored.
    """

    def __init__(
        self,
        connect: Callable[[], DuckDBPyConnection],
        config: Config,
        path: Path,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        from mlwatch.host.sampler import Sampler  # noqa: PLC0415  only who follows needs it

        wanted = config.system
        self._sampler = Sampler(wanted.disk or (str(path.resolve()),), wanted.processes)
        every_s = wanted.interval.total_seconds()
        self._recorder = Recorder(connect, self._sampler.sample, every_s, on_news)

    @property
    def failure(self) -> str | None:
        """Why nothing can be stored just now; None when it can."""
        return self._recorder.failure

    def start(self) -> None:
        """Begin, in threads."""
        self._recorder.start()

    def stop(self) -> None:
        """End the threads; what was seen is stored."""
        self._recorder.stop()
        self._sampler.close()
