"""Engagements by kind: shares of predictions and means of values, against pandas."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from logfiles import lines, prediction
from scipy import stats

import mlwatch
from mlwatch.choice import Choice
from mlwatch.faces.markdown import markdown
from mlwatch.rule_values import value_of, values_over
from mlwatch.store.event_kinds import KINDS, LONGEST
from mlwatch.store.rollups import EVENT_VALUES

if TYPE_CHECKING:
    from mlwatch.metrics.estimate import Estimate
    from mlwatch.snapshot.types import Business, Snapshot, Version

N = 600
FIXTURES = Path(__file__).parents[2] / "fixtures" / "stores"


def event(number: int, kind: str, value: float | None = None, **changes: Any) -> dict[str, Any]:
    """Return an event of a prediction, in its second."""
    made = prediction(number)
    found = {"timestamp": made["timestamp"], "request_id": made["request_id"], "event": kind, **changes}
    return found if value is None else {**found, "value": value}


def events() -> list[dict[str, Any]]:
    random = np.random.default_rng(4)
    found = []
    for number in range(N):
        found += [event(number, "click")] * int(random.random() < 0.3) * int(random.integers(1, 4))
        for _ in range(int(random.integers(0, 3))):
            found.append(event(number, "dwell", round(float(random.exponential(20)), 3)))
        if random.random() < 0.1:
            found.append(event(number, "purchase", 10.0))
    return found


def version_of(found: Snapshot, name: str = "v1") -> Version:
    return found.models["m"].versions[name]


def taken(tmp_path: Path, *files: list[dict[str, Any]], config: str = "") -> Snapshot:
    """Return the snapshot after files that are read one after the other."""
    logs = tmp_path / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "mlwatch.toml").write_text(config)
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watch:
        for at, records in enumerate(files):
            (logs / f"{at}.jsonl").write_text(lines(records))
            watch.ingest_all()
        return watch.snapshot()


def business_of(tmp_path: Path, *files: list[dict[str, Any]], config: str = "") -> Business:
    return version_of(taken(tmp_path, *files, config=config)).business


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", ["events last", "events first", "mixed", "one by one"])
def test_shares_and_means_are_those_of_pandas(tmp_path: Path, order: str) -> None:
    requests, told = [prediction(number) for number in range(N)], events()
    files = {
        "events last": [requests, told],
        "events first": [told, requests],
        "mixed": [requests[:200] + told[::2], requests[200:], told[1::2]],
        "one by one": [[*requests, *told]],
    }[order]
    found = business_of(tmp_path, *files).kinds

    frame = pd.DataFrame(told)
    expected = {str(kind): group for kind, group in frame.groupby("event") if kind != "purchase"}
    assert set(found) == set(expected) == {"click", "dwell"}
    for kind, group in expected.items():
        assert found[kind].events == len(group)
        assert found[kind].share.value == pytest.approx(group["request_id"].nunique() / N, rel=1e-12)
        assert found[kind].share.n == N
    assert found["click"].value is None
    dwell = found["dwell"].value
    values = expected["dwell"]["value"]
    assert dwell is not None
    assert dwell.value == pytest.approx(values.mean(), rel=1e-9)
    assert (dwell.low, dwell.high) == pytest.approx(
        stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values)), rel=1e-9
    )


def test_windows_add_up_to_the_whole(tmp_path: Path) -> None:
    version = version_of(taken(tmp_path, [prediction(n) for n in range(N)], events()))
    for kind, whole in version.business.kinds.items():
        parts = [window.business.kinds[kind] for window in version.windows if window.predictions]
        assert sum(part.events for part in parts) == whole.events
        shares = sum((part.share.value or 0) * part.share.n for part in parts)
        assert shares == pytest.approx((whole.share.value or 0) * N, rel=1e-9)


def stays() -> tuple[list[dict[str, Any]], np.ndarray[Any, Any]]:
    """Return four thousand stays of heavy-tailed length, one a prediction, and these lengths."""
    lengths = np.random.default_rng(6).lognormal(3, 1, 4000).round(3)
    lengths[[7, 2500]] = 1e6, 1e5
    times = [f"2026-11-03T{10 + n // 3600}:{n // 60 % 60:02d}:{n % 60:02d}Z" for n in range(4000)]
    requests = [prediction(n, timestamp=time) for n, time in enumerate(times)]
    values = zip(times, lengths.tolist(), strict=True)
    return [*requests, *(event(n, "Dwell", v, timestamp=time) for n, (time, v) in enumerate(values))], lengths


@pytest.mark.usual(1)
@pytest.mark.parametrize("in_halves", [False, True])
def test_beside_a_long_stay_stands_what_the_others_say(tmp_path: Path, in_halves: bool) -> None:
    """Against Student's t of SciPy on the values, and on those that are winsorised, in each window too."""
    records, lengths = stays()
    version = version_of(taken(tmp_path, *([records[::2], records[1::2]] if in_halves else [records])))

    def is_cut(found: Estimate | None, own: np.ndarray[Any, Any]) -> str:
        assert found is not None
        expected = stats.t.interval(0.95, len(own) - 1, own.mean(), stats.sem(own))
        assert found.value == pytest.approx(own.mean(), rel=1e-9)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)
        cut = found.winsorised
        assert cut is not None
        assert cut.method is not None
        words, _, cap = cut.method.rpartition(" ")
        assert words == "Student's t, winsorised at"
        used = np.minimum(own, float(cap))
        expected = stats.t.interval(0.95, len(own) - 1, used.mean(), stats.sem(used))
        assert (cut.low, cut.high) == pytest.approx(expected, rel=1e-4)
        return cap

    cap = is_cut(version.business.kinds["dwell"].value, lengths)
    assert float(cap) == pytest.approx(np.sort(lengths)[-5], rel=0.03)  # of 4,000 values four lie above
    done = 0
    for window in version.windows:
        own = lengths[done : (done := done + window.predictions)]
        if len(own):
            assert is_cut(window.business.kinds["dwell"].value, own) == cap
    assert done == 4000


