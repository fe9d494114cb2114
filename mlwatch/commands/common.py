"""What several commands do alike: open a session, read the range, show progress."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlwatch.choice import Choice
from mlwatch.errors import InputError
from mlwatch.session import Options, Session
from mlwatch.times import parse_duration, parse_time

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from mlwatch.snapshot.rollout_history import Subject
    from mlwatch.snapshot.types import Snapshot
    from mlwatch.store.ingest import Progress


def options(arguments: Namespace) -> Options:
    """Return what the command line says about a session."""
    db: Path | Literal[":memory:"] | None = None
    if arguments.db is not None:
        db = ":memory:" if arguments.db == ":memory:" else Path(arguments.db)
    return Options(
        path=arguments.path,
        others=arguments.others,
        apart=arguments.apart,
        topics=getattr(arguments, "topics", None),
        config=arguments.config,
        db=db,
        reference=arguments.reference,
        model=arguments.model,
        baseline=arguments.baseline,
        candidate=arguments.candidate,
        endpoints=tuple(getattr(arguments, "endpoint", None) or ()),
        read_only=getattr(arguments, "read_only", False),
    )


def called(options: Options) -> str:
    """Return what messages call the directory, file or topics that the command line names."""
    return str(options.path) if options.topics is None else options.topics.address


@dataclass(frozen=True, slots=True)
class Range:
    """The range that the command line names, and which of its records."""

    span: timedelta | None
    at: datetime | None
    filter: str = ""
    """In the language of `records.filters`; empty for all."""
    since: datetime | None = None
    """Start of the range, where the command line says that and not its length."""

    def asked(self, session: Session) -> Snapshot:
        """Return what a session says of it."""
        return session.snapshot(self.span, self.at, Choice(filter=self.filter, since=self.since))

    def newest(self, session: Session, span: timedelta) -> Snapshot:
        """Return what a session says of its newest part."""
        return session.snapshot(span, self.at, Choice(filter=self.filter))


def chosen_range(arguments: Namespace) -> Range:
    """Read `--since`, `--until`, `--window` and `--filter`.

    Raises:
        InputError: when one cannot be read, or they do not go together.
    """
    until, since = (_moment(arguments, name) for name in ("until", "since"))
    try:
        window = parse_duration(arguments.window) if arguments.window else None
    except ValueError as error:
        raise InputError(str(error), "--window", "give a length such as 6h") from error
    if window is not None and not window:
        raise InputError("--window is zero", "command line", "give a length such as 6h")
    only = getattr(arguments, "filter", None) or ""
    if since is None:
        return Range(window, until, only)
    if window is not None:
        raise InputError("--since and --window exclude each other", "command line", "leave one out")
    if (until or parse_time("now")) <= since:
        todo = "give an earlier --since"
        raise InputError(f"--since is not before {'--until' if until else 'now'}", "command line", todo)
    return Range(None, until, only, since)


def _moment(arguments: Namespace, name: str) -> datetime | None:
    """Read an option that is a time; `--at` stands for `--until` where there is such an option."""
    given = getattr(arguments, name)
    try:
        return parse_time(given) if given else None
    except ValueError as error:
        at = name == "until" and getattr(arguments, "at", None)
        raise InputError(
            str(error), "--at" if at else f"--{name}", "give a time such as 2026-11-03T12:00Z"
        ) from error


def refuse_range(arguments: Namespace, why: str) -> None:
    """Make sure that no range is asked for where there is none to choose.

    Raises:
        InputError: when there is one.
    """
    given = [name for name in ("since", "until", "window") if getattr(arguments, name)]
    if given:
        raise InputError(why, f"--{given[0]}", "leave it out")


@contextmanager
def taken_in(arguments: Namespace, lake: Path | None = None) -> Iterator[Session]:
    """Open a session that has read everything there is now.

    Args:
        arguments: The command line.
        lake: Where its rollups will be written.

    Raises:
        InputError: when there is no log in the directory.
    """
    with Session(replace(options(arguments), lake=lake)) as session:
        for note in filter(None, (session.note, session.roles_note)):
            sys.stderr.write(f"mlwatch: note: {note}\n")
        progress = _Bar()
        try:
            session.ingest_all(progress.show)
        finally:
            progress.clear()
        yield session


def need_versions(session: Session, subjects: Iterable[Subject]) -> None:
    """Make sure that the versions that were named have traffic.

    Raises:
        InputError: naming those that have.
    """
    for subject in subjects:
        if subject.roles.absent:
            known = (life.pair.version for life in subject.roles.ordered)
            raise no_traffic(subject.roles.absent[0], known, called(session.options))


def no_traffic(version: str, known: Iterable[str], place: str) -> InputError:
    """Return what is said of a version that was named and is not there.

    Args:
        version: Which.
        known: Those that are there.
        place: Of the logs.
    """
    names = ", ".join(known) or "none"
    return InputError(f"version {version} has no traffic", place, f"the logs know {names}")


def need_records(session: Session, snapshot: Snapshot) -> None:
    """Make sure that something was read.

    What was named comes from the session, not from the command line, whose values have no types to check.

    Raises:
        InputError: saying why nothing was, as far as it is known.
    """
    if snapshot.ingest.records == 0:
        topics = session.options.topics
        empty = "no file with records below it" if topics is None else "no message with records in it"
        why = next((alert.message for alert in snapshot.alerts if alert.state != "resolved"), empty)
        raise InputError("no prediction logs", called(session.options), why)


class _Bar:
    """One line of progress on a terminal; silent elsewhere and for what is quick."""

    LEAST_BYTES = 50_000_000

    def __init__(self) -> None:
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Show how far the reading has come."""
        if not sys.stderr.isatty() or progress.bytes_total < self.LEAST_BYTES:
            return
        share = progress.bytes_done / progress.bytes_total
        sys.stderr.write(f"\rreading {progress.bytes_total / 1e6:,.0f} MB: {share:4.0%}")
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
