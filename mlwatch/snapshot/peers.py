"""Drift as Evidently or NannyML would report it, from the raw rows of reference and logs; see `metrics.compat`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlwatch.metrics import compat
from mlwatch.metrics.multivariate import frequencies, reconstruction
from mlwatch.snapshot.reference import period
from mlwatch.snapshot.span import naive
from mlwatch.sources.sql import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from mlwatch.snapshot.read import Life
    from mlwatch.snapshot.types import Snapshot, TimeRange

    Window = tuple[Any, Any]

Peer = Literal["evidently", "nannyml"]
METHOD = "jensen_shannon"
"""NannyML's default for numbers and for categories."""


@dataclass(frozen=True, slots=True)
class Side:
    """Rows of one side: a relation with the features' columns, and which of its rows."""

    relation: str
    where: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Column:
    """A feature as it is stored."""

    name: str
    column: str
    kind: Literal["numeric", "categorical"]


def as_peer(
    connection: DuckDBPyConnection, snapshot: Snapshot, peer: Peer, *, given: bool, window: Window | None
) -> dict[str, Any]:
    """Return what a peer says of each version, as it stands in the document.

    Args:
        connection: Of this thread; has the raw reference as the table `given`, if that is said.
        snapshot: Models and range.
        peer: Which.
        given: Compare with the reference file, else with the period of the logs that the snapshot names.
        window: `[reference] window`.
    """
    found: dict[str, Any] = {}
    limits = snapshot.range
    if limits is None:
        return {"as": peer, "models": found}
    for model in snapshot.models.values():
        reference = Side("given", "TRUE", {}) if given else _in_logs(connection, model.name, snapshot, window)
        columns = list(_columns(connection, model.name))
        found[model.name] = {
            name: _version(connection, peer, columns, reference, _live(model.name, name, limits))
            for name in model.versions
        }
    return {"as": peer, "models": found}


SAMPLE = 20_000
"""Most rows of either side that features are looked at together with."""


def multivariate(
    connection: DuckDBPyConnection, snapshot: Snapshot, *, given: bool, window: Window | None
) -> dict[str, Any]:
    """Return how far all features together moved, of each version, as it stands in the document; see `as_peer`."""
    found: dict[str, Any] = {}
    limits = snapshot.range
    for model in snapshot.models.values() if limits is not None else ():
        reference = Side("given", "TRUE", {}) if given else _in_logs(connection, model.name, snapshot, window)
        columns = list(_columns(connection, model.name))
        found[model.name] = {
            name: _together(connection, columns, reference, _live(model.name, name, limits))
            for name in model.versions
            if limits is not None
        }
    return found


def _together(
    connection: DuckDBPyConnection, columns: Sequence[Column], reference: Side | None, live: Side
) -> dict[str, Any]:
    if reference is None:
        return {"error": None, "reason": "no reference"}
    present = _present(connection, reference.relation)
    sides = []
    for one in columns:
        if one.column in present:
            before, after = (_raw(connection, one, side, SAMPLE) for side in (reference, live))
            sides.append((before, after) if one.kind == "numeric" else frequencies(before, after))
    if not sides:
        return {"error": None, "reason": "no feature in common"}
    result = reconstruction(*(np.column_stack(side) for side in zip(*sides, strict=True)))
    if result is None:
        return {"error": None, "reason": "fewer than 200 rows, or fewer than two features that vary"}
    return {**asdict(result), "drifted": result.drifted, "method": "PCA reconstruction error"}


def _columns(connection: DuckDBPyConnection, model: str) -> Iterator[Column]:
    rows = connection.execute(
        """SELECT name, column_name, kind FROM features JOIN model_features USING (feature)
        WHERE model = ? ORDER BY features.feature""",
        [model],
    ).fetchall()
    return (Column(*row) for row in rows)


def _live(model: str, version: str, limits: TimeRange) -> Side:
    return Side(
        "predictions",
        "model = $model AND version = $version AND NOT failed AND ts >= $start AND ts < $end",
        {"model": model, "version": version, "start": naive(limits.start), "end": naive(limits.end)},
    )