def test_values_of_a_store_of_before_are_not_cut(tmp_path: Path) -> None:
    records, lengths = stays()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(records))
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watch:
        watch.ingest_all()
    with duckdb.connect(str(tmp_path / "store.duckdb")) as store:
        for level in EVENT_VALUES.levels:
            store.execute(f"DELETE FROM {EVENT_VALUES.table(level)} WHERE bin < 100")
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watch:
        found = version_of(watch.snapshot()).business.kinds["dwell"].value
    assert found is not None
    assert found.value == pytest.approx(lengths.mean())
    assert found.winsorised is None


def test_a_window_without_such_events_has_a_share_of_zero(tmp_path: Path) -> None:
    version = version_of(taken(tmp_path, [prediction(n) for n in range(N)], [event(0, "click")]))
    shares = [window.business.kinds["click"].share.value for window in version.windows if window.predictions]
    assert shares[0] is not None
    assert shares[0] > 0
    assert set(shares[1:]) == {0.0}
    assert values_over(version, "engagement.click")[0] == shares[0]
    assert value_of(version, "engagement.click") == pytest.approx(1 / N)
    assert value_of(version, "engagement_value.click") is None
    assert value_of(version, "engagement.play") is None


def test_a_version_without_such_events_has_a_share_of_zero(tmp_path: Path) -> None:
    requests = [prediction(n, version=f"v{1 + n % 2}") for n in range(100)]
    found = taken(tmp_path, requests, [event(n, "click") for n in range(0, 100, 4)])
    shares = [version_of(found, name).business.kinds["click"].share for name in ("v1", "v2")]
    assert [share.value for share in shares] == [0.5, 0.0]
    assert shares[1].high is not None
    assert shares[1].high > 0


def test_so_many_kinds_are_followed_and_the_others_count_as_engagement(tmp_path: Path) -> None:
    requests = [prediction(n) for n in range(100)]
    first = [event(n, "click b") for n in range(10)]
    more = [event(n, f"click {n}") for n in range(100)] + [event(n, "play") for n in range(3)]
    found = business_of(tmp_path, requests, first, more)
    assert len(found.kinds) == KINDS
    assert (found.kinds["click b"].events, found.kinds["play"].events) == (10, 3)
    assert found.engagement.value == 1.0


def test_listed_kinds_are_followed_though_others_took_the_room(tmp_path: Path) -> None:
    requests = [prediction(n) for n in range(100)]
    crowd = [event(n, f"click {n}") for n in range(100)]
    assert len(business_of(tmp_path, requests, crowd).kinds) == KINDS
    long = "Swipe " + "x" * LONGEST
    later = business_of(
        tmp_path, requests, crowd, [event(1, long), event(2, long)],
        config=f'[business]\nengagement = ["{long}"]\n',
    )  # fmt: skip
    assert later.kinds[long.lower()].events == 2
    assert len(later.kinds) == KINDS + 1


