"""The address of Kafka topics: `kafka://broker[:port][,broker…]/topic[,topic…]?group=…&from=…`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping  # noqa: TC003  part of the type at run time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from mlwatch.times import parse_time

SCHEME = "kafka://"
PORT = 9092
Begin: TypeAlias = Literal["earliest", "latest"] | datetime

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
_BROKER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_SECRET = re.compile(r"password|secret|token|credential|\.pem$|oauthbearer\.config|jaas", re.IGNORECASE)
_OURS = frozenset(
    {
        *("bootstrap.servers", "metadata.broker.list", "group.id", "auto.offset.reset"),
        *("enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof"),
    }
)
_WORDS: Mapping[str, Begin] = {"earliest": "earliest", "latest": "latest"}
_USUAL = {"group": "mlwatch", "from": "earliest", "columns": ""}
_FORM = "give kafka://BROKER:9092/TOPIC"


@dataclass(frozen=True)
class Topics:
    """Topics of one cluster, and how they are read."""

    brokers: str
    """Hosts with ports, separated by commas, as the client wants them."""
    names: tuple[str, ...]
    group: str = "mlwatch"
    """Name of the reader: brokers may grant rights by it, and each has a store of its own."""
    begin: Begin = "earliest"
    """Where a partition is begun that was never read."""
    columns: tuple[str, ...] = ()
    """Names of the fields of delimited messages without a header."""
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the client (librdkafka); `env:NAME` stands for the value of an environment variable."""

    @property
    def address(self) -> str:
        """What the topics are called; without anything secret."""
        return f"{SCHEME}{self.brokers}/{','.join(self.names)}"

    @property
    def text(self) -> str:
        """The address with all options: secrets are named, not told."""
        begin = self.begin if isinstance(self.begin, str) else self.begin.isoformat()
        options = {"group": self.group, "from": begin, "columns": ",".join(self.columns), **self.properties}
        told = {name: value for name, value in options.items() if value != _USUAL.get(name)}
        return self.address + ("?" + urlencode(told, safe=":,") if told else "")

    def settings(self) -> dict[str, str]:
        """Return the client's properties with their values from the environment.

        Raises:
            ValueError: An environment variable is not set.
        """
        return {name: _from_environment(value) for name, value in self.properties.items()}

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must not be shown."""
        named = (name.removeprefix("env:") for name in self.properties.values() if name.startswith("env:"))
        return tuple(value for name in named if (value := os.environ.get(name)))


def is_topics(text: str) -> bool:
    """Tell whether text is meant as the address of topics."""
    return text.lower().startswith(SCHEME)


def parse_topics(text: str) -> Topics:
    """Read an address.

    Raises:
        ValueError: with what is wrong; never with what may be secret.
    """
    parts = urlsplit(text)
    if parts.scheme.lower() != "kafka":
        raise ValueError(_FORM)
    if "@" in parts.netloc:
        raise ValueError("no user or password in the address: give ?sasl.username=env:NAME and the like")
    names = tuple(unquote(name) for name in parts.path.strip("/").split(","))
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(f"no topic named: {_FORM}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    properties = {name: options.pop(name) for name in list(options) if "." in name}
    _check_properties(properties)
    topics = Topics(
        ",".join(_broker(one) for one in parts.netloc.split(",")),
        tuple(dict.fromkeys(names)),
        group=options.pop("group", "mlwatch") or "mlwatch",
        begin=_begin(options.pop("from", "earliest")),
        columns=tuple(name for name in options.pop("columns", "").split(",") if name),
        properties=properties,
    )
    if options:
        known = "group, from, columns, or a property of the client such as security.protocol"
        raise ValueError(f"unknown option {next(iter(options))}: there are {known}")
    return topics


def read_address(value: object) -> Topics | None:
    """Read the setting.

    Raises:
        ValueError: It is no address of topics.
    """
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes: {_FORM}")  # noqa: TRY004  every reader raises ValueError
    return parse_topics(value)


def _broker(text: str) -> str:
    found = _BROKER.fullmatch(text)
    if found is None:
        raise ValueError(f"no broker named: {_FORM}")
    return f"{found[1]}:{found[2] or PORT}"


def _begin(text: str) -> Begin:
    try:
        return _WORDS.get(text) or parse_time(text)
    except ValueError:
        raise ValueError(
            "from= is neither earliest nor latest nor a time such as 2026-11-23T10:00Z"
        ) from None


def _check_properties(properties: Mapping[str, str]) -> None:
    for name, value in properties.items():
        if name in _OURS:
            raise ValueError(f"{name} is not yours to set: offsets are kept in the store")
        if _SECRET.search(name) and not value.startswith("env:"):
            raise ValueError(f"{name} is secret: give {name}=env:NAME, and set that variable")


def _from_environment(value: str) -> str:
    if not value.startswith("env:"):
        return value
    name = value.removeprefix("env:")
    found = os.environ.get(name)
    if found is None:
        raise ValueError(f"the environment variable {name} is not set")
    return found
