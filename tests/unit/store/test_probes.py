"""Probes and samples of the host in the store, with the sums that uptime is read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from mlwatch.endpoints.types import (
    Baseline,
    Course,
    Golden,
    Judged,
    Probe,
    Seen,
    ServedVersion,
    ServerMetrics,
)
from mlwatch.host.types import Container, Disk, Gpu, HostSample, Process
from mlwatch.snapshot.endpoints import endpoints_of
from mlwatch.snapshot.system import system_of
from mlwatch.store import probes, retention

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.health_types import Endpoint

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "stores"
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def probe(seconds: float, *, up: bool = True, **changes: Any) -> Probe:
    good: dict[str, Any] = {
        "endpoint": "http://one",
        "at": NOON + timedelta(seconds=seconds),
        "live": up,
        "ready": up or None,
        "latency_ms": 10.0 if up else None,
        "error": "" if up else "refused",
    }
    return Probe(**{**good, **changes})


def seen(store: DuckDBPyConnection, seconds: float) -> Endpoint:
    found = endpoints_of(store, (NOON + timedelta(seconds=seconds)).replace(tzinfo=None))
    assert len(found) == 1
    return found[0]


def test_the_sums_are_those_of_the_rows_however_they_came_in(store: DuckDBPyConnection) -> None:
    looks = [probe(5 * n, up=n % 7 > 0, latency_ms=float(n)) for n in range(200)]
    for start in range(0, 200, 13):
        probes.record(store, looks[start : start + 13])
    for level in ("minute", "hour"):
        sums = store.execute(f"SELECT * FROM probe_{level}s ORDER BY bucket").fetchall()
        rows = store.execute(
            f"""SELECT date_trunc('{level}', ts), endpoint, replica, COUNT(*), SUM(up::INT), SUM((error <> '')::INT),
            COUNT(latency_ms), SUM(latency_ms), MAX(latency_ms), 0, 0, 0 FROM probes GROUP BY 1, 2, 3 ORDER BY 1"""
        ).fetchall()
        assert sums == rows


def test_uptime_is_the_share_of_probes_that_found_it_up(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(10 * n, up=not 30 <= n < 36) for n in range(60)])
    found = seen(store, 599)
    assert (found.hour.n, found.hour.up) == (60, 54)
    assert found.hour.share == 0.9
    assert found.hour.squares[-10:] == ("ok",) * 5 + ("bad",) + ("ok",) * 4
    assert set(found.hour.squares[:-10]) == {"unknown"}
    assert (found.day.share, found.month.share) == (0.9, 0.9)
    assert found.day.squares[-1] == found.month.squares[-1] == "warn"
    assert (found.state, found.changes, found.error) == ("ok", 2, "refused")
    assert found.error_at == NOON + timedelta(seconds=350)


def test_why_nobody_knows_whether_it_is_ready_is_no_error(store: DuckDBPyConnection) -> None:
    refused = probe(10, ready=None, error="401: not authorised")
    probes.record(store, [probe(0, up=False), probe(5), refused])
    found = seen(store, 11)
    assert (found.state, found.failed, found.error) == ("ok", 1, "refused")
    assert found.doubt == "401: not authorised"
    assert seen(store, 6).doubt == ""
    assert seen(store, 100).doubt == "", "nobody looked for a minute"


def test_what_was_served_before_an_outage_is_known(store: DuckDBPyConnection) -> None:
    v1, v2 = (ServedVersion("fraud", "v1"),), (ServedVersion("fraud", "v2", ready=True),)
    looks = [probe(0, served=v1), probe(60, served=v1), probe(70, served=v2), probe(75, up=False)]
    probes.record(store, [*looks, *(probe(seconds, up=False) for seconds in range(80, 7200, 40))])
    assert seen(store, 71).silent == ()
    for seconds in (76, 7199):
        found = seen(store, seconds)
        assert found.served == ()
        assert [(one.model, one.version, one.ready) for one in found.silent] == [("fraud", "v2", True)]
    probes.record(store, [probe(7200, served=v1)])
    assert (seen(store, 7200).silent, seen(store, 7200).served[0].version) == ((), "v1")


def test_latency_is_that_of_numpy(store: DuckDBPyConnection) -> None:
    import numpy as np

    values = np.random.default_rng(1).gamma(2.0, 20.0, 120)
    probes.record(store, [probe(n, latency_ms=float(value)) for n, value in enumerate(values)])
    found = seen(store, 120).latency
    assert found.n == 120
    assert found.p50 == pytest.approx(np.quantile(values, 0.5))
    assert found.p95 == pytest.approx(np.quantile(values, 0.95))
    assert found.max == pytest.approx(values.max())


def test_an_outage_is_counted_from_its_first_failed_look(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(5 * n, up=n < 20) for n in range(60)])
    found = seen(store, 299)
    assert (found.state, found.up) == ("bad", 0)
    assert found.replicas[0].failures == 40
    assert found.replicas[0].down_since == NOON + timedelta(seconds=100)
    assert found.burn["5m"] == pytest.approx(40 / 60)


def test_an_outage_that_is_over_is_remembered_for_a_quarter_of_an_hour(store: DuckDBPyConnection) -> None:
    down = {*range(20, 30), 33, 40}  # one or two failures are no outage
    probes.record(store, [probe(10 * n, up=n not in down) for n in range(150)])
    assert seen(store, 250).replicas[0].outage is None
    found = seen(store, 450).replicas[0].outage
    assert found is not None
    assert (found.since, found.until) == (NOON + timedelta(seconds=200), NOON + timedelta(seconds=300))
    assert found.error == "refused"
    assert seen(store, 1180).replicas[0].outage == found
    assert seen(store, 1210).replicas[0].outage is None


def test_an_endpoint_that_never_was_up_is_down_since_the_first_look(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(5 * n, up=False) for n in range(4)])
    found = seen(store, 20)
    assert (found.replicas[0].failures, found.replicas[0].down_since) == (4, NOON)


def test_each_replica_counts_and_says_what_it_serves(store: DuckDBPyConnection) -> None:
    looks = [
        probe(
            0,
            replica=f"10.0.0.{n}",
            served=(ServedVersion("fraud", "v2" if n < 3 else "v1", ready=True),),
            metrics={"requests_per_s": 2.0, "memory": 0.5, "broken": float("nan")},
        )
        for n in range(10)
    ]
    probes.record(store, looks)
    found = seen(store, 1)
    assert [(s.version, s.replicas, s.ready) for s in found.served] == [("v1", 7, True), ("v2", 3, True)]
    assert found.up == len(found.replicas) == 10
    assert found.metrics == {"requests_per_s": 20.0, "memory": 0.5}


def test_a_replica_that_is_not_looked_at_any_more_is_gone(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(0, replica="a"), *(probe(60 * n, replica="b") for n in range(10))])
    assert [replica.address for replica in seen(store, 100).replicas] == ["a", "b"]
    assert [replica.address for replica in seen(store, 540).replicas] == ["b"]


def test_the_past_is_shown_as_it_was(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(0), probe(60, up=False)])
    assert seen(store, 30).state == "ok"
    assert seen(store, 61).state == "bad"
    assert seen(store, 60 + 61).stale
    assert endpoints_of(store, NOON.replace(tzinfo=None) - timedelta(days=1)) == ()


def test_golden_answers(store: DuckDBPyConnection) -> None:
    wrong = Golden(matches=False, difference=0.25, reason="0.75 instead of 0.5")
    probes.record(store, [probe(0, golden=Golden(matches=True, difference=0.0))])
    probes.record(store, [probe(60, golden=wrong)])
    probes.record(store, [probe(120), probe(180)])  # looks without a golden answer do not hide it
    found = seen(store, 181)
    assert found.golden is not None
    assert (found.golden.matches, found.golden.difference, found.golden.reason, found.golden.at) == (
        False,
        0.25,
        "0.75 instead of 0.5",
        NOON + timedelta(seconds=60),
    )
    asked = [(step.n, step.bad, step.difference) for step in found.golden.hour if step is not None]
    assert asked == [(1, 0, 0.0), (1, 1, 0.25)]
    assert [(step.n, step.bad) for step in found.golden.day if step is not None] == [(2, 1)]
    before = seen(store, 59).golden
    assert before is not None
    assert before.matches


def test_one_replica_with_another_answer_is_named(store: DuckDBPyConnection) -> None:
    wrong = Golden(matches=False, reason='label: "b" instead of "a"')
    right = Golden(matches=True, difference=0.0)
    probes.record(
        store, [probe(0, replica="10.0.0.1", golden=right), probe(0, replica="10.0.0.2", golden=wrong)]
    )
    found = seen(store, 1).golden
    assert found is not None
    assert (found.matches, found.replica, found.difference) == (False, "10.0.0.2", None)


def test_an_endpoint_that_nobody_polled_for_an_hour_has_squares_all_the_same(
    store: DuckDBPyConnection,
) -> None:
    probes.record(store, [probe(0)])
    found = seen(store, 7200)
    assert found.hour.squares == ("unknown",) * 60
    assert found.history == ()
    assert [square for square in found.day.squares if square != "unknown"] == ["ok"]


def test_the_first_answer_of_a_version_stays_the_first(store: DuckDBPyConnection) -> None:
    first, second = (Baseline("http://one", "m v1", "f", answer) for answer in ("[1]", "[2]"))
    probes.record(store, [probe(0, golden=Golden(matches=True, first=first))])
    probes.record(store, [probe(60, golden=Golden(matches=True, first=second))])
    assert probes.baselines(store) == [first]


def test_certificates(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(0, certificate_days=12.5)])
    assert seen(store, 1).certificate_days == 12.5


@pytest.mark.parametrize(
    "text", ["'); DROP TABLE probes; --", '"}]', "\x00\x1b[31m", "\ud800", "x" * 100_000, "名前 \u202e"]
)
def test_hostile_text_is_only_text(store: DuckDBPyConnection, text: str) -> None:
    hostile = probe(
        0, endpoint=text, replica=text, server=text, error=text,
        served=(ServedVersion(text, text),), metrics={text: 1.0}, golden=Golden(matches=False, reason=text),
    )  # fmt: skip
    probes.record(store, [hostile])
    found = seen(store, 1)
    assert found.error[:10].replace("\N{REPLACEMENT CHARACTER}", "?") == (
        text[:10].replace("\0", "?").replace("\ud800", "?")
    )


def test_retention_takes_rows_and_leaves_sums(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(0), probe(86_400 * 3)], [HostSample(NOON, cpu=0.5)])
    retention.apply(store, timedelta(days=1))
    counts = [
        store.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        for table in ("probes", "probe_minutes", "probe_hours", "host_samples")
    ]
    assert counts == [(1,), (2,), (2,), (0,)]


def test_without_a_wish_a_month_of_rows_is_kept_and_what_is_shown_stays(store: DuckDBPyConnection) -> None:
    days = (0, 9, 11, 39.5, 40)
    looks = [probe(86_400 * day, up=day != 39.5) for day in days]
    probes.record(
        store,
        looks,
        [HostSample(look.at, cpu=0.5) for look in looks],
        [told(86_400 * day, values={"in_flight": 2.0}) for day in days],
    )
    end = (NOON + timedelta(days=40)).replace(tzinfo=None)
    before = (endpoints_of(store, end), system_of(store, end))
    assert retention.apply(store, None) == 0
    for table in ("probes", "host_samples", "server_metrics"):
        kept = store.execute(f"SELECT ts FROM {table} ORDER BY ts").fetchall()
        assert kept == [((NOON + timedelta(days=day)).replace(tzinfo=None),) for day in (11, 39.5, 40)]
    assert store.execute("SELECT SUM(n) FROM probe_minutes").fetchone() == (5,)
    assert (endpoints_of(store, end), system_of(store, end)) == before
    assert before[0][0].month.n == 3
    assert before[1] is not None


def test_a_failed_transaction_leaves_nothing(store: DuckDBPyConnection) -> None:
    store.execute("DROP TABLE host_samples")
    with pytest.raises(duckdb.Error):
        probes.record(store, [probe(0)], [HostSample(NOON)])
    assert store.execute("SELECT COUNT(*) FROM probes").fetchone() == (0,)
    probes.record(store, [probe(0)])
    assert store.execute("SELECT COUNT(*) FROM probes").fetchone() == (1,)


def test_a_sample_of_the_host_comes_back_whole(store: DuckDBPyConnection) -> None:
    sample = HostSample(
        at=NOON,
        cpu=0.25,
        cores=(0.5, 0.0),
        load=(1.0, 2.0, 3.0),
        memory=0.5,
        memory_used_bytes=5,
        memory_total_bytes=10,
        disks=(Disk("/a", 0.2, 8, 10), Disk("/b", 0.9, 1, 10)),
        received_bytes_per_s=7.0,
        temperatures_c={"cpu 0": 51.0},
        processes=(Process("uvicorn", 4, "uvicorn", 0.1, 100, 3, 9, NOON, 2), Process(":80")),
        gpus=(Gpu("A100", 0.4, 1, 2, 60.0),),
        container=Container(1, 2, 1.5, 0.7, 0.1),
    )
    probes.record(store, samples=[sample, HostSample(NOON - timedelta(seconds=10), cpu=0.75)])
    found = system_of(store, NOON.replace(tzinfo=None))
    assert found is not None
    assert found.sample == sample
    assert (found.cpu, found.disk, found.load_1m) == (0.25, 0.9, 1.0)
    assert [point.cpu for point in found.history] == [0.75, 0.25]
    assert system_of(store, NOON.replace(tzinfo=None) + timedelta(minutes=2)) is None


def told(seconds: float, **changes: Any) -> ServerMetrics:
    return ServerMetrics(**{"endpoint": "http://one", "at": NOON + timedelta(seconds=seconds), **changes})


def test_what_servers_say_adds_up_over_the_replicas_that_are_there(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(0, replica=replica) for replica in ("10.0.0.1", "10.0.0.2")])
    first = {"requests_per_s": 30.0, "errors_per_s": 1.0, "latency_p95_ms": 10.0, "memory_bytes": 1e9}
    later = {"requests_per_s": 10.0, "errors_per_s": 0.0, "latency_p95_ms": 20.0, "memory_bytes": 3e9}
    metrics = [
        told(-30, replica="10.0.0.1", error="timed out after 2 s"),
        told(0, replica="10.0.0.1", values=first),
        told(0, replica="10.0.0.2", values=later | {"queue_length": float("nan")}),
        told(0, replica="10.0.0.3", values=later),  # gone: nobody looked at it
    ]
    probes.record(store, metrics=metrics)
    found = seen(store, 5)
    assert found.metrics == {
        "requests_per_s": 40, "errors_per_s": 1, "error_share": 0.025, "latency_p95_ms": 15, "memory_bytes": 4e9
    }  # fmt: skip
    assert found.metrics_error == ""


def test_trouble_with_metrics_is_kept_until_it_is_over_or_old(store: DuckDBPyConnection) -> None:
    probes.record(store, [probe(second) for second in (0, 20, 400)])
    probes.record(store, metrics=[told(0, values={"open_files": 3.0}), told(15, error="damaged\ud800\0")])
    assert (seen(store, 10).metrics, seen(store, 10).metrics_error) == ({"open_files": 3}, "")
    assert (seen(store, 20).metrics, seen(store, 20).metrics_error) == (
        {},
        "damaged?\N{REPLACEMENT CHARACTER}",
    )
    assert seen(store, 401).metrics_error == ""
    probes.forget(store, (NOON + timedelta(seconds=10)).replace(tzinfo=None))
    assert store.execute("SELECT COUNT(*) FROM server_metrics").fetchone() == (1,)


def test_conditions_stand_where_they_stand_worst(store: DuckDBPyConnection) -> None:
    since = NOON - timedelta(minutes=3)
    one = (Judged("status == 200", "ok", "200"), Judged("body.v == 'a'", "unknown", "n/a, because \x1b\0"))
    two = (Judged("status == 200", "firing", "503", since), Judged("body.v == 'a'", "ok", "a"))
    probes.record(
        store, [probe(0, replica="10.0.0.1", conditions=one), probe(0, replica="10.0.0.2", conditions=two)]
    )
    first, second = seen(store, 5).conditions
    assert (first.state, first.said, first.since, first.replica) == ("firing", "503", since, "10.0.0.2")
    assert (second.text, second.state, second.replica) == ("body.v == 'a'", "unknown", "10.0.0.1")
    assert second.said == "n/a, because \x1b\N{REPLACEMENT CHARACTER}"


def test_what_servers_say_has_a_history_by_the_minute(store: DuckDBPyConnection) -> None:
    """Of two replicas, amounts add up and shares are averaged; it outlives the rows that it was counted from."""
    for at in range(0, 120, 15):
        values = {"requests_per_s": float(at), "cpu_share": at / 100, "never_heard_of": 9.0}
        probes.record(store, metrics=[told(at, replica="a", values=values)])
        probes.record(
            store, metrics=[told(at, replica="b", values={"requests_per_s": 1.0, "cpu_share": 0.5})]
        )
    looks, old = [probe(95), probe(115)], told(-3600, replica="a", values={"requests_per_s": 100.0})
    probes.record(store, looks, metrics=[old])
    assert len(seen(store, 100).server_history) == 1, "what was told later in that minute is not known yet"
    probes.forget(store, (NOON + timedelta(seconds=100)).replace(tzinfo=None))
    probes.record(store, metrics=[told(120, replica="a", error="refused")])
    first, second = seen(store, 130).server_history
    assert (first.start, second.start) == (NOON, NOON + timedelta(minutes=1))
    assert first.values == pytest.approx({"requests_per_s": 22.5 + 1, "cpu_share": (0.225 + 0.5) / 2})
    assert second.values == pytest.approx({"requests_per_s": 82.5 + 1, "cpu_share": (0.825 + 0.5) / 2})
    later = told(125, replica="b", values={"queue_length": 2.0})
    probes.record(store, metrics=[later])
    assert seen(store, 130).server_history[-1].values == {"queue_length": 2.0}
    assert len(seen(store, 119).server_history) == 2, "a moment of the past shows what was known then"


def test_conditions_go_on_after_a_restart(store: DuckDBPyConnection) -> None:
    since = NOON - timedelta(minutes=5)
    stood = (
        Judged("status == 200", "firing", "503", since),
        Judged("latency < 80ms", "ok", "12 ms"),
        Judged("ready == true", "unknown", "n/a, because refused"),
    )
    probes.record(store, [probe(0, replica="10.0.0.1", conditions=stood), probe(-10, replica="10.0.0.1")])
    day, minute, names = NOON - timedelta(days=1), NOON - timedelta(minutes=1), ["http://one"]
    looks = (Seen((NOON - timedelta(seconds=10)).timestamp(), 10.0, True), Seen(NOON.timestamp(), 10.0, True))
    assert probes.courses(store, names, day, minute) == {("http://one", "10.0.0.1"): Course(stood, looks)}
    assert probes.courses(store, names, day, NOON) == {("http://one", "10.0.0.1"): Course(stood, looks[1:])}
    assert probes.courses(store, names, NOON + timedelta(seconds=1), NOON) == {}
    assert probes.courses(store, ["http://other"], day, minute) == {}


def test_a_past_moment_knows_nothing_of_what_came_after_it(store: DuckDBPyConnection) -> None:
    """Ten minutes up, then down: half a minute before that, no sum of a minute or hour has heard of it."""
    probes.record(store, [probe(n, up=n < 570) for n in range(1200)])
    before, after = seen(store, 565), seen(store, 585)
    for spans, n, up in (
        ((before.hour, before.day, before.month), 566, 566),
        ((after.hour, after.month), 586, 570),
    ):
        assert {(span.n, span.up) for span in spans} == {(n, up)}
    assert set(before.burn.values()) == {0.0}
    assert after.burn["1h"] == pytest.approx(16 / 586)
    assert [(point.n, point.up) for point in after.history[-2:]] == [(60, 60), (46, 30)]
    probes.forget(store, (NOON + timedelta(hours=1)).replace(tzinfo=None))
    probes.record(store, [probe(3600)])  # without the probes themselves, sums are as fine as they are
    assert seen(store, 3600).hour.n == 1200 - 60 + 1
