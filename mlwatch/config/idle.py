"""Settings that are understood but not acted on yet: whoever sets one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.config.settings import Config


def idle(config: Config) -> Iterator[str]:
    """Yield the name of every such setting that a configuration has."""
    if any(endpoint.conditions for endpoint in config.endpoints):
        yield "[[endpoint]] conditions"
