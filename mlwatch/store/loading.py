"""Bring segments into the temporary table `batch`, fast where that goes, record by record where it does not.

Nothing of the store changes here, so a refusal costs nothing: what is refused together is tried apart, down to a few
megabytes, and those are read tolerantly.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.sources.blocks import MAX_LINE_BYTES
from mlwatch.sources.canonical import Canonical, Slot
from mlwatch.sources.relations import csv_relation, jsonl_relation, parquet_relation
from mlwatch.store import batch, straight
from mlwatch.store.spool import laying_down
from mlwatch.store.tolerant import NO_LINES, tolerant_relation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.sources.segments import Segment
    from mlwatch.sources.shapes import Shape
    from mlwatch.store.feature_rollup import Requests

CARE_BYTES = 4 << 20
"""A refused segment is halved down to this size before it is read record by record."""
USUAL_LINE_BYTES = 2 << 20
"""Lines of a whole batch are shorter, or its segments are read one by one: the engine hands out twice as much at once,
and its threads share a batch the better the less that is."""
RAW_LIMIT = 2000
"""Characters of a rejected record that are kept."""


class Loader:
    """Load segments of one shape.

    Args:
        connection: Of the ingest thread; outside a transaction.
        shape: The latest shape of the segments' kind.
        slots: The features to take.
        timezone: Zone of times that carry none.
        spool: Where the segments' text was laid down, one after the other.
        by_unit: Whether events may name a user instead of a request.
        own_ids: Whether the ids are those of the events themselves, not of requests.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        shape: Shape,
        slots: Sequence[Slot],
        timezone: str,
        spool: Path,
        *,
        by_unit: bool = False,
        own_ids: bool = False,
    ) -> None:
        self._by_unit = by_unit
        self._own_ids = own_ids
        self._connection = connection
        self._shape = shape
        self._spool = spool
        self._fast_form = Canonical(shape.mapping, slots, shape.physical, timezone=timezone)
        self._care_form = Canonical(shape.mapping, slots, shape.physical, timezone=timezone, tolerant=True)

    @property
    def in_order(self) -> bool:
        """Tell whether rows of `batch` stand as they were written, which costs memory: those of outcomes alone do."""
        return self._shape.labels

    def load(self, segments: Sequence[Segment], *, more: bool = False) -> None:
        """Fill `batch` with the good records and `rejects` with the others.

        Args:
            segments: What to load.
            more: Keep what is in `rejects`.
        """
        if not more:
            self._no_rejects()
        self._refuse(segments)
        if not self.in_order:
            self._load(segments, self._spool)
            return
        written = sorted(segments, key=lambda each: (each.found.mtime_ns, each.found.relative))
        self._connection.execute("SET preserve_insertion_order = true")
        try:
            self._load(written, self._spool if written == list(segments) else self._laid_down(written))
        finally:
            self._connection.execute("SET preserve_insertion_order = false")

    def _load(self, segments: Sequence[Segment], spool: Path) -> None:
        if not _overlong(segments) and self._fast(segments, "batch", spool, USUAL_LINE_BYTES):
            return
        self._connection.execute("DROP TABLE IF EXISTS batch")
        self._apart(segments)

    def insert(self, segments: Sequence[Segment], slots: Sequence[Slot]) -> Requests:
        """Insert plain new predictions at once, inside the ingest transaction, and return where they are.

        Raises:
            NotPlainError: when the segments hold something else; the transaction is to be rolled back.
        """
        import duckdb  # noqa: PLC0415

        self._no_rejects()
        select = self._fast_select(segments, self._spool, USUAL_LINE_BYTES)
        try:
            requests = straight.insert(self._connection, select, slots, predicts=self._shape.predicts)
        except (duckdb.DataError, duckdb.ProgrammingError) as error:
            raise straight.NotPlainError from error
        if not self._is_complete(segments, "batch"):
            raise straight.NotPlainError
        return requests

    def _no_rejects(self) -> None:
        self._connection.execute("""
            CREATE OR REPLACE TEMP TABLE rejects (file VARCHAR, line BIGINT, reason VARCHAR, raw VARCHAR)""")

    def _refuse(self, segments: Sequence[Segment]) -> None:
        """Put aside what importers could not read."""
        rows = [
            (segment.found.relative, one.line, one.reason, one.raw)
            for segment in segments
            for one in segment.refused
        ]
        if rows:
            self._connection.executemany("INSERT INTO rejects VALUES (?, ?, ?, ?)", rows)

    def _fast(
        self, segments: Sequence[Segment], table: str, spool: Path, longest: int = MAX_LINE_BYTES
    ) -> bool:
        """Read segments with DuckDB's own readers; False when some record does not fit."""
        import duckdb  # noqa: PLC0415

        refusals = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException)
        try:
            self._materialise(table, self._fast_select(segments, spool, longest))
        except refusals:
            return False
        return self._is_complete(segments, table) and batch.count_bad(self._connection, table) == 0

    def _materialise(self, table: str, select: str) -> None:
        batch.load(
            *(self._connection, table, select),
            predicts=self._shape.predicts,
            labels=self._shape.labels,
            by_unit=self._by_unit,
            own_ids=self._own_ids,
        )

    def _fast_select(self, segments: Sequence[Segment], spool: Path, longest: int) -> str:
        if self._shape.format == "parquet":
            return self._parquet_select(segments[0], self._fast_form)
        if self._shape.format == "csv":
            return self._fast_form.select(csv_relation(spool, self._shape))
        return self._fast_form.select(jsonl_relation(spool, self._shape, longest))

    def _parquet_select(self, segment: Segment, form: Canonical) -> str:
        return form.select(
            parquet_relation(segment.found.path, segment.start, segment.end), line="file_row_number + 1"
        )

    def _is_complete(self, segments: Sequence[Segment], table: str) -> bool:
        """Make sure that every line became exactly one record; quoted values of CSV may hold newlines."""
        read = number(self._connection, f"SELECT COUNT(*) FROM {table}")
        lines = sum(segment.lines for segment in segments)
        if read == lines or self._shape.format == "parquet":
            return True
        if self._shape.format == "csv":
            texts = (segment.data() for segment in segments)
            return read < lines and any(b'"' in text or b"\n\n" in text for text in texts)
        return read == sum(filled_lines(segment.data()) for segment in segments)

    def _apart(self, segments: Sequence[Segment]) -> None:
        """Append segments that were refused together by halves, as a few often hold all that is refused.

        Where both halves are refused, it lies all about: each segment is read alone then.
        """
        middle = len(segments) // 2
        if self.in_order:
            for half in (segments[:middle], segments[middle:]):
                if len(half) > 1 and not self._together(half):
                    self._apart(half)
                elif len(half) == 1:
                    self._part(half[0])
            return
        refused = [half for half in (segments[:middle], segments[middle:]) if not self._together(half)]
        if len(refused) == 1 and len(refused[0]) > 1:
            self._apart(refused[0])
        else:
            for segment in chain.from_iterable(refused):
                self._part(segment)

    def _together(self, segments: Sequence[Segment]) -> bool:
        """Append some segments the fast way, if all of their records fit; False for one that is to be read alone."""
        if not segments:
            return True
        if len(segments) == 1 or _overlong(segments):
            return False
        if not self._fast(segments, "part", self._laid_down(segments), USUAL_LINE_BYTES):
            return False
        self._append()
        return True

    def _part(self, segment: Segment) -> None:
        if not segment.overlong and self._fast([segment], "part", self._laid_down([segment])):
            self._append()
        elif (halves := self._halves(segment)) is not None:
            for half in halves:
                self._part(half)
        else:
            self._care(segment)

    def _halves(self, segment: Segment) -> list[Segment] | None:
        """Split a large segment in two; None where it is small enough for care, or a single line."""
        if self._shape.format == "parquet" or segment.length <= CARE_BYTES:
            return None
        halves = _halves(segment)
        return halves if len(halves) > 1 else None

    def _laid_down(self, segments: Sequence[Segment]) -> Path:
        """Lay the text of some segments down in a file of its own."""
        path = self._spool.with_suffix(".part")
        if self._shape.format != "parquet":
            with laying_down(path), path.open("wb") as file:
                file.writelines(segment.data() for segment in segments)
        return path

    def _care(self, segment: Segment) -> None:
        """Read one segment tolerantly and put aside what is no record of ours."""
        if self._shape.format == "parquet":
            self._connection.execute(NO_LINES)
            select = self._parquet_select(segment, self._care_form)
        else:
            select = tolerant_relation(
                self._connection, segment, self._shape, self._care_form, self._spool.with_suffix(".part")
            )
        self._materialise("part", select)
        self._connection.execute(
            f"""INSERT INTO rejects
            SELECT $file, COALESCE(list_extract($numbers::BIGINT[], n - $before), n), reason, LEFT(raw, {RAW_LIMIT})
            FROM (
                SELECT n, reason, raw FROM lines WHERE NOT good
                UNION ALL
                SELECT p.line, p.bad, l.raw
                FROM part AS p LEFT JOIN lines AS l ON l.n = p.line WHERE p.bad IS NOT NULL)""",
            {
                "file": segment.found.relative,
                "numbers": list(segment.numbers) or None,
                "before": segment.first_line - 1,
            },
        )
        self._connection.execute("DELETE FROM part WHERE bad IS NOT NULL")
        for place in range(segment.overlong):
            self._connection.execute(
                "INSERT INTO rejects VALUES (?, ?, 'a line of more than 16 MB', NULL)",
                [segment.found.relative, segment.first_line + place],
            )
        self._append()

    def _append(self) -> None:
        self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS batch AS FROM part LIMIT 0")
        self._connection.execute("INSERT INTO batch FROM part")


