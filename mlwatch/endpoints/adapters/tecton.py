"""Tecton's feature server: how old features are, a configured request to get-features tells.

Written after https://docs.tecton.ai/http-api and https://docs.tecton.ai/docs/monitoring/metrics-api; it has never met a
running Tecton. There is no path of health and nothing to tell it by: its kind has to be said (`tecton+https://…`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mlwatch.endpoints.adapter import Adapter
from mlwatch.times import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Tecton(Adapter):
    """Asks whether anybody answers; what there is to know is in the answer to a configured request, and in metrics."""

    kind: ClassVar[str] = "tecton"
    title: ClassVar[str] = "Tecton feature server"
    order: ClassVar[int] = 61
    metrics_path: ClassVar[str | None] = "/api/v1/observability/metrics"
    output_is_fixed: ClassVar[bool] = False  # features are there to change

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  the request names its feature service
        """Return the path of get-features."""
        return "/api/v1/feature-service/get-features"

    def measure(self, request: Any, document: Any, now: datetime) -> Mapping[str, float]:  # noqa: ARG002
        """Return the age of each feature in seconds, whether it is absent, and the server's own time.

        The request asks for them: `"metadataOptions": {"includeNames": true, "includeEffectiveTimes": true,
        "includeServingStatus": true, "includeSloInfo": true}`.
        """
        metadata = _member(document, "metadata")
        features, values = _member(metadata, "features"), _member(_member(document, "result"), "features")
        if not isinstance(features, list) or not isinstance(values, list) or len(features) != len(values):
            return {}
        measured: dict[str, float] = {}
        for about, value in zip(features, values, strict=True):
            name = _member(about, "name")
            if not isinstance(name, str):
                continue
            status = _member(about, "status")
            measured[f"feature_absent.{name}"] = float(value is None or status not in {None, "PRESENT"})
            moment = parse_timestamp(_member(about, "effectiveTime"))
            if moment is not None:
                measured[f"feature_age_s.{name}"] = max(0.0, (now - moment).total_seconds())
        spent = _member(_member(metadata, "sloInfo"), "serverTimeSeconds")
        if isinstance(spent, int | float):
            measured["server_time_ms"] = spent * 1000
        return measured


def _member(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None


ADAPTER = Tecton
