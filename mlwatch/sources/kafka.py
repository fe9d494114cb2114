"""Read the topics of a Kafka cluster: partitions, what is in them, and what is wrong with the cluster."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from mlwatch.errors import InputError, one_line
from mlwatch.sources.messages import Message, whole_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlwatch.config.topics import Topics

CONNECT_S = 10.0
"""Time that a cluster has to answer at the start."""
ASK_S = 3.0
"""The same later on, where the ingest waits for it."""
MESSAGES = 20_000
"""Messages that are taken at once."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """A part of a topic, in which messages are numbered by offsets."""

    topic: str
    number: int

    @property
    def name(self) -> str:
        """What stands for a file's path: no file below a directory has two slashes in its."""
        return f"kafka://{self.topic}/{self.number}"


class Reader:
    """A client that reads from offsets it is told; brokers keep nothing of where it is.

    Args:
        topics: What to read.

    Raises:
        InputError: when the client is not installed, or does not take a property.
    """

    def __init__(self, topics: Topics) -> None:
        try:
            import confluent_kafka  # noqa: PLC0415  an extra
        except ImportError:
            raise InputError(
                "reading Kafka needs one more package", topics.address, "pip install 'mlwatch[kafka]'"
            ) from None
        self.topics = topics
        self._kafka = confluent_kafka
        self._reasons: dict[int, str] = {}
        """What the client reported by itself, by the kind of error."""
        self.ended: dict[Partition, int] = {}
        """Partitions that are read to their ends, and where those were."""
        self.gone: set[Partition] = set()
        """Partitions that have not what is to be read next: deleted already, or the topic was made anew."""
        self._assigned: set[Partition] = set()
        try:
            self._consumer = confluent_kafka.Consumer(self._properties(), logger=_silent())
        except (confluent_kafka.KafkaException, ValueError, TypeError) as error:
            raise InputError(
                f"the Kafka client cannot be set up ({self._safe(error)})",
                topics.address,
                "see the properties of librdkafka",
            ) from error

    def _properties(self) -> dict[str, Any]:
        return {
            "client.id": "mlwatch",
            "queued.max.messages.kbytes": 65_536,
            **self.topics.settings(),
            "bootstrap.servers": self.topics.brokers,
            "group.id": self.topics.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "error_cb": self._note,
        }

    def _note(self, error: Any) -> None:
        """Keep what the client says beside messages; that one connection was closed says little."""
        if error.code() != self._kafka.KafkaError._TRANSPORT:  # noqa: SLF001  so named by the library
            self._reasons[error.code()] = self._safe(error.str())

    def _safe(self, error: object) -> str:
        """Return an error's text without what must not be shown."""
        text = error.args[0].str() if isinstance(error, self._kafka.KafkaException) else str(error)
        for secret in self.topics.secrets():
            text = text.replace(secret, "…")
        return one_line(text)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the cluster, as far as is known."""
        worst = (self._kafka.KafkaError._AUTHENTICATION, self._kafka.KafkaError._SSL)  # noqa: SLF001
        codes = sorted(self._reasons, key=lambda code: code not in worst)
        return self._reasons[codes[0]] if codes else None

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def look(self, wait: float = CONNECT_S) -> tuple[str, list[Partition]]:
        """Return the cluster's id and the partitions that there are now.

        Args:
            wait: Seconds to wait for the cluster.

        Raises:
            InputError: The cluster does not answer, or a topic cannot be read.
        """
        self._reasons.clear()
        try:
            seen = [self._consumer.list_topics(name, timeout=wait) for name in self.topics.names]
        except self._kafka.KafkaException as error:
            self._consumer.poll(0)  # calls back with what the reason is
            self._fail(error)
        for metadata, name in zip(seen, self.topics.names, strict=True):
            self._check(metadata.topics[name].error, name)
        found = [
            Partition(name, number)
            for metadata, name in zip(seen, self.topics.names, strict=True)
            for number in metadata.topics[name].partitions
        ]
        return str(seen[0].cluster_id or self.topics.brokers), sorted(found)

    def _fail(self, error: Exception) -> NoReturn:
        reason = self.trouble or self._safe(error)
        raise InputError(
            f"the Kafka cluster does not answer ({reason})",
            self.topics.address,
            "check its address, its state and your rights",
        ) from error

    def _check(self, error: Any, name: str) -> None:
        """Raise what is wrong with a topic."""
        if error is None:
            return
        codes = self._kafka.KafkaError
        todo = "check its state"
        what = f"the topic {name} cannot be read ({self._safe(error.str())})"
        if error.code() in {codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC}:  # noqa: SLF001
            what, todo = f"no such topic: {name}", "check its name; a topic is never created by reading"
        elif error.code() == codes.TOPIC_AUTHORIZATION_FAILED:
            what, todo = f"no right to read the topic {name}", "grant READ and DESCRIBE on topic and group"
        raise InputError(what, self.topics.address, todo)

    def begin(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return where partitions are to be begun that were never read.

        Raises:
            InputError: The cluster does not answer.
        """
        begin, partitions = self.topics.begin, list(partitions)
        if not partitions:
            return {}
        if isinstance(begin, datetime):
            return self._at(partitions, begin)
        return {one: self.limits(one)[0 if begin == "earliest" else 1] for one in partitions}

    def _at(self, partitions: list[Partition], moment: datetime) -> dict[Partition, int]:
        stamp = int(moment.timestamp() * 1000)
        asked = [self._place(one, stamp) for one in partitions]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=CONNECT_S)
        except self._kafka.KafkaException as error:
            self._fail(error)
        places = {Partition(one.topic, one.partition): one.offset for one in found}
        return {one: at if at >= 0 else self.limits(one)[1] for one, at in places.items()}

    def limits(self, partition: Partition, wait: float = CONNECT_S) -> tuple[int, int]:
        """Return the first offset that a partition has, and the one that its next message gets.

        Raises:
            InputError: The cluster does not answer.
        """
        try:
            low, high = self._consumer.get_watermark_offsets(self._place(partition), timeout=wait)
        except self._kafka.KafkaException as error:
            self._fail(error)
        return int(low), int(high)

    def high(self, partition: Partition) -> int | None:
        """Return the offset of a partition's next message, as of the latest fetch; None when it is not known."""
        try:
            _, high = self._consumer.get_watermark_offsets(self._place(partition), cached=True)
        except self._kafka.KafkaException:
            return None
        return int(high) if high >= 0 else None

    def read_from(self, offsets: Mapping[Partition, int]) -> None:
        """Begin to read partitions at these offsets, whether they are read already or not."""
        places = [self._place(one, offset) for one, offset in offsets.items()]
        known = [place for one, place in zip(offsets, places, strict=True) if one in self._assigned]
        if known:
            self._consumer.incremental_unassign(known)
        if places:
            self._consumer.incremental_assign(places)
        for one in offsets:
            self.ended.pop(one, None)
            self.gone.discard(one)
        self._assigned.update(offsets)

    def read(self, wait: float) -> dict[Partition, list[Message]]:
        """Return what has come, by partition; nothing when that takes longer than `wait` seconds."""
        codes = self._kafka.KafkaError
        found: dict[Partition, list[Message]] = {}
        for message in self._consumer.consume(MESSAGES, wait):
            partition = Partition(message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                self._reasons.clear()
                self.ended.pop(partition, None)
                _, written = message.timestamp()
                value = whole_event(message.value(), dict(message.headers() or ()))
                read = Message(message.offset() or 0, value, max(0, written))
                found.setdefault(partition, []).append(read)
            elif error.code() == codes._PARTITION_EOF:  # noqa: SLF001  so named by the library
                self._reasons.clear()
                self.ended[partition] = message.offset() or 0
            elif error.code() in {codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
                self.gone.add(partition)
            else:
                self._note(error)
        return found

    def _place(self, partition: Partition, offset: int = 0) -> Any:
        return self._kafka.TopicPartition(partition.topic, partition.number, offset)


def _silent() -> logging.Logger:
    """Return a logger that keeps the client's own lines off the screen; what counts is told by its errors."""
    logger = logging.getLogger("mlwatch.kafka")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
