"""What to say while there is no prediction to show: what is going on, or what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.drawing import clean
from mlwatch.app.units import counted, show_bytes

if TYPE_CHECKING:
    from mlwatch.app.view import View


def reading(view: View) -> str:
    """Say what is being read; empty once there are predictions, or all was read that was there."""
    feed = view.snapshot.feed
    if view.snapshot.ingest.predictions:
        return ""
    if feed.stage == "looking":
        return f"Looking for logs in {clean(view.title, 60)}{view.glyphs.more}"
    if feed.stage == "through":
        return ""
    if not feed.files_ahead:
        return f"Reading {clean(view.title, 60)}{view.glyphs.more}"
    share = feed.bytes_done / feed.bytes_ahead if feed.bytes_ahead else 0.0
    so_far = f": {100 * min(share, 1.0):.0f} % so far." if share else view.glyphs.more
    return f"Reading {counted(feed.files_ahead, 'file')}, {show_bytes(feed.bytes_ahead)}{so_far}"
