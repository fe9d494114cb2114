"""Keep a rollup lake in step with logs that Spark reads: what is new is counted, and the days that it touches again.

The lake's manifest says of every file what it was when it was read, which days its requests are of, which days its
labels and events are of, and what was in it. A day is counted from all files that have requests of it, with the labels
and events of all files.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.errors import InputError
from mlwatch.rights import public
from mlwatch.spark import frames, listing
from mlwatch.spark.counting import Counter
from mlwatch.spark.dialect import to_spark
from mlwatch.spark.sampling import learnt
from mlwatch.store import lake as lakes
from mlwatch.store.deciding import settings_of
from mlwatch.store.lake_files import day_of
from mlwatch.times import now_in_store

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from mlwatch.config import Config
    from mlwatch.spark.listing import Listed
    from mlwatch.spark.sampling import Learnt

COUNTS = """
    COUNT(*) AS records, COUNT(bad) AS rejected,
    COUNT(*) FILTER (bad IS NULL AND is_request) AS predictions,
    COUNT(*) FILTER (bad IS NULL AND (is_outcome OR (is_request AND label IS NOT NULL))) AS outcomes,
    COUNT(*) FILTER (bad IS NULL AND is_event) AS events,
    CAST(MIN(CASE WHEN bad IS NULL AND is_request THEN CAST(ts AS DATE) END) AS VARCHAR) AS first,
    CAST(MAX(CASE WHEN bad IS NULL AND is_request THEN CAST(ts AS DATE) END) AS VARCHAR) AS last,
    MAX(CASE WHEN bad IS NULL THEN epoch_us(ts) END) AS newest"""
"""What is remembered of a file, beside the days that its labels and events are of."""
TOLD = """
    SELECT DISTINCT t.line AS source, CAST(CAST(r.ts AS DATE) AS VARCHAR) AS day
    FROM taken AS t JOIN taken AS r ON r.id = t.id
    WHERE (t.is_outcome OR t.is_event) AND r.is_request"""
Known = dict[str, dict[str, Any]]
"""Files by their paths below the source."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What was done."""

    days: int
    """Files of days that were written."""
    read: int
    """Files of logs that were read."""
    lost: tuple[str, ...] = ()
    """Days that were to be counted again, some of whose logs are gone: they stay as they were."""
    dropped: tuple[str, ...] = ()
    """Files of days that were missing, and whose logs are gone."""


def roll(spark: SparkSession, source: str, config: Config, lake: Path, reference: Path | None) -> Rolled:
    """Count what has come since the last time, and write the days that this changes.

    Args:
        spark: The session.
        source: Directory, on any file system that Spark reads.
        config: Roles and more.
        lake: Directory on this machine.
        reference: What bins are cut after.

    Raises:
        InputError: when there are no logs, or some that Spark does not read.
    """
    listed = listing.files(spark, source, config)
    known, made = _remembered(lake)
    settings = settings_of(config, reference)
    now = {one.relative: one for one in listed}
    unchanged = all(known.get(name, {}).get("mark") == one.mark for name, one in now.items())
    if known and unchanged and made.get("settings") == settings and not lakes.broken(lake):
        return Rolled(0, 0)
    name = listing.normal(source).rstrip("/").rsplit("/", 1)[-1]
    with learnt(spark, listed, config, lake, reference, name or "logs") as store:
        if not store.kinds:
            raise InputError("no prediction logs", source, "no file with records below it")
        counted = {"cut": _cut(store), "settings": settings}
        otherwise = any(made.get(name) != value for name, value in counted.items())
        run = _Roll(spark, store, config, known, now, everything=otherwise)
        return run.write(lake, {**counted, "engine": "spark"})


def _remembered(lake: Path) -> tuple[Known, dict[str, Any]]:
    """Return the files that a lake was counted from, and what else its manifest says."""
    if not lakes.can_go_on(lake):
        return {}, {}
    found = lakes.manifest(lake)
    if found.get("engine") != "spark":
        raise InputError("rollups that --engine duckdb wrote", str(lake), "give another directory with -o")
    return found.get("sources", {}), found


def _cut(store: Learnt) -> str:
    """Return a text that changes when what is counted of the features known so far does."""
    registry = store.registry
    return hashlib.sha256(
        json.dumps(
            [
                sorted((n, b.kind, b.edges) for n, b in registry.bins.items()),
                registry.segments,
                registry.protected,
            ]
        ).encode()
    ).hexdigest()


