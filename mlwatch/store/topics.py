"""Take in topics exactly once: how far a partition is read is a row of the ledger, written with the rows it brought."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlwatch.errors import InputError
from mlwatch.sources.files import Found
from mlwatch.sources.kafka import ASK_S, Partition, Reader
from mlwatch.sources.messages import pieces
from mlwatch.store.ledger import PARTITION, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlwatch.config.topics import Topics
    from mlwatch.sources.messages import Message
    from mlwatch.store.items import Work
    from mlwatch.store.ledger import Ledger
    from mlwatch.store.topic_works import Taken, TopicWorks

POLL_S = 0.1
"""Time that messages are waited for while following."""
STALL_S = 20.0
"""Time without a message after which a cluster that owes some is given up."""
LOOK_S = 30.0
"""Time between two looks for new partitions."""
TROUBLED_S = 5.0
"""The same while something is wrong."""


class TopicFeed:
    """The partitions of some topics as segments, from where the ledger has them.

    Args:
        topics: What to read.
        ledger: How far each partition is read.
        works: Makes segments.
        say: Called with a partition's name and what became of it.
        stopped: Asked between messages.

    Raises:
        InputError: The cluster or a topic cannot be read.
    """

    def __init__(
        self,
        topics: Topics,
        ledger: Ledger,
        works: TopicWorks,
        say: Callable[[str, str], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._topics = topics
        self._ledger = ledger
        self._works = works
        self._say = say
        self._stopped = stopped
        self._reader = Reader(topics)
        cluster, self._partitions = self._reader.look()
        self._cluster = _number(f"{cluster}/{topics.group}")
        self._given: dict[Partition, int] = {}
        """Offset behind what was handed out last."""
        self._skipped: dict[Partition, int] = {}
        """Where partitions begin that had lost what was to be read next."""
        self._goals: dict[Partition, int] | None = None
        """Where to stop; None while following."""
        self._messages = self._bytes = 0
        self._looked = time.monotonic()
        self.trouble: str | None = None
        """What keeps messages from coming just now."""

    def close(self) -> None:
        """Leave the cluster."""
        self._reader.close()

    def stop_at_present_end(self) -> None:
        """Read what there is now, and nothing that comes later.

        Raises:
            InputError: The cluster does not answer.
        """
        _, self._partitions = self._reader.look()
        self._goals = {one: self._reader.limits(one)[1] for one in self._partitions}

    def follow(self) -> None:
        """Read on for ever."""
        self._goals = None

    def entries(self) -> list[Entry]:
        """Return what is to be written to the ledger between batches: partitions that are new, and ends that moved.

        Raises:
            InputError: The cluster does not answer.
        """
        known = {one.topic for one in self._partitions if self._entry(one) is not None}
        fresh = [one for one in self._partitions if self._entry(one) is None]
        offsets = self._reader.begin([one for one in fresh if one.topic not in known])
        later = {one: self._reader.limits(one)[0] for one in fresh if one.topic in known}
        new = [self._new(one, offset) for one, offset in {**offsets, **later}.items()]
        return new + [entry for one in self._partitions if (entry := self._moved(one)) is not None]

    def _entry(self, partition: Partition) -> Entry | None:
        """Return what the ledger has of a partition; another cluster's of the same name is not it."""
        entry = self._ledger.by_path.get(partition.name)
        return entry if entry is not None and entry.device == self._cluster else None

    def _new(self, partition: Partition, offset: int) -> Entry:
        number = self._ledger.reserve()
        end = self._reader.high(partition) or offset
        place = (number, partition.name, self._cluster, -1 - number, end, time.time_ns())
        return Entry(*place, PARTITION, offset=offset)

    def _moved(self, partition: Partition) -> Entry | None:
        """Return an entry that says where its partition ends now; None where it says so already."""
        entry, end = self._entry(partition), self._end(partition)
        if entry is None:
            return None
        offset = self._skipped.pop(partition, entry.offset)
        size = entry.size if end is None else end
        if (offset, size) == (entry.offset, entry.size):
            return None
        return replace(entry, offset=offset, size=size, mtime_ns=time.time_ns())

    def _end(self, partition: Partition) -> int | None:
        """Return where a partition ends, for all that a reader can get: marks of transactions are no messages."""
        entry, high = self._entry(partition), self._reader.high(partition)
        if entry is not None and partition in self._reader.ended and self._is_current(partition, entry):
            return entry.offset
        return high

    def _is_current(self, partition: Partition, entry: Entry) -> bool:
        return self._given.get(partition) == entry.offset

    @property
    def expected_bytes(self) -> int:
        """About how many bytes of text this pass has taken and has before it."""
        unread = sum(
            max(0, (self._reader.high(one) or 0) - self._given.get(one, 0)) for one in self._partitions
        )
        return self._bytes + round(unread * self._bytes / max(1, self._messages))

    def works(self) -> Iterator[list[Work]]:
        """Yield what has come, in groups that are to be taken in together; every partition must be in the ledger.

        Raises:
            InputError: The cluster owes messages and does not answer.
        """
        self._messages = self._bytes = 0
        self._go_on_from_ledger()
        goals = self._goals if self._goals is not None else self._known_ends()
        if self._goals is not None:
            self._reader.gone.update(one for one, goal in goals.items() if self._is_beyond(one, goal))
            self._step_over_gaps()
        heard = time.monotonic()
        over = self._goals is not None and self._is_reached(goals)
        while not over and not self._stopped():
            found = self._reader.read(POLL_S)
            taken = [one for partition, read in found.items() for one in self._pieces(partition, read)]
            for works in self._works.works(taken):
                self._bytes += sum(work.segment.length for work in works)
                yield works
            self._step_over_gaps()
            heard = time.monotonic() if found else heard
            self._check_heard(heard)
            over = self._is_reached(goals) or (not found and self._goals is None)
        if self._goals is None:
            self._look_again()

    def _is_beyond(self, partition: Partition, end: int) -> bool:
        """Tell whether more was read than there is; some brokers say so of what they have just delivered."""
        given = self._given.get(partition, 0)
        return given > end and self._reader.ended.get(partition, 0) < given

    def _check_heard(self, heard: float) -> None:
        """Give up a cluster that owes messages and sends none."""
        if time.monotonic() - heard > STALL_S:
            raise InputError(
                f"the Kafka cluster does not answer ({self._reader.trouble or 'no message came'})",
                self._topics.address,
                "check its state and your rights",
            )

    def _go_on_from_ledger(self) -> None:
        """Read on from where the ledger is: at the start, and where a batch was not taken in."""
        wanted = {one: entry.offset for one in self._partitions if (entry := self._entry(one)) is not None}
        moved = {one: at for one, at in wanted.items() if self._given.get(one) != at}
        self._reader.read_from(moved)
        self._given.update(moved)

    def _known_ends(self) -> dict[Partition, int]:
        """Return the ends as of now; a partition that nothing is known of is asked once, however long it has."""
        return {one: self._reader.high(one) or self._given.get(one, 0) + 1 for one in self._partitions}

    def _is_reached(self, goals: dict[Partition, int]) -> bool:
        ended = self._reader.ended  # what lies between the last message and an end are marks of transactions
        return all(max(self._given.get(one, 0), ended.get(one, 0)) >= goal for one, goal in goals.items())

    def _pieces(self, partition: Partition, messages: Sequence[Message]) -> Iterator[Taken]:
        entry = self._entry(partition)
        if entry is None:
            return
        entry = replace(entry, size=self._reader.high(partition) or entry.size, mtime_ns=time.time_ns())
        relative = entry.path
        found = Found(Path(relative), relative, entry.device, entry.inode, entry.size, entry.mtime_ns)
        start = self._given.get(partition, entry.offset)
        named = f"{self._topics.names[0]}/{partition.topic}"  # what has no model is the first topic's
        for piece in pieces(found, messages, start, self._topics.columns):
            self._given[partition] = piece.end
            self._messages += piece.end - piece.start
            yield piece, entry, named

    def _step_over_gaps(self) -> None:
        """Read on where a partition begins by now; say what was deleted before it was read."""
        for partition in list(self._reader.gone):
            low, high = self._reader.limits(partition, ASK_S)
            at = self._given.get(partition, 0)
            if low > at:
                lost = f"{low - at:,} messages were deleted before they were read"
            else:
                lost = f"it ends at {high:,}, before what was read ({at:,}): the topic was made anew"
            self._say(partition.name, f"{partition.name}: {lost}; it is read from {low:,} on")
            self._reader.read_from({partition: low})
            self._given[partition] = low
            self._skipped[partition] = low

    def _look_again(self) -> None:
        """Look now and then for new partitions, and whether the cluster is well again."""
        troubled = self.trouble is not None or self._reader.trouble is not None
        if time.monotonic() - self._looked > (TROUBLED_S if troubled else LOOK_S):
            self._looked = time.monotonic()
            try:
                _, self._partitions = self._reader.look(ASK_S)
            except InputError as error:
                self.trouble = str(error)
                return
        reason = self._reader.trouble
        self.trouble = (
            f"Kafka: {reason}: {self._topics.address}: reading goes on when it is back" if reason else None
        )


def _number(text: str) -> int:
    """Return a number that stands for a cluster where a file's device stands; negative, so that it is none."""
    return -1 - int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())
