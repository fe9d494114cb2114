"""What a session answers: snapshots of its store, with what is remembered from one to the next."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlwatch import silences
from mlwatch.alerts import as_of_then, gravest_first
from mlwatch.errors import InputError
from mlwatch.firstseen import FirstSeen
from mlwatch.remembered import Excerpts, Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.choice import Choice
    from mlwatch.config import Config
    from mlwatch.lookout import Lookout
    from mlwatch.meter import Meter
    from mlwatch.neighbours import Neighbours
    from mlwatch.options import Options
    from mlwatch.snapshot.build import Memory as Kept
    from mlwatch.snapshot.build import Question
    from mlwatch.snapshot.health_types import System
    from mlwatch.snapshot.rollout_memory import Wait
    from mlwatch.snapshot.types import Alert, Severity, Snapshot


@dataclass(frozen=True, slots=True)
class Store:
    """The store that is asked."""

    connect: Callable[[], DuckDBPyConnection]
    """Returns a new cursor."""
    here: Callable[[], DuckDBPyConnection]
    """Returns the calling thread's cursor."""
    note: str | None
    """One sentence when the store is not the one that was asked for."""
    records: bool
    """Whether it holds records, and not only rollups."""


class Answers:
    """Snapshots of one store; any thread may ask.

    Args:
        store: What is asked.
        options: Which model and versions.
        config: Of the session.
        meter: How the session gets on.
        neighbours: What is known of versions elsewhere.
        reference: File of the reference.
    """

    def __init__(
        self,
        store: Store,
        options: Options,
        config: Config,
        meter: Meter,
        neighbours: Neighbours,
        reference: Path | None,
    ) -> None:
        self._store, self._options, self._config = store, options, config
        self._meter, self._neighbours, self._reference = meter, neighbours, reference
        self._remembered = Remembered(meter.journal)
        self._excerpts = Excerpts(store.connect, config)
        self._first_seen = FirstSeen()
        self._outside: Mapping[str, str | None] | None = None

    def snapshot(
        self,
        span: timedelta | None,
        at: datetime | None,
        choice: Choice,
        *,
        follows: bool,
        lookout: Lookout | None,
        usual: bool = False,
    ) -> Snapshot:
        """Return everything that a face shows; see `Session.snapshot`.

        Args:
            span: Length of the range; None for everything.
            at: End of the range, aware; None for the newest data.
            choice: Versions to compare, and records to look at.
            follows: Whether the logs are followed: then there are further looks, what is dear may be a little old,
                and the first need not wait for it.
            lookout: What looks at endpoints and host; None where nothing does.
            usual: Of every model, with the usual versions, whatever the options name.

        Raises:
            FilterError: The filter cannot be understood.
            InputError: There is a filter, but no raw records.
        """
        taken_in, now = self._meter.taken_in, at is None
        options = (
            replace(self._options, model=None, baseline=None, candidate=None) if usual else self._options
        )
        question = self._question(span, at, choice, options)
        if not choice.filter:
            memory = self._remembered.kept(
                taken_in, now=now, patient=follows, wait=self._wait(follows=follows)
            )
            began = time.monotonic()
            found = self._shown(self._store.here(), memory, question, lookout)
            if follows and found.models:
                self._meter.answered(time.monotonic() - began)
            return found
        if not self._store.records:
            raise InputError("nothing to filter", "a rollup lake has no records", "open the logs themselves")
        held = self._excerpts.reading(choice.filter, taken_in, patient=follows)
        with held as (connection, remembered, held_in):
            memory = remembered.kept(held_in, now=now, patient=follows)
            found = self._shown(connection, memory, question, lookout)
        return replace(found, provenance={**found.provenance, "filter": choice.filter})

    @contextmanager
    def records(self, text: str) -> Iterator[DuckDBPyConnection]:
        """Lend a connection to the records that pass a filter; see `snapshot`."""
        with self._excerpts.reading(text, self._meter.taken_in, patient=False) as (connection, _, _):
            yield connection

    def _wait(self, *, follows: bool) -> Wait:
        """Return what may be put off: only those who follow the logs look again."""
        if not follows:
            return "no"
        return "reading" if self._meter.reading else "first"

    def _question(
        self, span: timedelta | None, at: datetime | None, choice: Choice, options: Options
    ) -> Question:
        from mlwatch.snapshot.build import Question  # noqa: PLC0415  pulls numpy

        rollout = self._config.rollout
        return Question(
            span,
            at,
            options.model,
            choice.baseline or self._by_alias("baseline", options.baseline, rollout.baseline),
            choice.candidate or self._by_alias("candidate", options.candidate, rollout.candidate),
            bool(choice.filter),
            choice.since,
        )

    def _by_alias(self, role: str, named: str | None, configured: str | None) -> str | None:
        """Return the version of a role: as the command line names it, else as the registry does."""
        if named is not None or configured is not None or self._neighbours.registry is None:
            return named
        from mlwatch.snapshot.read import lives  # noqa: PLC0415  pulls numpy

        known = lives(self._store.here())
        return self._neighbours.role(role, [life.pair.version for life in known])

    def _shown(
        self, connection: DuckDBPyConnection, memory: Kept, question: Question, lookout: Lookout | None
    ) -> Snapshot:
        from mlwatch.snapshot.build import snapshot  # noqa: PLC0415  pulls numpy
        from mlwatch.snapshot.read import one_moment  # noqa: PLC0415  the same

        system = _system(self._options.path) if lookout is None and question.at is None else None
        with one_moment(connection):
            found = snapshot(
                connection,
                self._config,
                question,
                now=datetime.now(UTC),
                feed=self._meter.feed(self._store.note),
                system=system,
                memory=memory,
            )
        found = self._neighbours.told(found)
        if question.at is not None and not question.partial:
            found = as_of_then(found)
        if question.at is None and lookout is not None:
            found = _with_unasked(found, lookout.unasked)
        said = (*self._troubles(lookout), *found.alerts)
        if question.at is None:
            said = self._first_seen.dated(said, question)
        return replace(
            found,
            alerts=silences.marked(self._store.here(), gravest_first(said), datetime.now(UTC)),
            provenance={**found.provenance, **self._provenance(), "filter": None},
        )

    def _troubles(self, lookout: Lookout | None) -> list[Alert]:
        """Return what keeps the session from its work just now."""
        from mlwatch.snapshot.types import Alert  # noqa: PLC0415

        blind = lookout.failure if lookout is not None else None
        said: tuple[tuple[str, Severity, str | None], ...] = (
            ("ingest", "critical", self._meter.failure),
            ("endpoints", "critical", blind),
            *self._neighbours.troubles(),
        )
        return [
            Alert(rule, "firing", severity, text, datetime.now(UTC))
            for rule, severity, text in said
            if text is not None
        ]

    def _provenance(self) -> Mapping[str, str | None]:
        """Return the versions of code and data; asked once, for they are those that the session began with."""
        from mlwatch.systems.dvc import data_version  # noqa: PLC0415  not before the first snapshot
        from mlwatch.systems.git import code_version  # noqa: PLC0415

        if self._outside is None:
            data = data_version(self._reference) if self._reference is not None else None
            self._outside = {"git": code_version(self._options.config), "data": data}
        return self._outside


def _with_unasked(found: Snapshot, unasked: Mapping[str, str]) -> Snapshot:
    """Return a snapshot in which endpoints that cannot be asked are there and say why, with an alert each.

    Args:
        found: With those that were ever looked at.
        unasked: Why, by name.
    """
    if not unasked:
        return found
    from mlwatch.snapshot.health_alerts import not_asked  # noqa: PLC0415  few need it
    from mlwatch.snapshot.health_types import Endpoint  # noqa: PLC0415  the same

    now = datetime.now(UTC)
    named = {name: Endpoint(name, now, "", live=None, ready=None) for name in unasked}
    named |= {endpoint.name: endpoint for endpoint in found.endpoints}
    marked = tuple(replace(one, unasked=unasked.get(name, "")) for name, one in sorted(named.items()))
    return replace(found, endpoints=marked, alerts=(*found.alerts, *not_asked(marked, now)))


def _system(path: Path) -> System:
    """Look at the host once, for those who do not follow it."""
    from mlwatch.host.sampler import Sampler  # noqa: PLC0415  pulls psutil
    from mlwatch.snapshot.system import of_sample  # noqa: PLC0415

    sampler = Sampler([str(path)])
    try:
        return of_sample(sampler.sample())
    finally:
        sampler.close()
