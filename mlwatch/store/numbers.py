"""Columns of numbers as arrays, a few at a time: what is done with one needs no room for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.metrics.sorted_bins import BinCounts

TOGETHER = 1_000_000
"""Numbers that are fetched at once, where a column has not more alone."""


def columns(
    connection: DuckDBPyConnection, relation: str, expressions: Sequence[str], rows: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the numbers of some columns, each in an array of its own that may be changed; NULL is NaN.

    Args:
        connection: Any.
        relation: Has the columns; it is read once for as many of them as are fetched at once.
        expressions: Quoted names, or expressions that the caller has made safe.
        rows: About how many the relation has.
    """
    width = max(1, TOGETHER // max(1, rows))
    for start in range(0, len(expressions), width):
        some = expressions[start : start + width]
        items = ", ".join(f"CAST({expression} AS DOUBLE) AS c{at}" for at, expression in enumerate(some))
        found = connection.execute(f"SELECT {items} FROM {relation}").fetchnumpy()
        for at in range(len(some)):
            yield _plain(found.pop(f"c{at}"))


def _plain(column: Any) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415  whoever takes logs in does not wait for its import

    if isinstance(column, np.ma.MaskedArray):
        return np.asarray(column.filled(np.nan))
    return np.asarray(column)


def insert_counts(connection: DuckDBPyConnection, table: str, counts: Mapping[int, BinCounts]) -> None:
    """Insert counts into a table whose columns are feature, bin, n and total.

    Args:
        connection: Any.
        table: Its name.
        counts: By the numbers of the features.
    """
    features: list[int] = []
    codes: list[int] = []
    n: list[int] = []
    total: list[float] = []
    for feature, counted in counts.items():
        features += [feature] * len(counted.n)
        codes += counted.codes.tolist()
        n += counted.n.tolist()
        total += counted.total.tolist()
    connection.execute(
        f"""INSERT INTO {table} SELECT unnest($1::INTEGER[]), unnest($2::INTEGER[]), unnest($3::BIGINT[]),
            unnest($4::DOUBLE[])""",
        [features, codes, n, total],
    )
