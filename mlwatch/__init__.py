"""Watch machine-learning models in production: prediction logs in, one verdict out, live.

```python
import mlwatch

with mlwatch.open("logs/") as watch:
    document = watch.snapshot().to_dict()
    windows = watch.frame("windows")

moved = mlwatch.drift("today.parquet", reference="training.parquet").to_dict()
```
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlwatch.errors import MlwatchError

if TYPE_CHECKING:
    from mlwatch.session import Session
    from mlwatch.snapshot.table_drift import TableDrift

__version__ = "0.1.0"
__all__ = ["MlwatchError", "__version__", "drift", "open"]


def open(  # noqa: A001  reads best where it is used: mlwatch.open("logs/")
    path: str | Path,
    *,
    config: str | Path | None = None,
    db: str | Path | None = None,
    reference: str | Path | None = None,
    model: str | None = None,
    baseline: str | None = None,
    candidate: str | None = None,
) -> Session:
    """Open a log directory and take in everything that is in it now.

    Args:
        path: A directory of prediction logs, or one file, or `kafka://BROKER:9092/TOPIC`.
        config: Configuration file; `mlwatch.toml` in the directory otherwise.
        db: Store file, or `:memory:`; one a directory in the user's state directory otherwise.
        reference: Data that drift is measured against; `reference.*` in the directory otherwise.
        model: Only this model.
        baseline: The version in service; the oldest otherwise.
        candidate: The version under test; the newest that still gets traffic otherwise.

    Returns:
        A session: `snapshot()`, `frame(name)`, `query(sql)`; a context manager, closed by `close()` without one.

    Raises:
        MlwatchError: with one line that says what is wrong, where, and what to do.
    """
    from mlwatch.paths import place  # noqa: PLC0415  not for the version alone
    from mlwatch.session import Options, Session  # noqa: PLC0415  pulls DuckDB

    where: Path | Literal[":memory:"] | None = None
    if db is not None:
        where = ":memory:" if str(db) == ":memory:" else Path(db)
    directory, topics = place(str(path)) if isinstance(path, str) else (Path(path), None)
    session = Session(
        Options(
            path=directory,
            topics=topics,
            config=Path(config) if config is not None else None,
            db=where,
            reference=Path(reference) if reference is not None else None,
            model=model,
            baseline=baseline,
            candidate=candidate,
        )
    )
    try:
        session.ingest_all()
        session.need_model()
    except BaseException:
        session.stop()
        raise
    return session


def drift(
    table: str | Path, *, reference: str | Path | None = None, config: str | Path | None = None
) -> TableDrift:
    """Compare a table with another: how far each column moved, without logs or a store.

    Args:
        table: Parquet, CSV or JSON.
        reference: The same, or a saved profile; the configured one, or the one beside the table otherwise.
        config: Configuration file; `mlwatch.toml` beside the table otherwise.

    Returns:
        Data quality and drift by column; `to_dict()` gives what `mlwatch drift --format json` prints.

    Raises:
        MlwatchError: with one line that says what is wrong, where, and what to do.
    """
    from mlwatch.snapshot.table_drift import table_drift  # noqa: PLC0415  pulls DuckDB and NumPy

    before = Path(reference) if reference is not None else None
    return table_drift(Path(table), before, Path(config) if config is not None else None)
