"""How much a feature tells about the label, from counts and sums: which drift matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def mutual_information(counts: ArrayLike) -> float:
    """Return the mutual information of two discrete variables in nats, the chance part taken off, at least 0.

    What independent variables show on average in a sample of this size, (r − 1)(c − 1) / 2n, is subtracted:
    Miller 1955, "Note on the bias of information estimates".

    Args:
        counts: Joint counts, shape (r, c); empty rows and columns do not matter.
    """
    table = _occupied(counts)
    n = float(table.sum())
    if n <= 0 or 1 in table.shape:
        return 0.0
    share = table / n
    expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    inside = share > 0
    information = float((share[inside] * np.log(share[inside] / expected[inside])).sum())
    rows, columns = table.shape
    return float(max(0.0, information - (rows - 1) * (columns - 1) / (2 * n)))


def importance(counts: ArrayLike) -> float:
    """Return the share of the label's uncertainty that a feature takes away, 0 to 1 (Theil's U).

    Source: Theil 1970, doi:10.1086/224909.

    Args:
        counts: Joint counts, parts of the feature in rows, labels in columns.
    """
    table = _occupied(counts)
    share = table.sum(axis=0) / max(float(table.sum()), 1.0)
    entropy = -float((share * np.log(share)).sum()) if share.size else 0.0
    return min(1.0, mutual_information(table) / entropy) if entropy > 0 else 0.0


def correlation_ratio(counts: ArrayLike, totals: ArrayLike, squares: ArrayLike) -> float:
    """Return the share of the label's variance that a feature takes away, 0 to 1, the chance part taken off (ε²).

    Source: Kelley 1935, doi:10.1073/pnas.21.9.554.

    Args:
        counts: Labels in each part of the feature, shape (r,).
        totals: Their sums.
        squares: The sums of their squares.

    Returns:
        0 too where the labels are so large that their squares overflow.
    """
    columns = (np.asarray(each, dtype=float) for each in (counts, totals, squares))
    count, total, square = (column[np.asarray(counts, dtype=float) > 0] for column in columns)
    n, parts = float(count.sum()), len(count)
    if parts < 2 or n <= parts:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        middle = total.sum() * total.sum() / n
        whole, between = square.sum() - middle, (total * total / count).sum() - middle
    if not np.isfinite(whole) or not np.isfinite(between) or whole <= 0:
        return 0.0
    within = max(0.0, whole - between) / (n - parts)
    return float(min(1.0, max(0.0, (between - (parts - 1) * within) / whole)))


def _occupied(counts: ArrayLike) -> NDArray[np.float64]:
    table = np.atleast_2d(np.maximum(np.asarray(counts, dtype=float), 0.0))
    return np.asarray(table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0])
