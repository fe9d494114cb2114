"""Exports after the published schema of neptune-exporter: what the training runs measured beside what is live."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mlwatch
from mlwatch.cli import main
from mlwatch.faces.html import html
from mlwatch.faces.rows import rows_of
from mlwatch.systems.neptune import NeptuneError, metric_name, read_runs

LOGS = Path(__file__).resolve().parents[3] / "sample_logs"

SCHEMA = pa.schema(  # https://github.com/neptune-ai/neptune-exporter#parquet-schema
    [
        *((name, pa.string()) for name in ("project_id", "run_id", "attribute_path", "attribute_type")),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct(
                [("type", pa.string()), ("edges", pa.list_(pa.float64())), ("values", pa.list_(pa.float64()))]
            ),
        ),
    ]
)


def said(run: str, path: str, kind: str, **value: Any) -> dict[str, Any]:
    return {
        "project_id": "lab/flights",
        "run_id": run,
        "attribute_path": path,
        "attribute_type": kind,
        **value,
    }


def series(run: str, path: str, *values: float) -> list[dict[str, Any]]:
    """Return a series whose rows are not in the order of its steps."""
    rows = [
        said(
            run, path, "float_series", float_value=value, step=Decimal(step),
            timestamp=datetime(2026, 10, 1, tzinfo=UTC),
        )
        for step, value in enumerate(values)
    ]  # fmt: skip
    return rows[::-1]


def write(directory: Path, run: str, rows: list[dict[str, Any]], part: int = 0) -> None:
    project = directory / "lab_flights-0123456789abcdef"
    project.mkdir(parents=True, exist_ok=True)
    file = project / f"{run}-fedcba9876543210_part_{part}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file, compression="snappy")


def created(run: str, day: int) -> dict[str, Any]:
    return said(run, "sys/creation_time", "datetime", datetime_value=datetime(2026, 10, day, tzinfo=UTC))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Three runs: one named v1, two with the tag v2, of which the later has two parts."""
    directory = tmp_path / "exports" / "data"
    write(
        directory,
        "FLI-1",
        [
            created("FLI-1", 1),
            said("FLI-1", "sys/name", "string", string_value="v1"),
            said("FLI-1", "metrics/test/accuracy", "float", float_value=0.897),
            said("FLI-1", "parameters/learning_rate", "float", float_value=0.1),
        ],
    )
    write(
        directory,
        "FLI-2",
        [
            created("FLI-2", 2),
            said("FLI-2", "sys/tags", "string_set", string_set_value=["canary", "v2"]),
            *series("FLI-2", "metrics/val/accuracy", 0.1, 0.2),
        ],
    )
    write(
        directory,
        "FLI-3",
        [
            created("FLI-3", 3),
            said("FLI-3", "sys/tags", "string_set", string_set_value=["v2"]),
            said("FLI-3", "parameters/depth", "int", int_value=6),
            said("FLI-3", "model/frozen", "bool", bool_value=True),
            *series("FLI-3", "monitoring/cpu", 1.0, 2.0),
        ],
    )
    more = [
        *series("FLI-3", "metrics/val/accuracy", 0.5, 0.901, float("nan")),
        *series("FLI-3", "loss", 1.0, 0.3),
    ]
    write(directory, "FLI-3", more, part=1)
    return directory


def test_runs_are_told_by_name_and_tag_and_series_end_with_their_last_step(export: Path) -> None:
    found = read_runs(export, ["v1", "v2", "v3"], {})
    assert {version: entry.run_id for version, entry in found.items()} == {"v1": "FLI-1", "v2": "FLI-3"}
    assert found["v1"].metrics == {"test_accuracy": 0.897}
    assert found["v1"].params == {"metrics/test/accuracy": "0.897", "parameters/learning_rate": "0.1"}
    assert found["v2"].metrics == {"val_accuracy": 0.901, "loss": 0.3}
    assert found["v2"].params == {"parameters/depth": "6", "model/frozen": "true"}
    assert (found["v1"].in_training("accuracy"), found["v2"].in_training("accuracy")) == (0.897, 0.901)


def test_the_configuration_names_runs(export: Path) -> None:
    assert read_runs(export, ["v2"], {"v2": "FLI-2"})["v2"].metrics == {"val_accuracy": 0.2}
    with pytest.raises(NeptuneError, match="no run FLI-9, which"):
        read_runs(export, ["v2"], {"v2": "FLI-9"})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("metrics/val/accuracy", "val_accuracy"),
        ("test/roc_auc", "test_roc_auc"),
        ("valid/f1", "val_f1"),
        ("accuracy", "accuracy"),
        ("metrics", "metrics"),
    ],
)
def test_names_of_metrics_are_those_of_other_trackers(path: str, name: str) -> None:
    assert metric_name(path) == name


def logs_with(tmp_path: Path, more: str) -> Path:
    logs = tmp_path / "logs"
    for kind in ("predictions", "labels"):
        (logs / kind).mkdir(parents=True)
        shutil.copy(LOGS / kind / "2026-11-03T18.jsonl", logs / kind)
    (logs / "mlwatch.toml").write_text(f"[training]\n{more}\n")
    return logs


def test_training_is_a_reference_line_and_the_export_is_no_log(export: Path, tmp_path: Path) -> None:
    logs = logs_with(tmp_path, 'neptune = "exports"')
    shutil.copytree(export, logs / "exports" / "data")
    with mlwatch.open(logs, db=":memory:") as watch:
        snapshot = watch.snapshot()
    assert snapshot.ingest.files == 2
    assert "training" not in {alert.rule for alert in snapshot.alerts}
    versions = snapshot.models["flight-delay"].versions
    rows = {row.name: row.cells for row in rows_of(list(versions.values()))}
    assert rows["Val accuracy, in training"] == ["n/a", "0.901"]
    assert rows["Test accuracy, in training"] == ["0.897", "n/a"]
    made = snapshot.to_dict()["provenance"]["training"]
    assert made == "Neptune export: v1 is run FLI-1; v2 is run FLI-3"
    assert "0.901 v2 in training" in html(snapshot)


@pytest.mark.deep
@pytest.mark.usual(1)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no Parquet file in it: name the data path of neptune-exporter"),
        (b"PAR1 and nothing else", "it cannot be read ("),
        (pa.table({"run_id": ["a"]}), "it is no export of neptune-exporter: it has no column project_id"),
    ],
)
def test_an_export_that_cannot_be_used_is_one_alert(
    content: Any, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "it's [here]"
    directory.mkdir()
    if isinstance(content, bytes):
        (directory / "a.parquet").write_bytes(content)
    elif content is not None:
        pq.write_table(content, directory / "a.parquet")
    logs = logs_with(tmp_path, f'neptune = "{directory}"')
    with mlwatch.open(logs, db=":memory:") as watch:
        (alert,) = [alert for alert in watch.snapshot().alerts if alert.rule == "training"]
    assert alert.message.startswith(f"the Neptune export {directory} is not used: {reason}")
    assert main(["report", str(logs), "--db", ":memory:", "--format", "md"]) == 0
    assert "the Neptune export" in capsys.readouterr().out
