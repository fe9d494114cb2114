"""Learn from samples of the files what their columns are: the driver takes them in as it takes in any log."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.errors import InputError
from mlwatch.sources.formats import recognise
from mlwatch.sources.pathnames import file_literal
from mlwatch.spark.listing import Listed, families, local_path
from mlwatch.store import lakes, reference, rollups
from mlwatch.store.database import cursor, open_store
from mlwatch.store.ingest import Ingest
from mlwatch.store.lake import is_lake
from mlwatch.store.shapes import KnownShapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection
    from pyspark.sql import SparkSession

    from mlwatch.config import Config
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.registry import Registry

FILES = 12
"""Files of a family that are looked into, evenly spread."""
RECORDS = 5_000
"""Records of each."""
READABLE = frozenset({"jsonl", "csv", "parquet"})


@dataclass(frozen=True, slots=True)
class Learnt:
    """A store that knows the columns, bins and segments, and has no counts."""

    connection: DuckDBPyConnection
    registry: Registry
    kinds: tuple[tuple[Shape, tuple[Listed, ...]], ...]
    """Files by the shape that reads them."""


@contextmanager
def learnt(
    spark: SparkSession, listed: Sequence[Listed], config: Config, lake: Path, given: Path | None, name: str
) -> Iterator[Learnt]:
    """Take samples of the files in, beside what a lake knows already.

    Args:
        spark: Where the files are read.
        listed: All files.
        config: Roles and more.
        lake: What was written before keeps its numbers and bins.
        given: The reference.
        name: Of the log directory.

    Raises:
        InputError: when a family of files is of a format that only this machine reads.
    """
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / name
        root.mkdir()
        opened = open_store(root, ":memory:")
        try:
            connection = opened.connection
            if is_lake(lake):
                lakes.load_tables(connection, lake)
            ingest = Ingest(cursor(connection), root, config)
            if given is not None:
                reference.install(connection, ingest.registry, given, config)
            sampled = {one.relative: one for one in _write_samples(spark, listed, root)}
            ingest.read_present()
            ingest.settle(enough=1)
            kinds = _kinds(connection, listed, sampled, config)
            for rollup in rollups.ALL:
                for level in rollup.levels:
                    connection.execute(f"DELETE FROM {rollup.table(level)}")
            connection.execute("DELETE FROM batches")
            ingest.close()
            yield Learnt(connection, ingest.registry, kinds)
        finally:
            opened.close()


def _write_samples(spark: SparkSession, listed: Sequence[Listed], root: Path) -> Iterator[Listed]:
    for family in families(listed).values():
        head = next(iter(_lines(spark, family[0], 5)), "")
        if head.startswith("PAR1") or family[0].relative.endswith(".parquet"):
            chosen = _spread(family)
        else:
            delimited = not head.lstrip().startswith("{")  # each has a header of its own
            chosen = family if delimited else _spread(family)
        for one in chosen:
            target = root / _plain(one.relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            if one.relative.endswith(".parquet") or head.startswith("PAR1"):
                _write_parquet(spark, one, target)
            else:
                text = "".join(f"{line}\n" for line in _lines(spark, one, RECORDS))
                _refuse_native(text, one)
                target.write_text(text, encoding="utf-8")
            yield one


def _spread(family: Sequence[Listed]) -> list[Listed]:
    step = max(1, (len(family) - 1) // (FILES - 1))
    return sorted({*family[::step], family[-1]}, key=lambda one: one.relative)


def _lines(spark: SparkSession, one: Listed, most: int) -> list[str]:
    return [row.value for row in spark.read.text(one.uri).limit(most).collect()]


def _plain(relative: str) -> str:
    return relative.removesuffix(".gz").removesuffix(".zst").removesuffix(".bz2")


def _refuse_native(text: str, one: Listed) -> None:
    importer = recognise(text[:65_536].encode(), Path(one.relative))
    if importer is not None:
        todo = "read these with --engine duckdb, or leave them out with [watch] exclude"
        raise InputError(f"records of {importer.name}, which Spark does not read", one.relative, todo)


def _write_parquet(spark: SparkSession, one: Listed, target: Path) -> None:
    import duckdb  # noqa: PLC0415

    source = local_path(one.uri)
    if source is None:
        row = spark.read.format("binaryFile").load(one.uri).select("content").first()
        source = target.with_suffix(".whole")
        source.write_bytes(row.content if row is not None else b"")
    with duckdb.connect() as scratch:
        select = f"SELECT * FROM read_parquet({file_literal(source)}) LIMIT {RECORDS}"
        scratch.execute(f"COPY ({select}) TO {file_literal(target)} (FORMAT parquet)")
    if source.suffix == ".whole":
        source.unlink()


def _kinds(
    connection: DuckDBPyConnection, listed: Sequence[Listed], sampled: dict[str, Listed], config: Config
) -> tuple[tuple[Shape, tuple[Listed, ...]], ...]:
    """Return which files each shape reads: those of the families that its samples are from."""
    shapes = KnownShapes(connection, config.roles).by_key
    plain = {_plain(relative): one for relative, one in sampled.items()}
    rows = connection.execute("SELECT path, format, shape FROM files WHERE shape IS NOT NULL").fetchall()
    found: dict[str, dict[str, Listed]] = {}
    groups = families(listed)
    for path, form, key in rows:
        one = plain[path]
        if form not in READABLE:
            todo = "read these with --engine duckdb, or leave them out with [watch] exclude"
            raise InputError(f"a {form} document, which Spark does not read", one.relative, todo)
        mine = [one] if form == "csv" else groups[one.family]
        found.setdefault(key, {}).update({each.relative: each for each in mine})
    return tuple((shapes[key], tuple(mine.values())) for key, mine in sorted(found.items()))
