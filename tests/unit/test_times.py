"""Times and durations, checked against the standard library's own writers of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwatch.sources.time_sql import tolerant_time_sql
from mlwatch.times import format_duration, parse_duration, parse_time, parse_timestamp

NOON = datetime(2026, 11, 3, 12, 30, 15, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "2026-11-03T12:30:15Z",
            "2026-11-03T13:30:15+01:00",
            "2026-11-03 13:30:15 +0100",
            "20261103T123015Z",
        ),
        *(
            "2026-11-03 12:30:15",
            "2026-11-03 12:30:15 UTC",
            "2026-11-03T12:30:15,000Z",
            "2026/11/03 12:30:15",
        ),
        *("2026-11-03T12:30:15.000000000Z", "2026-11-03T07:00:15-0530", "Tue, 03 Nov 2026 12:30:15 GMT"),
        *("03 Nov 2026 12:30:15 -0000", "03/Nov/2026:13:30:15 +0100", "[03/Nov/2026:12:30:15 +0000]"),
        *(1793709015, 1793709015.0, 1793709015000, 1793709015000000, 1793709015000000000),
        *("1793709015", "1793709015000", "20261103123015", " 2026-11-03T12:30:15Z ", NOON),
    ],
)
def test_every_notation_of_one_moment(value: object) -> None:
    assert parse_timestamp(value) == NOON


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            True,
            "",
            "yesterday",
            "2026",
            2026,
            42,
            -5,
            0.5,
            "v1.2",
            "2026-13-01",
            "1989-12-31T23:59:59Z",
        ),
        *(
            "2100-01-01",
            float("nan"),
            float("inf"),
            10**30,
            "9" * 60,
            "x" * 1000,
            [],
            {},
            b"2026-11-03",
            9e18,
        ),
        *("03/Xyz/2026:10:00:00 +0100", "99/Nov/2026:10:00:00 +0100", "2026-11-03T25:00:00Z", "2026-01"),
    ],
)
def test_what_is_no_time(value: object) -> None:
    assert parse_timestamp(value) is None


def test_minutes_without_seconds_dates_and_fractions() -> None:
    assert parse_timestamp("2026-01-01 10:00") == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert parse_timestamp("2026-01-01") == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_timestamp("20260101") == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_timestamp(date(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_timestamp("2026-01-01 10:00:00,25") == datetime(2026, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC)


@given(MOMENTS, ZONES)
def test_iso_in_every_zone(moment: datetime, zone: timezone) -> None:
    assert parse_timestamp(moment.astimezone(zone).isoformat()) == moment
    assert parse_timestamp(moment.astimezone(zone).isoformat(" ")) == moment


@pytest.mark.parametrize(
    ("zone", "hour"), [(" +0000", 9), (" -0800", 17), (" +00:00", 9), (" Z", 9), ("  +05", 4)]
)
def test_spaces_before_the_zone(zone: str, hour: int) -> None:
    expected = datetime(2026, 11, 3, hour, 0, 0, 250_000, tzinfo=UTC)
    for text in ("2026-11-03 09:00:00.250", "2026/11/03 09:00:00,250", "3.11.2026 09:00:00.250"):
        assert parse_timestamp(text + zone) == expected


@given(MOMENTS, ZONES)
def test_mail_and_access_log_notation_to_the_second(moment: datetime, zone: timezone) -> None:
    second = moment.replace(microsecond=0)
    local = second.astimezone(zone)
    assert parse_timestamp(format_datetime(local)) == second
    assert parse_timestamp(local.strftime("%d/%b/%Y:%H:%M:%S %z")) == second


@given(
    MOMENTS.filter(lambda moment: moment.year >= 1994), st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000])
)
def test_epoch_in_every_unit(moment: datetime, per_second: int) -> None:
    second = moment.replace(microsecond=0)
    number = int(second.timestamp()) * per_second
    assert parse_timestamp(number) == second
    assert parse_timestamp(str(number)) == second


@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)))  # noqa: DTZ001
def test_naive_times_take_the_given_zone(naive: datetime) -> None:
    expected = naive.replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    assert parse_timestamp(naive.isoformat(), "America/New_York") == expected


@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.binary(),
        st.datetimes(),
        st.from_regex(r"[\d:T/.+ -]{1,30}"),
    )
)
def test_nothing_crashes_and_the_result_is_utc_in_range(value: object) -> None:
    moment = parse_timestamp(value, "Europe/Berlin")
    assert moment is None or (moment.tzinfo is UTC and 1990 <= moment.year < 2100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", timedelta(minutes=10)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(hours=1, minutes=30)),
        ("30d", timedelta(days=30)),
        ("2w 1 d", timedelta(days=15)),
        ("0s", timedelta(0)),
        ("5min", timedelta(minutes=5)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "10", "m", "-5m", "10x", "1h nonsense", "999999999999999w", "٣m", "1e3s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["-2h", "2h ago", "2h AGO", "2026-11-03T10:30:15Z", "1793701815"])
def test_moments_of_the_command_line(text: str) -> None:
    assert parse_time(text, now=NOON) == NOON - timedelta(hours=2)


def test_now_is_the_given_clock() -> None:
    assert parse_time("now", now=NOON) == NOON


@pytest.mark.parametrize("text", ["", "soon", "-", "ago", "2 parrots ago", "999999999w ago"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="2h ago or now"):
        parse_time(text, now=NOON)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-07-02", 22),  # midnight of the day before, two hours ahead of UTC
        ("2026-07-02 10:00", 8),
        ("2026-07-02T10:00+02", 8),
        ("2026-07-02 10:00:00.5-03:30", 13),
        ("2026-07-02T10:00Z", 10),
    ],
)
def test_a_date_alone_is_of_the_zone_too(text: str, hour: int) -> None:
    """Its last two digits are no offset."""
    sql = f"SELECT {tolerant_time_sql('$1', 'Europe/Oslo')}"
    ((found,),) = duckdb.execute(sql, [text]).fetchall()
    python = parse_timestamp(text, "Europe/Oslo")
    assert python is not None
    assert (found.hour, python.hour) == (hour, hour)
