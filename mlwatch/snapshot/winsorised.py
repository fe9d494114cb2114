"""What predictions brought, cut at the limit of a version's range: over all of it, and in each window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlwatch.metrics import winsor
from mlwatch.metrics.winsor import Cut
from mlwatch.store.event_kinds import VALUE

if TYPE_CHECKING:
    from mlwatch.snapshot.read import Table

KindCuts = tuple[tuple[str, Cut], ...]
"""Cut sums by kind of engagement; equal ones name what is remembered of a window."""


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


def cuts_of(worth: Table, n: int, count: int) -> tuple[Cut | None, list[Cut | None]]:
    """Return the cut sums of one version's range, and of each window at the same limit.

    Args:
        worth: One version's rows by window.
        n: Values in the range, those without a row included.
        count: Number of windows.

    Returns:
        None for each where there are too few values for a limit.
    """
    cap = cap_of(worth, n)
    if cap is None:
        return None, [None] * count
    limit, cut = winsor.edge_of(cap), cut_worth(worth, cap)
    sums = (np.bincount(worth["w"], weights=each, minlength=count).tolist() for each in cut)
    whole = Cut(limit, *(float(each.sum()) for each in cut))
    return whole, [Cut(limit, total, square) for total, square in zip(*sums, strict=True)]


def value_cuts(values: Table, gains: Table, count: int) -> tuple[KindCuts, list[KindCuts]]:
    """Return the cut sums of what engagements of each kind measured: over one version's range, and in each window.

    Args:
        values: One version's values by window.
        gains: Its business rows: of a kind whose values are not all in bins, as in a store of before, none are cut.
        count: Number of windows.

    Returns:
        By kind, those that have a limit.
    """
    whole: list[tuple[str, Cut]] = []
    over: list[list[tuple[str, Cut]]] = [[] for _ in range(count)]
    for kind in np.unique(values["kind"]).tolist():
        mine = values.where(values["kind"] == kind)
        n = mine.whole("n")
        cut, cuts = cuts_of(mine, n, count)
        if cut is None or n != gains.where(gains["class"] == VALUE + kind).whole("n_events"):
            continue
        whole.append((kind, cut))
        for window, one in zip(over, cuts, strict=True):
            if one is not None:
                window.append((kind, one))
    return tuple(whole), [tuple(window) for window in over]
