"""Read a reference that one table is compared with: its numbers are sorted, and no row of them is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlwatch.asking import number
from mlwatch.sources.sql import identifier
from mlwatch.store import fold, numbers
from mlwatch.store.binning import store_bins
from mlwatch.store.feature_rollup import FeatureBins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.sorted_bins import BinCounts
    from mlwatch.sources.canonical import Canonical, Slot
    from mlwatch.store.registry import Registry

_TAKEN = """
    SELECT * EXCLUDE (line, ts, id, model, own_model, version, latency_ms, status, error, event, value, currency,
        event_id, unit, unread_number), FALSE AS failed, 1 AS quarter
    FROM ({})"""
"""What only logs ask for is left out; all rows are of one window."""


class Sorted(NamedTuple):
    """The bins of a column of numbers, and its counts in them."""

    edges: tuple[float, ...]
    counts: BinCounts


def load(
    connection: DuckDBPyConnection,
    source: str,
    slots: Sequence[Slot],
    form: Callable[[Sequence[Slot]], Canonical],
    *,
    by_column: bool,
) -> dict[int, Sorted | None]:
    """Read a reference into the temporary table `given`, but numbers that can be read without it.

    Args:
        connection: Any.
        source: A FROM item.
        slots: The columns that are features.
        form: Returns how some of them are read.
        by_column: A column can be read without the others, as of Parquet; everything else is parsed once.

    Returns:
        By the numbers of features those that are numbers: None for one without any.
    """
    numeric = [slot for slot in slots if slot.kind == "numeric"]
    kept = [slot for slot in slots if slot.kind != "numeric"] if by_column else slots
    connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS {_TAKEN.format(form(kept).select(source))}")
    rows = number(connection, "SELECT COUNT(*) FROM given")
    found: dict[int, Sorted | None] = {}
    for start in range(0, len(numeric), fold.STATEMENT_FEATURES):
        group = numeric[start : start + fold.STATEMENT_FEATURES]
        relation = f"({form(group).select(source)})" if by_column else "given"
        found.update(_sorted(connection, relation, group, rows))
    return found


def load_as_text(connection: DuckDBPyConnection, source: str, form: Canonical) -> None:
    """Read a reference whose columns hold what does not fit them into the temporary table `given`."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS {_TAKEN.format(form.select(source))}")


def _sorted(
    connection: DuckDBPyConnection, relation: str, slots: Sequence[Slot], rows: int
) -> Iterator[tuple[int, Sorted | None]]:
    """Yield the bins of each column and its counts in them, by the feature's number."""
    from mlwatch.metrics import sorted_bins  # noqa: PLC0415  NumPy

    expressions = [identifier(slot.column) for slot in slots]
    for slot, values in zip(slots, numbers.columns(connection, relation, expressions, rows), strict=True):
        values.sort()
        edges = sorted_bins.cut(values)
        yield slot.number, Sorted(edges, sorted_bins.count(values, edges, len(values))) if edges else None


def store(
    connection: DuckDBPyConnection, registry: Registry, found: Mapping[int, Sorted | None], source: str
) -> None:
    """Store bins and the reference's counts in them.

    Args:
        connection: Inside a transaction.
        registry: Learns the bins.
        found: As from `load`.
        source: What the bins come from, in words.
    """
    columns = {feature: one for feature, one in found.items() if one is not None}
    bins = [FeatureBins(feature, "", "numeric", one.edges) for feature, one in columns.items()]
    store_bins(connection, registry, bins, source)
    numbers.insert_counts(connection, "reference", {feature: one.counts for feature, one in columns.items()})
