"""Everything that is known about one record: its features against the reference, its outcome, its events."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mlwatch.asking import first_row
from mlwatch.records.fields import LABEL, ROLES
from mlwatch.sources.sql import identifier
from mlwatch.store import rollups
from mlwatch.store.outcomes import label_joins
from mlwatch.store.profiles import value_in_force
from mlwatch.store.rollup import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

State = Literal["", "missing", "invalid", "unseen", "below", "above", "rare"]
"""What is notable about a value: empty for nothing, `below` and `above` the range of the reference."""
RARE = 0.01
"""Share of the reference below which a category, or a bin of numbers, counts as rare."""
MISSING = -1
MOST_EVENTS = 100


@dataclass(frozen=True, slots=True)
class FeatureFact:
    """One feature of a record, beside the reference."""

    name: str
    kind: Literal["numeric", "categorical"]
    value: float | str | None
    state: State = ""
    share: float | None = None
    """Share of the reference's values in the same bin or category."""
    low: float | None = None
    """Share of the reference below the value's bin: the value's quantile is between this and `high`."""
    high: float | None = None
    """Share of the reference below the bin's end."""
    range: tuple[float, float] | None = None
    """Least and greatest value of the reference."""


@dataclass(frozen=True, slots=True)
class EventFact:
    """A business event of a record's request."""

    kind: str
    means: str
    """`conversion`, `engagement`, `refund`, `revenue` or `other`."""
    value: float | None
    currency: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One record in full. Times are aware."""

    row: int
    roles: Mapping[str, Any]
    """Fields by name: those of `fields.ROLES`."""
    label_at: datetime | None
    """When the label was known, where an outcome record brought it."""
    features: tuple[FeatureFact, ...]
    events: tuple[EventFact, ...]
    reference: str
    """What the features are compared with, in words."""

    def document(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        return {
            **{name: _plain(value) for name, value in self.roles.items()},
            "label_at": _plain(self.label_at),
            "features": {fact.name: _plain(fact.value) for fact in self.features},
            "events": [
                {
                    "event": event.kind, "class": event.means, "value": _plain(event.value),
                    "currency": event.currency, "timestamp": _plain(event.at),
                }
                for event in self.events
            ],
        }  # fmt: skip


def detail(connection: DuckDBPyConnection, row: int) -> Detail | None:
    """Return a record by the number of its row; None when it is no longer stored."""
    shown = ", ".join(field.sql for field in ROLES)
    found = first_row(
        connection,
        f"""SELECT p.h, p.invalid, COALESCE(GREATEST(own.ts, loose.ts), own.ts, loose.ts), {shown}
        FROM predictions AS p {label_joins("p", "p.model")} WHERE p.rowid = ?""",
        [row],
    )
    if found is None:
        return None
    key, invalid, label_at, *values = found
    roles = dict(zip((field.name for field in ROLES), values, strict=True))
    roles["time"] = _aware(roles["time"])
    name, counts = _reference(connection, str(roles["model"]))
    return Detail(
        row=row,
        roles=roles,
        label_at=_aware(label_at) if roles[LABEL.name] is not None else None,
        features=_features(connection, row, str(roles["model"]), str(invalid or ""), counts),
        events=_events(connection, key, roles["id"], str(roles["model"])),
        reference=name,
    )


Counts = dict[int, dict[int, int]]
"""Values of the reference by feature and bin."""


def _reference(connection: DuckDBPyConnection, model: str) -> tuple[str, Counts]:
    named = value_in_force(connection, "reference_name")
    if named is not None:
        rows = connection.execute("SELECT feature, bin, n FROM reference").fetchall()
        return f"the reference {named}", _by_feature(rows)
    rows = connection.execute(
        f"SELECT feature, bin, SUM(n) FROM {rollups.FEATURES.table(DAY)} WHERE model = ? GROUP BY 1, 2",
        [model],
    ).fetchall()
    return f"all records of {model}, for want of a reference", _by_feature(rows)


def _by_feature(rows: list[tuple[int, int, int]]) -> Counts:
    counts: Counts = {}
    for feature, code, n in rows:
        counts.setdefault(feature, {})[code] = int(n)
    return counts


def _features(
    connection: DuckDBPyConnection, row: int, model: str, invalid: str, counts: Counts
) -> tuple[FeatureFact, ...]:
    known = connection.execute(
        """SELECT f.feature, f.name, f.column_name, f.kind, b.edges, b.feature IS NOT NULL
        FROM features AS f JOIN model_features AS m ON m.feature = f.feature AND m.model = ?
        LEFT JOIN bins AS b ON b.feature = f.feature ORDER BY f.feature""",
        [model],
    ).fetchall()
    if not known:
        return ()
    columns = ", ".join(f"p.{identifier(column)}" for _, _, column, *_ in known)
    values = first_row(connection, f"SELECT {columns} FROM predictions AS p WHERE p.rowid = ?", [row])
    codes = dict(
        connection.execute(
            """SELECT c.feature, c.bin FROM categories AS c JOIN (
                SELECT unnest(?::INTEGER[]) AS feature, unnest(?::VARCHAR[]) AS category) AS v
            ON v.feature = c.feature AND v.category = c.category""",
            [
                [number for number, *_ in known],
                [value if isinstance(value, str) else None for value in values or ()],
            ],
        ).fetchall()
    )
    facts = []
    for (number, name, _, kind, edges, binned), value in zip(known, values or (), strict=False):
        counted = counts.get(number, {}) if binned else {}
        if f"|{number}|" in invalid:
            facts.append(FeatureFact(name, kind, value, "invalid"))
        elif value is None or value != value:  # noqa: PLR0124  NaN
            facts.append(FeatureFact(name, kind, None, "missing"))
        elif kind == "numeric":
            facts.append(numeric_fact(name, float(value), tuple(edges or ()), counted))
        else:
            facts.append(categorical_fact(name, str(value), codes.get(number), counted))
    return tuple(facts)


def numeric_fact(name: str, value: float, edges: tuple[float, ...], counts: Mapping[int, int]) -> FeatureFact:
    """Return where a number stands among the reference's.

    Args:
        name: Of the feature.
        value: Not NaN.
        edges: As from `metrics.bins.edges_from_quantiles`; empty where the reference has no value.
        counts: Values of the reference by bin code.
    """
    total = sum(n for code, n in counts.items() if code >= 0)
    if not edges or not total:
        return FeatureFact(name, "numeric", value)
    span = (edges[0], edges[-1])
    code = bisect_right(edges[:-1], value) + (value > edges[-1])
    if value < edges[0] or value > edges[-1]:
        return FeatureFact(name, "numeric", value, "below" if value < edges[0] else "above", range=span)
    before = sum(n for at, n in counts.items() if 0 <= at < code)
    inside = counts.get(code, 0)
    state: State = "rare" if inside < RARE * total else ""
    return FeatureFact(
        name, "numeric", value, state, inside / total, before / total, (before + inside) / total, span
    )


def categorical_fact(name: str, value: str, code: int | None, counts: Mapping[int, int]) -> FeatureFact:
    """Return how common a category is in the reference; a code of None is one that it does not have."""
    total = sum(n for at, n in counts.items() if at >= 0)
    if not total:
        return FeatureFact(name, "categorical", value)
    if code is None:
        return FeatureFact(name, "categorical", value, "unseen")
    share = counts.get(code, 0) / total
    return FeatureFact(name, "categorical", value, "rare" if share < RARE else "", share)


def _events(
    connection: DuckDBPyConnection, key: int | None, identity: str | None, model: str
) -> tuple[EventFact, ...]:
    if identity is None:
        return ()
    rows = connection.execute(
        f"""SELECT kind, class, value, currency, ts FROM events
        WHERE h = ? AND id = ? AND COALESCE(model, '') IN ('', ?) ORDER BY ts LIMIT {MOST_EVENTS}""",
        [key, identity, model],
    ).fetchall()
    return tuple(
        EventFact(str(kind), str(means), value, currency, _aware(at))
        for kind, means, value, currency, at in rows
    )


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return None if isinstance(value, float) and not math.isfinite(value) else value
