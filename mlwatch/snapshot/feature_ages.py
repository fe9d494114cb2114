"""Features that are older than they may be, where a feature store or a cache tells how old they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mlwatch.snapshot.types import Alert
from mlwatch.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlwatch.config.settings import ConstraintSettings
    from mlwatch.snapshot.health_types import Endpoint

AGE = "feature_age_s."
"""What the names of metrics begin with that tell how old the oldest value of a feature is, in seconds."""


def age_alerts(endpoints: Iterable[Endpoint], schema: Mapping[str, ConstraintSettings]) -> tuple[Alert, ...]:
    """Return an alert for each feature that is older than its `ttl`.

    Args:
        endpoints: Which tell ages.
        schema: `[schema]`, also as a feature store tells it.
    """
    return tuple(alert for endpoint in endpoints if not endpoint.stale for alert in _of(endpoint, schema))


def _of(endpoint: Endpoint, schema: Mapping[str, ConstraintSettings]) -> Iterator[Alert]:
    for name, age_s in endpoint.metrics.items():
        feature = name.removeprefix(AGE)
        asked = schema.get(feature) if name != feature else None
        if asked is None or asked.ttl is None or age_s <= asked.ttl.total_seconds():
            continue
        age = format_duration(timedelta(seconds=round(age_s)))
        text = f"{feature} at {endpoint.name} is {age} old, and may be {format_duration(asked.ttl)}"
        yield Alert(f"stale feature: {feature}", "firing", "warning", text, endpoint.at, age_s)
