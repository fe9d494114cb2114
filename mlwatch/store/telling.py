"""Tell once of what goes wrong while logs are read, until something else is to be told or it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles.absent import absent
from mlwatch.roles.doubts import sentences, settled
from mlwatch.roles.types import ROLES
from mlwatch.store import notices

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from duckdb import DuckDBPyConnection

    from mlwatch.config import RoleSettings
    from mlwatch.roles import Mapping

TOPICS, ROOT, OTHER_ROLES = "kafka", "log directory", "roles"
"""What notices about a cluster, about the place of the logs, and about other `[roles]` than before, are about."""
_MEANING = "meaning of {}"
_ABSENT = "[roles] {}"
_UNREAD = "{} is not read"
"""How every sentence begins that says so of a path."""


def unread(path: str, reason: str, *, partly: bool) -> str:
    """Say that a file is not read, or not further than it was."""
    return f"{_UNREAD.format(path)}{' to its end' if partly else ''}: {reason}"


class Telling:
    """Remembers what was said.

    Args:
        connection: Of the ingest thread.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._said: dict[str, str | None] = {}
        self._unread: set[str] = set()
        """Paths that are said not to be read, in former runs too."""
        self._just_said: set[str] = set()
        """Those of them that were said so since it was last looked at what is over."""
        self.reload()

    def reload(self) -> None:
        """Read again what stands, for example after a rolled back transaction."""
        standing = self._connection.execute(
            "SELECT topic FROM notices WHERE NOT resolved AND starts_with(message, topic || ?)",
            [_UNREAD.format("")],
        )
        self._said, self._unread = {}, {topic for (topic,) in standing.fetchall()}

    def warn(self, topic: str, message: str) -> None:
        """Tell what is wrong with a file or the like."""
        if self._said.get(topic) != message:
            self._said[topic] = message
            notices.post(self._connection, "warning", topic, message)

    def doubtful(self, mapping: Mapping, relative: str, before: Mapping | None = None) -> None:
        """Tell of the first file what its columns are taken for that may be something else.

        Args:
            mapping: Of the file.
            relative: Its path.
            before: What was known of such files, and told.
        """
        known = {name for name, *_ in sentences(before, relative)} if before is not None else set()
        for name, severity, message in sentences(mapping, relative):
            topic = _MEANING.format(name)
            if name not in known and topic not in self._said:
                self._said[topic] = message
                notices.post(self._connection, severity, topic, message)

    def end_doubts(self, settings: RoleSettings) -> None:
        """End what was said of columns of which the configuration says by now what they are."""
        meanings = map(_MEANING.format, settled(settings))
        absent = (_ABSENT.format(role) for role in ROLES if getattr(settings, role) is None)
        notices.resolve(self._connection, *meanings, *absent)

    def roles(self, message: str | None) -> None:
        """Tell of files that were read under other `[roles]`; None where there are none any more."""
        if message is None:
            notices.resolve(self._connection, OTHER_ROLES)
        elif OTHER_ROLES not in notices.standing(self._connection, message):
            notices.post(self._connection, "warning", OTHER_ROLES, message)

    def unread(self, relative: str, reason: str, *, partly: bool = False) -> None:
        """Tell why a file, what is in a directory, or the rest of a file that was read partly, is not read now."""
        self._unread.add(relative)
        self._just_said.add(relative)
        self.warn(relative, unread(relative, reason, partly=partly))

    def end_unread(self, stands: Callable[[str], bool]) -> None:
        """End what was said of files that are read by now, or are gone.

        Args:
            stands: Whether a path is still not read; not asked about what was said since the last time.
        """
        over = [path for path in self._unread - self._just_said if not stands(path)]
        for path in over:
            self._said.pop(path, None)
        if over:
            notices.resolve(self._connection, *over)
        self._unread.difference_update(over)
        self._just_said.clear()

    def absent(self, settings: RoleSettings, mappings: Collection[Mapping]) -> None:
        """Tell which columns that the configuration names are in nothing that was read, until they are.

        Args:
            settings: The `[roles]` of the configuration.
            mappings: Of all that was read; before there is any, nothing can be told.
        """
        for role, severity, message in absent(settings, mappings) if mappings else ():
            self._post(_ABSENT.format(role), severity, message)

    def trouble(self, topic: str, message: str | None) -> None:
        """Tell what keeps records from coming; None when they come again."""
        self._post(topic, "critical", message)

    def _post(self, topic: str, severity: str, message: str | None) -> None:
        if topic in self._said and self._said[topic] == message:
            return
        self._said[topic] = message
        if message is None:
            notices.resolve(self._connection, topic)
        else:
            notices.post(self._connection, severity, topic, message)
