from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mlwatch.app import units

if TYPE_CHECKING:
    from mlwatch.app.units import Unit


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "share", "n/a"),
        (0.9137, "share", "91.4 %"),
        (0.99871, "share", "99.87 %"),
        (0.0042, "share", "0.42 %"),
        (0.00001, "share", "< 0.01 %"),
        (0.0, "share", "0.0 %"),
        (1.0, "share", "100.0 %"),
        (4.24, "ms", "4.2 ms"),
        (412.4, "ms", "412 ms"),
        (0.00447, "ms", "0.0045 ms"),
        (0.0, "ms", "0.0 ms"),
        (1240.0, "ms", "1.24 s"),
        (90_000.0, "ms", "1.5 min"),
        (1240.0, "per_s", "1,240 /s"),
        (0.463, "per_s", "27.8 /min"),
        (0.001, "per_s", "3.60 /h"),
        (0.0, "per_s", "0.00 /h"),
        (0.9344, "score", "0.934"),
        (-0.5, "score", "-0.500"),
        (12_345_678.0, "count", "12.3 M"),
        (48_300_000.0, "bytes", "48.3 MB"),
        (999.0, "bytes", "999 B"),
        (2_000_000_000_000.0, "bytes", "2,000 GB"),
    ],
)
def test_a_number_has_its_unit(value: float | None, unit: Unit, shown: str) -> None:
    assert units.show(value, unit) == shown


def test_money_has_its_currency() -> None:
    assert units.show(2.468, "money", "EUR") == "2.47 EUR"
    assert units.show(49_352.0, "money", None) == "49,352"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, "0.10"),
        (0.0999, "0.0999"),
        (0.05, "0.0500"),
        (0.0016125, "0.00161"),
        (-0.000123456, "-0.000123"),
        (0.0, "0.00"),
    ],
)
def test_small_amounts_have_three_digits(value: float, shown: str) -> None:
    """What one request costs is a small part of a cent."""
    assert units.show(value, "money") == shown


def test_an_interval_of_a_small_amount_has_two_ends() -> None:
    assert units.show_interval(0.000088, 0.000131, "money", "USD") == "0.0000880 to 0.000131 USD"


@pytest.mark.parametrize(
    ("difference", "unit", "shown"),
    [
        (-0.033, "share", "−3.30 pt"),
        (0.375, "share", "+37.5 pt"),
        (55.1, "ms", "+55.1 ms"),
        (0.0, "score", "+0.000"),
        (-1e-8, "share", "0 pt"),
    ],
)
def test_a_change_has_a_sign(difference: float, unit: Unit, shown: str) -> None:
    assert units.show_change(difference, unit) == shown


def test_an_interval_says_its_unit_once() -> None:
    assert units.show_interval(0.881, 0.902, "share") == "88.1 to 90.2 %"
    assert units.show_interval(-0.041, -0.025, "share", change=True) == "−4.10 to −2.50 pt"
    assert units.show_interval(900.0, 1200.0, "ms") == "900 ms to 1.20 s"
    assert units.show_interval(0.1, None, "score") == "0.100 to …"
    assert units.show_interval(None, None, "score") == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (2.14, "2.1 s"),
        (59.6, "1 min 0 s"),
        (74.0, "1 min 14 s"),
        (3700.0, "1 h 1 min"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert units.show_duration(seconds) == shown


def test_times_name_their_zone() -> None:
    moment = datetime(2026, 3, 14, 3, 7, 42, tzinfo=UTC)
    assert units.show_clock(moment, UTC) == "03:07:42 UTC"
    assert units.show_clock(moment, None).startswith(moment.astimezone().strftime("%H:%M:%S"))
    assert units.show_span(moment, moment.replace(hour=9), UTC) == "2026-03-14 03:07 to 09:07"
