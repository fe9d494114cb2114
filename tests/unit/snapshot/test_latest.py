"""What is added up from the newest rows is what the engine adds up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlwatch.snapshot import latest, reader, rollout_series
from mlwatch.snapshot.latest import read_latest
from mlwatch.snapshot.read import Pair, number_pairs
from mlwatch.snapshot.reader import Reader
from mlwatch.snapshot.rollout_pairing import Judged, Pairing
from mlwatch.snapshot.rollout_series import read_arms
from mlwatch.snapshot.shelf import Shelf
from mlwatch.snapshot.span import Grid
from mlwatch.snapshot.tables import busy_minutes
from mlwatch.store.rollups import LATENCY, TRAFFIC
from mlwatch.store.touched import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.read import Table
    from mlwatch.store.rollup import Rollup

START = datetime(2026, 3, 2, 9)  # noqa: DTZ001  naive UTC, as in the store
PAIRS = [Pair("m", "v1"), Pair("m", "v2"), Pair("other", "v1")]
MINUTES = 130


def add(store: DuckDBPyConnection, minute: int, seed: int) -> None:
    """Add what a batch brings: some versions' rows of a minute, one of a version that is not looked at."""
    random, at = np.random.default_rng(seed), START + timedelta(minutes=minute)
    for model, version in [(pair.model, pair.version) for pair in PAIRS] + [("m", "v9"), (None, None)]:
        n, known = int(random.integers(1, 50)), bool(random.integers(2))
        total, square, most = (float(x) if known else None for x in random.lognormal(3, 2, 3))
        for level in TRAFFIC.levels:
            bucket = at if level == 60 else at.replace(minute=0)
            store.execute(
                f"INSERT INTO {TRAFFIC.table(level)} VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?)",
                [
                    *(bucket, model, version, n, n // 9, n if known else 0, total, square, most),
                    *(at + timedelta(seconds=n / 2), at + timedelta(seconds=n)),
                ],
            )
            for place in random.integers(-5, 5, 4).tolist():
                store.execute(
                    f"INSERT INTO {LATENCY.table(level)} VALUES (?, ?, ?, ?, ?)",
                    [bucket, model, version, place, n],
                )


def rows_of(table: Table) -> Mapping[tuple[Any, ...], tuple[Any, ...]]:
    """Return the measures of a table by key."""
    keys = [name for name in ("w", "who", "minute", "is_candidate", "bin") if name in table.columns]
    rest = [name for name in table.columns if name not in keys]
    columns = {name: [plain(value) for value in column.tolist()] for name, column in table.columns.items()}
    found = {
        tuple(columns[key][row] for key in keys): tuple(columns[name][row] for name in rest)
        for row in range(len(table))
    }
    assert len(found) == len(table)
    return found


def plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def same(one: Table, other: Table) -> None:
    """Make sure that two tables hold the same, in whatever order, and in columns of the same kind."""
    assert {name: column.dtype for name, column in one.columns.items()} == {
        name: column.dtype for name, column in other.columns.items()
    }
    left, right = rows_of(one), rows_of(other)
    assert left.keys() == right.keys()
    for key, values in left.items():
        assert values == pytest.approx(right[key], rel=1e-12, nan_ok=True), key


@pytest.mark.usual(2)
@pytest.mark.parametrize("rollup", [TRAFFIC, LATENCY])
@pytest.mark.parametrize("width_s", [60, 600, 3600])
def test_windows(
    store: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, rollup: Rollup, width_s: int
) -> None:
    for minute in range(MINUTES):
        add(store, minute, minute)
    number_pairs(store, PAIRS)
    journal = Journal()
    shelf, grid = Shelf(journal), Grid(START, START + timedelta(minutes=MINUTES), width_s)
    Reader(store, "all", 0, shelf).by_window(rollup, grid)
    for number, minute in enumerate((MINUTES - 1, MINUTES - 2, MINUTES - 2), 1):
        add(store, minute, 1000 + number)
        at = START + timedelta(minutes=minute)
        journal.note(number, {each.name: (at, at) for each in (TRAFFIC, LATENCY)})
        with monkeypatch.context() as patched:
            patched.setattr(reader, "read", None)  # it is not asked
            kept = Reader(store, "all", number, shelf).by_window(rollup, grid)
        same(kept, Reader(store, "all").by_window(rollup, grid))


def test_minutes_and_arms(store: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(MINUTES):
        add(store, minute, minute)
    number_pairs(store, PAIRS)
    journal, end = Journal(), START + timedelta(minutes=MINUTES)
    shelf = Shelf(journal)
    pairing = Pairing(Judged("m", "binary"), "v1", "v2", START, end)
    for number, late in enumerate((MINUTES - 1, MINUTES - 1, 20, MINUTES - 1)):
        known = Reader(store, "all", number, shelf)
        grid = Grid(START, end, 60)
        same(busy_minutes(known, grid), busy_minutes(Reader(store, "all"), grid))
        arms = read_arms(known, pairing)
        with monkeypatch.context() as patched:
            patched.setattr(rollout_series, "closed_of", lambda *_: None)
            anew = read_arms(Reader(store), pairing)
        for one, other in ((arms.baseline, anew.baseline), (arms.candidate, anew.candidate)):
            assert one.minute.tolist() == other.minute.tolist()
            assert one.metrics.keys() == other.metrics.keys()
            for name, series in one.metrics.items():
                for part in series.__dataclass_fields__:
                    own, expected = getattr(series, part), getattr(other.metrics[name], part)
                    np.testing.assert_allclose(own, expected, rtol=1e-12)
        add(store, late, 1000 + number)
        at = START + timedelta(minutes=late)
        journal.note(number + 1, {each.name: (at, at) for each in (TRAFFIC, LATENCY)})


def test_too_many_rows_are_left_to_the_engine(
    store: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(4):
        add(store, minute, minute)
    asked = []

    def reading(*given: Any) -> Any:
        asked.append(given)
        return read_latest(*given)

    monkeypatch.setattr(latest, "MOST", 10)
    monkeypatch.setattr(reader, "read_latest", reading)
    known, end = Reader(store, "all", 0, Shelf(Journal())), START + timedelta(minutes=4)
    for begin, there in ((0, False), (0, False), (3, True), (3, True), (2, True)):
        rows = known.latest(TRAFFIC, START + timedelta(minutes=begin), end)
        assert (rows is not None) == there
    assert len(asked) == 3
    assert known.latest(TRAFFIC, end - timedelta(days=1), end) is None
