"""The quarantine: lines that could not be taken in, with file, line and reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlwatch.asking import number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PAGE = 100


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected line."""

    seen_at: datetime | None
    file: str
    line: int | None
    reason: str
    raw: str
    """Its text, as far as it was kept; anything may be in it."""


@dataclass(frozen=True, slots=True)
class Rejects:
    """One page of the quarantine, newest first."""

    page: int
    total: int
    """Lines whose text is kept, of those that contain the wanted text."""
    rejects: tuple[Reject, ...]
    reasons: tuple[tuple[str, int], ...]
    """The most frequent reasons with their counts."""

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))


def rejects(connection: DuckDBPyConnection, page: int = 0, containing: str = "") -> Rejects:
    """Return one page of the quarantine.

    Args:
        connection: Of the store.
        page: From 0.
        containing: Only lines whose file, reason or text contains this, in any case.
    """
    where = "contains(lower(concat_ws(' ', file, reason, raw)), lower(?))"
    total = number(connection, f"SELECT COUNT(*) FROM quarantine WHERE {where}", [containing])
    rows = connection.execute(
        f"""SELECT seen_at, file, line, reason, raw FROM quarantine WHERE {where}
        ORDER BY seen_at DESC, file, line LIMIT {PAGE} OFFSET ?""",
        [containing, page * PAGE],
    ).fetchall()
    reasons = connection.execute(
        f"SELECT reason, COUNT(*) AS n FROM quarantine WHERE {where} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 5",
        [containing],
    ).fetchall()
    return Rejects(
        page,
        total,
        tuple(
            Reject(_aware(seen), str(file or ""), line, str(reason or ""), str(raw or ""))
            for seen, file, line, reason, raw in rows
        ),
        tuple((str(reason), int(n)) for reason, n in reasons),
    )


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
