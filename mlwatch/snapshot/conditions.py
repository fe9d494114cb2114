"""Read how the conditions of endpoints stand: of several replicas, where each stands worst."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.snapshot.health_types import ConditionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WORST = ("firing", "pending", "unknown", "resolved", "ok")


def conditions_of(rows: Iterable[Mapping[str, Any]]) -> tuple[ConditionState, ...]:
    """Return the conditions of an endpoint from the last look at each replica."""
    found: dict[str, ConditionState] = {}
    for row in rows:
        for one in _of_replica(row):
            known = found.get(one.text)
            if known is None or WORST.index(one.state) < WORST.index(known.state):
                found[one.text] = one
    return tuple(found.values())


def _of_replica(row: Mapping[str, Any]) -> Iterator[ConditionState]:
    for text, state, said, since in json.loads(row["conditions"] or "[]"):
        moment = datetime.fromisoformat(since).replace(tzinfo=UTC) if since is not None else None
        yield ConditionState(text, state, said, moment, row["replica"])
