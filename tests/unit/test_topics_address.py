"""Addresses of topics: what they say, and what is refused without showing a secret."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlwatch.config import parse
from mlwatch.config.topics import Topics, is_topics, parse_topics
from mlwatch.errors import ConfigError, InputError
from mlwatch.paths import place


def test_a_short_address() -> None:
    assert parse_topics("kafka://broker/predictions") == Topics("broker:9092", ("predictions",))
    assert parse_topics("kafka://broker/predictions").text == "kafka://broker:9092/predictions"


def test_everything_said() -> None:
    topics = parse_topics(
        "kafka://a:9093,b,[::1]:9094/predictions,labels?group=rollout&from=2026-11-01T10:00Z&columns=ts,id,y"
        "&security.protocol=SASL_SSL&sasl.password=env:SECRET"
    )
    assert topics.brokers == "a:9093,b:9092,[::1]:9094"
    assert topics.names == ("predictions", "labels")
    assert (topics.group, topics.columns) == ("rollout", ("ts", "id", "y"))
    assert topics.begin == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert parse_topics(topics.text) == topics
    assert topics.properties == {"security.protocol": "SASL_SSL", "sasl.password": "env:SECRET"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("kafka://broker", "no topic named"),
        ("kafka:///topic", "no broker named"),
        ("kafka://broker/a b", "no topic named"),
        ("kafka://user:hush@broker/t", "no user or password"),
        ("kafka://broker/t?sasl.password=hush", "sasl.password is secret"),
        ("kafka://broker/t?ssl.key.pem=hush", "ssl.key.pem is secret"),
        ("kafka://broker/t?enable.auto.commit=true", "not yours to set"),
        ("kafka://broker/t?from=yesterdayish", "from="),
        ("kafka://broker/t?hush=1", "unknown option"),
    ],
)
def test_a_wrong_address_is_one_line_without_secrets(address: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        place(address)
    assert said in str(raised.value)
    assert "hush" not in str(raised.value).replace("unknown option hush", "")


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = parse_topics("kafka://broker/t?sasl.username=me&sasl.password=env:THE_SECRET")
    with pytest.raises(ValueError, match="THE_SECRET is not set"):
        topics.settings()
    monkeypatch.setenv("THE_SECRET", "hush")
    assert topics.settings() == {"sasl.username": "me", "sasl.password": "hush"}
    assert topics.secrets() == ("hush",)
    assert "hush" not in repr(topics)


def test_a_path_stays_a_path() -> None:
    directory, topics = place("logs/kafka")
    assert (str(directory), topics) == ("logs/kafka", None)
    assert is_topics("KAFKA://b/t")


def test_the_configuration_names_topics() -> None:
    found = parse('[source]\nkafka = "kafka://broker/predictions"').source.kafka
    assert found is not None
    assert found.address == "kafka://broker:9092/predictions"
    with pytest.raises(ConfigError, match=r"line 2, source\.kafka"):
        parse('[source]\nkafka = "broker/predictions"')
