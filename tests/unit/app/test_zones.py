"""The zone whose clock the app shows."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pytest
from driving import running, text_of
from factory import FakeSource

from mlwatch.app.app import MlwatchApp
from mlwatch.app.options import AppOptions
from mlwatch.app.zones import chart_zone, zone_of
from mlwatch.arguments import parser
from mlwatch.commands.watch import app_options
from mlwatch.config import load
from mlwatch.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_zones_are_utc_that_of_the_machine_or_named() -> None:
    assert zone_of("UTC") is UTC
    assert zone_of("local") is None
    assert str(zone_of("Europe/Oslo")) == str(chart_zone(zone_of("Europe/Oslo"))) == "Europe/Oslo"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", ""])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="unknown time zone"):
        MlwatchApp(FakeSource(), options=AppOptions(timezone=name))


def test_the_zone_of_the_configuration_reaches_the_app(tmp_path: Path) -> None:
    settings = tmp_path / "mlwatch.toml"
    settings.write_text('[app]\ntimezone = "Europe/Oslo"\n')
    arguments = parser().parse_args(["watch", str(tmp_path)])
    assert app_options(arguments, load(settings)).timezone == "Europe/Oslo"


async def test_header_and_charts_show_the_clock_of_a_named_zone() -> None:
    async with running(FakeSource(), (200, 60), timezone="Asia/Kolkata") as (app, _):
        drawn = text_of(app)
    assert "08:37:42 IST" in drawn  # 03:07:42 UTC
    assert "2026-03-13 20:30 to 03-14 08:30" in drawn