class _Roll:
    """One run over what is there now."""

    def __init__(
        self,
        spark: SparkSession,
        store: Learnt,
        config: Config,
        known: Known,
        now: Mapping[str, Listed],
        *,
        everything: bool,
    ) -> None:
        self._spark = spark
        self._store = store
        self._config = config
        self._known = known
        self._now = {
            one.relative: now[one.relative] for _, listed in store.kinds for one in listed
        }  # the others are no logs
        self._everything = everything
        self._fresh = {
            name: one
            for name, one in self._now.items()
            if everything or known.get(name, {}).get("mark") != one.mark
        }

    def write(self, lake: Path, more: Mapping[str, str]) -> Rolled:
        gone = self._gone()
        days: set[str] | None = None
        if self._everything:
            again = set().union(*map(self._reach, self._known.values())) - gone
            lost = gone
        else:
            touched = self._touched() | {day_of(name) for name in lakes.broken(lake)}
            again = days = touched - gone
            lost = touched & gone
        files = self._needed(days)
        stats = self._count(files, days, gone)
        sources = {**self._known, **stats}
        self._book(sources)
        with public():
            written = lakes.write(
                self._store.connection, lake, {"sources": sources, **more}, again if self._known else None
            )
        return Rolled(written.files, len(files), tuple(sorted(lost)), written.dropped)

    def _touched(self) -> set[str]:
        """Return the days of fresh requests, and of the requests that fresh labels and events are of."""
        changed = (self._known[name] for name in self._fresh if name in self._known)
        before = set().union(*map(self._reach, changed))
        fresh = frames.read(self._spark, self._store, self._config, self._fresh)
        if fresh is None:
            return before
        fresh.persist().createOrReplaceTempView("fresh")
        day = "CAST(CAST(ts AS DATE) AS VARCHAR)"
        days = self._days(f"SELECT DISTINCT {day} AS day FROM fresh WHERE bad IS NULL AND is_request")
        late = "SELECT DISTINCT id FROM fresh WHERE bad IS NULL AND (is_outcome OR is_event)"
        if self._days(f"{late} LIMIT 1"):
            earlier = frames.read(self._spark, self._store, self._config, self._with_requests())
            if earlier is not None:
                earlier.createOrReplaceTempView("earlier")
                days |= self._days(f"""
                    SELECT DISTINCT {day} AS day FROM earlier AS e JOIN ({late}) AS l ON l.id = e.id
                    WHERE e.bad IS NULL AND e.is_request""")
        fresh.unpersist()
        return days | before

    def _with_requests(self) -> dict[str, Listed]:
        return {name: one for name, one in self._now.items() if self._known.get(name, {}).get("predictions")}

    def _reach(self, file: Mapping[str, Any]) -> set[str]:
        """Return the days that a file has to do with: of its requests, and of those that it labels or tells of."""
        return self._span(file) | set(file.get("told", ()))

    def _days(self, select: str) -> set[str]:
        return {row[0] for row in self._spark.sql(to_spark(select)).collect()}

    def _span(self, file: Mapping[str, Any]) -> set[str]:
        """Return the days between the first and the last request of a file."""
        if file["first"] is None:
            return set()
        first, last = (datetime.fromisoformat(file[end]).toordinal() for end in ("first", "last"))
        return {datetime.fromordinal(day).date().isoformat() for day in range(first, last + 1)}

    def _gone(self) -> set[str]:
        """Return the days that cannot be counted again: a file that they were counted from is no longer there."""
        return set().union(
            *(self._reach(file) for name, file in self._known.items() if name not in self._now)
        )

    def _needed(self, days: Collection[str] | None) -> dict[str, Listed]:
        """Return the files with requests of these days, and all that hold labels or events."""
        if days is None:
            return dict(self._now)

        def needed(name: str) -> bool:
            file = self._known.get(name)
            if name in self._fresh or file is None:
                return True
            return bool(file["outcomes"] or file["events"]) or not self._span(file).isdisjoint(days)

        return {name: one for name, one in self._now.items() if needed(name)}

    def _count(
        self, files: Mapping[str, Listed], days: Collection[str] | None, gone: Collection[str]
    ) -> Known:
        records = frames.read(self._spark, self._store, self._config, files)
        if records is None:
            return {}
        records.persist().createOrReplaceTempView("records")
        select = f"SELECT line AS source, {COUNTS} FROM records GROUP BY line"
        stats = {
            listing.normal(row.source): row.asDict() for row in self._spark.sql(to_spark(select)).collect()
        }
        chosen, negated = (gone, "NOT ") if days is None else (days, "")
        listed = ", ".join(f"DATE '{day}'" for day in sorted(chosen)) or "DATE '1970-01-01'"
        within = f"NOT is_request OR CAST(ts AS DATE) {negated}IN ({listed})"
        taken = self._spark.sql(to_spark(f"SELECT * FROM records WHERE bad IS NULL AND ({within})"))
        Counter(self._spark, self._store, self._config, taken).count()
        told: dict[str, set[str]] = defaultdict(set)
        for row in self._spark.sql(to_spark(TOLD)).collect():
            told[listing.normal(row.source)].add(row.day)
        records.unpersist()
        empty = dict.fromkeys(("records", "rejected", "predictions", "outcomes", "events"), 0)
        empty |= dict.fromkeys(("first", "last", "newest"))  # type: ignore[arg-type]
        found = {}
        for name, one in files.items():
            place = listing.normal(one.uri)
            counts = stats.get(place, empty)
            before = () if name in self._fresh else self._known.get(name, {}).get("told", ())
            found[name] = {"mark": one.mark, "size": one.size} | {key: counts[key] for key in empty}
            found[name]["told"] = sorted(told[place].union(before))
        return found

    def _book(self, sources: Known) -> None:
        """Say in one row what was taken in altogether."""

        def total(*names: str) -> int:
            return sum(file[name] or 0 for file in sources.values() for name in names)

        newest = max((file["newest"] for file in sources.values() if file["newest"]), default=None)
        moment = datetime.fromtimestamp(newest / 1e6, UTC).replace(tzinfo=None) if newest else None
        values = [
            *(1, now_in_store(), total("size"), total("records")),
            *(total("records") - total("rejected"), total("predictions"), total("outcomes"), total("events")),
            *(total("rejected"), 0, 0, 0, moment),
        ]
        marks = ", ".join("?" for _ in values)
        self._store.connection.execute(f"INSERT INTO batches VALUES ({marks})", values)
