"""`[schema]` as data validation: each rule counted against pandas, exactly once, whatever the settings hold."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from logfiles import lines, prediction

from mlwatch.cli import main
from mlwatch.errors import ConfigError
from mlwatch.session import Options, Session
from mlwatch.validation import validations

if TYPE_CHECKING:
    from pathlib import Path

    from mlwatch.snapshot.types import Constraint, Snapshot

RULES = r"""
[schema.age]
type = "integer"
min = 3
max = 40
nullable = false
unique = true

[schema.city]
allowed = ["a", "b"]
regex = "[a-c]"
type = "text"
"""


def records(n: int, seed: int = 5) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    ages = [None if draw > 0.95 else float(round(draw * 50, int(draw > 0.9))) for draw in rng.random(n)]
    cities = [None if draw < 0.1 else str(rng.choice(list("abcd"))) for draw in rng.random(n)]
    return [
        prediction(seed * 10_000 + i, features={"age": age, "city": city})
        for i, (age, city) in enumerate(zip(ages, cities, strict=True))
    ]


def seen(logs: Path) -> Snapshot:
    with Session(Options(logs, db=logs.parent / "store.duckdb")) as session:
        session.ingest_all()
        return session.snapshot()


def counts(snapshot: Snapshot, version: str = "v1") -> dict[tuple[str, str], tuple[int, int]]:
    constraints: tuple[Constraint, ...] = snapshot.models["m"].versions[version].constraints
    return {(one.feature, one.rule): (one.n, one.bad) for one in constraints}


def expected(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    table = pd.DataFrame([row["features"] for row in rows])
    age, city = table["age"].astype(float), table["city"]
    known, named = age.dropna(), city.dropna()
    return {
        ("age", "type"): (len(known), int((known % 1 != 0).sum())),
        ("age", "min"): (len(known), int((known < 3).sum())),
        ("age", "max"): (len(known), int((known > 40).sum())),
        ("age", "nullable"): (len(age), int(age.isna().sum())),
        ("age", "unique"): (len(known), int(known.duplicated().sum())),
        ("city", "type"): (len(named), 0),
        ("city", "allowed"): (len(named), int((~named.isin(["a", "b"])).sum())),
        ("city", "regex"): (len(named), int((~named.str.fullmatch("[a-c]")).sum())),
    }


def test_every_rule_counts_what_pandas_counts_over_several_batches_and_runs(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text(RULES)
    everything: list[dict[str, Any]] = []
    for part in (1, 2, 3):
        rows = records(300, part)
        (logs / f"{part}.jsonl").write_text(lines(rows))
        everything += rows
        assert counts(seen(logs)) == expected(everything)
    assert counts(seen(logs)) == expected(everything)


def test_a_schema_that_is_set_later_is_counted_over_what_is_stored(logs: Path) -> None:
    rows = records(400)
    (logs / "a.jsonl").write_text(lines(rows))
    assert counts(seen(logs)) == {}
    (logs / "mlwatch.toml").write_text(RULES)
    assert counts(seen(logs)) == expected(rows)
    (logs / "mlwatch.toml").write_text("[schema.age]\nmin = 20\n")
    ages = [row["features"]["age"] for row in rows if row["features"]["age"] is not None]
    assert counts(seen(logs)) == {("age", "min"): (len(ages), sum(age < 20 for age in ages))}


def test_a_large_batch_that_goes_straight_in_is_counted_as_well(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlwatch.store.straight.LEAST_BYTES", 1)
    (logs / "mlwatch.toml").write_text(RULES)
    everything = []
    for part in (1, 2):
        everything += records(500, part)
        (logs / f"{part}.jsonl").write_text(lines(everything[-500:]))
        assert counts(seen(logs)) == expected(everything)


def test_text_in_a_number_is_a_wrong_type_and_not_missing(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text('[schema.age]\ntype = "number"\nnullable = false\n')
    (logs / "a.jsonl").write_text(lines(records(50)[:1]) + lines(prediction(n) for n in range(50)))
    with (logs / "a.jsonl").open("a") as out:
        out.write(lines([prediction(99, features={"age": "old", "city": "a"})]))
    found = counts(seen(logs))
    assert found["age", "type"][1] == 1
    assert found["age", "nullable"][1] == 0


def mixed(n: int, seed: int = 3) -> list[dict[str, Any]]:
    """Return records whose age is a number first, later often text, and whose city never is a number."""
    rng = np.random.default_rng(seed)
    ages = [at if at < n / 2 or rng.random() > 0.9 else f"{at} y" for at in range(n)]
    return [prediction(at, features={"age": age, "city": "abc"[at % 3]}) for at, age in enumerate(ages)]


@pytest.mark.parametrize("together", [True, False], ids=["text column", "column of numbers"])
def test_text_breaks_limits_and_patterns_of_numbers(logs: Path, *, together: bool) -> None:
    (logs / "mlwatch.toml").write_text("[schema.age]\nmax = 120\nregex = '[0-9]+'\n[schema.city]\nmin = 1\n")
    rows = mixed(400)
    half = len(rows) if together else len(rows) // 2
    (logs / "a.jsonl").write_text(lines(rows[:half]))
    seen(logs)
    if half < len(rows):
        (logs / "b.jsonl").write_text(lines(rows[half:]))
    ages = pd.Series([row["features"]["age"] for row in rows])
    numbers = pd.to_numeric(ages, errors="coerce")
    text = int(numbers.isna().sum())
    snapshot = seen(logs)
    assert counts(snapshot) == {
        ("age", "number"): (len(rows), text),
        ("age", "max"): (len(rows) - text, int((numbers > 120).sum())),
        ("age", "regex"): (len(rows), text),
        ("city", "number"): (len(rows), len(rows)),
        ("city", "min"): (0, 0),
    }
    assert {ruling.state for ruling in validations(snapshot)} == {"breach"}


def test_check_fails_where_a_limited_value_is_text(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(n, features={"age": f"{n} y"}) for n in range(40)))
    (logs / "mlwatch.toml").write_text("[schema.age]\nmin = 0\nmax = 120\nnullable = false\n")
    code, findings = checked(logs, capsys)
    assert code == 1
    message = "age of v1: 40 of 40 values are not a number, for example '0 y'"
    assert findings["schema: age (m v1)"] == ("fail", message)


def test_a_column_that_a_version_lacks_is_missing_there(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text("[schema.age]\nnullable = false\n")
    bare = [prediction(n, version="v2", features={"city": "a"}) for n in range(200, 230)]
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(40)))
    seen(logs)
    (logs / "b.jsonl").write_text(lines(bare))
    snapshot = seen(logs)
    assert counts(snapshot)["age", "nullable"] == (40, 0)
    assert counts(snapshot, "v2")["age", "nullable"] == (30, 30)


def test_scores_and_predictions_may_be_constrained(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text('[schema.score]\nmax = 0.5\n[schema.prediction]\nallowed = ["1"]\n')
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(40)))
    assert counts(seen(logs)) == {("score", "max"): (40, 20), ("prediction", "allowed"): (40, 20)}


def test_settings_are_bound_and_never_become_sql(logs: Path) -> None:
    evil = "x'); DROP TABLE predictions; --"
    (logs / "mlwatch.toml").write_text(
        f'[schema."{evil}"]\nallowed = ["{evil}", "$v0"]\nregex = "{evil.replace(")", "[)]")}"\nunique = true\n'
    )
    rows = [prediction(n, features={evil: evil if n % 2 else "'"}) for n in range(40)]
    (logs / "a.jsonl").write_text(lines(rows))
    found = counts(seen(logs))
    assert found == {(evil, "allowed"): (40, 20), (evil, "regex"): (40, 20), (evil, "unique"): (40, 38)}


def test_a_pattern_may_be_all_that_the_engine_knows(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text("[schema.city]\nregex = '\\p{Lu}+\\z'\n")  # neither is Python's
    cities = ["ÅÉ", "oslo", "Ø"]
    (logs / "a.jsonl").write_text(
        lines(prediction(n, features={"city": city}) for n, city in enumerate(cities))
    )
    assert counts(seen(logs)) == {("city", "regex"): (3, 1)}


def test_a_pattern_that_the_engine_cannot_use_is_one_line(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "mlwatch.toml").write_text("[schema.city]\nregex = '(?=a)a'\n")
    (logs / "a.jsonl").write_text(lines([prediction(0)]))
    with pytest.raises(ConfigError, match="city"):
        Session(Options(logs, db=":memory:"))
    assert main(["check", str(logs), "--db", ":memory:"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def checked(logs: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["check", str(logs), "--db", ":memory:", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    return code, {one["name"]: (one["outcome"], one["message"]) for one in found["findings"]}


def test_check_fails_on_a_broken_schema_and_says_what_broke(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(40)))
    (logs / "mlwatch.toml").write_text("[schema.age]\nmax = 37\n")
    code, findings = checked(logs, capsys)
    assert code == 1
    assert findings["schema: age (m v1)"] == (
        "fail",
        "age of v1: 2 of 40 values are above 37, for example '38'",
    )


def test_check_passes_on_a_kept_schema_and_holds_on_what_is_not_there(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(40)))
    (logs / "mlwatch.toml").write_text("[schema.age]\nmax = 100\n")
    code, findings = checked(logs, capsys)
    assert (code, findings["schema: age (m v1)"][0]) == (0, "pass")
    (logs / "mlwatch.toml").write_text("[schema.agee]\nmax = 100\n")
    code, findings = checked(logs, capsys)
    assert (code, findings["schema: agee (m v1)"][0]) == (3, "hold")
    (logs / "mlwatch.toml").write_text("[schema.agee]\nnullable = false\n")
    code, findings = checked(logs, capsys)
    assert (code, findings["schema: agee (m v1)"][0]) == (1, "fail")


def test_a_broken_schema_is_an_alert_and_stands_in_the_document(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text("[schema.age]\nmax = 37\n")
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(40)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        snapshot = session.snapshot()
    assert [alert.message for alert in snapshot.alerts if alert.rule == "schema: age"] == [
        "age of v1: 2 of 40 values are above 37, for example '38'"
    ]
    assert not [alert for alert in snapshot.alerts if "nothing acts on" in alert.message]
    version = snapshot.to_dict()["models"]["m"]["versions"]["v1"]
    assert version["quality"]["constraints"] == [
        {"feature": "age", "rule": "max", "demand": "are above 37", "n": 40, "bad": 2, "example": "38"}
    ]


def test_a_range_sees_the_values_that_data_quality_sees_there(logs: Path) -> None:
    (logs / "mlwatch.toml").write_text("[schema.age]\nmax = 1000\n")
    (logs / "a.jsonl").write_text(lines(prediction(n) for n in range(0, 3600, 3)))
    with Session(Options(logs, db=":memory:")) as session:
        session.ingest_all()
        late = session.snapshot(timedelta(minutes=30))
    n, bad = counts(late)["age", "max"]
    assert n == late.models["m"].versions["v1"].quality.features["age"].n < 1200
    assert bad == n - sum(900 <= age <= 1000 for age in range(0, 3600, 3))
    (ruling,) = validations(late)
    assert ruling.state == "breach"
