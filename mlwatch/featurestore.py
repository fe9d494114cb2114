"""Take from a feature store what features are to be, as if `[schema]` said so; `[schema]` itself wins."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from mlwatch.asking import meta_value
from mlwatch.config.settings import ConstraintSettings
from mlwatch.systems.feast_registry import FeastError, Feature, read_dump, read_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config

T = TypeVar("T")

PATIENCE_S = 10.0


def with_features(config: Config, connection: DuckDBPyConnection) -> tuple[Config, str | None]:
    """Return a configuration whose schema knows the features of `[feast]`, and what went wrong.

    Where the registry says nothing just now, what it said last is kept.

    Args:
        config: As it was read.
        connection: Remembers what the registry said.
    """
    if config.feast.registry is None:
        return config, None
    key = f"feast {json.dumps([config.feast.registry, config.feast.project, config.feast.views])}"
    try:
        features, failure = _read(config), None
        said = json.dumps([_written(each) for each in features])
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, said])
    except FeastError as error:
        features, failure = _remembered(connection, key), f"{_source(config)} is not used: {error}"
        if features:
            failure += "; what it said last is kept"
    return replace(config, schema={**constraints(features), **config.schema}), failure


def constraints(features: Iterable[Feature]) -> dict[str, ConstraintSettings]:
    """Return what is asked of features, under the names that they may have in logs.

    Feast calls a feature `NAME`, or `VIEW__NAME` where full names are asked for. Of a name that several views
    have, only what all of them say is asked.
    """
    named: dict[str, list[Feature]] = {}
    for each in features:
        for name in (each.name, f"{each.view}__{each.name}"):
            named.setdefault(name, []).append(each)
    found = {}
    for name, several in named.items():
        kind = _same(each.type for each in several)
        ttl = _same(each.ttl for each in several)
        if kind is not None or ttl is not None:
            found[name] = ConstraintSettings(kind, ttl=ttl, optional=True)
    return found


def _same(values: Iterable[T]) -> T | None:
    """Return what all values are; None where they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _read(config: Config) -> tuple[Feature, ...]:
    settings = config.feast
    registry = str(settings.registry)
    if not registry.startswith(("http://", "https://")):
        return read_dump(config.resolve(registry), settings.views)
    try:
        return asyncio.run(asyncio.wait_for(read_server(settings, config.resolve), PATIENCE_S))
    except TimeoutError:
        raise FeastError(
            f"it needs more than {PATIENCE_S:.0f} s to answer: give [feast] registry a file of feast registry-dump"
        ) from None


def _source(config: Config) -> str:
    from mlwatch.endpoints.address import parse  # noqa: PLC0415

    registry = str(config.feast.registry)
    shown = parse(registry).url if "://" in registry else registry
    return f"Feast's registry {shown}"


def _written(feature: Feature) -> dict[str, Any]:
    ttl = feature.ttl.total_seconds() if feature.ttl is not None else None
    return {"view": feature.view, "name": feature.name, "type": feature.type, "ttl": ttl}


def _remembered(connection: DuckDBPyConnection, key: str) -> tuple[Feature, ...]:
    written = meta_value(connection, key)
    said: list[Mapping[str, Any]] = json.loads(written) if written is not None else []
    return tuple(
        Feature(
            each["view"], each["name"], each["type"],
            timedelta(seconds=each["ttl"]) if each["ttl"] is not None else None,
        )
        for each in said
    )  # fmt: skip
