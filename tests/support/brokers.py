"""A Kafka cluster for tests: librdkafka's own mock cluster, which speaks the real protocol on a local port."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTITIONS = 4
"""Of every topic: the mock cluster makes them so."""


def quiet() -> logging.Logger:
    """Return a logger that says nothing."""
    logger = logging.getLogger("test.brokers")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return logger


class Cluster:
    """One broker, which lives as long as its producer, or one that runs already, by properties of the client."""

    def __init__(self, **properties: Any) -> None:
        mock = {"test.mock.num.brokers": 1, "bootstrap.servers": "replaced", "linger.ms": 1}
        self.producer: Any = Producer(properties or mock, logger=quiet())
        (broker,) = self.producer.list_topics(timeout=10).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def url(self, topic: str, options: str = "") -> str:
        """Return the address of a topic."""
        return f"kafka://{self.address}/{topic}{options}"

    def make(self, topic: str) -> None:
        """Make a topic."""
        deadline = time.monotonic() + 10
        while not self.producer.list_topics(topic, timeout=10).topics[topic].partitions:
            assert time.monotonic() < deadline, topic

    def send(
        self,
        topic: str,
        values: Iterable[Any],
        partition: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Write records as JSON, bytes and None as they are, to one partition or to each in turn."""
        for number, value in enumerate(values):
            raw = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
            where = number % PARTITIONS if partition is None else partition
            self.producer.produce(topic, raw, partition=where, headers=headers or {})
            self.producer.poll(0)
        assert self.producer.flush(20) == 0

    def close(self) -> None:
        """End the cluster."""
        self.producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