def load_together(connection: DuckDBPyConnection, loads: Sequence[tuple[Loader, Sequence[Segment]]]) -> None:
    """Fill `batch` with the good records of several kinds and `rejects` with the others.

    Args:
        connection: Of the loaders.
        loads: What loads each kind, and what that has; the first kind has the features of each.
    """
    for place, (loader, segments) in enumerate(loads):
        loader.load(segments, more=place > 0)
        gather = "CREATE OR REPLACE TEMP TABLE gathered AS FROM batch"
        connection.execute(gather if place == 0 else "INSERT INTO gathered BY NAME FROM batch")
    connection.execute("DROP TABLE batch")
    connection.execute("ALTER TABLE gathered RENAME TO batch")


def _overlong(segments: Sequence[Segment]) -> bool:
    """Tell whether any record is too long to be read."""
    return any(segment.overlong for segment in segments)


def _halves(segment: Segment) -> list[Segment]:
    data = segment.data()
    cut = data.rfind(b"\n", 0, len(data) // 2) + 1
    if cut == 0:
        cut = data.find(b"\n") + 1
    first, second = data[:cut], data[cut:]
    lines = first.count(b"\n")
    parts = (
        replace(segment, text=first, lines=lines, numbers=segment.numbers[:lines]),
        replace(
            segment,
            text=second,
            first_line=segment.first_line + lines,
            lines=segment.lines - lines,
            numbers=segment.numbers[lines:],
        ),
    )
    return [part for part in parts if part.length]


def filled_lines(data: bytes) -> int:
    """Count lines that are not blank."""
    return sum(1 for line in data.split(b"\n") if line.strip())
