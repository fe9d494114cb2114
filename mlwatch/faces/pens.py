"""The colours and dashes of versions, and of what is better and worse: the app's, which stay apart for all eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS: Mapping[str, tuple[str, str]] = {
    "text": ("#1d2731", "#dbe3ec"),
    "quiet": ("#5b6673", "#8f9db0"),
    "hairline": ("#d5dbe1", "#2b3644"),
    "good": ("#00694d", "#3fc9a0"),
    "bad": ("#b23c00", "#ff8552"),
    "unclear": ("#7a5900", "#e6c35c"),
    "baseline": ("#0b5f96", "#78c3f2"),
    "candidate": ("#8a3a86", "#dba5e6"),
    "third": ("#a3551f", "#f0a877"),
    "fourth": ("#3d7a1f", "#a6d785"),
}
"""By name: on light ground and on dark ground."""
PENS = ("baseline", "candidate", "third", "fourth", "quiet", "text")
"""Colours of the versions, in their order: baseline first."""
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 2), (2, 2), (8, 2, 2, 2), (4, 4), (1, 3))
"""Lines differ by dashes as well as by colour."""
STATUS = {
    "better": "good",
    "non_inferior": "good",
    "inconclusive": "unclear",
    "worse": "bad",
    "no_data": "quiet",
}
"""Of a metric of a rollout."""


def light(name: str) -> str:
    """Return a colour as pictures have it; the style sheet turns it where the ground is dark."""
    return COLOURS[name][0]
