"""Saved profiles: what live data are compared with, in a small file, so that the rows are never needed again.

A profile is a JSON document of schema `mlwatch.profile/1`: bins and counts of every feature, of predictions and scores,
and labels against predictions. Its numbers are those that the rows themselves would give.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.asking import meta_values
from mlwatch.errors import InputError
from mlwatch.foreign import loads
from mlwatch.metrics.left_out import LeftOut
from mlwatch.sources.canonical import BOOLEAN_WORDS
from mlwatch.store import left_out, rollups
from mlwatch.store.loss_trees import LossTree
from mlwatch.store.profile_contents import Contents
from mlwatch.store.reference_tables import ASIDE, COLUMNS, NAMES
from mlwatch.store.registry import Bins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.store.profile_contents import Rows
    from mlwatch.store.registry import Kind, Registry

SCHEMA = "mlwatch.profile/1"
SUFFIX = ".json"
OUTPUTS = {
    "prediction": rollups.PREDICTION,
    "score": rollups.SCORE,
    "value": rollups.VALUE,
    "label": rollups.LABEL,
    "length": rollups.LENGTH,
    "vocabulary": rollups.VOCABULARY,
}
TEXTS: list[tuple[int, Kind, list[float]]] = [
    (rollups.LENGTH, "numeric", []),
    (rollups.VOCABULARY, "categorical", []),
]
"""What answers in words are counted by, in bins that are the same everywhere."""
OPTIONAL = frozenset({"prediction", "bin"})
"""What labels need not have."""
READERS: Mapping[str, Callable[[Any], Any]] = {"VARCHAR": str, "INTEGER": int, "BIGINT": int, "DOUBLE": float}
LABELLED = "reference_all_classes"
"""Key of the table whose labels and class probabilities were all counted, and whose losses were learnt."""


def is_profile(path: Path) -> bool:
    """Tell whether a file claims to be a profile, of whatever version."""
    if path.suffix.lower() != SUFFIX:
        return False
    with path.open("rb") as file:
        return b"mlwatch.profile/" in file.read(4096)


def document(connection: DuckDBPyConnection, contents: Contents) -> dict[str, Any]:
    """Return a profile of what a store counted.

    Args:
        connection: Has the features, bins and categories that the counts are about.
        contents: The counts.
    """
    names = {number: name for name, number in OUTPUTS.items()}
    kinds: dict[int, tuple[str, str]] = {
        number: (name, kind)
        for number, name, kind in connection.execute("SELECT feature, name, kind FROM features").fetchall()
    }
    counts: dict[int, list[list[Any]]] = {}
    for feature, code, n, total in contents.counts:
        counts.setdefault(feature, []).append([code, n, total])
    windows: dict[int, list[list[int]]] = {}
    for feature, *row in contents.windows:
        windows.setdefault(feature, []).append(row)
    categories: dict[int, list[list[Any]]] = {}
    for feature, category, code in connection.execute(
        "SELECT feature, category, bin FROM categories ORDER BY feature, bin, category"
    ).fetchall():
        categories.setdefault(feature, []).append([category, code])
    features: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    binned = connection.execute("SELECT feature, kind, edges FROM bins ORDER BY feature").fetchall()
    texts = [row for row in TEXTS if row[0] in counts and row not in binned]
    known = left_out.recall(connection)
    for number, kind, edges in [*texts, *binned]:
        name = names.get(number) or kinds[number][0]
        entry = {"name": name, "kind": kind, "edges": edges, "categories": categories.get(number, [])}
        if number in known:
            entry["left_out"] = astuple(known[number])
        (outputs if number < 0 else features).append(
            {**entry, "counts": sorted(counts.get(number, [])), "windows": windows.get(number, [])}
        )
    return {
        "schema": SCHEMA,
        "source": contents.source,
        "features": features,
        "outputs": outputs,
        "losses": contents.losses and contents.losses.document(),
        **{
            name: [dict(zip(columns, row, strict=True)) for row in contents.labels[name]]
            for name, columns in COLUMNS.items()
        },
    }


def _category(name: object) -> str:
    """Return a category as logs have it: profiles of earlier versions may write truth values as tables do."""
    text = str(name)
    return text.lower() if text in BOOLEAN_WORDS else text


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as read: rows by the number that the store gives a feature."""

    bins: list[tuple[int, str, list[float]]]
    categories: list[tuple[int, str, int]]
    contents: Contents
    left_out: Mapping[int, LeftOut | None]


