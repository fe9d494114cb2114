"""One answer of a server: bounded, read whole, and read as JSON only where it is JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mlwatch.endpoints.failures import Failure, status_in_words
from mlwatch.foreign import loads

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a response."""

    status: int
    headers: Mapping[str, str]
    """By name in any case."""
    body: bytes
    ended: float
    """Time of the last byte, on the clock of the event loop, seconds."""

    @property
    def ok(self) -> bool:
        """Tell whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def clock_skew_s(self) -> float | None:
        """Return how far the server's clock is ahead of this one's, seconds; None where it says no time of its own."""
        if "age" in self.headers:
            return None  # out of a cache
        try:
            said = parsedate_to_datetime(self.headers.get("date", ""))
            return said.timestamp() - time.time()
        except (ValueError, OverflowError):
            return None

    @property
    def text(self) -> str:
        """Return the body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Tell whether the body is a page for people, such as the login in front of a server."""
        return self.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))

    @property
    def words(self) -> str:
        """Return what the status means; empty when it is a success."""
        if 300 <= self.status < 400:
            return f"{self.status}: redirected, and redirects are off"
        return "" if self.ok else status_in_words(self.status, self.body)

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            Failure: It is none, or the status is no success.
        """
        if not self.ok:
            raise Failure(self.words, answered=True)
        try:
            return loads(self.body)
        except (ValueError, RecursionError):
            raise Failure(_not_json(self), answered=True) from None

    def maybe_json(self) -> Any:
        """Return the body as JSON whatever the status and content type; None when it is none."""
        try:
            return loads(self.body)
        except (ValueError, RecursionError):
            return None


def _not_json(answer: Answer) -> str:
    if answer.is_page:
        return "HTML where JSON belongs"
    return "invalid JSON" if answer.body.strip() else "empty where JSON belongs"
