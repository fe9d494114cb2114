"""How many rows of a sample decided about the bin that they are in; see `fresh`, which pulls NumPy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Where the rows of a sample would be, were each left out of the choice of the bins; all are rows."""

    tail: int
    """Code of the categories that share a bin."""
    rows: int
    """All of the sample that have a value."""
    listed: int
    """Rows of categories that have one of their own."""
    listed_to_tail: int
    listed_to_unseen: int
    shared: int
    """Rows of those that share one."""
    shared_to_unseen: int

    @property
    def moves(self) -> bool:
        """Whether any row would be elsewhere."""
        return self.listed_to_tail + self.listed_to_unseen + self.shared_to_unseen > 0
