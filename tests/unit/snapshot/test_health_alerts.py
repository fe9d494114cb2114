"""What endpoints and host give cause to say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlwatch.host.types import Container, Disk, HostSample
from mlwatch.snapshot.health_alerts import health_alerts
from mlwatch.snapshot.health_types import (
    ConditionState,
    Deviation,
    Endpoint,
    GoldenState,
    Outage,
    Replica,
    Served,
    System,
    Uptime,
)
from mlwatch.snapshot.types import Model

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Alert

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SINCE = NOON - timedelta(minutes=2)


def replica(failures: int = 0, address: str = "", error: str = "refused") -> Replica:
    down = failures > 0
    return Replica(
        address, NOON, live=not down, ready=None, up=not down, status=None, latency_ms=None,
        error=error if down else "", failures=failures, down_since=SINCE if down else None,
    )  # fmt: skip


def endpoint(**changes: Any) -> Endpoint:
    return replace(
        Endpoint(
            "http://one", NOON, "fastapi", live=True, ready=True, replicas=(replica(),), hour=Uptime(720, 720)
        ),
        **changes,
    )


def said(
    *endpoints: Endpoint, system: System | None = None, models: dict[str, Model] | None = None
) -> tuple[Alert, ...]:
    return health_alerts(endpoints, system or System(), models or {}, NOON, NOON)


def only(found: tuple[Alert, ...]) -> Alert:
    assert len(found) == 1, [alert.message for alert in found]
    return found[0]


def test_all_is_well() -> None:
    assert said(endpoint()) == ()


@pytest.mark.parametrize(("failures", "count"), [(1, 0), (2, 0), (3, 1), (40, 1)])
def test_down_is_said_after_three_failures_in_a_row(failures: int, count: int) -> None:
    assert len(said(endpoint(replicas=(replica(failures),)))) == count


def test_an_endpoint_that_is_down_is_critical_and_says_why_and_since_when() -> None:
    alert = only(said(endpoint(replicas=(replica(7),), burn=dict.fromkeys(("5m", "30m", "1h", "6h"), 1.0))))
    assert (alert.severity, alert.message) == ("critical", "http://one is down: refused")
    assert (alert.since, alert.value) == (SINCE, 7.0)


def test_some_replicas_down_is_a_warning() -> None:
    replicas = (replica(5, "a"), replica(4, "b"), replica(0, "c"))
    alert = only(said(endpoint(replicas=replicas)))
    assert (alert.severity, alert.message) == ("warning", "2 of 3 replicas of http://one are down: refused")


def back(since: float, until: float, address: str = "") -> Replica:
    """A replica that is up again; minutes before noon."""
    over = Outage(NOON - timedelta(minutes=since), NOON - timedelta(minutes=until), "refused")
    return replace(replica(0, address), outage=over)


def test_an_outage_that_is_over_is_told_of_for_a_while() -> None:
    alert = only(said(endpoint(replicas=(back(9, 8),))))
    assert (alert.rule, alert.state, alert.severity) == ("endpoint: http://one", "resolved", "critical")
    assert alert.message == "http://one was down: refused"
    assert (alert.since, alert.resolved) == (NOON - timedelta(minutes=9), NOON - timedelta(minutes=8))
    assert said(endpoint(replicas=(back(17, 15),))) == ()


@pytest.mark.parametrize(
    ("replicas", "message"),
    [
        ((back(9, 5, "a"), back(8, 4, "b")), "http://one was down: refused"),
        ((back(9, 8, "a"), back(7, 6, "b")), "2 of 2 replicas of http://one were down: refused"),
        ((back(9, 8, "a"), replica(0, "b")), "1 of 2 replicas of http://one was down: refused"),
    ],
)
def test_replicas_that_were_down_one_after_another_are_no_outage_of_all(
    replicas: tuple[Replica, ...], message: str
) -> None:
    alert = only(said(endpoint(replicas=replicas)))
    assert alert.message == message
    assert alert.severity == ("critical" if message.startswith("http") else "warning")


def test_while_one_replica_is_down_what_is_over_waits() -> None:
    assert only(said(endpoint(replicas=(back(9, 8, "a"), replica(4, "b"))))).state == "firing"


def test_flapping() -> None:
    assert said(endpoint(changes=5)) == ()
    assert "flaps" in only(said(endpoint(changes=6))).message


def test_a_clock_that_is_wrong_is_said() -> None:
    assert only(said(endpoint(metrics={"clock_skew_s": -90.4}))).message == (
        "the clock of http://one is 90 s behind this host's"
    )


@pytest.mark.parametrize(
    ("burn", "severity"),
    [
        ({"1h": 0.0144, "5m": 0.0144}, "critical"),  # the workbook's 14.4 times of 0.1 %
        ({"1h": 0.0143, "5m": 0.0143}, None),
        ({"1h": 0.5, "5m": 0.0}, None),  # it is over
        ({"1h": 0.0, "5m": 0.5}, None),  # too short to matter
        ({"6h": 0.006, "30m": 0.006}, "warning"),
        ({"6h": 0.0059, "30m": 0.006}, None),
    ],
)
def test_burn_rates_need_both_windows(burn: dict[str, float], severity: str | None) -> None:
    found = said(endpoint(burn=burn))
    assert [alert.severity for alert in found] == ([severity] if severity else [])
    assert said(endpoint(burn=burn, hour=Uptime(20, 19))) == ()


def test_golden_answers_and_certificates() -> None:
    golden = GoldenState(matches=False, at=NOON, difference=0.8, reason="0.9 instead of 0.1 (0.8 apart)")
    wrong = only(said(endpoint(golden=golden)))
    assert (wrong.severity, wrong.message) == (
        "critical",
        "http://one does not give the expected answer to its fixed input: 0.9 instead of 0.1 (0.8 apart)",
    )
    assert said(endpoint(golden=GoldenState(matches=True, at=NOON))) == ()
    assert only(said(endpoint(certificate_days=3.2))).severity == "warning"
    assert only(said(endpoint(certificate_days=-1.0))).severity == "critical"
    assert said(endpoint(certificate_days=90.0)) == ()


def test_a_golden_answer_is_wrong_since_the_last_right_one() -> None:
    def steps(first: int, length: int, *bad: int | None) -> tuple[Deviation | None, ...]:
        """Return steps of two answers; None where there was none."""
        starts = (NOON + timedelta(minutes=first + length * step) for step in range(len(bad)))
        return tuple(
            Deviation(start, 2, wrong, 0.0) if wrong is not None else None
            for start, wrong in zip(starts, bad, strict=True)
        )

    def since(hour: tuple[Deviation | None, ...], day: tuple[Deviation | None, ...] = ()) -> float:
        golden = GoldenState(matches=False, at=NOON, reason="another", hour=hour, day=day)
        return (only(said(endpoint(golden=golden))).since - NOON) / timedelta(minutes=1)

    assert since(()) == 0
    assert since(steps(-20, 5, 0, 1, None, 2)) == -15
    assert since(steps(-20, 5, 2, 2, 2, 2), steps(-120, 30, 0, 1, 2, 2)) == -60, "not longer than is sure"


def model(**last: datetime) -> dict[str, Model]:
    versions: Any = {name: SimpleNamespace(last=at) for name, at in last.items()}
    return {"fraud": Model("fraud", "binary", "1", None, versions)}


def test_versions_served_and_logged_are_compared() -> None:
    serves = endpoint(served=(Served("fraud", "v2", 1, ready=True),))
    assert said(serves, models=model(v2=NOON)) == ()
    found = [alert.message for alert in said(serves, models=model(v1=NOON))]
    assert found == [
        "http://one serves v2 of fraud, but the logs have no such version",
        "the logs have v1 of fraud, but no endpoint says that it serves it",
    ]
    old = NOON - timedelta(hours=1)
    assert said(serves, models=model(v2=NOON, v1=old)) == (), "a version of the past need not be served"


def test_an_outage_neither_ends_nor_begins_a_difference_of_versions() -> None:
    v2 = (Served("fraud", "v2", 1, ready=True),)
    up, down = endpoint(served=v2), endpoint(replicas=(replica(1),), silent=v2)
    keys = [{alert.key for alert in said(one, models=model(v1=NOON))} for one in (up, down)]
    assert keys[0] == keys[1] == {
        ("endpoint: versions", "http://one v2"), ("endpoint: versions", "fraud v1")
    }  # fmt: skip
    first, _ = said(down, models=model(v1=NOON))
    assert first.message == (
        "http://one served, when it was last up, v2 of fraud, but the logs have no such version"
    )
    other = endpoint(name="http://two", served=(Served("fraud", "v1", 1, ready=True),))
    assert said(down, other, models=model(v1=NOON, v2=NOON)) == ()


def test_a_version_that_is_not_ready_need_not_be_in_the_logs() -> None:
    loading = Served("fraud", "v3", 1, ready=False)
    serves = endpoint(served=(Served("fraud", "v2", 1, ready=True), loading))
    assert said(serves, models=model(v2=NOON)) == ()
    assert said(serves, models=model(v2=NOON, v3=NOON)) == (), "it may have served until now"


def test_logs_of_the_past_say_nothing_about_what_is_served_now() -> None:
    serves = endpoint(served=(Served("fraud", "v2", 1, ready=True),))
    assert health_alerts([serves], System(), model(v1=NOON), NOON, NOON + timedelta(days=1)) == ()


def test_an_endpoint_that_nobody_polls_is_not_judged() -> None:
    assert said(endpoint(replicas=(replica(9),), stale=True)) == ()


def test_a_full_disk_and_a_container_at_its_limit() -> None:
    sample = HostSample(
        NOON, disks=(Disk("/a", 0.5, 1, 2), Disk("/b", 0.92, 8_000_000_000, 1), Disk("/c", 0.98, 1, 1)),
        container=Container(96, 100),
    )  # fmt: skip
    found = said(system=System(sample=sample))
    assert [(alert.rule, alert.severity) for alert in found] == [
        ("host: disk", "warning"), ("host: disk", "critical"), ("host: memory", "warning"),
    ]  # fmt: skip
    assert found[0].message == "the disk of /b is 92 % full, 8.0 GB are free"


@pytest.mark.parametrize(
    ("state", "since", "expected"),
    [
        ("ok", None, None),
        ("unknown", None, None),
        ("pending", SINCE, ("pending", "http://one does not keep its condition status == 200: 503")),
        ("firing", SINCE, ("firing", "http://one does not keep its condition status == 200: 503")),
        ("resolved", SINCE, ("resolved", "http://one keeps its condition status == 200 again: 503")),
        ("resolved", NOON - timedelta(hours=1), None),
    ],
)
def test_conditions_are_alerts_while_broken_and_for_a_while_after(
    state: Any, since: datetime | None, expected: tuple[str, str] | None
) -> None:
    found = said(endpoint(conditions=(ConditionState("status == 200", state, "503", since),)))
    assert [(one.state, one.message) for one in found] == ([expected] if expected else [])
    assert [one.since for one in found] == ([since] if expected else [])


def test_what_an_endpoint_does_wrong_is_told_apart() -> None:
    one = endpoint(replicas=(replica(5),), certificate_days=3.0, changes=6, metrics={"clock_skew_s": 90.0})
    assert [alert.about for alert in said(one)] == ["", "flapping", "clock", "certificate"]
    burning = endpoint(hour=Uptime(720, 20), burn={"1h": 0.5, "5m": 0.5})
    assert only(said(burning)).about == "error budget", "that it is down besides is told"
