"""The course of the sample rollout: its end is the verdict, its past what was known then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import mlwatch
from mlwatch.snapshot import rollout_course, rollout_memory
from mlwatch.snapshot.rollout_course import MOST_POINTS, Course, up_to_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from logfiles import SampleStore

    from mlwatch.session import Session

SAMPLES = Path(__file__).parents[3] / "sample_logs"


@pytest.fixture(scope="module")
def watch(sample_store: SampleStore) -> Iterator[Session]:
    with mlwatch.open(SAMPLES, db=sample_store()) as opened:
        yield opened


def test_it_ends_in_the_verdict(watch: Session) -> None:
    (rollout,) = watch.snapshot().rollouts
    course = rollout.course
    assert course is not None
    assert course.changes[-1].verdict == rollout.verdict == "rollback"
    assert set(course.metrics) == set(rollout.metrics)
    for name, metric in rollout.metrics.items():
        ends = course.metrics[name]
        assert (ends.difference[-1], ends.low[-1], ends.high[-1]) == pytest.approx(
            (metric.difference, metric.low, metric.high)
        )
    assert len(course.times) <= MOST_POINTS + 1
    assert list(course.times) == sorted(course.times)


def test_its_past_is_what_was_known_then(watch: Session) -> None:
    (rollout,) = watch.snapshot().rollouts
    assert rollout.course is not None
    fault = datetime(2026, 11, 3, 17, tzinfo=UTC)
    (before,) = watch.snapshot(at=fault).rollouts
    assert before.verdict == "hold"
    turned = next(change for change in rollout.course.changes if change.verdict == "rollback")
    assert turned.time >= fault
    (after,) = watch.snapshot(at=turned.time.replace(minute=turned.time.minute + 2)).rollouts
    assert after.verdict == "rollback"
    assert {name for name, metric in after.metrics.items() if metric.status == "worse"} >= set(turned.worse)
    alarm = rollout.course.metrics["accuracy"].alarm
    assert alarm is not None
    assert alarm > fault


def test_a_course_from_memory_ends_in_the_present_verdict(watch: Session) -> None:
    (rollout,) = watch.snapshot().rollouts
    course = rollout.course
    assert course is not None
    old = replace(course, times=course.times[:40], changes=course.changes[:1])
    end = course.times[-1] + timedelta(minutes=1)
    found = up_to_now(old, rollout, end)
    assert found.times[-1] == end
    assert found.metrics["accuracy"].low[-1] == rollout.metrics["accuracy"].low
    assert (found.changes[-1].verdict, found.changes[-1].time) == ("rollback", end)
    assert up_to_now(course, rollout, course.times[-1]) is course


def test_courses_are_remembered_for_a_while(watch: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def compute(given: object) -> Course:
        asked.append(given)
        return Course()

    pairing = SimpleNamespace(model="m", baseline="a", candidate="b", start=0, rivals=())
    inputs = SimpleNamespace(pairing=pairing, settings=SimpleNamespace(alpha=0.025))
    monkeypatch.setattr(rollout_course, "course_of", compute)
    monkeypatch.setattr(rollout_memory, "PACE", 1e9)
    courses = rollout_memory.Courses()
    for _ in range(3):
        courses.recall(inputs)  # type: ignore[arg-type]
    assert len(asked) == 1
    inputs.pairing.start = 1  # another rollout
    courses.recall(inputs)  # type: ignore[arg-type]
    assert len(asked) == 2
    inputs.settings.alpha = 0.05  # the candidate alone
    courses.recall(inputs)  # type: ignore[arg-type]
    assert len(asked) == 3
    inputs.pairing.rivals = ("a", "b")  # nobody names the baseline any more
    courses.recall(inputs)  # type: ignore[arg-type]
    assert len(asked) == 4
