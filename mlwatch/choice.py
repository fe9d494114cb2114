"""What a reader chose to look at: two versions, a part of the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """Which versions a snapshot compares, and which records it is made of."""

    baseline: str | None = None
    """Version that others are compared with; None for the usual one."""
    candidate: str | None = None
    """Version that is compared with it; None for the usual one."""
    alone: bool = False
    """Whether only the baseline is shown."""
    filter: str = ""
    """Only records that pass, in the language of `records.filters`; empty for all."""
    since: datetime | None = None
    """Start of the range, aware, whatever its length; None where the length says it."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that are shown alone, or compared; empty where none was chosen."""
        return tuple(name for name in (self.baseline, self.candidate) if name is not None)


USUAL = Choice()
