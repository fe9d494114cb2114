"""An open store that many threads ask: each has a cursor of its own, and it is closed after their last queries."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mlwatch.errors import StoreError
from mlwatch.store.database import cursor

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from mlwatch.store.database import Opened

LAST_QUERY_S = 10.0
"""So long the end waits for a query that still runs."""


class Branches:
    """The cursors of a store; any thread may ask for one.

    Args:
        opened: The store.
        title: What is watched, to be named to those who come too late.
    """

    def __init__(self, opened: Opened, title: str) -> None:
        self._opened, self._title = opened, title
        self._branching = threading.Lock()
        self._local = threading.local()
        self.closed = False

    def need_open(self) -> None:
        """Make sure that the store was not closed.

        Raises:
            StoreError: when it was.
        """
        if self.closed:
            raise StoreError("the session is closed", self._title, "open another one")

    def connect(self) -> DuckDBPyConnection:
        """Return a cursor for one thread; the engine lets nobody close a connection that another thread branches."""
        with self._branching:
            self.need_open()
            return cursor(self._opened.connection)

    def here(self) -> DuckDBPyConnection:
        """Return the cursor of the calling thread."""
        self.need_open()
        mine: DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if mine is None:
            mine = self._local.cursor = self.connect()
        return mine

    def close(self) -> None:
        """Close the store once nobody asks it any more: the engine refuses while another thread's query runs."""
        import duckdb  # noqa: PLC0415

        self.closed = True
        deadline = time.monotonic() + LAST_QUERY_S
        while True:
            try:
                with self._branching:
                    self._opened.close()
            except duckdb.ResourceInUseException:
                if time.monotonic() > deadline:
                    return  # the process is about to end, and what was committed is safe
                time.sleep(0.02)
            else:
                return
