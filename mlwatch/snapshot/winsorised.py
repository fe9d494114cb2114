"""What predictions brought, cut at the limit of a version's range: over all of it, and in each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import winsor
from mlwatch.metrics.winsor import Cut

if TYPE_CHECKING:
    from mlwatch.snapshot.read import Table


def cap_of(rows: Table, n: int) -> int | None:
    """Return the limit of `n` values; see `winsor.cap_of`.

    Args:
        rows: `bin` and `n`.
        n: All values, those without a row included.
    """
    return winsor.cap_of(rows["bin"], rows["n"], n)


def cut_worth(rows: Table, cap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what each row of values adds to the cut sums; see `winsor.cut_sums`.

    Args:
        rows: `bin`, `n`, `value` and `value_sq`.
        cap: The highest bin whose values count as they are.
    """
    return winsor.cut_sums(rows["bin"], rows["n"], rows["value"], rows["value_sq"], cap)


def cuts_of(worth: Table, predictions: int, count: int) -> tuple[Cut | None, list[Cut | None]]:
    """Return the cut sums of one version's range, and of each window at the same limit.

    Args:
        worth: One version's rows by window.
        predictions: Of the range.
        count: Number of windows.

    Returns:
        None for each where there are too few predictions for a limit.
    """
    cap = cap_of(worth, predictions)
    if cap is None:
        return None, [None] * count
    limit, cut = winsor.edge_of(cap), cut_worth(worth, cap)
    sums = (np.bincount(worth["w"], weights=each, minlength=count).tolist() for each in cut)
    whole = Cut(limit, *(float(each.sum()) for each in cut))
    return whole, [Cut(limit, total, square) for total, square in zip(*sums, strict=True)]
