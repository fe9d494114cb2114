"""Which version is the baseline where the logs alone tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mlwatch.config import RolloutSettings
from mlwatch.snapshot.build import Question
from mlwatch.snapshot.read import Life, Pair
from mlwatch.snapshot.roles import assign_roles
from mlwatch.snapshot.withdrawn import Habit

START = datetime(2026, 11, 3)  # noqa: DTZ001  as the store has it


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ({"v1": 0, "v2": 3600}, ("v1", "v2")),
        ({"v2": 0, "v1": 3600}, ("v2", "v1")),  # a way back is a rollout, too
        ({"v2": 0, "v1": 5}, ("v1", "v2")),  # the log begins within the rollout
        ({"v10": 0, "v9": 5}, ("v9", "v10")),
        ({"1.10.0": 0, "1.9.3": 5, "1.8.0": 20}, ("1.8.0", "1.10.0")),
        ({"stable": 0, "canary": 5}, ("stable", "canary")),
        ({"canary": 0, "stable": 5}, ("stable", "canary")),  # as names say: the first request is chance
        ({"treatment": 0, "control": 1800}, ("control", "treatment")),  # there was little traffic
        ({"treatment": 0, "control": 7200}, ("treatment", "control")),
        ({"ranker-B": 0, "ranker-A": 5}, ("ranker-A", "ranker-B")),
        ({"Canary_2026": 0, "fraud": 5}, ("fraud", "Canary_2026")),  # by itself
        ({"PROD-canary": 0, "prod": 5}, ("prod", "PROD-canary")),  # not what both are called
        ({"shopNew": 0, "shopOld2": 5}, ("shopOld2", "shopNew")),
        ({"newton": 0, "renew": 5}, ("newton", "renew")),  # parts of words say nothing
        ({"6b-2": 0, "6a-2": 5}, ("6b-2", "6a-2")),  # nor do hashes
        ({"model-b": 0, "model-a": 1800}, ("model-b", "model-a")),  # letters say nothing of what comes later
        ({"C": 0, "B": 10, "A": 20}, ("A", "B")),
        ({"b": 0, "x": 10, "canary": 20, "control": 30}, ("control", "canary")),
        ({"blue-1": 0, "green-0": 5}, ("blue-1", "green-0")),
        ({"green-0": 0, "blue-1": 5}, ("blue-1", "green-0")),
        ({"green": 0, "blue": 600}, ("green", "blue")),  # these take turns
    ],
)
def test_the_oldest_is_the_baseline(begins: dict[str, int], expected: tuple[str, str]) -> None:
    roles = assign_roles(_lives(begins), RolloutSettings(), Question())

    assert roles.baseline is not None
    assert roles.candidate is not None
    assert (roles.baseline.pair.version, roles.candidate.pair.version) == expected


@pytest.mark.parametrize("by_flag", [True, False])
def test_what_somebody_named_wins_over_names(by_flag: bool) -> None:
    names = ("canary", "stable")
    settings = RolloutSettings() if by_flag else RolloutSettings(baseline=names[0], candidate=names[1])
    asked = Question(baseline=names[0], candidate=names[1]) if by_flag else Question()

    roles = assign_roles(_lives({"stable": 0, "canary": 5}), settings, asked)

    assert [life.pair.version for life in roles.ordered] == ["canary", "stable"]
    assert roles.rivals == ()


@pytest.mark.parametrize(
    ("begins", "named", "expected"),
    [
        ({"X": 0, "A": 5}, {}, ("X", "A")),
        ({"X": 0, "A": 61}, {}, ()),
        ({"v2": 0, "v1": 5}, {}, ()),
        ({"B": 0, "A": 5}, {}, ()),
        ({"green": 0, "blue": 5}, {}, ()),
        ({"X": 0, "A": 5}, {"baseline": "A"}, ()),
        ({"X": 0, "A": 5}, {"candidate": "A"}, ()),
        ({"X": 0, "A": 5, "Q": 10}, {}, ("X", "A", "Q")),
        ({"X": 0, "A": 5, "Q": 10}, {"candidate": "A"}, ("X", "Q")),
        ({"X": 0, "A": 5, "Q": 7200}, {}, ("X", "A")),  # whoever of them it is, Q is a candidate
        ({"control": 0, "X": 5, "Y": 10}, {}, ()),  # which candidate is older matters to nobody
    ],
)
def test_a_baseline_is_a_guess_where_neither_age_nor_names_tell(
    begins: dict[str, int], named: dict[str, str], expected: tuple[str, ...]
) -> None:
    settings = RolloutSettings(baseline=named.get("baseline"), candidate=named.get("candidate"))
    assert assign_roles(_lives(begins), settings, Question()).rivals == expected


def test_a_retired_version_is_no_rival() -> None:
    early = [Life(Pair("m", name), 1000, START, START + timedelta(hours=1)) for name in ("A", "X")]
    late = Life(Pair("m", "Q"), 1000, START + timedelta(hours=2), START + timedelta(hours=10))

    assert assign_roles([*early, late], RolloutSettings(), Question()).rivals == ()


@pytest.mark.parametrize(("name", "requests"), [("w", 5), ("-", 500)])
def test_strays_and_what_has_no_version_are_no_rivals(name: str, requests: int) -> None:
    *lives, other = _lives({"v1": 0, "v2": 7200, name: 5})
    counts = {"v1": 1000, "v2": 1000, name: requests}
    every = [*lives, replace(other, predictions=requests)]

    assert assign_roles(every, RolloutSettings(), Question(), lambda _since: counts).rivals == ()


def _lives(begins: dict[str, int]) -> list[Life]:
    """Return versions by the second of their first request, which all get traffic up to ten hours later."""
    end = START + timedelta(hours=10)
    return [
        Life(Pair("m", name), 1000, START + timedelta(seconds=begin), end) for name, begin in begins.items()
    ]


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


HOUR = timedelta(hours=1)
ALL_DAY, FOUR_HOURS, NIGHTLY = Habit(48 * HOUR, HOUR), Habit(4 * HOUR, HOUR), Habit(10 * HOUR, 22 * HOUR)


@pytest.mark.parametrize(
    ("silent", "habit", "came", "since", "judged"),
    [
        (20 * HOUR, ALL_DAY, 8 * HOUR, 4000, ["v3"]),  # withdrawn: 0.6 ** 1000 is no chance
        (2 * HOUR, ALL_DAY, 8 * HOUR, 4000, ["v3"]),
        (20 * HOUR, ALL_DAY, 8 * HOUR, 50, ["v3", "v2"]),  # 0.995 ** 1000 = 0.007: it may come again
        (HOUR / 2, ALL_DAY, 8 * HOUR, 4000, ["v3", "v2"]),  # a batch that nobody else had requests since
        (timedelta.max, ALL_DAY, 8 * HOUR, 4000, ["v3"]),  # nobody counted the hours of others
        (20 * HOUR, ALL_DAY, 21 * HOUR, 4000, ["v3", "v2"]),  # they ran together
        (20 * HOUR, FOUR_HOURS, 8 * HOUR, 4000, ["v3"]),
        (11 * HOUR, FOUR_HOURS, 8 * HOUR, 4000, ["v3", "v2"]),  # its first batch, perhaps
        (20 * HOUR, NIGHTLY, 8 * HOUR, 4000, ["v3", "v2"]),
        (20 * HOUR, Habit(48 * HOUR, 18 * HOUR), 8 * HOUR, 4000, ["v3", "v2"]),  # late: 1.125 times
        (20 * HOUR, Habit(48 * HOUR, 17 * HOUR), 8 * HOUR, 4000, ["v3"]),
    ],
)
def test_a_candidate_that_another_one_has_followed_is_judged_no_more(
    silent: timedelta, habit: Habit, came: timedelta, since: int, judged: list[str]
) -> None:
    end = START + timedelta(days=12)
    ended = end - 20 * HOUR
    lives = [
        Life(Pair("m", "v1"), 20000, START, end),
        Life(Pair("m", "v2"), 1000, end - 24 * HOUR, ended, silent),
        Life(Pair("m", "v3"), 5000, end - came, end),
    ]
    roles = assign_roles(
        *(lives, RolloutSettings(), Question()),
        lambda moment: {"v1": since} if moment == ended else {"v1": 10_000, "v3": 200},
        lambda _: habit,
    )
    assert [life.pair.version for life in roles.candidates] == judged
    assert [life.pair.version for life in roles.withdrawn] == [name for name in ("v2",) if name not in judged]
    assert roles.role(Pair("m", "v2")) == ("candidate" if "v2" in judged else "other")
    assert roles.tested == 2


def test_the_newest_candidate_is_judged_though_it_is_silent_and_strays_follow_nobody() -> None:
    end = START + timedelta(days=12)
    gone = Life(Pair("m", "v3"), 1000, end - 24 * HOUR, end - 20 * HOUR, 20 * HOUR)
    lives = [Life(Pair("m", "v1"), 20000, START, end), gone]
    older = Life(Pair("m", "v2"), 5000, end - 30 * HOUR, end)
    stray = Life(Pair("m", "v4"), 50, end - 2 * HOUR, end)
    for every in (lives, [*lives, older], [*lives, stray]):
        roles = assign_roles(
            *(every, RolloutSettings(), Question()), lambda _: {"v1": 9_950, "v4": 50}, lambda _: ALL_DAY
        )
        assert gone in roles.candidates
        assert not roles.withdrawn


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