def _in_logs(
    connection: DuckDBPyConnection, model: str, snapshot: Snapshot, window: Window | None
) -> Side | None:
    """Return the rows of the logs that stand in for a reference; None without a baseline."""
    from mlwatch.snapshot.read import lives  # noqa: PLC0415  beside what uses it

    names = [name for name, version in snapshot.models[model].versions.items() if version.role == "baseline"]
    found: list[Life] = [
        life for life in lives(connection) if life.pair.model == model and life.pair.version in names
    ]
    chosen = period(found[0] if found else None, window)
    if chosen is None:
        return None
    return Side("predictions", f"NOT failed AND {chosen.condition.replace('bucket', 'ts')}", chosen.values)


def _version(
    connection: DuckDBPyConnection, peer: Peer, columns: Sequence[Column], reference: Side | None, live: Side
) -> dict[str, Any]:
    if reference is None:
        return {"columns": {}, "drifted": None, "reason": "no reference"}
    present = _present(connection, reference.relation)
    said = {
        one.name: _said(peer, one, _raw(connection, one, reference), _raw(connection, one, live))
        for one in columns
        if one.column in present
    }
    if peer == "nannyml":
        return {"columns": said, "drifted": None, "reason": "NannyML decides by column and chunk"}
    judged = [one["drifted"] for one in said.values() if one["drifted"] is not None]
    return {"columns": said, "drifted": compat.evidently_dataset(judged)}


def _present(connection: DuckDBPyConnection, relation: str) -> set[str]:
    described = connection.execute(f"FROM {relation} LIMIT 0").description
    return {str(column[0]) for column in described or ()}


def _raw(connection: DuckDBPyConnection, one: Column, side: Side, most: int | None = None) -> NDArray[Any]:
    """Return a column in order of time: for the reference, of its rows where it has no time.

    Args:
        connection: Has the relation.
        one: The column.
        side: Which rows.
        most: Thin the rows out evenly to about so many, the same ones of every column.
    """
    order = "ts NULLS LAST, rowid"
    thinned = ""
    if most is not None:
        thinned = (
            f"QUALIFY row_number() OVER (ORDER BY {order}) % GREATEST(1, COUNT(*) OVER () // {most}) = 0"
        )
    rows = connection.execute(
        f"SELECT {identifier(one.column)} AS x FROM {side.relation} WHERE {side.where} {thinned} ORDER BY {order}",
        dict(side.values),
    ).fetchnumpy()["x"]
    if one.kind == "numeric":
        return np.asarray(np.ma.filled(np.ma.asarray(rows, dtype=float), np.nan))
    # `filled(None)` would put in NumPy's own filling, a text that looks like a category
    texts: np.ma.MaskedArray[Any, Any] = np.ma.asarray(rows, dtype=object)
    found = np.array(np.ma.getdata(texts), dtype=object)
    found[np.ma.getmaskarray(texts)] = None
    return found


def _said(peer: Peer, one: Column, before: NDArray[Any], after: NDArray[Any]) -> dict[str, Any]:
    try:
        return _nannyml(one, before, after) if peer == "nannyml" else _evidently(one, before, after)
    except (ValueError, IndexError) as error:
        return {"method": None, "score": None, "threshold": None, "drifted": None, "reason": str(error)}


def _evidently(one: Column, before: NDArray[Any], after: NDArray[Any]) -> dict[str, Any]:
    found = compat.evidently(before, after, one.kind)
    return {
        "method": found.method,
        "score": found.score,
        "threshold": found.threshold,
        "drifted": found.drifted,
    }


def _nannyml(one: Column, before: NDArray[Any], after: NDArray[Any]) -> dict[str, Any]:
    """Return each chunk, of as many rows as a tenth of the reference, and whether any alerts."""
    if not len(before) or not len(after):
        raise ValueError("drift needs values on both sides")
    fitted = compat.NannyML(METHOD, before, one.kind)
    size = max(1, len(before) // compat.CHUNKS)
    chunks = [fitted.drift(after[start : start + size]) for start in range(0, len(after), size)]
    return {
        "method": METHOD,
        "score": fitted.distance(after),
        "threshold": fitted.threshold,
        "drifted": any(chunk.drifted for chunk in chunks),
        "chunks": [{"score": chunk.score, "alert": chunk.drifted} for chunk in chunks],
    }
