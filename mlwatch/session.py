"""A watched log directory: its store, the threads that fill it, and the snapshots that faces ask for."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from mlwatch import silences
from mlwatch.answers import Answers, Store
from mlwatch.arguments import close_to
from mlwatch.choice import USUAL, Choice
from mlwatch.errors import InputError
from mlwatch.following import CONFIGURATION, Follower
from mlwatch.keeper import Keeper
from mlwatch.lookout import Lookout, look_around
from mlwatch.meter import Meter
from mlwatch.neighbours import Neighbours
from mlwatch.options import Options, caches_of, config_of, endpoints_of, title_of, unapplied_of
from mlwatch.paths import check_path
from mlwatch.store import notices, retention
from mlwatch.store.branches import Branches
from mlwatch.store.database import open_store
from mlwatch.store.ingest import Ingest, Progress
from mlwatch.store.lake import lakes_of
from mlwatch.store.lakes import Lakes, carry_on
from mlwatch.store.places import usual_store, verdicts_path
from mlwatch.store.reference import find, install, load_rows, set_aside
from mlwatch.store.telling import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd
    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config, EndpointSettings
    from mlwatch.records.desk import Desk
    from mlwatch.snapshot.types import Alert, Snapshot

__all__ = ["Options", "Session"]


class Session:
    """An open store with the directory that fills it.

    Use it as a context manager, or call `close`; whoever asks it afterwards gets a StoreError. Snapshots may be asked
    for from any thread.

    Raises:
        InputError: when the path is missing, unreadable or no place for logs.
        ConfigError: when the configuration is wrong.
        StoreError: when the store cannot be used.
    """

    def __init__(self, options: Options) -> None:
        check_path(options.path)
        self.options = options
        self.config: Config = config_of(options)
        topics = options.topics
        self.title = ", ".join(topics.names if topics is not None else title_of(options))
        lakes = lakes_of(options.path, options.others)
        self._lake = Lakes(lakes, apart=options.apart) if lakes else None
        self._opened = open_store(
            options.path,
            ":memory:" if self._lake is not None else options.db,
            usual_store(topics) if topics is not None else None,
        )
        self._branches = Branches(self._opened, self.title)
        try:
            self._set_up(verdicts_path(lakes) if lakes else None)
        except BaseException:
            self._opened.close()  # an error that is kept would keep the store from the next session
            raise

    def _set_up(self, verdicts: Path | None) -> None:
        """Make everything that works on the open store; `verdicts` is the file of a lake's."""
        options, topics = self.options, self.options.topics
        self._desk_making = threading.Lock()
        self._desk: Desk | None = None
        if options.lake is not None:
            carry_on(self._branches.here(), options.lake)
        self._meter = Meter()
        self._neighbours = Neighbours(
            self.config, self.connect, self._models, self.snapshot, writable=not options.read_only
        )
        self.config = self._neighbours.config
        self._keeper = Keeper(
            self.config,
            self._branches.here,
            self._ruled,
            self._meter,
            verdicts,
        )
        self._lookout: Lookout | None = None
        self._ingest = Ingest(
            *(self.connect(), options.path, self.config, self._on_batch),
            topics=None if self._lake is not None else topics or self.config.source.kafka,
            files=topics is None and self._lake is None,
            on_plan=lambda files, size: self._meter.stands("reading", files, size),
        )
        self._follower = Follower(
            *(
                options,
                self.config,
                self._branches.here,
                (self._ingest, self._lake),
                self._keeper,
                self._meter,
            ),
            secure=self._opened.keep_private,
            unapplied=unapplied_of(options, self.config),
        )
        # said of what an earlier start had read
        no_topics = topics is None and self.config.source.kafka is None  # there are none any more
        notices.resolve(self._branches.here(), CONFIGURATION, *([TOPICS] if no_topics else []))
        self._reference = self._install_reference()
        self._opened.keep_private()
        self._answers = Answers(
            Store(self.connect, self._branches.here, self.note, records=self._lake is None),
            *(options, self.config, self._meter, self._neighbours, self._reference),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connection(self) -> DuckDBPyConnection:
        """A cursor on the store for the calling thread."""
        return self._branches.here()

    @property
    def store_path(self) -> Path | None:
        """Path of the database file; None in memory."""
        return self._opened.path

    @property
    def note(self) -> str | None:
        """One sentence when the store is not the one that was asked for."""
        return self._opened.note if self._lake is None else self._lake.NOTE

    @property
    def roles_note(self) -> str | None:
        """One sentence when files were read under other `[roles]` than those in use."""
        return self._ingest.roles_note

    @property
    def generation(self) -> int:
        """A number that grows with every batch that was taken in, and with every look at endpoints and host."""
        return self._meter.generation

    def connect(self) -> DuckDBPyConnection:
        """Return a cursor for one thread."""
        return self._branches.connect()

    def _install_reference(self) -> Path | None:
        path = find(self.options.path, self.config, self.options.reference)
        if self._lake is not None:
            self._lake.open(self._branches.here(), reference=path)
            return None
        if path is not None:
            install(self._branches.here(), self._ingest.registry, path, self.config)
        else:
            set_aside(self._branches.here())
        return path

    def as_peer(self, snapshot: Snapshot, peer: Literal["evidently", "nannyml"]) -> dict[str, Any]:
        """Return what another tool would say of drift, from the raw rows that are kept.

        Args:
            snapshot: Of this session.
            peer: Which tool.

        Raises:
            InputError: when the reference is a profile, which has no rows.
        """
        from mlwatch.snapshot.peers import as_peer  # noqa: PLC0415  pulls numpy

        with self._rows_of(snapshot) as (connection, given):
            return as_peer(connection, snapshot, peer, given=given, window=self.config.reference.window)

    def multivariate(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return how far all features together moved, from samples of the raw rows that are kept; blocks for seconds.

        Args:
            snapshot: Of this session.

        Raises:
            InputError: when the reference is a profile, which has no rows.
        """
        from mlwatch.snapshot.peers import multivariate  # noqa: PLC0415  pulls numpy

        with self._rows_of(snapshot) as (connection, given):
            return multivariate(connection, snapshot, given=given, window=self.config.reference.window)

    def together(self, span: timedelta | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Return how far all features together moved over a range; see `multivariate` and `snapshot`."""
        return self.multivariate(self.snapshot(span, at))

    @contextmanager
    def _rows_of(self, snapshot: Snapshot) -> Iterator[tuple[DuckDBPyConnection, bool]]:
        """Lend a connection to the records that a snapshot is of, and say whether it has the reference as `given`."""
        chosen = snapshot.provenance["filter"]
        with self._answers.records(chosen) if chosen else closing(self.connect()) as connection:
            if self._reference is None:
                yield connection, False
                return
            try:
                load_rows(connection, self._ingest.registry, self._reference, self.config)
                yield connection, True
            finally:
                connection.execute("DROP TABLE IF EXISTS temp.given")

    def ingest_all(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Take in everything that is there now, in the calling thread.

        Args:
            progress: Called after each batch.

        Raises:
            InputError: when the directory holds no log at all, or the topics cannot be read.
            StoreError: when the session was stopped.
        """
        self._branches.need_open()
        self._watcher = progress
        self._follower.take_in_present()
        self._neighbours.look()
        retention.apply(self._branches.here(), self.config.store.keep)
        self._keeper.evaluate()
        self._opened.keep_private()

    _watcher: Callable[[Progress], None] | None = None

    def start(self) -> None:
        """Begin to follow the directory in a thread of its own."""
        self._branches.need_open()
        if not self._follower.follows:
            self._meter.stands("looking" if self.options.topics is None else "reading")
            self._lookout = self._look_out()
            self._keeper.start()
            self._neighbours.start()
            self._follower.start()

    @property
    def endpoints(self) -> tuple[EndpointSettings, ...]:
        """The endpoints of configuration and options."""
        return endpoints_of(self.options, self.config)

    def _look_out(self) -> Lookout:
        """Begin to look at endpoints, caches and host, in threads."""
        found = Lookout(
            self.connect,
            self.config,
            self.endpoints,
            self.options.path,
            self._meter.looked,
            caches_of(self.options, self.config),
        )
        found.start()
        return found

    def look_around(self, *, stay: bool = False) -> None:
        """Poll every endpoint and cache a few times, for those who judge once; returns when that is done.

        Args:
            stay: Go on polling until `stop`, for those who wait for a verdict.

        Raises:
            InputError: The address of an endpoint or its kind of server is wrong.
            ConfigError: A variable or file that the settings refer to is not there.
        """
        self._branches.need_open()
        caches = caches_of(self.options, self.config)
        path, looked = self.options.path, self._meter.looked
        found = look_around(self.connect, self.config, self.endpoints, path, looked, caches)
        if stay:
            self._lookout = found
        elif found is not None:
            found.stop()

    def stop(self) -> None:
        """End the threads and close the store."""
        self._follower.stop()
        if self._lookout is not None:
            self._lookout.stop()
        self._keeper.stop()
        self._neighbours.stop()
        self._ingest.close()
        self._branches.close()

    def close(self) -> None:
        """End the session, as one ends files and connections: the same as `stop`; a second time does nothing."""
        if not self._branches.closed:
            self.stop()

    def _models(self) -> list[str]:
        rows = self.connect().execute("SELECT model FROM models ORDER BY model").fetchall()
        return [model for (model,) in rows]

    def need_model(self) -> None:
        """Make sure that the logs, where there are any, have the model that the options name.

        Raises:
            InputError: naming the models that there are.
        """
        wanted, known = self.options.model, self._models()
        if wanted is None or wanted in known or not known:
            return
        close = close_to(wanted, known)
        todo = f"did you mean {close}?" if close else f"the logs have {', '.join(known)}"
        raise InputError("no such model", wanted, todo)

    def silence(self, alert: Alert, word: silences.Word, length: timedelta | None = None) -> None:
        """Mute or acknowledge an alert, or take that back; blocks on SQL.

        Args:
            alert: Which.
            word: What is said about it.
            length: How long a mute lasts; None until the alert is over.
        """
        silences.say(self._branches.here(), alert, word, datetime.now(UTC), length)
        self._meter.looked()

    def _on_batch(self, progress: Progress) -> None:
        self._opened.keep_private()
        self._meter.took(progress)
        if self._watcher is not None:
            self._watcher(progress)

    def snapshot(
        self, span: timedelta | None = None, at: datetime | None = None, choice: Choice = USUAL
    ) -> Snapshot:
        """Return everything that a face shows; blocks on SQL, for tens of milliseconds.

        Args:
            span: Length of the range; None for everything.
            at: End of the range, aware; None for the newest data.
            choice: Versions to compare, and records to look at; the first answer about new ones takes longer.

        Raises:
            FilterError: The filter cannot be understood.
            InputError: There is a filter, but no raw records.
        """
        self._branches.need_open()
        follows = self._follower.follows
        return self._answers.snapshot(span, at, choice, follows=follows, lookout=self._lookout)

    def _ruled(self, span: timedelta | None) -> Snapshot:
        """Return what alerts are of; the store keeps them, so what one run asks for leaves no trace in them.

        Whoever follows the logs with other versions wants them judged for as long: then hooks are run for them.
        """
        follows = self._follower.follows
        return self._answers.snapshot(
            span, None, USUAL, follows=follows, lookout=self._lookout, usual=not follows
        )

    @property
    def desk(self) -> Desk:
        """Where raw rows are asked for: pages of records, one in full, the quarantine, SQL beside the ingest."""
        from mlwatch.records.desk import Desk  # noqa: PLC0415  no number of the first screen needs it

        with self._desk_making:
            if self._desk is None:
                self._desk = Desk(self.connect, writable=not self.options.read_only)
            return self._desk

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one SELECT over the store, which it alone can reach, and return its column names and rows.

        Raises:
            InputError: when the statement is not allowed or fails.
        """
        return self.desk.rows(sql)

    def frame(self, name: str) -> pd.DataFrame:
        """Return a pandas table, such as `windows`, `versions`, `features` or `predictions`; see `faces.frames`."""
        from mlwatch.faces.frames import frame  # noqa: PLC0415  pulls pandas

        return frame(self._branches.here(), self.snapshot, name, self.options.model)
