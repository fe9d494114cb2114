"""What is shown of a segment equals what a store of these records alone says."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, recall_score

from mlwatch.choice import Choice
from mlwatch.following import Follower
from mlwatch.records.lexing import FilterError
from mlwatch.records.writing import filter_of, written_name
from mlwatch.session import Options, Session
from mlwatch.snapshot.segments import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlwatch.snapshot.types import Snapshot

CITIES = ("Oslo", 'O"Hare', "score")


def records(count: int = 1200) -> list[dict[str, Any]]:
    """Return predictions of three versions with labels in records of their own, and purchases."""
    noise = np.random.default_rng(5)
    found: list[dict[str, Any]] = []
    for n in range(count):
        score, stamp = float(noise.random()), f"2026-11-03T{10 + n // 600:02}:{n // 10 % 60:02}:00Z"
        found.append({
            "timestamp": stamp, "request_id": f"r{n}", "model": "m", "version": f"v{1 + n % 3}",
            "features": {"city": CITIES[n % 7 % 3], "amount": round(float(noise.gamma(2.0)), 3)},
            "prediction": int(score > 0.5), "score": score, "latency_ms": 5.0 + n % 11, "status": 200,
        })  # fmt: skip
        label = int(noise.random() < score)
        found.append({"request_id": f"r{n}", "label": label, "timestamp": "2026-11-03T13:00:00Z"})
        if n % 9 == 0:
            found.append({"request_id": f"r{n}", "event": "purchase", "value": 3.0, "timestamp": stamp})
    return found


def write(directory: Path, lines: Sequence[dict[str, Any]]) -> Path:
    """Write logs with a reference beside them."""
    directory.mkdir()
    (directory / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    reference = [line["features"] for line in records(400) if "features" in line]
    (directory / "reference.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reference))
    return directory


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    directory = write(tmp_path_factory.mktemp("logs") / "logs", records())
    with Session(Options(directory, db=":memory:")) as opened:
        opened.ingest_all()
        yield opened


def numbers(snapshot: Snapshot) -> Any:
    """Return what a document says of models and rollouts, without the words for segments' parts."""
    said = snapshot.to_dict()
    return json.loads(json.dumps({"models": said["models"], "rollouts": said["rollouts"]}, default=str))


def near(one: Any, other: Any) -> bool:
    """Tell whether two documents say the same to nine digits."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return bool(one == (pytest.approx(other, rel=1e-9, abs=1e-12) if isinstance(one, float) else other))


def test_a_filter_that_all_pass_changes_nothing(session: Session) -> None:
    everything = session.snapshot(choice=Choice(filter="latency >= 0"))
    assert near(numbers(everything), numbers(session.snapshot()))


def test_a_segment_equals_a_store_of_its_records_alone(session: Session, tmp_path: Path) -> None:
    kept = {line["request_id"] for line in records() if line.get("features", {}).get("city") == "Oslo"}
    alone = write(tmp_path / "alone", [line for line in records() if line["request_id"] in kept])
    found = session.snapshot(choice=Choice(filter='city = "Oslo"'))
    with Session(Options(alone, db=":memory:")) as other:
        other.ingest_all()
        expected = other.snapshot()
    assert sum(version.predictions for version in found.models["m"].versions.values()) == len(kept) > 300
    assert near(numbers(found), numbers(expected))


def test_performance_of_a_segment_is_that_of_scikit_learn(session: Session) -> None:
    labels = {line["request_id"]: line["label"] for line in records() if "label" in line}
    rows = [
        line for line in records()
        if line.get("version") == "v2" and line["features"]["amount"] < 1.5 and "features" in line
    ]  # fmt: skip
    true, said = [labels[row["request_id"]] for row in rows], [row["prediction"] for row in rows]
    found = session.snapshot(choice=Choice(filter="version = v2 and amount < 1.5")).models["m"].versions
    assert list(found) == ["v2"]
    assert found["v2"].performance["accuracy"].value == pytest.approx(accuracy_score(true, said))
    assert found["v2"].performance["recall"].value == pytest.approx(recall_score(true, said))


def test_any_two_versions_are_compared(session: Session) -> None:
    usual = session.snapshot().rollouts[0]
    assert (usual.baseline, usual.candidate) == ("v1", "v3")
    chosen = session.snapshot(choice=Choice(baseline="v3", candidate="v2"))
    rollout = chosen.rollouts[0]
    assert (rollout.baseline, rollout.candidate) == ("v3", "v2")
    versions = chosen.models["m"].versions
    difference = rollout.metrics["accuracy"].pooled
    assert difference == pytest.approx(
        (versions["v2"].performance["accuracy"].value or 0.0)
        - (versions["v3"].performance["accuracy"].value or 0.0)
    )
    turned = session.snapshot(choice=Choice(baseline="v2", candidate="v3")).rollouts[0]
    assert turned.metrics["accuracy"].pooled == pytest.approx(-(difference or 0.0))
    other = session.snapshot(choice=Choice(baseline="v1", candidate="v3")).rollouts[0]
    assert other.metrics["accuracy"].pooled == usual.metrics["accuracy"].pooled


def test_new_records_come_into_a_segment(tmp_path: Path) -> None:
    directory = write(tmp_path / "logs", records(300))
    choice = Choice(filter='city = "Oslo"')
    with Session(Options(directory, db=":memory:")) as session:
        session.ingest_all()
        before = sum(v.predictions for v in session.snapshot(choice=choice).models["m"].versions.values())
        more = [{**line, "request_id": "new" + line["request_id"]} for line in records(300)]
        (directory / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in more))
        session.ingest_all()
        after = sum(v.predictions for v in session.snapshot(choice=choice).models["m"].versions.values())
    assert after == 2 * before


@pytest.mark.deep
def test_late_labels_come_into_the_verdict_on_a_segment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is judged of a segment that is a little old is not what is known of the store by now."""
    early, late = ([line for line in records() if ("label" in line) == labels] for labels in (False, True))
    directory, choice = write(tmp_path / "logs", early), Choice(filter="amount >= 0")
    monkeypatch.setattr(Follower, "follows", True)  # as in the app, which has further looks
    with Session(Options(directory, db=":memory:")) as session:
        session.ingest_all()
        session.snapshot(choice=choice)
        excerpt, _ = session._answers._excerpts._held[choice.filter]
        (directory / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in late))
        session.ingest_all()
        excerpt._due = math.inf  # within the pause between two counts
        assert "accuracy" not in session.snapshot(choice=choice).rollouts[0].metrics
        excerpt._due = 0.0
        found = session.snapshot(choice=choice)
    accuracy = found.rollouts[0].metrics["accuracy"]
    assert accuracy.n_candidate == found.models["m"].versions["v3"].labelled == 400


