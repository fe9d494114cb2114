"""What training runs measured, from the Parquet files that neptune-exporter wrote of them.

Neptune's hosted service ended in March 2026. Its exporter keeps a row for each value of an attribute of a run, in this
schema: https://github.com/neptune-ai/neptune-exporter#parquet-schema. Of a series the value at its last step counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlwatch.errors import one_line, reason_of
from mlwatch.systems.mlflow_registry import Entry, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from duckdb import DuckDBPyConnection

COLUMNS = (
    *("project_id", "run_id", "attribute_path", "attribute_type", "step"),
    *("int_value", "float_value", "string_value", "bool_value", "datetime_value", "string_set_value"),
)
MOST_RUNS = 100_000
MOST_VALUES = 500
"""Metrics of a run, and parameters, that are kept."""
NAMES = ("sys/custom_run_id", "sys/id", "sys/name", "sys/tags")
CREATED = "sys/creation_time"
MEASURED = frozenset({"metrics", "metric", "scores", "results", "logs"})
"""Parts of a path that say no more than that it is a metric."""
SPLITS = frozenset({"test", "val", "valid", "validation", "eval", "holdout", "train", "training"})
"""Parts that say of which data a metric is."""
OWN = ("sys/", "monitoring/", "source_code/", "runtime/")
"""What Neptune itself keeps of a run."""


class NeptuneError(Exception):
    """Why an export cannot be used, as a clause."""


@dataclass(slots=True)
class _Run:
    names: set[str] = field(default_factory=set)
    created: str = ""


def read_runs(directory: Path, versions: Iterable[str], named: Mapping[str, str]) -> dict[str, Entry]:
    """Return what is known of the runs that made some versions, by version.

    Args:
        directory: What neptune-exporter calls its data path.
        versions: Names of versions in the logs.
        named: Runs of versions where the configuration says them. Others are told by their id, name, a tag, or a
            parameter `version`; of several, the newest.

    Raises:
        NeptuneError: when there is no such export.
    """
    import duckdb  # noqa: PLC0415  only where an export is named

    if not any(directory.glob("**/*.parquet")):
        raise NeptuneError("there is no Parquet file in it: name the data path of neptune-exporter")
    connection = duckdb.connect()
    try:
        _open(connection, directory)
        runs = _runs(connection)
        found = {version: _run_of(version, named, runs) for version in versions}
        return {
            version: _entry(connection, version, run) for version, run in found.items() if run is not None
        }
    except duckdb.Error as error:
        raise NeptuneError(f"it cannot be read ({one_line(reason_of(error))[:200]})") from error
    finally:
        connection.close()


def _open(connection: DuckDBPyConnection, directory: Path) -> None:
    """Make the view `said`: a row a value.

    Raises:
        NeptuneError: when columns are missing.
    """
    pattern = f"{_plain(directory.as_posix())}/**/*.parquet".replace("'", "''")
    connection.execute(f"CREATE VIEW written AS FROM read_parquet('{pattern}', union_by_name = true)")
    known = {row[0] for row in connection.execute("DESCRIBE written").fetchall()}
    missing = [name for name in COLUMNS if name not in known]
    if missing:
        raise NeptuneError(f"it is no export of neptune-exporter: it has no column {missing[0]}")
    connection.execute(
        "CREATE VIEW said AS FROM written WHERE run_id IS NOT NULL AND attribute_path IS NOT NULL"
    )


def _plain(path: str) -> str:
    """Return a path as a pattern that matches it alone."""
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in path)


def _runs(connection: DuckDBPyConnection) -> dict[str, _Run]:
    """Return all runs, with everything that may name a version."""
    rows = connection.execute(
        """SELECT run_id, attribute_path, COALESCE(string_value, CAST(int_value AS VARCHAR)), string_set_value,
            CAST(datetime_value AS VARCHAR)
        FROM said WHERE list_contains(?, attribute_path)
            OR (attribute_type IN ('string', 'int') AND regexp_matches(attribute_path, '(^|[/_])version$'))
        LIMIT ?""",
        [[*NAMES, CREATED], MOST_RUNS * 10],
    ).fetchall()
    runs: dict[str, _Run] = {}
    for run_id, path, text, tags, time in rows:
        run = runs.setdefault(run_id, _Run({run_id}))
        if path == CREATED:
            run.created = time or text or ""
        else:
            run.names.update(name for name in (text, *(tags or ())) if name)
    for (run_id,) in connection.execute("SELECT DISTINCT run_id FROM said LIMIT ?", [MOST_RUNS]).fetchall():
        runs.setdefault(run_id, _Run({run_id}))
    return runs


def _run_of(version: str, named: Mapping[str, str], runs: Mapping[str, _Run]) -> str | None:
    """Return the run that made a version; None where none is known.

    Raises:
        NeptuneError: when the configuration names one that is not there.
    """
    wanted = named.get(version)
    if wanted is not None:
        found = [run_id for run_id, run in runs.items() if wanted in run.names]
        if not found:
            raise NeptuneError(f"it has no run {wanted}, which [training] runs names for {version}")
    else:
        found = [run_id for run_id, run in runs.items() if any(is_same(version, name) for name in run.names)]
    return max(found, key=lambda run_id: (runs[run_id].created, run_id), default=None)


def _entry(connection: DuckDBPyConnection, version: str, run_id: str) -> Entry:
    series = connection.execute(
        """SELECT attribute_path, arg_max(float_value, step) FILTER (isfinite(float_value)) FROM said
        WHERE run_id = ? AND attribute_type = 'float_series' GROUP BY ALL ORDER BY ALL LIMIT ?""",
        [run_id, MOST_VALUES],
    ).fetchall()
    single = connection.execute(
        """SELECT attribute_path, attribute_type, COALESCE(float_value, int_value),
            COALESCE(string_value, CAST(int_value AS VARCHAR), CAST(float_value AS VARCHAR),
                CAST(bool_value AS VARCHAR))
        FROM said WHERE run_id = ? AND attribute_type IN ('float', 'int', 'string', 'bool')
        ORDER BY ALL LIMIT ?""",
        [run_id, MOST_VALUES],
    ).fetchall()
    scores = [
        (path, value) for path, kind, value, _ in single if kind in {"float", "int"} and _is_metric(path)
    ]
    metrics = {
        metric_name(path): value
        for path, value in (*scores, *series)
        if value is not None and math.isfinite(value) and not path.startswith(OWN)
    }
    params = {path: text for path, _, _, text in single if text is not None and not path.startswith(OWN)}
    return Entry(version, run_id, metrics=metrics, params=params)


def _is_metric(path: str) -> bool:
    """Tell a final score from a parameter: both are single numbers."""
    return not (MEASURED | SPLITS).isdisjoint(path.lower().split("/")[:-1])


def metric_name(path: str) -> str:
    """Return the name of a metric as other trackers write it: `metrics/val/accuracy` is `val_accuracy`."""
    parts = [part for part in path.split("/") if part.lower() not in MEASURED] or [path]
    return "_".join("val" if part.lower() == "valid" else part for part in parts)
