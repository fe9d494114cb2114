"""Features whose values were words and are numbers now, or of another kind than the reference's.

Their sums count the former as unseen categories alone, and compare the latter with nothing.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.asking import is_there, row
from mlwatch.errors import one_line
from mlwatch.snapshot.quality_alerts import ENOUGH, RULE, WRONG, listed
from mlwatch.snapshot.types import Alert
from mlwatch.sources.sql import identifier
from mlwatch.store.reference_tables import IN_FORCE
from mlwatch.words import whose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from duckdb import DuckDBPyConnection

    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.types import FeatureQuality, Model, Version

LOOKED_AT, RECENT = 1_000, timedelta(minutes=10)
"""So many records at most, of a version's last minutes, tell what their values are."""
MOST = 20
"""Features of a version that are looked at."""

_UNLIKE = {
    "categorical": "text where the reference has numbers",
    "numeric": "numbers where the reference has text",
}


def changed_types(reader: Reader, models: Mapping[str, Model], end: datetime) -> Iterator[Alert]:
    """Say which features of a version hold numbers where there were words, as far as records are kept.

    Said too is what was read, before there was the reference, as something else than that has.

    Args:
        reader: Of the snapshot.
        models: With their versions.
        end: Of the range, aware.
    """
    connection = reader.connection
    strange = [
        (model.name, version, [name for name, one in version.quality.features.items() if _is_strange(one)])
        for model in models.values()
        for version in model.versions.values()
    ]
    columns = _columns_of_words(connection, {name for _, _, names in strange for name in names})
    for model, version, names in strange:
        looked_at = [name for name in names if name in columns][:MOST]
        became = _numbers_now(connection, model, version, {name: columns[name] for name in looked_at})
        if became:
            who = one_line(version.name) + whose(models, one_line(model))
            text = f"most values in {who} are numbers now: {listed(became)}"
            about = f"{model} {version.name} numbers"  # apart from those that are no numbers any more
            yield Alert(f"{RULE}changed types", "firing", "warning", text, end, float(len(became)), about)
    yield from _unlike_reference(reader, models, end)


def _unlike_reference(reader: Reader, models: Mapping[str, Model], end: datetime) -> Iterator[Alert]:
    """Say which features were read as numbers or text before there was a reference that has the other."""
    others = reader.fact("features of other kinds", partial(_of_other_kinds, reader.connection))
    for model in models.values():
        for version in model.versions.values():
            who = one_line(version.name) + whose(models, one_line(model.name))
            features = version.quality.features
            mine = [name for name in others.get(model.name, ()) if name in features]
            for kind, text in _UNLIKE.items():
                names = [name for name in mine if features[name].kind == kind and features[name].n >= ENOUGH]
                if names:
                    said = f"values in {who} are {text}: {listed([one_line(name) for name in names])}"
                    about = f"{model.name} {version.name} reference {kind}"
                    yield Alert(
                        *(f"{RULE}changed types", "firing", "warning", said, end, float(len(names)), about)
                    )


def _of_other_kinds(connection: DuckDBPyConnection) -> dict[str, list[str]]:
    """Return each model's features that the reference has as another kind alone."""
    if not is_there(connection, f"reference WHERE {IN_FORCE}"):
        return {}
    rows = connection.execute(
        """SELECT m.model, list(DISTINCT f.name ORDER BY f.name)
        FROM model_features AS m JOIN features AS f USING (feature)
            JOIN features AS other ON other.name = f.name AND other.kind <> f.kind
        WHERE other.feature IN (SELECT feature FROM reference)
            AND f.feature NOT IN (SELECT feature FROM reference)
        GROUP BY m.model"""
    )
    return dict(rows.fetchall())


def _is_strange(feature: FeatureQuality) -> bool:
    """Tell whether most values are categories that were not known."""
    if feature.kind != "categorical" or feature.n < ENOUGH:
        return False
    return feature.unseen > 0 and feature.unseen >= WRONG * (feature.n - feature.missing)


def _columns_of_words(connection: DuckDBPyConnection, names: set[str]) -> dict[str, str]:
    """Return the columns of those features whose known categories are no numbers, most of them, quoted."""
    if not names:
        return {}
    rows = connection.execute(
        """SELECT name, column_name FROM features JOIN categories USING (feature)
        WHERE name IN (SELECT unnest($names::VARCHAR[])) GROUP BY ALL
        HAVING AVG((TRY_CAST(category AS DOUBLE) IS NOT NULL)::INTEGER) < $wrong""",
        {"names": sorted(names), "wrong": WRONG},
    )
    return {name: identifier(column) for name, column in rows.fetchall()}


def _numbers_now(
    connection: DuckDBPyConnection, model: str, version: Version, columns: Mapping[str, str]
) -> list[str]:
    """Return which features hold numbers, for the most part."""
    if not columns or version.last is None:
        return []
    shares = ", ".join(
        f"AVG((TRY_CAST({column} AS DOUBLE) IS NOT NULL)::INTEGER) FILTER ({column} IS NOT NULL)"
        for column in columns.values()
    )
    since = version.last.astimezone(UTC).replace(tzinfo=None) - RECENT
    found = row(
        connection,
        f"""SELECT {shares} FROM (SELECT {", ".join(columns.values())} FROM predictions
            WHERE model = ? AND version = ? AND ts > ? LIMIT {LOOKED_AT})""",
        [model, version.name, since],
    )
    return [name for name, share in zip(columns, found, strict=True) if share is not None and share >= WRONG]
