"""Feast's feature server: health; how old the features are, a configured request tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

ONLINE = "/get-online-features"
METRICS_PORT = 8000
"""Feast lets nobody choose another one."""


class Feast(Adapter):
    """Asks for health; this server serves features, and neither models nor versions."""

    kind: ClassVar[str] = "feast"
    title: ClassVar[str] = "Feast feature server"
    order: ClassVar[int] = 60
    asks: ClassVar[tuple[str, ...]] = ("/openapi.json",)
    metrics_sign: ClassVar[str] = "feast_feature_server_"
    unheard: str = f"Feast tells them at port {METRICS_PORT}, and only when started with --metrics"
    output_is_fixed: ClassVar[bool] = (
        False  # features are there to change: only `expect` says what they must be
    )

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise its path of online features."""
        found = answer.maybe_json() if path == "/openapi.json" and answer.ok else None
        paths = found.get("paths") if isinstance(found, dict) else None
        if isinstance(paths, dict) and ONLINE in paths:
            return Sign(0.95, f"openapi.json has {ONLINE}")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for health."""
        return judge(await client.get(self.settings.health or "/health"))

    async def metrics_url(self, client: Client) -> str | None:
        """Return the configured metrics, else the port that Feast has for them."""
        if self.settings.metrics is not None:
            return await super().metrics_url(client)
        return f"{client.address.at_port(METRICS_PORT)}/metrics"

    def output(self, document: Any) -> Any:
        """Return the values and states by feature: the order of the answer is not that of the request."""
        found = _features(document)
        if found is None:
            return document
        return {name: {key: each.get(key) for key in ("values", "statuses")} for name, each in found.items()}

    def measure(self, request: Any, document: Any, now: datetime) -> Mapping[str, float]:
        """Return the age of each feature's oldest value in seconds, and the share of entities that have none.

        Whatever Feast knows no value of carries the epoch, 1970, as its time, and "NOT_FOUND" or even "PRESENT" as
        its state: it is absent, not stale. So do the join keys, which are no features.
        """
        asked = request.get("entities") if isinstance(request, dict) else None
        keys = frozenset(asked) if isinstance(asked, dict) else frozenset()
        measured: dict[str, float] = {}
        for name, each in (_features(document) or {}).items():
            times = each.get("event_timestamps")
            if name in keys or not isinstance(times, list) or not times:
                continue
            ages = [age for age in (_age(text, now) for text in times) if age is not None]
            measured[f"feature_absent.{name}"] = 1 - len(ages) / len(times)
            if ages:
                measured[f"feature_age_s.{name}"] = max(ages)
        return measured

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  the path names none
        """Return the path of online features."""
        return ONLINE


def _features(document: Any) -> dict[str, dict[str, Any]] | None:
    """Return the columns of an answer by name."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    names = metadata.get("feature_names") if isinstance(metadata, dict) else None
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(names, list) or not isinstance(results, list) or len(names) != len(results):
        return None
    return {str(name): each for name, each in zip(names, results, strict=True) if isinstance(each, dict)}


def _age(text: Any, now: datetime) -> float | None:
    """Return how old a value is, seconds; None where it is absent."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (now - moment).total_seconds()) if moment.timestamp() > 0 else None


ADAPTER = Feast
