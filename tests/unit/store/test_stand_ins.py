"""Versions that call the same thing otherwise: all are read, in one file, in two, and in one that changes names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

from mlwatch.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from logfiles import Take

    from mlwatch.snapshot.types import Version

NAMES = {
    "prediction": "predicted_class",
    "score": "probability",
    "latency_ms": "latency_s",
    "timestamp": "ts",
}
N = 60


def old(first: int, last: int) -> list[dict[str, Any]]:
    return [prediction(n, label=n % 3 == 0) for n in range(first, last)]


def new(first: int, last: int) -> list[dict[str, Any]]:
    """The same under other names, of another version; latencies in seconds."""
    records = (
        record | {"version": "v2", "latency_ms": record["latency_ms"] / 1000} for record in old(first, last)
    )
    return [{NAMES.get(name, name): value for name, value in record.items()} for record in records]


def assert_alike(versions: Iterable[Version], n: int) -> None:
    one, other = versions
    for version in (one, other):
        assert (version.name, version.predictions, version.errors.count) == (version.name, n, 0)
        assert version.latency.n == n
        assert version.scores is not None
    assert other.latency.mean == pytest.approx(one.latency.mean)
    for name in ("accuracy", "roc_auc", "log_loss"):
        assert other.performance[name].value == pytest.approx(one.performance[name].value)


def test_in_one_file(logs: Path, take: Take) -> None:
    both = zip(old(0, N), new(0, N), strict=True)
    (logs / "app.jsonl").write_text(lines(record for pair in both for record in pair))
    assert_alike(take().models["m"].versions.values(), N)


@pytest.mark.usual(1)
@pytest.mark.parametrize("first", ["v1", "v2"])
def test_in_files_that_differ_by_a_digit(logs: Path, take: Take, first: str) -> None:
    written = {"v1": old(0, N), "v2": new(0, N)}
    for name in (first, "v2" if first == "v1" else "v1"):
        (logs / f"svc-{name}.jsonl").write_text(lines(written[name]))
        take()
    assert_alike(take().models["m"].versions.values(), N)


def test_in_a_file_that_changes_its_names(logs: Path, opened: Callable[[], Any], take: Take) -> None:
    log = logs / "app.jsonl"
    log.write_text(lines(old(0, N)))
    assert take().ingest.predictions == N
    for half in (new(0, N // 2), new(N // 2, N)):
        with log.open("a") as out:
            out.write(lines(half))
        take()
    with opened() as session:  # what was learnt is kept
        assert_alike(session.snapshot().models["m"].versions.values(), N)


def test_what_init_writes_of_it_reads_the_same(logs: Path, take: Take) -> None:
    both = [record for pair in zip(old(0, N), new(0, N), strict=True) for record in pair]
    (logs / "app.jsonl").write_text(lines(both))
    assert main(["init", str(logs), "--db", ":memory:"]) == 0
    said = (logs / "mlwatch.toml").read_text()
    assert '# score = "score"  # named score, and probability in records without it' in said
    assert_alike(take().models["m"].versions.values(), N)


def test_a_second_column_in_the_same_records_is_no_stand_in(logs: Path, take: Take) -> None:
    (logs / "app.jsonl").write_text(lines(record | {"probability": 0.5} for record in old(0, N)))
    (version,) = take().models["m"].versions.values()
    assert version.performance["log_loss"].value != pytest.approx(0.693147, abs=1e-4)


@pytest.mark.usual(1)
@pytest.mark.parametrize("own", [{"request_id": "r1", "probability": 0.9}, {"id": "e1", "user_id": "u1"}])
def test_what_events_carry_of_their_own_stands_for_nothing(
    logs: Path, take: Take, own: dict[str, Any]
) -> None:
    (logs / "mlwatch.toml").write_text('[business]\nby_unit = "1h"\n')
    asked = [record | {"user_id": "u1"} for record in old(0, N)]
    rated = [
        {"timestamp": record["timestamp"], "event": ("survey", "click")[n % 2], "event_id": f"e{n}", **own}
        for n, record in enumerate(asked)
    ]
    (logs / "app.jsonl").write_text(lines([*asked, *rated]))
    snapshot = take()
    assert (snapshot.ingest.predictions, snapshot.ingest.events, snapshot.ingest.duplicates) == (N, N, 0)
    assert snapshot.ingest.events_unmatched == 0


def bought(n: int) -> list[dict[str, Any]]:
    """What users did: how long they stayed is a `value`, what they paid an `amount`."""
    events = []
    for i in range(n):
        own = {"value": 3.0 + i} if i % 2 else {"amount": 10.5 + i, "currency": "NOK"}
        kind = ("purchase", "dwell_time")[i % 2]
        events.append({"timestamp": "2026-11-03T12:00:00Z", "request_id": f"r{i}", "event": kind} | own)
    return events


@pytest.mark.usual(1)
@pytest.mark.parametrize("how", ["a file", "in turn", "beside predictions"])
def test_what_events_of_one_kind_measure_stands_beside_what_others_cost(
    logs: Path, take: Take, how: str
) -> None:
    """A `price` of predictions stays an input."""
    asked, events = [record | {"price": 7.0 + n} for n, record in enumerate(old(0, N))], bought(N)
    if how == "in turn":
        events.sort(key=lambda event: "amount" in event)
        (logs / "app.jsonl").write_text(lines(asked))
        (logs / "events.jsonl").write_text(lines(events[: N // 2]))
        take()
        with (logs / "events.jsonl").open("a") as file:
            file.write(lines(events[N // 2 :]))
    elif how == "a file":
        (logs / "app.jsonl").write_text(lines(asked))
        (logs / "events.jsonl").write_text(lines(events))
    else:
        both = [record | {"event": "prediction"} for record in asked]
        (logs / "app.jsonl").write_text(
            lines(each for pair in zip(both, events, strict=True) for each in pair)
        )
    snapshot = take()
    (version,) = snapshot.models["m"].versions.values()
    assert (snapshot.ingest.predictions, snapshot.ingest.events, version.errors.count) == (N, N, 0)
    money = version.business.revenue
    assert money.gross == pytest.approx(sum(event.get("amount", 0.0) for event in events))
    assert money.currency == "NOK"
    stayed = version.business.kinds["dwell_time"].value
    assert stayed is not None
    assert stayed.value == pytest.approx(sum(event.get("value", 0.0) for event in events) / (N / 2))
    assert "price" in version.quality.features
