"""How the status of a request is written: a code of HTTP or a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.roles.looks import ENOUGH, number_of

if TYPE_CHECKING:
    from mlwatch.roles.types import Column

SUCCESS_WORDS = frozenset(
    {"ok", "success", "successful", "succeeded", "pass", "passed", "complete", "completed", "done"}
)
FAILURE_WORDS = frozenset(
    {"error", "err", "fail", "failed", "failure", "exception", "timeout", "timed out"},
)
STATUS_WORDS = SUCCESS_WORDS | FAILURE_WORDS
HTTP_STATUSES = frozenset(
    {
        *(*range(100, 104), *range(200, 209), 226, *range(300, 309), *range(400, 419), *range(421, 430)),
        *(431, 444, 451, 460, 499, *range(500, 512), *range(520, 531)),
    }
)
"""The codes that HTTP's registry and the proxies in use know."""


def are_statuses(column: Column) -> bool:
    """Tell whether nearly all samples are statuses."""
    good = sum(_is_status(sample) for sample in column.samples)
    return good * 10 >= len(column.samples) * 9


def _is_status(sample: object) -> bool:
    if isinstance(sample, str):
        text = sample.strip().lower()
        return text in STATUS_WORDS or (text.isdecimal() and 100 <= int(text[:4]) <= 599)
    return isinstance(sample, int | float) and 100 <= sample <= 599


def are_mostly_success(column: Column) -> bool:
    """Tell whether all numbers are statuses of HTTP, and most of many are of success: other codes are not so."""
    codes = [number_of(sample) for sample in column.samples]
    good = sum(code is not None and 200 <= code <= 299 for code in codes)
    return (good * 2 > len(codes) or len(codes) < ENOUGH) and all(code in HTTP_STATUSES for code in codes)
