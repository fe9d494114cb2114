"""Where requests fail and where they are slow: segments, the most harmful first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.drawing import clean
from mlwatch.app.panels.base import Plotted
from mlwatch.app.units import show, show_count
from widgets.fasttable import Cell, Column, FastTable, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.app.view import View
    from mlwatch.snapshot.request_segments import RequestSegment
    from mlwatch.snapshot.types import Version

COLUMNS = (
    Column("segment", "Segment", least=12),
    Column("rate", "Here", "right", width=7),
    Column("trouble", "Trouble", width=9),
    Column("rest", "Elsewhere", "right", width=9),
    Column("version", "Version", width=10),
    Column("before", "Baseline", "right", width=8),
    Column("share", "Of all", "right", width=7),
    Column("n", "Requests", "right", width=9),
)
"""The last give way first where there is no room."""


class TroubleTable(Plotted, FastTable):
    """List the segments in which requests fail or are slow."""

    HELP_TEXT = (
        "Parts of the traffic, by the values of a feature, in which requests fail, or take longer than the baseline's "
        "95th percentile, at least half as often again as elsewhere, beyond chance with all segments allowed for; no "
        "labels are needed. Here is the share of the segment's requests, elsewhere that of the version's others, "
        "baseline that of the baseline in the same segment; of all says how many of all such requests are in it."
    )
    BORDER_TITLE = "Where requests fail or are slow"

    def __init__(self, identity: str, *, ascii_only: bool = False) -> None:
        super().__init__(COLUMNS, ascii_only=ascii_only, id=identity)

    def take(self, view: View) -> None:
        """Show the segments of the candidate and the baseline."""
        self.update(_row(version, each) for version, each in troubles(view))


def troubles(view: View) -> Iterator[tuple[Version, RequestSegment]]:
    """Yield the segments in trouble, those of the candidate first."""
    for version in (view.candidate, view.baseline):
        if version is not None:
            yield from ((version, each) for each in version.request_segments)


def _row(version: Version, found: RequestSegment) -> Row:
    name = clean(f"{found.segment.column} {found.segment.value}", 80)
    failed, tone = found.limit_ms is None, "bad" if found.trouble == "failed" else "warn"
    trouble = "fail" if failed else f"> {show(found.limit_ms, 'ms')}"
    return Row(
        f"{version.name}\0{found.trouble}\0{name}",
        (
            Cell(name, tone),
            Cell(show(found.rate, "share"), tone, found.rate),
            Cell(trouble, tone),
            Cell(show(found.elsewhere, "share"), "", found.elsewhere),
            Cell(clean(version.name, 10)),
            Cell(show(found.before, "share"), "muted", found.before),
            Cell(show(found.share, "share"), "muted", found.share),
            Cell(show_count(found.requests), "muted", found.requests),
        ),
    )