def read(path: Path, registry: Registry) -> Profile:
    """Read a profile; its features are known to the registry then.

    Args:
        path: The file.
        registry: Numbers the features.

    Raises:
        InputError: when it is damaged, or of another version.
    """
    found = _load(path)
    try:
        entries = [(registry.numbered(str(e["name"]), _kind(e)), e) for e in found["features"]]
        entries += [(OUTPUTS[entry["name"]], entry) for entry in found["outputs"]]
        known = [(number, entry) for number, entry in entries if number is not None]
        return Profile(
            [(number, _kind(entry), [float(edge) for edge in entry["edges"]]) for number, entry in known],
            [
                (number, _category(name), int(code))
                for number, entry in known
                for name, code in entry["categories"]
            ],
            Contents(
                str(found["source"]),
                [
                    (number, int(code), int(n), None if total is None else float(total))
                    for number, entry in known
                    for code, n, total in entry["counts"]
                ],
                _labels(found),
                [
                    (number, int(part), int(code), int(n))
                    for number, entry in known
                    for part, code, n in entry.get("windows", [])  # a profile of before has none
                ],
                LossTree.of_document(found["losses"]) if found.get("losses") else None,
            ),
            {number: _left_out(entry.get("left_out")) for number, entry in known},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _left_out(told: Sequence[Any] | None) -> LeftOut | None:
    """Read what the choice of categories owes to the rows; a profile of before does not say it."""
    return None if told is None else LeftOut(*map(int, told))


def _kind(entry: dict[str, Any]) -> Kind:
    if entry["kind"] not in ("numeric", "categorical"):
        raise ValueError(f"no such kind: {entry['kind']!r}")
    kind: Kind = entry["kind"]
    return kind


def _labels(found: Mapping[str, Any]) -> dict[str, Rows]:
    """Read what was true; a profile of before has but labels by score."""
    rows = {name: found.get(name, []) for name in COLUMNS} | {"labels": found["labels"]}
    return {name: [_row(columns, row) for row in rows[name]] for name, columns in COLUMNS.items()}


def _row(columns: Mapping[str, str], row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Read a row of labels; what stands for nothing is what may."""
    return tuple(
        None if row[name] is None and (kind == "DOUBLE" or name in OPTIONAL) else READERS[kind](row[name])
        for name, kind in columns.items()
    )


def store(connection: DuckDBPyConnection, registry: Registry, profile: Profile, source: str) -> None:
    """Put a profile in the place of the reference, inside a transaction.

    Args:
        connection: Of the ingest thread.
        registry: Learns the bins.
        profile: What to store.
        source: What the bins come from, in words.
    """
    registry.save_new()
    for table in NAMES:
        connection.execute(f"DELETE FROM {table}")
    numbers = [number for number, _, _ in profile.bins]
    for table in ("bins", "categories"):
        connection.execute(f"DELETE FROM {table} WHERE feature IN (SELECT unnest($1::INTEGER[]))", [numbers])
    bins = [(*row, source) for row in profile.bins]
    _fill(connection, "bins", ("INTEGER", "VARCHAR", "DOUBLE[]", "VARCHAR"), bins)
    _fill(connection, "categories", ("INTEGER", "VARCHAR", "INTEGER"), profile.categories)
    _fill(connection, "reference", ("INTEGER", "INTEGER", "BIGINT", "DOUBLE"), profile.contents.counts)
    _fill(
        connection, "reference_windows", ("INTEGER", "INTEGER", "INTEGER", "BIGINT"), profile.contents.windows
    )
    for name, columns in COLUMNS.items():
        _fill(connection, f"reference_{name}", list(columns.values()), profile.contents.labels[name])
    left_out.note(connection, profile.left_out)
    for number, kind, edges in profile.bins:
        registry.bins[number] = Bins("numeric" if kind == "numeric" else "categorical", tuple(edges), source)
    registry.keep_losses(profile.contents.losses)


def value_in_force(connection: DuckDBPyConnection, key: str) -> str | None:
    """Return what `meta` says of the reference file that was asked for; None without one."""
    said = meta_values(connection, key, ASIDE)
    return said.get(key) if ASIDE not in said else None


def note(connection: DuckDBPyConnection, name: str, digest: str) -> None:
    """Write down which reference a store holds."""
    for key in ("reference_sha256", "reference_labels", LABELLED):
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, digest])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('reference_name', ?)", [name])
    connection.execute("DELETE FROM meta WHERE key = ?", [ASIDE])


def _fill(
    connection: DuckDBPyConnection, table: str, types: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        values = ", ".join(f"unnest(${at}::{kind}[])" for at, kind in enumerate(types, 1))
        connection.execute(f"INSERT INTO {table} SELECT {values}", columns)


def _load(path: Path) -> dict[str, Any]:
    try:
        found = loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InputError("no profile of a version that is known here", str(path), f"this reads {SCHEMA}")
    return found


def damaged(path: Path, what: str) -> InputError:
    """Return the error that says that a profile is damaged, and how."""
    return InputError(f"the profile is damaged ({what})", str(path), "make it again with mlwatch profile")
