"""Arms that begin together: which one gets the first request must not decide what is promoted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import mlwatch
from mlwatch.config import Config
from mlwatch.snapshot.build import Question
from mlwatch.snapshot.rollout_history import histories

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Rollout

START = datetime(2026, 11, 3, 10, tzinfo=UTC)
BOUGHT = (3, 2)
"""Of ten users of the first and of the second arm."""


def write(
    logs: Path, arms: tuple[str, str], *, second_first: bool, shadow: bool = False, config: str = ""
) -> Path:
    """Write an hour of traffic, of which the second arm converts less.

    Args:
        logs: New directory.
        arms: Their names.
        second_first: The second arm gets the first request.
        shadow: Both answer each request; of labels, the second misses as many more.
        config: Of the directory.
    """
    logs.mkdir()
    lines = []
    for i in range(7200 if shadow else 14_400):
        turn, time = (i + second_first) % 2, (START + timedelta(seconds=i / 4)).isoformat()
        user = i // 2 if shadow else i
        line = {
            "timestamp": time,
            "request_id": f"r{user}",
            "model": "m",
            "version": arms[turn],
            "status": 200,
        }
        good = (i // 2) % 10 < BOUGHT[turn]
        lines.append(line | {"prediction": int(not good), "label": 0} if shadow else line | {"prediction": 1})
        if good and not shadow:
            lines.append({"request_id": f"r{user}", "event": "purchase", "timestamp": time})
    (logs / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (logs / "mlwatch.toml").write_text(config)
    return logs


def judged(logs: Path) -> Rollout:
    with mlwatch.open(logs, db=":memory:") as watch:
        (found,) = watch.snapshot().rollouts
    return found


@pytest.mark.usual(1)
@pytest.mark.parametrize("second_first", [True, False])
@pytest.mark.parametrize("arms", [("control", "treatment"), ("A", "B"), ("v1", "v2")])
def test_names_say_which_arm_is_the_baseline(
    tmp_path: Path, arms: tuple[str, str], second_first: bool
) -> None:
    found = judged(write(tmp_path / "logs", arms, second_first=second_first))

    assert (found.baseline, found.candidate, found.verdict) == (*arms, "rollback")
    # 3 of 10 against 2 of 10
    assert found.metrics["conversion"].baseline == pytest.approx(0.3, abs=0.001)
    assert found.metrics["conversion"].candidate == pytest.approx(0.2, abs=0.001)


@pytest.mark.usual(1)
@pytest.mark.parametrize("second_first", [True, False])
@pytest.mark.parametrize("shadow", [True, False])
def test_where_nothing_says_it_nothing_is_decided(tmp_path: Path, second_first: bool, shadow: bool) -> None:
    logs = write(tmp_path / "logs", ("X", "A"), second_first=second_first, shadow=shadow)
    found = judged(logs)

    names = " and ".join(("A", "X") if second_first else ("X", "A"))
    said = f"which of {names} is the baseline is not known: say it by [rollout] baseline or --baseline"
    assert (found.verdict, found.state, found.mode) == (
        "hold",
        "roles_unknown",
        "shadow" if shadow else "canary",
    )
    assert found.reasons[0] == said
    assert found.reasons.count(said) == 1
    assert found.course is not None
    assert {change.verdict for change in found.course.changes} == {"hold"}
    with mlwatch.open(logs, db=":memory:") as watch:
        (past,) = histories(watch.connection, Config(), Question(), None)
    assert past.timeline.decided is None


@pytest.mark.usual(1)
@pytest.mark.parametrize("shadow", [True, False])
def test_whoever_names_the_baseline_gets_a_verdict(tmp_path: Path, shadow: bool) -> None:
    config = '[rollout]\nbaseline = "X"\n'
    logs = write(tmp_path / "logs", ("X", "A"), second_first=True, shadow=shadow, config=config)
    found = judged(logs)

    assert (found.baseline, found.candidate, found.verdict) == ("X", "A", "rollback")
