"""Find out which server answers at an address, with the fewest requests that change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlwatch.endpoints.adapters import known
from mlwatch.endpoints.failures import Failure

if TYPE_CHECKING:
    from mlwatch.endpoints.adapter import Sign
    from mlwatch.endpoints.client import Client

ENOUGH = 0.9


@dataclass(frozen=True, slots=True)
class Detected:
    """Which server it is, how sure that is, and why."""

    kind: str
    server: str
    sure: float
    """0 to 1."""
    why: str
    requests: int
    """How many were sent."""


async def detect(client: Client, model: str | None = None) -> Detected:
    """Ask the tell-tale paths, one after the other, until one answer is clear.

    Args:
        client: Of the endpoint.
        model: Name of the model where it is known: some servers can be told only by asking for it.

    Raises:
        Failure: The first request got no answer at all: the others would not either.
    """
    best: Detected | None = None
    sent = 0
    for path in _paths(model):
        try:
            answer = await client.get(path)
        except Failure:
            if sent == 0:
                raise
            continue
        sent += 1
        for adapter in known().values():
            sign = adapter.recognise(path, answer)
            if sign is not None and (best is None or sign.sure > best.sure):
                best = _detected(adapter.kind, sign, sent)
        if best is not None and best.sure >= ENOUGH:
            return best
    if best is None:
        return Detected("http", "http", 0.5, "it answers HTTP, and like none of the servers known", sent)
    return Detected(best.kind, best.server, best.sure, best.why, sent)


def _detected(kind: str, sign: Sign, sent: int) -> Detected:
    return Detected(kind, sign.server or kind, sign.sure, sign.why, sent)


def _paths(model: str | None) -> list[str]:
    """Return the paths to ask, without repetition, those of the most telling servers first."""
    paths = [path for adapter in known().values() for path in adapter.asks]
    return list(dict.fromkeys(paths + ([f"/v1/models/{quote(model, safe='')}"] if model else [])))
