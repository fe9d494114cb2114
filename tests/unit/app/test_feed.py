from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from mlwatch.app.feed import Request, Schedule
from mlwatch.app.ranges import EVERYTHING, RANGES, cycled, longer, shorter

T0 = datetime(2026, 3, 14, tzinfo=UTC)


def test_asks_at_first_then_on_news_then_for_the_host() -> None:
    schedule = Schedule(5.0)
    request = Request()
    assert schedule.due(request, 0, T0)
    schedule.asked(request, 0, T0)
    assert not schedule.due(request, 0, T0 + timedelta(seconds=1))
    assert schedule.due(request, 1, T0 + timedelta(seconds=1))
    assert schedule.due(request, 0, T0 + timedelta(seconds=5))
    assert schedule.due(Request(1, timedelta(hours=1)), 0, T0)


def test_a_frozen_question_is_asked_once() -> None:
    schedule = Schedule(5.0)
    frozen = Request(1, None, T0)
    schedule.asked(frozen, 3, T0)
    assert not schedule.due(frozen, 99, T0 + timedelta(hours=1))


def test_asks_again_after_a_failure_and_when_the_clock_goes_back() -> None:
    schedule = Schedule(5.0)
    request = Request()
    schedule.asked(request, 3, T0)
    assert schedule.due(request, 3, T0 - timedelta(seconds=60))
    schedule.failed()
    assert schedule.due(request, 3, T0)


def test_ranges_step_and_stop_at_the_ends() -> None:
    assert longer(EVERYTHING) == EVERYTHING
    assert shorter(RANGES[0]) == RANGES[0]
    assert cycled(EVERYTHING) == RANGES[0]
    assert [r.span for r in RANGES[:-1]] == sorted(r.span for r in RANGES[:-1] if r.span)


def test_the_app_and_its_first_screen_import_nothing_heavy() -> None:
    code = (
        "import sys, mlwatch.app.app, mlwatch.app.screens.overview;"
        "print([m for m in ('numpy', 'pandas', 'scipy', 'duckdb', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
