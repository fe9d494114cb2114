"""What there is to read in a log directory now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.sources.files import Found, discover, patterns_of
from mlwatch.store.copies import without_twins
from mlwatch.store.deltas import DeltaTables
from mlwatch.store.holding import held_files
from mlwatch.store.resolve import Plan, resolve
from mlwatch.store.telling import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.store.books import Books
    from mlwatch.store.ledger import Entry, Ledger
    from mlwatch.store.telling import Telling


class Directory:
    """Look at a log directory, or a single file.

    Args:
        connection: Of the ingest thread.
        root: The directory or file.
        config: What to include.
        ledger: What was read.
        books: What is found out is written there.
        telling: Tells of what cannot be looked at.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        root: Path,
        config: Config,
        ledger: Ledger,
        books: Books,
        telling: Telling,
    ) -> None:
        self._root = root
        self._config = config
        self._ledger, self._books, self._telling = ledger, books, telling
        self._is_directory = root.is_dir()  # a single file goes for a moment when it is rotated
        self.place = root.resolve() if self._is_directory else root.resolve().parent
        """The directory by its real name; of a single file, that which it is in."""
        self._exclude = (*config.watch.exclude, *patterns_of(self.place, config.named_files()))
        self._deltas = DeltaTables(connection, root, ledger, telling)
        self.listed: frozenset[str] = frozenset()
        """Relative paths of the files that were there when the directory was last seen."""

    def plans(self) -> list[Plan]:
        """Return what is to be read; what became of the other files is written down."""
        plans: list[Plan] = []
        moved: list[Entry] = []
        places, tables = self._look()
        apart = self._deltas.apart(tables, places.values())
        self._books.write(apart.entries)
        paths = {identity: found.path for identity, found in places.items()}
        for found in places.values():
            if found.relative in apart.waiting:
                continue
            try:
                plan = resolve(found, self._ledger, paths)
            except FileNotFoundError:
                continue  # moved since it was listed: the next scan finds it
            except OSError as error:
                self._telling.unread(found.relative, f"cannot be opened ({error.strerror})")
                continue
            if plan is not None and plan.moved:
                moved.append(plan.entry)
            elif plan is not None:
                plans.append(plan)
        self._books.write(moved)
        return without_twins(plans)

    def _look(self) -> tuple[dict[tuple[int, int], Found], list[str]]:
        """List the files, newest first, and the Delta tables.

        A file with several names (a link) is taken under the name it is known by.
        """
        files: dict[tuple[int, int], Found] = {}
        tables: list[str] = []
        gone = self._is_directory and not self._root.exists()
        said = f"{self._root} is gone: what it held is shown, nothing new is read"
        self._telling.trouble(ROOT, said if gone else None)
        held = held_files()
        include, say = self._config.watch.include, self._say_unlisted
        for found in discover(self._root, include, self._exclude, say, tables.append):
            if found.identity in held:
                continue  # a store among the logs, by whatever name
            known = self._ledger.by_inode(*found.identity)
            identity = found.identity if found.inode else (found.device, -len(files) - 1)
            if identity not in files or (known is not None and known.path == found.relative):
                files[identity] = found
        if not gone:
            self.listed = frozenset(found.relative for found in files.values())
        return files, tables

    def _say_unlisted(self, relative: str, error: OSError) -> None:
        self._telling.unread(relative, f"its files cannot be listed ({error.strerror})")
