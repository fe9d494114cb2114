"""Tell once of what goes wrong while logs are read, until something else is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.store import notices

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOPICS = "kafka"
"""What notices about a cluster are about."""


class Telling:
    """Remembers what was said.

    Args:
        connection: Of the ingest thread.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._said: dict[str, str] = {}

    def warn(self, topic: str, message: str) -> None:
        """Tell what is wrong with a file or the like."""
        if self._said.get(topic) != message:
            self._said[topic] = message
            notices.post(self._connection, "warning", topic, message)

    def unread(self, relative: str, reason: str) -> None:
        """Tell why a file is not read now."""
        self.warn(relative, f"{relative} is not read: {reason}")

    def trouble(self, message: str | None) -> None:
        """Tell what keeps messages of topics from coming; None when they come again."""
        if message == self._said.get(TOPICS):
            return
        if message is None:
            del self._said[TOPICS]
            notices.resolve(self._connection, TOPICS)
        else:
            self._said[TOPICS] = message
            notices.post(self._connection, "critical", TOPICS, message)
