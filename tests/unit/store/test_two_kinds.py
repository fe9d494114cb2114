"""What is a number in one model may be text in another one: each model's feature is of its own kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from logfiles import Take, lines, prediction

from mlwatch.cli import main
from mlwatch.records.fields import read_fields
from mlwatch.session import Options, Session
from mlwatch.store.loading import Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mlwatch.snapshot.types import FeatureQuality, Snapshot
    from mlwatch.sources.segments import Segment

N = 1200


def level(n: int) -> float:
    return n % 13 + 0.5


def word(n: int) -> str:
    return ("low", "mid", "high")[n % 3]


def records(model: str, value: Callable[[int], Any], first: int = 0, n: int = N, **changes: Any) -> list[Any]:
    return [
        prediction(i, request_id=f"{model}{i}", model=model, features={"x": value(i), "y": i % 7}, **changes)
        for i in range(first, first + n)
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    flat = [{**{k: v for k, v in row.items() if k != "features"}, **row["features"]} for row in rows]
    if path.suffix == ".jsonl":
        path.write_text(lines(rows))
    elif path.suffix == ".csv":
        pd.DataFrame(flat).to_csv(path, index=False)
    else:
        pd.DataFrame(flat).to_parquet(path, index=False)


def of(found: Snapshot, model: str, version: str = "v1") -> Mapping[str, FeatureQuality]:
    features = found.models[model].versions[version].quality.features
    return {name.removeprefix("features."): one for name, one in features.items()}


def kinds(found: Snapshot) -> dict[str, tuple[str, int, int, int]]:
    seen = {model: of(found, model)["x"] for model in found.models}
    return {model: (one.kind, one.n, one.missing, one.invalid) for model, one in seen.items()}


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("first", ["numbers", "words"])
def test_each_model_has_its_own_kind(logs: Path, take: Take, suffix: str, first: str) -> None:
    write(logs / f"numbers.{suffix}", records("numbers", level))
    write(logs / f"words.{suffix}", records("words", word))
    for path in logs.iterdir():  # the newest is read first
        os.utime(path, (1e9 + (path.stem == first),) * 2)
    found = take()
    assert kinds(found) == {"numbers": ("numeric", N, 0, 0), "words": ("categorical", N, 0, 0)}
    assert of(found, "numbers")["y"].n == of(found, "words")["y"].n == N


def test_models_are_told_by_their_directories_too(logs: Path, take: Take) -> None:
    for model, value in (("numbers", level), ("words", word)):
        (logs / model).mkdir()
        unnamed = [{k: v for k, v in row.items() if k != "model"} for row in records(model, value)]
        (logs / model / "log.jsonl").write_text(lines(unnamed))
    assert kinds(take()) == {"numbers": ("numeric", N, 0, 0), "words": ("categorical", N, 0, 0)}


def test_it_stays_so_when_logs_grow_and_after_a_restart(logs: Path, take: Take) -> None:
    rows = {"numbers": level, "words": word}
    for model, value in rows.items():
        (logs / f"{model}.jsonl").write_text(lines(records(model, value)))
    take()
    for model, value in rows.items():
        with (logs / f"{model}.jsonl").open("a") as out:
            out.write(lines(records(model, value, N, 300)))
        (logs / f"more-{model}.jsonl").write_text(lines(records(model, value, N + 300, 100)))
    more = N + 400
    assert kinds(take()) == {"numbers": ("numeric", more, 0, 0), "words": ("categorical", more, 0, 0)}


def test_drift_is_told_of_both(logs: Path, take: Take) -> None:
    late = {"timestamp": "2026-11-03T14:00:00Z"}
    for model, value, other in (
        ("numbers", level, lambda n: n % 13 + 900.5),
        ("words", word, lambda _: "low"),
    ):
        rows = [*records(model, value), *records(model, other, N, 600, version="v2", **late)]
        (logs / f"{model}.jsonl").write_text(lines(rows))
    found = take()
    for model in ("numbers", "words"):
        drift = of(found, model, "v2")["x"].drift
        assert drift is not None, model
        assert drift.drifted, model
        assert drift.n_reference > 0, model
        assert of(found, model, "v2")["x"].invalid == 0


def test_failed_requests_tell_too_whose_file_it_is(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once that is known, files of that kind are not loaded to ask again."""
    loaded: list[int] = []
    load = Loader.load

    def counted(self: Loader, segments: Sequence[Segment]) -> None:
        loaded.append(len(segments))
        load(self, segments)

    (logs / "numbers.jsonl").write_text(lines(records("numbers", level)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        monkeypatch.setattr(Loader, "load", counted)
        for at in range(3):
            with (logs / "words.jsonl").open("a") as out:
                out.write(lines(records("words", word, at * N, 60, status=500, prediction=None)))
            session.ingest_all()
    assert len(loaded) == 4  # each batch, and the first one to ask


@pytest.mark.usual(1)
@pytest.mark.parametrize("apart", [True, False])
def test_a_change_within_a_model_is_still_one(logs: Path, take: Take, *, apart: bool) -> None:
    """Its other versions' numbers tell what its feature is, be there words in another model or not."""
    (logs / "a.jsonl").write_text(lines(records("m", level)))
    if apart:
        (logs / "b.jsonl").write_text(lines(records("other", word)))
    take()
    (logs / "c.jsonl").write_text(lines(records("m", word, N, 300, version="v2")))
    found = take()
    changed = of(found, "m", "v2")["x"]
    assert (changed.kind, changed.n, changed.invalid) == ("numeric", 300, 300)
    assert any("most values in v2" in alert.message for alert in found.alerts)


@pytest.mark.usual(1)
@pytest.mark.parametrize("first", ["numbers", "words"])
def test_a_reference_tells_the_kind_of_all_models(logs: Path, tmp_path: Path, first: str) -> None:
    """Whichever is read first: a newer version's words may be, and the reference tells that they are a change."""
    reference = tmp_path / "training.jsonl"
    reference.write_text(lines(records("numbers", level)))
    for model, value in (("numbers", level), ("words", word)):
        (logs / f"{model}.jsonl").write_text(lines(records(model, value)))
        os.utime(logs / f"{model}.jsonl", (1e9 + (model == first),) * 2)  # the newest is read first
    with Session(Options(logs, db=":memory:", reference=reference)) as session:
        session.ingest_all()
        found = session.snapshot()
    assert kinds(found) == {"numbers": ("numeric", N, 0, 0), "words": ("numeric", N, 0, N)}
    drift = of(found, "numbers")["x"].drift
    assert drift is not None
    assert drift.score == pytest.approx(0, abs=1e-9)
    said = [alert.message for alert in found.alerts if alert.rule == "quality: changed types"]
    assert said == ["most values in v1 of words are no numbers any more: x"]
    quality = found.models["words"].versions["v1"].quality
    assert (quality.vanished, quality.appeared) == ((), ())


def test_a_reference_that_comes_later_keeps_its_kind(logs: Path, tmp_path: Path) -> None:
    """What is stored as words stays so and is told; what has the reference's numbers is compared with them."""
    reference = tmp_path / "training.jsonl"
    reference.write_text(lines(records("numbers", level)))
    store = tmp_path / "store.duckdb"
    (logs / "words.jsonl").write_text(lines(records("words", word)))
    with Session(Options(logs, db=store)) as session:
        session.ingest_all()
    (logs / "numbers.jsonl").write_text(lines(records("numbers", level)))
    with Session(Options(logs, db=store, reference=reference)) as session:
        session.ingest_all()
        found = session.snapshot()
    assert kinds(found) == {"numbers": ("numeric", N, 0, 0), "words": ("categorical", N, 0, 0)}
    drift = of(found, "numbers")["x"].drift
    assert drift is not None
    assert drift.n_reference == N
    said = [alert.message for alert in found.alerts if alert.rule == "quality: changed types"]
    assert said == ["values in v1 of words are text where the reference has numbers: x"]


def test_what_is_asked_of_values_is_asked_of_both(logs: Path, take: Take) -> None:
    (logs / "mlwatch.toml").write_text('[schema.x]\ntype = "number"\n')
    (logs / "a.jsonl").write_text(lines(records("numbers", level)))
    (logs / "b.jsonl").write_text(lines(records("words", word)))
    found = take()
    broken = {name: model.versions["v1"].constraints[0] for name, model in found.models.items()}
    assert {name: (one.n, one.bad) for name, one in broken.items()} == {"numbers": (N, 0), "words": (N, N)}


def test_records_are_filtered_by_either(logs: Path) -> None:
    (logs / "words.jsonl").write_text(lines(records("words", word)))
    (logs / "numbers.jsonl").write_text(lines(records("numbers", level)))
    os.utime(logs / "numbers.jsonl", (1e9, 1e9))  # read last
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        fields = read_fields(session.connection).features
        assert {name: field.kind for name, field in fields.items()} == {
            "x": "text",
            "y": "number",
            "x_2": "number",
        }
        where = f"{fields['x_2'].sql} > 10 OR {fields['x'].sql} = 'low'"
        counts = session.connection.execute(
            f"SELECT model, COUNT(*) FROM predictions AS p WHERE {where} GROUP BY 1"
        )
        assert dict(counts.fetchall()) == {"numbers": 92 * 3, "words": 400}


@pytest.mark.deep
def test_rollups_tell_the_same(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halves = []
    for model, value in (("numbers", level), ("words", word)):
        (logs / model).mkdir()
        (logs / model / "log.jsonl").write_text(lines(records(model, value)))
        halves.append(tmp_path / "lakes" / model)
        assert main(["rollup", str(logs / model), "-o", str(halves[-1]), "--db", ":memory:"]) == 0
    assert main(["rollup", str(logs), "-o", str(tmp_path / "whole"), "--db", ":memory:"]) == 0
    capsys.readouterr()
    for place in (tmp_path / "whole", tmp_path / "lakes"):
        with Session(Options(place)) as session:
            session.ingest_all()
            found = session.snapshot()
        assert kinds(found) == {"numbers": ("numeric", N, 0, 0), "words": ("categorical", N, 0, 0)}