@pytest.mark.deep
@pytest.mark.parametrize("filter_", ["", "amount >= 0"])
def test_who_takes_all_in_sees_all_of_it(tmp_path: Path, filter_: str) -> None:
    """A program that does not follow the logs has no later look that would make up for an old verdict."""
    early, late = ([line for line in records() if ("label" in line) == labels] for labels in (False, True))
    directory, choice = write(tmp_path / "logs", early), Choice(filter=filter_)
    with Session(Options(directory, db=":memory:")) as session:
        session.ingest_all()
        assert "accuracy" not in session.snapshot(choice=choice).rollouts[0].metrics
        (directory / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in late))
        session.ingest_all()
        found = session.snapshot(choice=choice)
    assert found.rollouts[0].metrics["accuracy"].n_candidate == 400
    version = found.models["m"].versions["v3"]
    assert version.labelled == 400
    assert sum(segment.labelled for segment in version.segments if segment.column == "city") == 400


def test_a_wrong_filter_says_where_and_leaves_nothing_behind(session: Session) -> None:
    for _ in range(2):
        with pytest.raises(FilterError, match="there is no field town") as caught:
            session.snapshot(choice=Choice(filter="town = 3"))
        assert caught.value.position == 0
    hostile = 'city = "\'; DROP TABLE predictions; --"'
    assert not session.snapshot(choice=Choice(filter=hostile)).models
    assert session.snapshot().models


@pytest.mark.deep
def test_only_a_few_segments_are_held(session: Session) -> None:
    for least in range(7):
        session.snapshot(choice=Choice(filter=f"amount > {least / 10}"))
    attached = session.connection.execute(
        "SELECT COUNT(*) FROM duckdb_databases() WHERE database_name LIKE 'excerpt_%'"
    ).fetchone()
    assert attached == (4,)
    assert "predictions" in session.desk.tables()


@pytest.mark.deep
def test_every_segment_has_a_filter_that_finds_its_records(session: Session) -> None:
    version = session.snapshot().models["m"].versions["v1"]
    assert {segment.column for segment in version.segments} == {"city", "amount"}
    for segment in version.segments:
        text = filter_of(segment, version.segments)
        found = (
            session.snapshot(choice=Choice(filter=f"({text}) and version = v1")).models["m"].versions["v1"]
        )
        assert (found.predictions, found.labelled) == (segment.predictions, segment.labelled), text


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (Segment("a b", "x", 1, 1), '`a b` = "x"'),
        (Segment("score", "missing", 1, 1, kind="missing"), "feature.score is missing"),
        (Segment("x", "below 2", 1, 1, kind="range", bounds=(float("-inf"), 2.0)), "x < 2.0"),
        (Segment("x", "1 to 2", 1, 1, kind="range", bounds=(1.0, 2.0)), "x >= 1.0 and x < 2.0"),
        (Segment("x", "all others", 1, 1, kind="others"), 'not x in ("p", "q""r") and x is not missing'),
    ],
)
def test_filters_are_written_so_that_they_are_read(segment: Segment, expected: str) -> None:
    siblings = [Segment("x", "p", 1, 1), Segment("x", 'q"r', 1, 1), Segment("y", "z", 1, 1)]
    assert filter_of(segment, siblings) == expected
    assert written_name("not") == "`not`"
