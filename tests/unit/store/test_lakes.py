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
from mlwatch.errors import InputError
from mlwatch.session import Options, Session
from mlwatch.store import currencies, rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    settings = logs / "mlwatch.toml"
    settings.write_text(f"{settings.read_text()}\n[business.payoff]\ntp = 5\nfp = -1\n")
    sales = (sale | {"id": sale["id"].replace("c", "p"), "event_id": None} for sale in sparklogs.events(9))
    sparklogs.write(logs / "sales.jsonl", (sale | {"currency": "USD"} for sale in sales))
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


@pytest.mark.deep
def test_costs_and_money_and_what_is_odd_are_what_the_logs_say(
    of_everything: tuple[Path, dict[str, Rows]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of several models and currencies, with prices of tokens, a payoff, and demands on values."""
    lake, _ = of_everything
    root = lake.parent
    asked = ["--reference", str(root / "reference.jsonl"), "--config", str(root / "logs" / "mlwatch.toml")]
    of_logs = reported(capsys, str(root / "logs"), "--db", str(root / "store.duckdb"), *asked)
    assert of_logs[".clicks.versions.v1.business.revenue.currency"] == "EUR"
    assert of_logs[".prices.versions.v1.business.revenue.currency"] == "USD"
    assert of_logs[".answers.versions.fast.outputs.cost.value"] > 0
    assert_alike(reported(capsys, str(lake), *asked), of_logs)


@pytest.mark.deep
def test_a_lake_takes_the_settings_that_are_applied_when_it_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window of the logs as the reference, here: from the command line, or from a file in the lake."""
    settings = tmp_path / "logs" / "mlwatch.toml"
    settings.parent.mkdir()
    settings.write_text('[reference]\nwindow = "2026-11-04/2026-11-05"\n')
    made = rolled(tmp_path / "logs", tmp_path / "lake", a=demanded(0, 300))
    asked = ["--config", str(settings)]
    of_logs = reported(capsys, str(tmp_path / "logs"), "--db", ":memory:")
    assert_alike(reported(capsys, str(made), *asked), of_logs)
    assert reported(capsys, str(made))[".m.reference"] != of_logs[".m.reference"]
    (made / "mlwatch.toml").write_bytes(settings.read_bytes())
    assert_alike(reported(capsys, str(made)), of_logs)


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


@pytest.mark.deep
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


def sold(model: str, currencies: Sequence[str], day: int = 1, *, named: bool = False) -> str:
    """Return requests of a model with purchases in some currencies, whose events may name it."""
    records: list[dict[str, Any]] = []
    for n in range(60):
        common = {"timestamp": f"2026-11-{day:02d}T10:{n:02d}:00Z", "request_id": f"{model}-{day}-{n}"}
        records.append(prediction(n, **common, model=model))
        money = {"event": "purchase", "value": 10, "currency": currencies[n % len(currencies)]}
        records.append(common | money | ({"model": model} if named else {}))
    return lines(records)


def money_of(path: Path, *others: Path, apart: bool = False) -> tuple[dict[str, str | None], list[str]]:
    """Return what the amounts of each model are in, and what is said of those that are added up."""
    with Session(Options(path, others=others, apart=apart, db=":memory:")) as session:
        session.ingest_all()
        found = session.snapshot()
    own = {name: model.versions["v1"].business.revenue.currency for name, model in found.models.items()}
    return own, [alert.message for alert in found.alerts if alert.rule.endswith("currencies")]


def rolled(logs: Path, target: Path, **texts: str) -> Path:
    """Return a lake of logs with these texts."""
    logs.mkdir(exist_ok=True)
    for name, text in texts.items():
        (logs / f"{name}.jsonl").write_text(text)
    assert main(["rollup", str(logs), "-o", str(target), "--db", ":memory:"]) == 0
    return target


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("shop", "news", "named", "expected"),
    [
        (["EUR"], ["USD"], False, {"shop": "EUR", "news": "USD"}),
        (["EUR"], ["USD"], True, {"shop": "EUR", "news": "USD"}),
        (["EUR", "USD"], ["usd", "USD"], False, {"shop": "EUR + USD", "news": "USD"}),
    ],
)
def test_a_lake_says_what_the_amounts_of_each_model_are_in(
    tmp_path: Path, shop: list[str], news: list[str], named: bool, expected: dict[str, str]
) -> None:
    texts = {
        model: sold(model, currencies, named=named) for model, currencies in (("shop", shop), ("news", news))
    }
    made = rolled(tmp_path / "logs", tmp_path / "lake", **texts)
    of_logs, of_lake = money_of(tmp_path / "logs"), money_of(made)
    assert of_logs[0] == expected
    assert of_lake == of_logs
    assert len(of_lake[1]) == ("EUR + USD" in expected.values())


@pytest.mark.deep
def test_lakes_say_together_and_apart_what_their_amounts_are_in(tmp_path: Path) -> None:
    eu, us = (
        rolled(tmp_path / f"logs-{name}", tmp_path / name, shop=sold("shop", [money]))
        for name, money in (("eu", "EUR"), ("us", "USD"))
    )
    for first, second in ((eu, us), (us, eu)):
        assert money_of(first, second) == (
            {"shop": "EUR + USD"},
            ["amounts in EUR + USD are added up as they stand"],
        )
        assert money_of(first, second, apart=True) == ({"shop @ eu": "EUR", "shop @ us": "USD"}, [])


@pytest.mark.deep
def test_a_lake_remembers_what_its_days_of_other_stores_are_in(tmp_path: Path) -> None:
    """As in a pipeline each night, which sees the logs of a day."""
    made = rolled(tmp_path / "logs", tmp_path / "lake", a=sold("shop", ["EUR"], day=1))
    rolled(tmp_path / "logs", made, a=sold("shop", ["USD"], day=2))
    assert money_of(made)[0] == {"shop": "EUR + USD"}
    rolled(tmp_path / "logs", again := tmp_path / "again", a=sold("shop", ["EUR"], day=1))
    rolled(tmp_path / "logs", again, a=sold("shop", ["USD"], day=1))
    assert money_of(again)[0] == {"shop": "USD"}, "the day was written anew"


def test_currencies_are_those_of_the_finest_level_and_always_in_one_order(tmp_path: Path) -> None:
    """Spark fills no other level; and what is dear is looked up again only where this differs."""
    several = ["EUR", "USD", "CHF", "SEK"]
    (tmp_path / "a.jsonl").write_text(sold("shop", several) + sold("news", several))
    with Session(Options(tmp_path, db=":memory:")) as session:
        session.ingest_all()
        connection = session.connection
        for level in rollups.BUSINESS.levels[1:]:
            connection.execute(f"DELETE FROM {rollups.BUSINESS.table(level)}")
        assert currencies.of_all(connection) == {"news": sorted(several), "shop": sorted(several)}
        assert currencies.said(connection) == {"": sorted(several)}


@pytest.mark.usual(1)
@pytest.mark.parametrize("said", ["null", '"EUR"', '{"shop": "EUR"}', '{"shop": [1]}'])
def test_a_manifest_of_another_shape_is_damaged(tmp_path: Path, said: str) -> None:
    made = rolled(tmp_path / "logs", tmp_path / "lake", shop=sold("shop", ["EUR"]))
    written = json.loads((made / "manifest.json").read_text())
    (made / "manifest.json").write_text(json.dumps(written | {"currencies": json.loads(said)}))
    with pytest.raises(InputError, match="the rollups are damaged"):
        money_of(made)


@pytest.mark.deep
def test_a_lake_that_was_written_before_says_its_one_currency(tmp_path: Path) -> None:
    made = rolled(tmp_path / "logs", tmp_path / "lake", shop=sold("shop", ["EUR"]))
    written = json.loads((made / "manifest.json").read_text())
    del written["currencies"]
    (made / "manifest.json").write_text(json.dumps(written | {"currency": "CHF"}))
    assert money_of(made) == ({"shop": "CHF"}, [])
    assert money_of(made, rolled(tmp_path / "logs", tmp_path / "new"), apart=True)[0] == {
        "shop @ lake": "CHF",
        "shop @ new": "EUR",
    }