def test_a_very_long_name_is_not_followed(tmp_path: Path) -> None:
    names = ["click " + "x" * (LONGEST - 6), "click " + "x" * LONGEST]
    found = business_of(tmp_path, [prediction(n) for n in range(10)], [event(n, names[n]) for n in range(2)])
    assert list(found.kinds) == names[:1]
    assert found.engagement.value == 0.2


def test_kinds_are_compared_without_case(tmp_path: Path) -> None:
    told = [event(0, "Click"), event(0, "click"), event(1, "CLICK")]
    version = version_of(taken(tmp_path, [prediction(n) for n in range(10)], told))
    assert {kind: found.events for kind, found in version.business.kinds.items()} == {"click": 3}
    assert value_of(version, "engagement.Click") == 0.2


@pytest.mark.usual(1)
@pytest.mark.parametrize("order", ["events last", "events first", "one by one"])
def test_events_that_name_their_model_and_those_that_do_not_count_once(tmp_path: Path, order: str) -> None:
    requests = [prediction(n) for n in range(2)]
    told = [event(0, kind, value, **names) for names in ({}, {"model": "m"})
            for kind, value in (("click", None), ("purchase", 7.0))]  # fmt: skip
    files = {
        "events last": [requests, told],
        "events first": [told, requests],
        "one by one": [requests, told[:2], told[2:]],
    }
    found = business_of(tmp_path, *files[order])
    assert (found.engagement.value, found.conversion.value, found.kinds["click"].share.value) == (0.5,) * 3
    assert (found.revenue.total, found.revenue.per_prediction) == (14.0, 7.0)
    assert found.revenue.per_conversion is not None
    assert found.revenue.per_conversion.value == 14.0


def test_a_part_of_the_records_knows_the_kinds_of_the_whole(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "requests.jsonl").write_text(lines(prediction(n) for n in range(100)))
    with mlwatch.open(logs, db=tmp_path / "store.duckdb") as watch:
        watch.ingest_all()
        (logs / "a.jsonl").write_text(lines(event(n, f"click {n % KINDS}") for n in range(100)))
        watch.ingest_all()
        (logs / "b.jsonl").write_text(lines(event(n, "play") for n in range(100)))
        watch.ingest_all()
        whole = version_of(watch.snapshot()).business.kinds
        part = version_of(watch.snapshot(choice=Choice(filter="city = a"))).business.kinds
    assert list(part) == list(whole)
    assert "play" not in part
    assert part["click 3"].events == sum(n % KINDS == 3 for n in range(0, 100, 3))


def test_what_comes_too_late_is_no_engagement(tmp_path: Path) -> None:
    requests = [prediction(n) for n in range(10)]
    told = [event(0, "click"), event(1, "click", timestamp="2026-11-03T12:00:00Z")]
    found = business_of(tmp_path, requests, told, config='[business]\nattribution = "1h"\n')
    assert (found.kinds["click"].events, found.kinds["click"].share.value) == (1, 0.1)


def test_in_a_store_of_before_kinds_are_told_from_the_upgrade_on(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "store.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-23.duckdb.gz").read_bytes()))
    late = [{"timestamp": "2026-11-03T10:00:01Z", "request_id": "r1", "event": "click"}]
    fresh = [prediction(n, request_id=f"s{n}", version="v2") for n in range(600, 700)]
    told = [event(n, "click", request_id=f"s{n}") for n in range(600, 610)]
    (tmp_path / "logs" / "more.jsonl").write_text(lines([*late, *fresh, *told]))
    with mlwatch.open(tmp_path / "logs", db=path) as watch:
        watch.ingest_all()
        assert version_of(watch.snapshot(), "v2").business.kinds == {}
        found = version_of(watch.snapshot(timedelta(minutes=2)), "v2").business.kinds
    assert (found["click"].events, found["click"].share.value) == (10, 0.1)


def test_reports_name_them_and_nothing_in_a_name_acts(tmp_path: Path) -> None:
    hostile = "click <b>|\x1b[31m\nx"
    found = taken(tmp_path, [prediction(n) for n in range(10)], [event(1, hostile, 4.0), event(2, "open")])
    told = markdown(found)
    assert "open, share of predictions" in told
    assert "10.00 %" in told
    assert "\x1b" not in told
    assert "<b>" not in told
    document = found.to_dict()["models"]["m"]["versions"]["v1"]["business"]["engagements"]
    assert document["open"]["events"] == 1
    assert document["open"]["mean_value"] is None
    assert document[hostile.lower()]["mean_value"]["value"] == 4.0
