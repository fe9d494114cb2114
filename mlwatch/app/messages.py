"""What workers tell the app; a newer message of a kind replaces one that still waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from mlwatch.app.feed import Request
    from mlwatch.snapshot.types import Snapshot


class SnapshotReady(Message):
    """The source answered."""

    def __init__(self, request: Request, snapshot: Snapshot) -> None:
        self.request = request
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Replace any older answer that was not handled yet."""
        return isinstance(message, SnapshotReady)


class SourceFailed(Message):
    """The source raised an error; `reason` is hostile text, not markup."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Replace any older failure that was not handled yet."""
        return isinstance(message, SourceFailed)
