"""Snapshots and stored rows as pandas tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError
from mlwatch.store.outcomes import CURRENT_LABEL, label_joins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.types import Snapshot, Version, Window

LABELLED = f"""SELECT p.* EXCLUDE (h) REPLACE (COALESCE({CURRENT_LABEL}, p.label) AS label)
    FROM predictions AS p {label_joins("p", "p.model")}
    WHERE COALESCE(p.model = $model, TRUE) ORDER BY p.ts"""  # noqa: S608  made of constants
TABLES = {
    "predictions": LABELLED,
    # a label or an event need not name its model
    "outcomes": "SELECT * EXCLUDE (h, came) FROM outcomes WHERE COALESCE(model IN ($model, ''), TRUE) ORDER BY ts",
    "events": "SELECT * EXCLUDE (h, any_model) FROM events WHERE COALESCE(model IN ($model, ''), TRUE) ORDER BY ts",
    "files": "SELECT path, format, state, records, rejected, offset_bytes, reason FROM files WHERE state <> 'replaced'",
    "quarantine": "SELECT * FROM quarantine ORDER BY seen_at, file, line",
}


def frame(
    connection: DuckDBPyConnection, snapshot: Callable[[], Snapshot], name: str, model: str | None = None
) -> pd.DataFrame:
    """Return a table.

    Args:
        connection: For stored rows.
        snapshot: Gives the snapshot for computed ones.
        name: `windows`, `versions`, `features`, or a stored table: `predictions`, `outcomes`, `events`, `files`,
            `quarantine`. Times are UTC without zone in stored tables, with zone in computed ones.
            Numbers that there are none of are NaN.
        model: Only what is of this model; None for all.

    Raises:
        InputError: for another name.
    """
    import pandas as pd  # noqa: PLC0415  dear to import

    computed = {"windows": _windows, "versions": _versions, "features": _features}
    if name in computed:
        return _typed(pd.DataFrame(list(computed[name](snapshot()))))
    if name in TABLES:
        sql = TABLES[name]
        found: pd.DataFrame = connection.execute(sql, {"model": model} if "$model" in sql else None).df()
        return found
    known = ", ".join([*computed, *TABLES])
    raise InputError("no such table", name, f"one of {known}")


WORDS = frozenset({"model", "version", "role", "feature", "kind", "drifted"})
"""Columns of computed tables that are no numbers."""
TIMES = frozenset({"first", "last", "start", "end"})


def _typed(found: pd.DataFrame) -> pd.DataFrame:
    """Give each column the type of its values where it has none: pandas knows none of a column of nothing."""
    types = {
        name: "datetime64[us, UTC]" if name in TIMES else "float64"
        for name, kind in found.dtypes.items()
        if kind.kind == "O" and name not in WORDS
    }
    return found.astype(types)


def _pairs(snapshot: Snapshot) -> Iterable[tuple[dict[str, Any], Version]]:
    for model in snapshot.models.values():
        for version in model.versions.values():
            yield {"model": model.name, "version": version.name, "role": version.role}, version


def _versions(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    for keys, version in _pairs(snapshot):
        yield {
            **keys,
            "predictions": version.predictions,
            "labelled": version.labelled,
            "first": version.first,
            "last": version.last,
            **{name: found.value for name, found in version.performance.items()},
            "latency_mean_ms": version.latency.mean,
            "latency_p50_ms": version.latency.p50,
            "latency_p95_ms": version.latency.p95,
            "latency_p99_ms": version.latency.p99,
            "throughput_per_s": version.throughput_per_s,
            "error_rate": version.errors.rate,
            "missing_rate": version.quality.missing_rate,
            "drifted_share": version.quality.drifted_share,
            "conversion": version.business.conversion.value,
            "engagement": version.business.engagement.value,
            **_kinds(version),
            "revenue": _total(version),
            "maturity": version.maturity,
        }


def _total(each: Version | Window) -> float | None:
    return each.business.revenue.told(each.business.revenue.total)


def _kinds(each: Version | Window) -> dict[str, float | None]:
    """Return the engagements by kind, named as rules do: shares of predictions and means of values."""
    found: dict[str, float | None] = {}
    for kind, one in each.business.kinds.items():
        found[f"engagement.{kind}"] = one.share.value
        found[f"engagement_value.{kind}"] = one.value.value if one.value is not None else None
    return found


def _windows(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    for keys, version in _pairs(snapshot):
        for window in version.windows:
            yield {
                **keys,
                "start": window.start,
                "end": window.end,
                "predictions": window.predictions,
                "labelled": window.labelled,
                **{name: found.value for name, found in window.performance.items()},
                "latency_p50_ms": window.latency.p50,
                "latency_p95_ms": window.latency.p95,
                "error_rate": window.errors.rate,
                "missing_rate": window.missing_rate,
                "drift": window.drift,
                **{f"text_drift_{name}": score for name, score in window.text_drift.items()},
                "conversion": window.business.conversion.value,
                "engagement": window.business.engagement.value,
                **_kinds(window),
                "revenue": _total(window),
                "maturity": window.maturity,
            }


def _features(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    for keys, version in _pairs(snapshot):
        for name, feature in version.quality.features.items():
            drift = feature.drift
            yield {
                **keys,
                "feature": name,
                "kind": feature.kind,
                "n": feature.n,
                "missing": feature.missing,
                "missing_rate": feature.missing_rate,
                "invalid": feature.invalid,
                "unseen": feature.unseen,
                "out_of_range": feature.out_of_range,
                "score": drift.score if drift else None,
                "psi": drift.psi if drift else None,
                "drifted": drift.drifted if drift else None,
            }
