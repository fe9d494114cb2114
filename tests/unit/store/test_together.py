"""Small files of several kinds are taken in together, and count as if each had been taken in alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
from logfiles import lines, prediction

from mlwatch.session import Options, Session
from mlwatch.store.feeding import FIRST_BYTES
from mlwatch.store.loading import Loader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest


def flat(number: int, **changes: Any) -> dict[str, Any]:
    """Return a prediction whose features are columns of their own."""
    record = prediction(number, **changes)
    return {**record.pop("features", {}), **record}


def write(logs: Path) -> None:
    """Write 30 predictions in three formats with the same features, six events, and two bad lines."""
    (logs / "a.jsonl").write_text(lines(flat(n) for n in range(10)) + "{oops\n")
    rows = pd.DataFrame([flat(n) for n in range(10, 20)])
    rows.to_csv(logs / "b.csv", index=False)
    with (logs / "b.csv").open("a") as out:
        out.write("1,2\n")
    pd.DataFrame([flat(n) for n in range(20, 30)]).to_parquet(logs / "c.parquet")
    (logs / "events").mkdir()
    (logs / "events" / "d.jsonl").write_text(
        lines(
            {"timestamp": flat(n)["timestamp"], "request_id": f"r{n}", "event": "purchase", "value": 2.5}
            for n in range(3, 27, 4)
        )
    )


def taken(logs: Path) -> tuple[int, dict[str, Any], dict[str, list[str]]]:
    """Return in how many batches logs were taken in, what is said of them, and the rows that are kept."""
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot()
        total = found.ingest
        assert total.rows + total.rejected + total.duplicates == total.records
        ((batches,),) = session.query("SELECT COUNT(*) FROM batches")[1]
        held = {}
        for table in ("predictions", "events", "quarantine"):
            names, rows = session.query(f"SELECT * FROM {table}")
            kept = [place for place, name in enumerate(names) if name != "seen_at"]
            held[table] = sorted(repr([row[place] for place in kept]) for row in rows)
    document = found.to_dict()
    return batches, {name: document[name] for name in ("models", "ingest", "alerts")}, held


def test_small_kinds_are_one_batch_and_count_like_several(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs)
    batches, said, held = taken(logs)
    monkeypatch.setattr("mlwatch.store.feeding.TOGETHER_BYTES", 0)
    apart, said_apart, held_apart = taken(logs)
    assert (batches, apart) == (1, 4)
    assert [len(held[table]) for table in ("predictions", "events", "quarantine")] == [30, 6, 2]
    assert held == held_apart
    assert said == said_apart


def test_rejected_lines_of_each_kind_keep_file_and_line(logs: Path) -> None:
    write(logs)
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        _, rows = session.query("SELECT file, line, raw FROM quarantine ORDER BY file")
        _, books = session.query("SELECT path, records, rejected FROM files ORDER BY path")
    assert rows == [("a.jsonl", 11, "{oops"), ("b.csv", 12, "1,2")]
    assert books == [("a.jsonl", 11, 1), ("b.csv", 11, 1), ("c.parquet", 10, 0), ("events/d.jsonl", 6, 0)]


def test_records_of_each_file_are_counted_where_lines_are_none(logs: Path) -> None:
    write(logs)
    with (logs / "a.jsonl").open("a") as out:
        out.write("\n" + lines([flat(50)]))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        _, books = session.query("SELECT path, records FROM files ORDER BY path")
    assert books == [("a.jsonl", 12), ("b.csv", 11), ("c.parquet", 10), ("events/d.jsonl", 6)]


def test_kinds_with_other_features_or_with_labels_are_taken_in_apart(logs: Path) -> None:
    write(logs)
    more = pd.DataFrame([{**flat(n), "model": "other", "extra": 1.5} for n in range(30, 40)])
    more.to_csv(logs / "e.csv", index=False)
    labelled = {"timestamp": flat(0)["timestamp"], "label": 1}
    (logs / "labels.jsonl").write_text(lines({**labelled, "request_id": f"r{n}"} for n in range(40)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        total = session.snapshot().ingest
        ((batches,),) = session.query("SELECT COUNT(*) FROM batches")[1]
    assert (batches, total.predictions, total.outcomes, total.outcomes_unmatched) == (3, 40, 40, 0)


def test_one_that_cannot_be_taken_in_keeps_none_of_the_others(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs)
    load = Loader.load

    def refuse(self: Loader, segments: Sequence[Any], **named: Any) -> None:
        if any(segment.found.relative == "b.csv" for segment in segments):
            raise duckdb.ConversionException("cannot be")
        load(self, segments, **named)

    monkeypatch.setattr(Loader, "load", refuse)
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot()
        assert found.ingest.predictions == 20
        assert ["b.csv" in alert.message for alert in found.alerts if "taken in" in alert.message] == [True]


def test_the_first_batch_of_many_small_files_is_as_small_as_before(logs: Path) -> None:
    """The screen has something to show at once, however many kinds there are."""
    text = lines(flat(n, request_id=None) for n in range(2000))
    for place in range(5 * FIRST_BYTES // (2 * len(text))):
        (logs / f"{place}.jsonl").write_text(text)
        (logs / f"{place}.csv").write_text(pd.DataFrame([flat(n) for n in range(3)]).to_csv(index=False))
    seen: list[int] = []
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all(lambda progress: seen.append(progress.bytes_done))
    assert seen[0] < 2 * FIRST_BYTES
    assert seen == sorted(seen)
