"""Rollup lakes: what they say is what the logs say."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from leaves import assert_alike, leaves
from logfiles import lines, prediction

import mlwatch
from mlwatch.cli import main
from mlwatch.session import Options, Session
from mlwatch.store import lake

if TYPE_CHECKING:
    from logfiles import SampleStore

SAMPLES = Path(__file__).parents[3] / "sample_logs"
OF_THE_MOMENT = {"generated_at", "system", "files", "alerts", "provenance"}
OF_RECORDS = {"segment_pairs", "request_segments", "now"}
"""What follows from the records themselves, which a lake does not hold."""
DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample_store: SampleStore) -> Path:
    path = tmp_path_factory.mktemp("lake") / "rollups"
    assert main(["rollup", str(SAMPLES), "-o", str(path), "--db", str(sample_store())]) == 0
    return path


def document(path: Path, store: Path | str = ":memory:") -> dict[str, Any]:
    with mlwatch.open(path, db=store) as opened:
        return dict(leaves(opened.snapshot().to_dict(), OF_THE_MOMENT | OF_RECORDS))


def test_a_lake_says_what_the_logs_say(made: Path, sample_store: SampleStore) -> None:
    of_logs, of_lake = document(SAMPLES, sample_store()), document(made)
    assert len(of_lake) > 5_000
    assert_alike(of_lake, of_logs)


def test_of_a_regression_too(tmp_path: Path) -> None:
    """Its labels are numbers, which are binned beside the features."""
    rng = np.random.default_rng(5)
    logs, path, store = tmp_path / "logs", tmp_path / "rollups", tmp_path / "store.duckdb"
    logs.mkdir()
    for name, shift in (("reference", 0.0), ("a", 0.5)):
        ages = rng.integers(18, 80, 600).tolist()
        guesses = [round(age / 10 + float(rng.normal()) + shift, 3) for age in ages]
        live = (
            prediction(n, prediction=guess, label=guess + float(rng.normal()), features={"age": age})
            for n, (age, guess) in enumerate(zip(ages, guesses, strict=True))
        )
        (logs / f"{name}.jsonl").write_text(lines(live))
    assert main(["rollup", str(logs), "-o", str(path), "--db", str(store)]) == 0
    of_logs, of_lake = document(logs, store), document(path)
    assert of_lake[".models.m.versions.v1.quality.label_drift.n_current"] == 600
    assert_alike(of_lake, of_logs)


def test_without_labels_too(tmp_path: Path) -> None:
    logs, path, store = tmp_path / "logs", tmp_path / "rollups", tmp_path / "store.duckdb"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(300)))
    assert main(["rollup", str(logs), "-o", str(path), "--db", str(store)]) == 0
    with mlwatch.open(path, db=":memory:") as opened:
        version = opened.snapshot().models["m"].versions["v1"]
    assert (version.predictions, version.labelled, version.request_segments) == (300, 0, ())


@pytest.mark.deep
def test_requests_of_the_last_seconds_are_null_where_no_record_is(
    made: Path, sample_store: SampleStore
) -> None:
    def rates(path: Path, store: Path | str) -> Any:
        with mlwatch.open(path, db=store) as opened:
            return opened.snapshot().to_dict()["models"]["flight-delay"]["versions"]["v2"]["throughput"]

    of_logs, of_lake = rates(SAMPLES, sample_store()), rates(made, ":memory:")
    assert of_logs["now"] > 0
    assert (of_logs["reasons"], of_lake["now"]) == ({}, None)
    assert of_lake["reasons"] == {"now": "no records of this time are kept here: look where the logs are"}
    assert of_lake["peak"] == of_logs["peak"]


def test_the_gate_judges_a_lake(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(made)]) == 1
    said = capsys.readouterr()
    assert "ROLL BACK" in said.out
    assert "note: these are rollups" in said.err


def stamps(path: Path) -> dict[str, int]:
    return {str(each.relative_to(path)): each.stat().st_mtime_ns for each in path.rglob("r_*/*.parquet")}


def log(day: int, count: int = 50) -> str:
    records = (
        {
            "timestamp": f"2026-11-{day:02d}T10:00:{i:02d}Z",
            "id": f"{day}-{i}",
            "prediction": i % 2,
            "version": "v1",
        }
        for i in range(count)
    )
    return "".join(json.dumps(record) + "\n" for record in records)


def test_writing_again_touches_only_the_days_that_changed(tmp_path: Path) -> None:
    logs, path = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    for day in (1, 2, 3):
        (logs / f"{day}.jsonl").write_text(log(day))
    asked = ["rollup", str(logs), "-o", str(path), "--db", str(tmp_path / "store.duckdb")]
    assert main(asked) == 0
    first = stamps(path)
    assert main(asked) == 0
    assert stamps(path) == first, "nothing has changed"
    label = {"timestamp": "2026-11-03T12:00:00Z", "id": "2-7", "label": 1}
    (logs / "late.jsonl").write_text(json.dumps(label) + "\n")
    assert main(asked) == 0
    second = stamps(path)
    touched = {name for name in second if second[name] != first.get(name)}
    assert {Path(name).stem for name in touched} == {"2026-11-02"}, "a label belongs to its prediction's day"
    assert "r_outcomes/2026-11-02.parquet" in touched
    assert "r_traffic/2026-11-02.parquet" not in touched
    with mlwatch.open(path) as opened:
        (model,) = opened.snapshot().models.values()
    assert (model.versions["v1"].predictions, model.versions["v1"].labelled) == (150, 1)


def day_of(number: int, *names: str) -> str:
    """Return the records of a day, with the features in an order."""
    records = []
    for n in range(300):
        values = {"age": float(n % 40 + 10 * number), "city": "abcd"[n % (2 + number)], "extra": n % 5}
        features = {name: values[name] for name in names}
        moment = f"2026-11-{number:02d}T10:{n // 60:02d}:{n % 60:02d}Z"
        records.append(prediction(n, request_id=f"{number}-{n}", timestamp=moment, features=features))
    return lines(records)


@pytest.mark.deep
def test_a_store_that_does_not_live_on_counts_as_the_days_that_are_there(tmp_path: Path) -> None:
    """As in a pipeline each night: the logs of a day, a store in memory, and one lake."""
    days = day_of(1, "age", "city"), day_of(2, "extra", "city", "age")
    found = []
    for name, store, keeps in (("nightly", ":memory:", False), ("one", str(tmp_path / "one.duckdb"), True)):
        logs, path = tmp_path / name, tmp_path / f"{name}-lake"
        logs.mkdir()
        for number, text in enumerate(days):
            if number and not keeps:
                (logs / f"{number - 1}.jsonl").unlink()
            (logs / f"{number}.jsonl").write_text(text)
            assert main(["rollup", str(logs), "-o", str(path), "--db", store]) == 0
        found.append(document(path))
    version = ".models.m.versions.v1"
    known = tuple(f"{version}.quality.features.{name}." for name in ("age", "city"))
    nightly, one = ({key: each[key] for key in each if key.startswith(known)} for each in found)
    assert nightly[f"{known[0]}n"] == 600
    assert nightly[f"{known[1]}unseen"] > 0
    assert_alike(nightly, one)
    assert found[0][f"{version}.predictions"] == 600
    assert found[0][f"{version}.quality.features.extra.n"] == 300  # not known on the first day


def test_days_of_a_store_that_counts_otherwise_stay_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = tmp_path / "lake", str(tmp_path / "two.duckdb")
    for number, names in ((1, ("age", "city")), (2, ("extra", "city", "age"))):
        logs = tmp_path / str(number)
        logs.mkdir()
        (logs / "a.jsonl").write_text(day_of(number, *names))
    assert main(["rollup", str(tmp_path / "1"), "-o", str(path), "--db", ":memory:"]) == 0
    before = {each: each.read_bytes() for each in path.rglob("*.*")}
    assert main(["report", str(tmp_path / "2"), "--db", store]) == 0
    capsys.readouterr()
    assert main(["rollup", str(tmp_path / "2"), "-o", str(path), "--db", store]) == 2
    said = capsys.readouterr().err
    assert "hold days of another store, which counts features otherwise" in said
    assert "give another directory with -o" in said
    assert {each: each.read_bytes() for each in path.rglob("*.*")} == before


def test_a_lake_that_grows_is_followed(tmp_path: Path) -> None:
    logs, path = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    (logs / "1.jsonl").write_text(log(1))
    asked = ["rollup", str(logs), "-o", str(path), "--db", str(tmp_path / "store.duckdb")]
    assert main(asked) == 0
    session = Session(Options(path))
    session.start()
    try:
        assert session.snapshot().ingest.predictions == 50
        (logs / "2.jsonl").write_text(log(2))
        assert main(asked) == 0
        until = time.monotonic() + DEADLINE_S
        while session.snapshot().ingest.predictions != 100:
            assert time.monotonic() < until, "not in time"
            time.sleep(0.05)
    finally:
        session.stop()


def test_what_is_no_place_for_rollups(
    tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    store = str(sample_store())
    (tmp_path / "mine.txt").write_text("precious")
    for asked, why in (
        (["rollup", str(SAMPLES), "-o", str(tmp_path), "--db", store], "not an empty directory"),
        (["rollup", str(SAMPLES), "--db", store], "name a directory with -o"),
        (["rollup", str(made), "-o", str(tmp_path / "again")], "these are rollups already"),
    ):
        assert main(asked) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert why in said
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.deep
def test_a_lake_takes_the_reference_that_it_was_counted_against_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, found = tmp_path / "logs", {}
    logs.mkdir()
    (logs / "1.jsonl").write_text(lines(prediction(number) for number in range(50)))
    for name, count in (("own", 60), ("other", 70)):
        found[name] = tmp_path / f"{name}.jsonl"
        found[name].write_text(lines(prediction(number) for number in range(count)))
    settings = logs / "mlwatch.toml"
    settings.write_text('[reference]\npath = "../own.jsonl"\n')
    own, none = str(tmp_path / "lake"), str(tmp_path / "without")
    assert main(["rollup", str(logs), "-o", own, "--db", ":memory:"]) == 0
    settings.write_text("")
    assert main(["rollup", str(logs), "-o", none, "--db", ":memory:"]) == 0
    settings.write_text('[reference]\npath = "../own.jsonl"\n')
    assert main(["report", own, "--config", str(settings)]) == 0
    assert main(["report", own, "--reference", str(found["own"])]) == 0
    for lake_of, name, counted in (
        (own, "other", "another reference, own.jsonl"),
        (none, "own", "no reference file"),
    ):
        capsys.readouterr()
        assert main(["report", lake_of, "--reference", str(found[name])]) == 2
        assert f"these rollups are counted against {counted}" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["manifest", "version", "table", "day"])
def test_a_damaged_lake_is_one_line(
    tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = tmp_path / "lake"
    path.mkdir()
    for each in made.rglob("*.*"):
        target = path / each.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(each.read_bytes())
    if damage == "manifest":
        (path / lake.MANIFEST).write_text((path / lake.MANIFEST).read_text()[:200])
    elif damage == "version":
        (path / lake.MANIFEST).write_text(json.dumps({"schema": "mlwatch.rollups/9", "days": {}}))
    elif damage == "table":
        (path / "tables" / "bins.parquet").write_bytes(b"PAR1 and nothing more")
    else:
        next(path.glob("r_features/*.parquet")).unlink()
    assert main(["report", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "rollups" in said


def reported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", *arguments]) == 0
    return dict(leaves(json.loads(capsys.readouterr().out)["models"], OF_THE_MOMENT, ".models"))


@pytest.mark.deep
def test_several_lakes_are_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sample_store: SampleStore
) -> None:
    """Half of the logs each, with the same reference; the second half has a feature that the first has not."""
    reference = SAMPLES / "reference.parquet"
    files = sorted(
        each for each in SAMPLES.rglob("*.*") if each.parent.name in {"predictions", "labels", "events"}
    )
    halves = tmp_path / "a", tmp_path / "b"
    for number, half in enumerate(halves):
        half.mkdir()
        for each in files:
            if each.parent.name != "predictions" or files.index(each) % 2 == number:
                (half / f"{each.parent.name}-{each.name}").write_bytes(each.read_bytes())
        (half / "mlwatch.toml").write_bytes((SAMPLES / "mlwatch.toml").read_bytes())
    more = json.loads(log(3, 1)) | {"model": "other", "version": "v9", "colour": "red"}
    (halves[1] / "more.jsonl").write_text(json.dumps(more) + "\n")
    for half in halves:
        target = tmp_path / "lakes" / half.name
        target.parent.mkdir(exist_ok=True)
        asked = ["rollup", str(half), "-o", str(target), "--db", ":memory:", "--reference", str(reference)]
        assert main(asked) == 0
    whole = {key: value for key, value in document(SAMPLES, sample_store()).items() if ".versions.v" in key}
    both = document(tmp_path / "lakes")
    for part in ("predictions", "labelled", "confusion.counts.0.0", "quality.features.dep_delay.drift.psi"):
        for version in ("v1", "v2"):
            key = f".models.flight-delay.versions.{version}.{part}"
            assert both[key] == pytest.approx(whole[key]), key
    assert both[".models.other.versions.v9.predictions"] == 1
    one, other = (str(tmp_path / "lakes" / half.name) for half in halves)
    assert_alike(reported(capsys, one, other, one), reported(capsys, str(tmp_path / "lakes")))
    apart = reported(capsys, one, other, "--apart")
    for version in ("v1", "v2"):
        key = f".versions.{version}.predictions"
        parts = [apart[f".models.flight-delay @ {half.name}{key}"] for half in halves]
        assert sum(parts) == whole[f".models.flight-delay{key}"]
        assert min(parts) > 0


def test_logs_are_not_shown_together(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(made), str(SAMPLES), "--db", ":memory:"]) == 2
    assert "not rollups, and only these are shown together" in capsys.readouterr().err


def test_lakes_that_are_cut_otherwise_do_not_go_together(
    tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "predictions.jsonl").write_text(
        "".join(
            json.dumps(json.loads(line) | {"dep_delay": number}) + "\n"
            for number, line in enumerate(log(3).splitlines())
        )
    )
    assert main(["rollup", str(logs), "-o", str(tmp_path / "lakes" / "a"), "--db", ":memory:"]) == 0
    (tmp_path / "lakes" / "b").symlink_to(made)
    capsys.readouterr()
    assert main(["report", str(tmp_path / "lakes")]) == 2
    assert "count features in other bins than the first" in capsys.readouterr().err
