"""Opened lakes: every table of sums comes back as it was, alone and beside another lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import sparklogs
from leaves import assert_alike, leaves
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.session import Options, Session
from mlwatch.store import rollups

if TYPE_CHECKING:
    from collections.abc import Callable

DATABRICKS = Path(__file__).parents[2] / "fixtures" / "formats" / "databricks" / "payload.jsonl"
OF_RECORDS = {"segment_pairs", "request_segments", "now"}
"""What follows from the records themselves, which a lake does not hold."""
DEMANDS = """
[schema.age]
min = 5
max = 40
nullable = false
[schema.city]
allowed = ["a", "b"]
[schema.code]
unique = true
regex = "x[0-9]"
[schema.count]
type = "integer"
[schema.score]
max = 0.5
"""

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def rows(connection: duckdb.DuckDBPyConnection) -> dict[str, Rows]:
    """Return measures by keys of every table, with features by their names; several rows of one key are one."""
    name = "COALESCE((SELECT name FROM features AS f WHERE f.feature = r.feature), CAST(feature AS VARCHAR))"
    found = {}
    for rollup in rollups.ALL:
        numbered = rollup.keys.get("feature") == "INTEGER"
        keys = [name if numbered and key == "feature" else key for key in rollup.key_names]
        listed = ", ".join([*keys, *rollup.measures])
        for level in rollup.levels:
            merged = rollup.merged(rollup.table(level))
            taken = connection.execute(f"SELECT {listed} FROM ({merged}) AS r").fetchall()
            found[rollup.table(level)] = {each[: len(keys)]: each[len(keys) :] for each in taken}
    return found


def opened_rows(path: Path, *others: Path, apart: bool = False) -> dict[str, Rows]:
    with Session(Options(path, others=others, apart=apart, db=":memory:")) as session:
        return rows(session.connection)


def of_models(tables: dict[str, Rows], name: Callable[[str], str | None]) -> dict[str, Rows]:
    """Return the rows of those models that get a name, under it."""
    return {
        table: {(at, own, *rest): each for (at, model, *rest), each in found.items() if (own := name(model))}
        for table, found in tables.items()
    }


def assert_same_rows(found: dict[str, Rows], expected: dict[str, Rows]) -> None:
    for table, wanted in expected.items():
        assert wanted, f"{table}: the logs must have something for every table"
        assert found[table].keys() == wanted.keys(), table
        for key, measures in wanted.items():
            for one, other in zip(found[table][key], measures, strict=True):
                fraction = isinstance(other, float)
                assert one == (pytest.approx(other, rel=1e-9, abs=1e-9) if fraction else other), (table, key)


@pytest.fixture(scope="module")
def of_everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Rows]]:
    """Return a lake that has rows of every table, and the rows of the store that it was written from."""
    root = tmp_path_factory.mktemp("everything")
    logs, store = root / "logs", root / "store.duckdb"
    sparklogs.write_small(logs)
    sparklogs.write(root / "reference.jsonl", sparklogs.requests(8))
    sampled = json.loads(DATABRICKS.read_text().splitlines()[0]) | {"sampling_fraction": 0.25}
    sparklogs.write(logs / "sampled" / "payload.jsonl", [sampled])
    asked = ["rollup", str(logs), "-o", str(root / "lake"), "--db", str(store)]
    assert main([*asked, "--reference", str(root / "reference.jsonl")]) == 0
    with duckdb.connect(store, read_only=True) as connection:
        return root / "lake", rows(connection)


def test_every_table_of_sums_comes_back(of_everything: tuple[Path, dict[str, Rows]]) -> None:
    path, counted = of_everything
    assert_same_rows(opened_rows(path), counted)


def test_every_table_of_sums_comes_back_from_a_second_lake(
    tmp_path: Path, of_everything: tuple[Path, dict[str, Rows]]
) -> None:
    """Its features have other numbers there than in the first."""
    path, counted = of_everything
    logs, first = tmp_path / "logs", tmp_path / "first"
    logs.mkdir()
    (logs / "a.jsonl").write_text(lines(prediction(n, model="other", prediction="yes") for n in range(50)))
    asked = ["rollup", str(logs), "-o", str(first), "--db", ":memory:"]
    assert main([*asked, "--reference", str(path.parent / "reference.jsonl")]) == 0
    both, apart = opened_rows(first, path), opened_rows(first, path, apart=True)
    assert_same_rows(of_models(both, lambda name: name if name != "other" else None), counted)
    ending = " @ lake"
    own = of_models(apart, lambda name: name.removesuffix(ending) if name.endswith(ending) else None)
    assert_same_rows(own, counted)


def demanded(first: int, last: int) -> str:
    """Return predictions, a hundred a day, of which some break each of the demands."""
    records = []
    for n in range(first, last):
        features = {"age": float(n % 50) if n % 7 else None, "city": "abc"[n % 3], "code": f"x{n // 2}"}
        moment = f"2026-11-{3 + n // 100:02d}T10:{n // 60 % 60:02d}:{n % 60:02d}Z"
        count = n % 5 if n % 13 else 1.5
        records.append(
            prediction(n, timestamp=moment, label=n % 3 == 0, features=features | {"count": count})
        )
    return lines(records)


def reported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", *arguments, "--format", "json"]) == 0
    return dict(leaves(json.loads(capsys.readouterr().out)["models"], OF_RECORDS))


def test_what_a_schema_asks_for_comes_back_from_one_lake_and_from_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, reference = tmp_path / "own.toml", tmp_path / "reference.jsonl"
    settings.write_text(DEMANDS)
    reference.write_text(demanded(0, 200))
    asked = ["--config", str(settings), "--reference", str(reference)]
    of_logs = {}
    for name, first, last in (("one", 0, 200), ("lakes/a", 0, 100), ("lakes/b", 100, 200)):
        logs, target = tmp_path / "logs" / name, tmp_path / name
        for each in (logs, target.parent):
            each.mkdir(parents=True, exist_ok=True)
        (logs / "a.jsonl").write_text(demanded(first, last))
        assert main(["rollup", str(logs), "-o", str(target), "--db", ":memory:", *asked]) == 0
        of_logs[name] = reported(capsys, str(logs), "--db", ":memory:", *asked)
    constraints = ".m.versions.v1.quality.constraints."
    rules = {each for key, each in of_logs["one"].items() if key.startswith(constraints) and ".rule" in key}
    assert rules == {"type", "min", "max", "nullable", "allowed", "regex", "unique"}
    assert_alike(reported(capsys, str(tmp_path / "one"), *asked), of_logs["one"])
    assert_alike(reported(capsys, str(tmp_path / "lakes"), *asked), of_logs["one"])
    apart = reported(capsys, str(tmp_path / "lakes"), "--apart", *asked)
    for name in ("a", "b"):
        start = constraints.replace("m.", f"m @ {name}.", 1)
        own = {key.replace(start, constraints): each for key, each in apart.items() if key.startswith(start)}
        alone = of_logs[f"lakes/{name}"]
        assert own == {key: each for key, each in alone.items() if key.startswith(constraints)}
