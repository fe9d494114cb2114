"""Drift of one table against another: what a snapshot says of a version's data, without logs or a store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlwatch.config import discover, load
from mlwatch.errors import InputError
from mlwatch.paths import refuse_url
from mlwatch.snapshot.features import feature_infos, missing_rate, policy_of, quality
from mlwatch.snapshot.finite import finite
from mlwatch.snapshot.label_drift import drift_of, labels_there
from mlwatch.snapshot.quality_document import quality_document
from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.reference import reference_counts, with_values
from mlwatch.snapshot.repeats import Repeats
from mlwatch.store import reference as references
from mlwatch.store import rollups
from mlwatch.store.database import open_without_logs
from mlwatch.store.registry import Registry
from mlwatch.store.table_counts import count

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.metrics.drift import Policy
    from mlwatch.snapshot.features import FeatureInfo
    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.types import LabelDrift, Quality, Task

SCHEMA = "mlwatch.drift/1"


@dataclass(frozen=True, slots=True)
class TableDrift:
    """How far a table moved from its reference."""

    current: str
    """Name of the table, as is the next."""
    reference: str
    rows: int
    quality: Quality

    def to_dict(self) -> dict[str, Any]:
        """Return what is printed as JSON: the data quality is that of a version in `mlwatch.report/1`."""
        found: dict[str, Any] = finite(
            {
                "schema": SCHEMA,
                "current": self.current,
                "reference": self.reference,
                "rows": self.rows,
                **quality_document(self.quality),
            }
        )
        return found


def table_drift(current: Path, reference: Path | None = None, config: Path | None = None) -> TableDrift:
    """Compare a table with another, or with a profile of it.

    Args:
        current: Parquet, CSV or JSON.
        reference: The same, or a profile; else the one that the configuration names or that lies beside the table.
        config: Configuration file; `mlwatch.toml` beside the table otherwise.

    Raises:
        InputError: when one cannot be read, or there is no reference.
    """
    if not current.is_file():
        refuse_url(current)
        what = "is a directory" if current.is_dir() else "no such file"
        raise InputError(what, str(current), "name a table: Parquet, CSV or JSON")
    settings = load(config or discover(current.parent))
    before = references.find(current.parent, settings, reference)
    if before is None:
        raise InputError(
            "nothing to compare with", str(current), "name a table or a profile with --reference"
        )
    opened = open_without_logs()
    try:
        connection = opened.connection
        # a table is asked for one column after the other
        connection.execute("SET parquet_metadata_cache = true")
        registry = Registry(connection)
        references.install(connection, registry, before, settings, once=True)
        rows, repeated = count(connection, registry, current, settings)
        counts = fetch(connection, "SELECT *, 0 AS w FROM table_counts")
        known = reference_counts(connection, None, parted=settings.drift.sigmas is not None)
        infos, policy = feature_infos(connection), policy_of(settings.drift)
        expected = with_values(known) if known is not None else set()
        found = quality(counts, infos, known, expected, policy, settings.drift.sigmas)
        found = replace(
            found,
            missing_rate=missing_rate(
                found.features.values()
            ),  # a table has no time in which a feature begins
            label_drift=_label_drift(connection, infos[rollups.LABEL], counts, policy, settings.drift.sigmas),
            repeats=Repeats(rows, repeated, times=0),
        )
        described = known.description if known is not None else before.name
        return TableDrift(current.name, described, rows, found)
    finally:
        opened.close()


def _label_drift(
    connection: DuckDBPyConnection, info: FeatureInfo, counts: Table, policy: Policy, sigmas: float | None
) -> LabelDrift:
    """Return how far the labels moved: numbers where those of the reference are, else classes."""
    task: Task = "regression" if info.binned else "multiclass"
    there = labels_there(connection, task, None, info, policy, sigmas)
    return drift_of(task, there, fetch(connection, "FROM table_labels"), counts, info, policy)
