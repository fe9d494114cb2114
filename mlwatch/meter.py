"""How a session gets on: what its ingest thread tells the others."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mlwatch.errors import reason_of, tells_of_full_disk
from mlwatch.store.touched import Journal

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Feed, Stage
    from mlwatch.store.ingest import Progress
    from mlwatch.store.touched import Touched

RECENT_S = 10.0
"""Time over which the rate of reading is measured."""
REST = 3.0
"""While the first pass reads, the next look waits so many times what the last answer took: it slows that down."""
LONGEST_S = 5.0
"""For the end of the pass it does not wait longer than this: how much a topic holds is a guess."""


class Meter:
    """Count what is taken in and looked at; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken_in = 0
        self._seen = 0
        """Grows with everything that endpoints and host show; apart, as no verdict depends on it."""
        self._progress: Progress | None = None
        self._began = 0.0
        self._rows: list[tuple[float, int]] = []
        self._failure: str | None = None
        self._stage: Stage = "through"
        self._beginning = True
        """Whether the first pass is not through."""
        self._told = 0
        """What had been taken in when that was told last."""
        self._answered, self._took_s = 0.0, 0.0
        """When an answer was through, by the monotonic clock, and what it took."""
        self._ahead = (0, 0)
        """Files of the present pass, and their bytes."""
        self.journal = Journal()
        """What was touched of the rollups each time that `taken_in` grew."""

    @property
    def generation(self) -> int:
        """A number that grows when there is something new to look at; see `REST`."""
        with self._lock:
            if not (self._beginning and self._rests(time.monotonic())):
                self._told = self._taken_in
            return self._told + self._seen

    def _rests(self, now: float) -> bool:
        """Tell whether a look is not worth it yet: there was one just now, or all is read before it could answer."""
        rested = now - self._answered - REST * self._took_s
        if rested < 0 or rested > LONGEST_S:
            return rested < 0
        left = _left_s(self._progress, now - self._began) if self._progress is not None else None
        return left is not None and left < self._took_s

    def answered(self, took_s: float) -> None:
        """Note how long an answer took that shows what was read."""
        with self._lock:
            self._answered, self._took_s = time.monotonic(), took_s

    @property
    def taken_in(self) -> int:
        """A number that grows with every batch."""
        with self._lock:
            return self._taken_in

    @property
    def reading(self) -> bool:
        """Tell whether a pass over the logs has not come to their end yet."""
        with self._lock:
            return self._progress is not None and self._progress.bytes_done < self._progress.bytes_total

    @property
    def failure(self) -> str | None:
        """Why nothing is read just now; None when all goes well."""
        with self._lock:
            return self._failure

    def looked(self) -> None:
        """Note that something was seen that no verdict depends on."""
        with self._lock:
            self._seen += 1

    def changed(self, touched: Touched | None) -> int:
        """Note that something was taken in, or said about it; return the number that grew.

        Args:
            touched: What changed of the rollups; None where that is not known.
        """
        with self._lock:
            return self._grow(touched)

    def _grow(self, touched: Touched | None) -> int:
        self._taken_in += 1
        self.journal.note(self._taken_in, touched)
        return self._taken_in

    def passed(self, error: Exception | None) -> None:
        """Note how a pass over the logs ended: with an error, or without."""
        failure = _in_words(error) if error is not None else None
        with self._lock:
            if error is not None:
                self._grow(None)  # what was committed before is not known
            elif self._failure is not None:
                self._grow({})
            self._failure = failure

    def stands(self, stage: Stage, files: int = 0, size: int = 0) -> None:
        """Note what the ingest does now.

        Args:
            stage: See `Feed.stage`.
            files: That it reads.
            size: Their bytes on disk.
        """
        with self._lock:
            if stage != self._stage and self._beginning:
                self._seen += 1  # later passes show by what they took in
            self._stage, self._ahead = stage, (files, size)
            self._beginning = self._beginning and stage != "through"

    def took(self, progress: Progress) -> None:
        """Note a batch."""
        now = time.monotonic()
        with self._lock:
            self._grow(progress.touched)
            former = self._progress
            if (
                progress.batches == 1 or former is None
            ):  # how much a topic holds is guessed anew with each batch
                self._began = now
            self._progress = progress
            self._rows = [*((t, n) for t, n in self._rows if now - t < RECENT_S), (now, progress.rows)]

    def feed(self, note: str | None) -> Feed:
        """Return how the reading stands.

        Args:
            note: Where it is not as asked for.
        """
        from mlwatch.snapshot.types import Feed  # noqa: PLC0415

        with self._lock:
            progress, rows, began = self._progress, list(self._rows), self._began
            stage, (files, size) = self._stage, self._ahead
        now = time.monotonic()
        recent = [(t, n) for t, n in rows if now - t < RECENT_S]
        window = max(1.0, min(RECENT_S, now - recent[0][0])) if recent else RECENT_S
        done, total = (progress.bytes_done, progress.bytes_total) if progress else (0, 0)
        eta = _left_s(progress, now - began) if progress else None
        return Feed(
            rows_per_s=sum(n for _, n in recent) / window,
            lag_s=progress.lag_s if progress and recent else None,
            bytes_done=done,
            bytes_total=total,
            eta_s=eta,
            stage=stage,
            files_ahead=files,
            bytes_ahead=size,
            note=note,
        )


def _left_s(progress: Progress, so_far_s: float) -> float | None:
    """Return how long the rest takes to be read at the pace so far; None where nothing is left, or nothing is known."""
    done, total = progress.bytes_done, progress.bytes_total
    return so_far_s * (total - done) / done if 0 < done < total else None


def _in_words(error: Exception) -> str:
    """Say why the ingest has stopped for now."""
    text = reason_of(error)
    if tells_of_full_disk(text):
        return f"the disk of the store is full: ingest goes on when there is room ({text})"
    return f"ingest stopped for now: {text}"
