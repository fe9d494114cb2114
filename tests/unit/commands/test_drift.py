"""`mlwatch drift`: two files compared, with the numbers that the same rows get as logs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from leaves import assert_alike, leaves
from scipy import stats

import mlwatch
from mlwatch.cli import main
from mlwatch.store import numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    Writer = Callable[..., tuple[Path, Path]]

ROWS = 3000


LABELS = {
    "classes": "CASE WHEN (i * 17) % 10 < 3 + 4 * {at} THEN 'late' ELSE 'early' END",
    "numbers": "((i * 41) % 1000) / 10 + 20 * {at}",
}


@pytest.fixture
def tables(tmp_path: Path) -> Writer:
    """Return a writer of a reference and of a table that moved away from it, in one format or another."""

    def written(suffix: str, labels: str = "classes") -> tuple[Path, Path]:
        options = {"parquet": "FORMAT parquet", "csv": "FORMAT csv", "jsonl": "FORMAT json"}[suffix]
        paths = tmp_path / f"reference.{suffix}", tmp_path / "logs" / f"current.{suffix}"
        paths[1].parent.mkdir(exist_ok=True)
        for at, path in enumerate(paths):
            duckdb.execute(
                f"""COPY (SELECT '2026-11-01 00:00:00'::TIMESTAMP + INTERVAL (i) SECOND AS timestamp,
                    i AS request_id, {LABELS[labels].format(at=at)} AS label,
                    {"1.5 *" if labels == "numbers" else ""} CAST((i * 7) % 10 < 4 + 2 * {at} AS INTEGER) AS prediction,
                    ((i * 37) % 1000) / 1000 + {at} * 0.2 AS amount,
                    CASE WHEN (i * 13) % 100 < 1 + 9 * {at} THEN NULL ELSE (i * 11) % 500 END AS age,
                    ['de', 'fr', 'it', 'xx'][1 + (i * 3) % (3 + {at})] AS country,
                    {"'new'" if at else "'old'"} AS {"appeared" if at else "vanished"}
                    FROM range({ROWS}) AS t(i)) TO '{path}' ({options})"""
            )
        return paths

    return written


def report_of(logs: Path, reference: Path) -> dict[str, Any]:
    with mlwatch.open(logs, db=":memory:", reference=reference) as opened:
        (model,) = opened.snapshot().to_dict()["models"].values()
    (version,) = model["versions"].values()
    quality: dict[str, Any] = version["quality"]
    return quality


@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("suffix", "labels"),
    [("parquet", "classes"), ("csv", "classes"), ("jsonl", "classes"), ("parquet", "numbers")],
)
def test_the_numbers_are_those_of_the_same_rows_as_logs(tables: Writer, suffix: str, labels: str) -> None:
    reference, current = tables(suffix, labels)
    found = mlwatch.drift(current, reference=reference).to_dict()
    as_logs = report_of(current.parent, reference)
    assert (found["schema"], found["rows"], found["reference"]) == (
        "mlwatch.drift/1",
        ROWS,
        f"reference.{suffix}",
    )
    assert (found["vanished"], found["appeared"]) == (["vanished"], ["appeared"])
    assert sum(each["drift"]["drifted"] for each in found["features"].values()) == 3
    for features in (found["features"], as_logs["features"]):
        for each in features.values():
            each.pop("importance")  # needs labels
            each.pop("drift_over")  # a table has no windows
    assert found["label_drift"]["drifted"] is True
    for key in ("features", "prediction_drift", "label_drift", "drifted_share", "missing_rate"):
        assert_alike(dict(leaves(found[key])), dict(leaves(as_logs[key])))


def test_a_profile_stands_in_for_the_reference(tables: Writer) -> None:
    reference, current = tables("parquet")
    profile = reference.with_name("small.json")
    assert main(["profile", str(reference), "-o", str(profile)]) == 0
    by_rows, by_profile = (mlwatch.drift(current, reference=path).to_dict() for path in (reference, profile))
    for key in ("reference", "label_reference"):
        assert by_profile.pop(key) == "small.json (reference.parquet)"
        assert by_rows.pop(key) == "reference.parquet"
    assert_alike(dict(leaves(by_profile)), dict(leaves(by_rows)))


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_rows_that_repeat_in_every_column_are_counted(
    tables: Writer, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, current = tables(suffix)
    assert mlwatch.drift(current, reference=reference).to_dict()["repeated_rows"] == 0
    options = {"parquet": "FORMAT parquet", "csv": "FORMAT csv", "jsonl": "FORMAT json"}[suffix]
    again = current.with_name(f"again.{suffix}")
    duckdb.execute(
        f"""COPY (
            FROM '{current}' UNION ALL FROM '{current}' WHERE request_id < 40
            UNION ALL FROM '{current}' WHERE request_id < 5
            UNION ALL SELECT * REPLACE ('other' AS appeared) FROM '{current}' WHERE request_id < 7
        ) TO '{again}' ({options})"""
    )
    found = mlwatch.drift(again, reference=reference)
    assert found.rows == ROWS + 52
    assert found.to_dict()["repeated_rows"] == 45
    assert main(["drift", str(again), "--reference", str(reference)]) == 0
    said = "; repeated rows: 45 are equal to an earlier one in every column"
    assert capsys.readouterr().out.splitlines()[0].endswith(said)


@pytest.mark.parametrize("factor", [-60.0, 0.5, 1.5, 60.0, 1000.0])
def test_how_far_values_went_does_not_end_where_the_reference_does(tmp_path: Path, factor: float) -> None:
    before = np.random.default_rng(3).normal(10, 1, 5000)
    after = np.random.default_rng(4).normal(10, 1, 4000) * factor
    paths = tmp_path / "reference.csv", tmp_path / "current.csv"
    for path, values in zip(paths, (before, after), strict=True):
        path.write_text("amount\n" + "".join(f"{value}\n" for value in values))
    drift = mlwatch.drift(paths[1], reference=paths[0]).quality.features["amount"].drift
    assert drift is not None
    expected = stats.wasserstein_distance(before, after) / before.std()
    assert drift.wasserstein == pytest.approx(expected, rel=0.04)


def test_values_of_the_wrong_type_are_counted(tmp_path: Path) -> None:
    reference, current = tmp_path / "reference.csv", tmp_path / "current.csv"
    reference.write_text("amount\n" + "".join(f"{i}\n" for i in range(500)))
    current.write_text("amount\n" + "".join("oops\n" if i % 10 == 0 else f"{i}\n" for i in range(500)))
    amount = mlwatch.drift(current, reference=reference).quality.features["amount"]
    assert (amount.n, amount.invalid, amount.missing) == (500, 50, 0)


def test_what_is_printed_names_the_columns_that_moved(
    tables: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, current = tables("parquet")
    assert main(["drift", str(current), "--reference", str(reference)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "current.parquet, 3,000 rows, against reference.parquet: 3 of 3 features have drifted; "
        "missing: vanished; new: appeared"
    )
    assert [line.split()[0] for line in lines[4:]] == [
        "country",
        "amount",
        "age",
        "appeared",
        "prediction",
        "label",
    ]
    assert main(["drift", str(current), "--reference", str(reference), "--format", "md"]) == 0
    assert "| country | categorical | drifted |" in capsys.readouterr().out
    assert main(["drift", str(current), "--reference", str(reference), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["features"]["amount"]["drift"]["drifted"] is True


ODD = """
    i AS request_id, CAST(i % 3 AS INTEGER) AS prediction, CAST(i % 2 = 0 AS BOOLEAN) AS label,
    CASE WHEN i % 17 = 0 THEN NULL WHEN i % 19 = 0 THEN 'nan' WHEN i % 23 = 0 THEN 'inf'
        WHEN i % 29 = 0 THEN '-inf' ELSE ((i * 37) % 1009) / 1000 + {at} END::DOUBLE AS odd,
    3.5 AS same, (i * 7) % 5 AS few, CAST(NULL AS DOUBLE) AS nothing, 1e300 * ((i * 13) % 101 + {at}) AS huge,
    CAST((i * 31) % 211 AS DECIMAL(9, 2)) / 7 AS price, 9007199254740993 + i AS big, i % 7 = {at} AS truth,
    {{'inner': {{'depth': ((i * 41) % 499) / 3}}, 'word': 'w' || (i % 4)}} AS features,
    CASE WHEN i % 11 = 0 THEN 'x' || (i % 3) ELSE 'y' END AS country, {only} AS only_{at}"""


@pytest.mark.usual(1)
@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_what_is_sorted_has_the_numbers_of_what_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    paths = tmp_path / f"reference.{suffix}", tmp_path / f"current.{suffix}"
    for at, path in enumerate(paths):
        kind = "parquet" if suffix == "parquet" else "json"
        columns = ODD.format(at=at, only="sqrt(i)" if at else "-i")
        duckdb.execute(f"COPY (SELECT {columns} FROM range({ROWS}) AS t(i)) TO '{path}' (FORMAT {kind})")
    by_sorting = mlwatch.drift(paths[1], reference=paths[0]).to_dict()
    assert len(by_sorting["features"]) >= 10

    def refuse(*_: object, **__: object) -> None:
        raise duckdb.ConversionException("as where a value does not fit its column")

    monkeypatch.setattr(numbers, "columns", refuse)
    assert_alike(
        dict(leaves(by_sorting)), dict(leaves(mlwatch.drift(paths[1], reference=paths[0]).to_dict()))
    )


def test_the_command_imports_neither_a_session_nor_what_only_other_documents_have() -> None:
    code = "import sys, mlwatch.commands.drift, mlwatch.faces.table_drift; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {
        "mlwatch.session",
        "mlwatch.snapshot.types",
        "mlwatch.snapshot.document",
        "mlwatch.faces.markdown",
        "mlwatch.sources.files",
        "mlwatch.sources.shapebook",
        "mlwatch.endpoints.types",
    }
    assert not others & set(done.stdout.split())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere.csv"], "no such file: nowhere.csv: name a table"),
        (["."], "is a directory: .: name a table"),
        (["rows.csv"], "nothing to compare with: rows.csv: name a table or a profile with --reference"),
        (["rows.csv", "--reference", "none.csv"], "cannot read the reference: none.csv: No such file"),
        (["broken.parquet", "--reference", "rows.csv"], "cannot read the table: broken.parquet: "),
        (["profile.json", "--reference", "rows.csv"], "a profile has no rows: profile.json: "),
        (["ids.csv", "--reference", "rows.csv"], "the table has no features: ids.csv: "),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    given: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("amount\n1\n2\n")
    Path("ids.csv").write_text("request_id\na\nb\n")
    Path("broken.parquet").write_text("PAR1")
    Path("profile.json").write_text('{"schema": "mlwatch.profile/1"}')
    assert main(["drift", *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mlwatch: {said}")
    assert error.count("\n") == 1
