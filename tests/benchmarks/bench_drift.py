"""Measure drift of one table against another, each way in a process of its own.

`python tests/benchmarks/bench_drift.py WAY REFERENCE CURRENT` prints one JSON object: wall and CPU seconds and the
most memory in MB. WAY is `file` (the drift report of two Parquet files), `rollups` (drift of all features from what the
store has counted; `ms` is the median of several), `evidently` or `nannyml`, which print `{}` where not installed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 9


def tables(directory: Path, rows: int, features: int, reference_rows: int) -> tuple[Path, Path]:
    """Make a reference and a current table of which every third feature has moved; return their paths."""
    import duckdb

    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, n, shift in (("reference", reference_rows, 0.0), ("current", rows, 0.5)):
        path = directory / f"{name}-{n}x{features}.parquet"
        paths.append(path)
        if path.exists():
            continue
        columns = ", ".join(
            f"sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random()) + {shift if i % 3 == 0 else 0} AS f{i}"
            for i in range(features)
        )
        with duckdb.connect() as connection:
            connection.execute(
                f"""COPY (SELECT TIMESTAMP '2026-11-01' + INTERVAL (i * 80000 // {n}) SECOND AS timestamp,
                    CAST(i % 2 AS INTEGER) AS prediction, {columns} FROM range({n}) AS t(i)) TO '{path}'
                    (ROW_GROUP_SIZE 20_000)"""
            )
    return paths[0], paths[1]


def by_file(reference: Path, current: Path) -> dict[str, float]:
    """Compare the two files, as `mlwatch drift` does."""
    from mlwatch.snapshot.table_drift import table_drift

    json.dumps(table_drift(current, reference).to_dict())
    return {}


def by_rollups(reference: Path, current: Path) -> dict[str, float]:
    """Compare what has been counted, again and again."""
    from datetime import timedelta

    from mlwatch.metrics.drift import Policy
    from mlwatch.session import Options, Session
    from mlwatch.snapshot import features
    from mlwatch.snapshot.read import lives, number_pairs, read
    from mlwatch.snapshot.reference import reference_counts
    from mlwatch.snapshot.span import grid
    from mlwatch.store import rollups

    with Session(Options(current, db=":memory:", reference=reference)) as session:
        session.ingest_all()
        connection = session.connection
        (life,) = lives(connection)
        number_pairs(connection, [life.pair])
        lattice = grid(life.first, life.last + timedelta(seconds=1), None, None)
        taken = []
        for _ in range(TIMES):
            began = time.perf_counter()
            rows = read(connection, rollups.FEATURES, lattice, whole=True)
            infos, known = features.feature_infos(connection), reference_counts(connection, life)
            found = features.quality(rows, infos, known, set(), Policy())
            taken.append(1000 * (time.perf_counter() - began))
        drifted = sum(bool(one.drift and one.drift.drifted) for one in found.features.values())
    return {"ms": median(taken), "drifted": float(drifted)}


def by_evidently(reference: Path, current: Path) -> dict[str, float]:
    """Run the preset for drift."""
    import pandas as pd
    from evidently import Report  # type: ignore[import-not-found]
    from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

    before, after = (pd.read_parquet(path).filter(like="f") for path in (reference, current))
    Report([DataDriftPreset()]).run(after, before).json()
    return {}


def by_nannyml(reference: Path, current: Path) -> dict[str, float]:
    """Run the univariate calculator over twenty chunks."""
    import nannyml as nml  # type: ignore[import-not-found]
    import pandas as pd

    before, after = (pd.read_parquet(path).filter(like="f") for path in (reference, current))
    methods = ["jensen_shannon", "kolmogorov_smirnov"]
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(before.columns), continuous_methods=methods, chunk_number=20
    )
    calculator.fit(before)
    calculator.calculate(after).to_df()
    return {}


WAYS: dict[str, Callable[[Path, Path], dict[str, float]]] = {
    "file": by_file,
    "rollups": by_rollups,
    "evidently": by_evidently,
    "nannyml": by_nannyml,
}


def main() -> None:
    """Measure one way."""
    way, reference, current = sys.argv[1:]
    began = time.perf_counter()
    try:
        more: dict[str, Any] = WAYS[way](Path(reference), Path(current))
    except ImportError:
        sys.stdout.write("{}\n")
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "wall": time.perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "mb": used.ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps({**measured, **more}) + "\n")


if __name__ == "__main__":
    main()
