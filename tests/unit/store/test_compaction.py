"""Rollup rows of equal key are merged where they came to be; the age of a store is not read each time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.store import upkeep
from mlwatch.store.rollups import FEATURES, SCORES, TRAFFIC
from mlwatch.store.touched import ALL_TIME, note, noting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.session import Session
    from mlwatch.store.rollup import Rollup

NINE = datetime(2026, 11, 3, 9)  # noqa: DTZ001  naive UTC, as in the store
"""An hour before the predictions of `logfiles`."""


def crowd(connection: DuckDBPyConnection, rollup: Rollup, at: datetime, rows: int = 2) -> None:
    """Put several rows of one key, with 1, 2 and so on records, into the buckets that hold a moment."""
    for level in rollup.levels:
        connection.execute(
            f"""INSERT INTO {rollup.table(level)} (bucket, model, version, n)
            SELECT time_bucket(to_seconds({level}), ?), 'm', 'v1', i FROM range(1, ?) AS t(i)""",
            [at, rows + 1],
        )


def amounts(connection: DuckDBPyConnection, rollup: Rollup, level: int) -> dict[datetime, list[int]]:
    """Return the records of each row, by bucket."""
    found: dict[datetime, list[int]] = {}
    for bucket, n in connection.execute(
        f"SELECT bucket, n FROM {rollup.table(level)} WHERE model = 'm' ORDER BY bucket, n"
    ).fetchall():
        found.setdefault(bucket, []).append(n)
    return found


def test_rows_are_merged_where_something_was_added_and_left_elsewhere(store: DuckDBPyConnection) -> None:
    later = NINE + timedelta(days=2, minutes=7)
    for at in (NINE, later):
        crowd(store, TRAFFIC, at, rows=3)
        crowd(store, FEATURES, at)
    upkeep.compact(store, {TRAFFIC.name: (later, later)})
    hour = later.replace(minute=0)
    assert amounts(store, TRAFFIC, 60) == {NINE: [1, 2, 3], later: [6]}
    assert amounts(store, TRAFFIC, 3600) == {NINE: [1, 2, 3], hour: [6]}
    assert set(map(tuple, amounts(store, FEATURES, 900).values())) == {(1, 2)}
    upkeep.compact(store)
    assert amounts(store, TRAFFIC, 60) == {NINE: [6], later: [6]}
    assert amounts(store, TRAFFIC, 3600) == {NINE: [6], hour: [6]}
    for level in FEATURES.levels:
        assert list(amounts(store, FEATURES, level).values()) == [[3], [3]]


def test_the_first_and_the_last_bucket_of_a_stretch_belong_to_it_at_every_width(
    store: DuckDBPyConnection,
) -> None:
    moments = [NINE + timedelta(hours=hours, minutes=15) for hours in (0, 20, 40, 60)]
    for at in moments:
        crowd(store, SCORES, at)
    upkeep.compact(store, {SCORES.name: (moments[1], moments[2])})
    assert list(amounts(store, SCORES, 900).values()) == [[1, 2], [3], [3], [1, 2]]
    assert list(amounts(store, SCORES, 3600).values()) == [[1, 2], [3], [3], [1, 2]]
    assert list(amounts(store, SCORES, 86400).values()) == [[1, 2], [3], [6]]  # the last two share a day


def test_all_of_a_rollup_is_looked_through_where_all_of_it_may_have_changed(
    store: DuckDBPyConnection,
) -> None:
    crowd(store, TRAFFIC, NINE)
    upkeep.compact(store, {TRAFFIC.name: ALL_TIME})
    assert amounts(store, TRAFFIC, 60) == {NINE: [3]}


def test_what_a_block_notes_is_noted_by_the_block_around_it() -> None:
    ten = NINE + timedelta(hours=1)
    with noting() as around:
        note(TRAFFIC, (ten, ten))
        with noting() as inside:
            note(TRAFFIC, (NINE, NINE))
            note(SCORES, (NINE, ten))
        note(SCORES, (ten, ten))
    assert inside == {TRAFFIC.name: (NINE, NINE), SCORES.name: (NINE, ten)}
    assert around == {TRAFFIC.name: (NINE, ten), SCORES.name: (NINE, ten)}


class Growing:
    """A session over logs that grow by a file, with a compaction after each pass."""

    def __init__(self, session: Session, logs: Path) -> None:
        self.session, self._logs, self._files = session, logs, 0

    def take(self, first: int, last: int) -> None:
        """Take some predictions of the hour from ten on in."""
        self._files += 1
        (self._logs / f"{self._files}.jsonl").write_text(lines(prediction(n) for n in range(first, last)))
        self.session.ingest_all()

    def traffic(self) -> dict[datetime, list[int]]:
        return amounts(self.session.connection, TRAFFIC, 60)


@pytest.fixture
def growing(logs: Path, opened: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Growing]:
    monkeypatch.setattr(upkeep, "COMPACT_AFTER", 1)
    with opened() as session:
        yield Growing(session, logs)


def test_the_ingest_looks_where_it_added_once_it_has_looked_everywhere(growing: Growing) -> None:
    crowd(growing.session.connection, TRAFFIC, NINE)
    growing.take(0, 10)
    ten = NINE + timedelta(hours=1)
    assert growing.traffic() == {NINE: [3], ten: [10]}  # the first time, everything
    crowd(growing.session.connection, TRAFFIC, NINE - timedelta(days=3))
    growing.take(10, 30)
    assert growing.traffic() == {NINE - timedelta(days=3): [1, 2], NINE: [3], ten: [30]}
    growing.take(30, 90)
    merged = {NINE: [3], ten: [60], ten + timedelta(minutes=1): [30]}
    assert growing.traffic() == {NINE - timedelta(days=3): [1, 2], **merged}


def test_vacuum_looks_everywhere(
    logs: Path, opened: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "COMPACT_AFTER", 1)
    old = NINE - timedelta(days=3)
    with opened() as session:
        growing = Growing(session, logs)
        growing.take(0, 10)
        crowd(session.connection, TRAFFIC, old)
        growing.take(10, 30)
        assert growing.traffic()[old] == [1, 2]
    assert main(["store", "vacuum", str(logs), "--db", str(tmp_path / "store.duckdb")]) == 0
    with duckdb.connect(str(tmp_path / "store.duckdb")) as connection:
        assert amounts(connection, TRAFFIC, 60) == {old: [3], NINE + timedelta(hours=1): [30]}


def test_what_was_committed_before_a_failure_is_merged_later(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing.take(0, 10)
    reader = growing.session._ingest
    with monkeypatch.context() as broken:
        broken.setattr(reader, "_say_refused", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            growing.take(10, 30)
    assert growing.traffic() == {NINE + timedelta(hours=1): [10, 20]}
    growing.take(3600 - 60, 3600)  # a minute at the end of the hour: the stretch reaches to the first
    assert growing.traffic() == {NINE + timedelta(hours=1): [30], NINE + timedelta(hours=1, minutes=59): [60]}
