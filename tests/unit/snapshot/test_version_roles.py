"""Which version is the baseline where the logs alone tell."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mlwatch.config import RolloutSettings
from mlwatch.snapshot.build import Question
from mlwatch.snapshot.read import Life, Pair
from mlwatch.snapshot.roles import assign_roles

START = datetime(2026, 11, 3)  # noqa: DTZ001  as the store has it


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ({"v1": 0, "v2": 3600}, ("v1", "v2")),
        ({"v2": 0, "v1": 3600}, ("v2", "v1")),  # a way back is a rollout, too
        ({"v2": 0, "v1": 5}, ("v1", "v2")),  # the log begins within the rollout
        ({"v10": 0, "v9": 5}, ("v9", "v10")),
        ({"1.10.0": 0, "1.9.3": 5, "1.8.0": 20}, ("1.8.0", "1.10.0")),
        ({"stable": 0, "canary": 5}, ("stable", "canary")),  # no numbers, so the first is the oldest
        ({"blue-1": 0, "green-0": 5}, ("blue-1", "green-0")),
    ],
)
def test_the_oldest_is_the_baseline(begins: dict[str, int], expected: tuple[str, str]) -> None:
    lives = [
        Life(Pair("m", name), 1000, START + timedelta(seconds=begin), START + timedelta(hours=10))
        for name, begin in begins.items()
    ]

    roles = assign_roles(lives, RolloutSettings(), Question())

    assert roles.baseline is not None
    assert roles.candidate is not None
    assert (roles.baseline.pair.version, roles.candidate.pair.version) == expected


@pytest.mark.parametrize(
    ("last", "silent", "runs"),
    [
        (timedelta(hours=25), timedelta.max, True),  # days of life: a tenth of them is longer
        (timedelta(hours=40), timedelta.max, False),
        (timedelta(hours=60), timedelta(hours=9), True),  # a weekend on which nobody asked anything
        (timedelta(hours=60), timedelta(hours=30), False),
    ],
)
def test_a_version_that_others_went_on_without_is_no_candidate(
    last: timedelta, silent: timedelta, *, runs: bool
) -> None:
    end = START + timedelta(days=30)
    lives = [
        Life(Pair("m", "v1"), 1000, START, end),
        Life(Pair("m", "v2"), 1000, end - timedelta(days=4), end - last, silent),
    ]

    roles = assign_roles(lives, RolloutSettings(), Question())

    assert (roles.candidate is not None) == runs


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({"v1": 1, "v2": 6000, "v3": 6000}, "v2"),  # retired before: a cache, a forgotten job
        ({"v1": 600, "v2": 6000, "v3": 6000}, "v1"),
        ({"v1": 1, "v2": 2, "v3": 6000}, "v1"),  # hardly anything but the candidate has traffic any more
        (None, "v1"),
    ],
)
def test_a_retired_version_with_stray_requests_is_no_baseline(
    requests: dict[str, int] | None, expected: str
) -> None:
    end = START + timedelta(days=6)
    came = end - timedelta(hours=6)
    begins = {"v1": START, "v2": START + timedelta(days=3), "v3": came}
    lives = [Life(Pair("m", name), 3000, begin, end) for name, begin in begins.items()]
    asked = []

    def since(moment: datetime) -> dict[str, int]:
        asked.append(moment)
        return requests or {}

    roles = assign_roles(lives, RolloutSettings(), Question(), since if requests else None)

    assert roles.baseline is not None
    assert roles.baseline.pair.version == expected
    assert asked == ([came] if requests else [])
