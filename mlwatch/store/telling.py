"""Tell once of what goes wrong while logs are read, until something else is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.store import notices

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOPICS, ROOT = "kafka", "log directory"
"""What notices about a cluster, and about the place of the logs, are about."""


class Telling:
    """Remembers what was said.

    Args:
        connection: Of the ingest thread.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._said: dict[str, str | None] = {}

    def warn(self, topic: str, message: str) -> None:
        """Tell what is wrong with a file or the like."""
        if self._said.get(topic) != message:
            self._said[topic] = message
            notices.post(self._connection, "warning", topic, message)

    def unread(self, relative: str, reason: str) -> None:
        """Tell why a file is not read now."""
        self.warn(relative, f"{relative} is not read: {reason}")

    def trouble(self, topic: str, message: str | None) -> None:
        """Tell what keeps records from coming; None when they come again."""
        if topic in self._said and self._said[topic] == message:
            return
        self._said[topic] = message
        if message is None:
            notices.resolve(self._connection, topic)
        else:
            notices.post(self._connection, "critical", topic, message)
