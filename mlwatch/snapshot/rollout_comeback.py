"""A candidate that was taken back, and came again under the same name: what it did before still counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.snapshot.roles import LONGEST_SILENT

if TYPE_CHECKING:
    from mlwatch.snapshot.rollout_series import Arms

HOUR = timedelta(hours=1)


def comeback(arms: Arms, candidate: str) -> tuple[str, ...]:
    """Say when a candidate was gone for the last time, for so long that its rollout had ended, and how to begin anew.

    Args:
        arms: Of the rollout; of the silence, hours in which the baseline had traffic count.
        candidate: Its name.
    """
    minute = np.unique(arms.candidate.minute)
    hours = np.unique(arms.baseline.minute // 60)
    begun = minute // arms.minutes * arms.minutes
    gone = np.searchsorted(hours, begun[1:] // 60) - np.searchsorted(hours, minute[:-1] // 60, side="right")
    breaks = np.flatnonzero(gone > LONGEST_SILENT / HOUR)
    if not breaks.size:
        return ()
    left, back = (
        datetime.fromtimestamp(60 * int(at), UTC) for at in (minute[breaks[-1]], begun[breaks[-1] + 1])
    )
    gone_for = f"{candidate} had no requests from {left:%Y-%m-%d %H:%M} to {back:%Y-%m-%d %H:%M} UTC"
    start = f'[rollout] start = "{back:%Y-%m-%dT%H:%MZ}"'
    return (f"{gone_for}, and what it did before counts; {start} judges what came since",)
