"""Read the text in which servers tell their metrics: Prometheus' format, and OpenMetrics.

Text formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics specification 1.0.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlwatch.endpoints.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from prometheus_client import Metric

Labels = frozenset[tuple[str, str]]
ACCEPT = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
MOST_SERIES = 20_000
"""Of one server, under the names that are wanted."""
EXCERPT = 60


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a server said at one moment."""

    at: float
    """Seconds on a clock that never goes back."""
    series: Mapping[str, Mapping[Labels, float]]
    """Values by name and labels; names of counters are without `_total`."""


def read(body: bytes, content_type: str, wanted: Collection[str], at: float) -> Scrape:
    """Read metrics.

    Args:
        body: The text.
        content_type: As the server says it: OpenMetrics is told from Prometheus' own format by it.
        wanted: Names that are kept, without `_total`; all of the text is checked.
        at: When it was fetched, seconds.

    Raises:
        Failure: The text is damaged; `str()` says in which line.
    """
    families = _parser(content_type)
    lines = _Lines(body)
    found: dict[str, dict[Labels, float]] = {}
    count = 0
    try:
        for family in families(lines):
            for sample in family.samples:
                name = sample.name.removesuffix("_total")
                if name not in wanted or not _is_number(sample.value):
                    continue
                count += 1
                if count > MOST_SERIES:
                    raise Failure(f"more than {MOST_SERIES:,} series", answered=True)
                found.setdefault(name, {})[frozenset(sample.labels.items())] = float(sample.value)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise Failure(lines.where(), answered=True) from None
    return Scrape(at, found)


def _parser(content_type: str) -> Callable[[Iterable[str]], Iterable[Metric]]:
    """Return the parser of a format; only who has metrics needs one."""
    package = "prometheus_client.openmetrics" if "openmetrics" in content_type else "prometheus_client"
    found: Callable[[Iterable[str]], Iterable[Metric]]
    found = importlib.import_module(f"{package}.parser").text_fd_to_metric_families
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


class _Lines:
    """The lines of a text, that remember how far they were read."""

    def __init__(self, body: bytes) -> None:
        self._lines = body.decode("utf-8", "replace").split("\n")
        self._at = 0

    def __iter__(self) -> Iterator[str]:
        for self._at, line in enumerate(self._lines, start=1):  # noqa: B020  the place is kept on purpose
            if line or self._at < len(self._lines):  # what follows the last line feed is no line
                yield line + "\n"

    def where(self) -> str:
        """Say which line could not be read."""
        text = self._lines[self._at - 1].strip() if self._at else ""
        excerpt = text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
        return f"damaged metrics in line {self._at}: {excerpt!r}"
