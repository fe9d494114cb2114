"""An `id` that events have beside that of their request: what is delivered twice counts once, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logfiles import lines, prediction

if TYPE_CHECKING:
    from pathlib import Path

    from logfiles import Take

    from mlwatch.snapshot.types import Snapshot

N = 60


def bought(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "request_id": f"r{number}",
        "event": "purchase",
        "value": 1.5 + number,
        "timestamp": "2026-11-03T12:00:07Z",
        **changes,
    }


def taken(snapshot: Snapshot) -> tuple[object, int, int]:
    """Return money, events and duplicates."""
    (version,) = snapshot.models["m"].versions.values()
    return version.business.revenue.gross, snapshot.ingest.events, snapshot.ingest.duplicates


@pytest.fixture
def asked(logs: Path) -> None:
    (logs / "app.jsonl").write_text(lines(map(prediction, range(N))))


@pytest.mark.usefixtures("asked")
def test_an_event_that_is_delivered_twice_counts_once(logs: Path, take: Take) -> None:
    events = [bought(n) for n in range(N)]
    (logs / "events.jsonl").write_text(lines([*events, *events[:10]]))
    money = sum(event["value"] for event in events)
    assert taken(take()) == (pytest.approx(money), N, 10)
    (logs / "later.jsonl").write_text(lines(events[20:25]))
    assert taken(take()) == (pytest.approx(money), N, 15)


@pytest.mark.usefixtures("asked")
def test_tables_that_number_their_rows_from_one_on_are_all_read(logs: Path, take: Take) -> None:
    first, second = ([bought(k + n, id=n + 1) for n in range(N // 2)] for k in (0, N // 2))
    for name, events in (("one", first), ("two", second)):
        (logs / f"{name}.jsonl").write_text(lines(events))
    assert taken(take()) == (pytest.approx(sum(event["value"] for event in first + second)), N, 0)


@pytest.mark.usual(1)
@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    "changes", [{"timestamp": "2026-11-03T13:00:07Z"}, {"request_id": None, "user_id": "u"}]
)
def test_the_same_number_at_another_time_or_of_another_user_is_another_event(
    logs: Path, take: Take, changes: dict[str, Any]
) -> None:
    """Daily exports number their rows anew; some rows name a user and no request."""
    (logs / "mlwatch.toml").write_text('[business]\nby_unit = "1d"\n')
    first = [bought(n, id=n + 1, value=1.0, user_id=f"v{n}") for n in range(N)]
    second = [{**event, **changes} for event in first]
    for number, event in enumerate(second):
        event["user_id"] = f"{event['user_id']}{number}"
    for name, events in (("one", first), ("two", second)):
        (logs / f"{name}.jsonl").write_text(lines(events))
    assert taken(take())[1:] == (2 * N, 0)


@pytest.mark.usefixtures("asked")
def test_the_id_of_an_order_is_that_of_no_event(logs: Path, take: Take) -> None:
    """A cart has several items, two of them equal."""
    events = [bought(n, id=f"order {n}", value=price) for n in range(N) for price in (2.0, 3.0, 3.0)]
    (logs / "events.jsonl").write_text(lines(events))
    assert taken(take()) == (pytest.approx(8.0 * N), 3 * N, 0)
