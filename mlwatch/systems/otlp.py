"""Metrics to OpenTelemetry: OTLP over HTTP with protobuf, https://opentelemetry.io/docs/specs/otlp/#otlphttp.

The messages are built with the project's own generated classes, and sent by the client that asks endpoints: bounded in
time and size, and with reasons in words. Names are those that Prometheus gets, units are those of UCUM.
"""

from __future__ import annotations

import math
import os
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mlwatch.endpoints.address import parse
from mlwatch.endpoints.calling import client_of
from mlwatch.endpoints.failures import Failure
from mlwatch.errors import ConfigError, one_line
from mlwatch.systems.families import FAMILIES, Sample
from mlwatch.systems.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mlwatch.config import OtlpSettings
    from mlwatch.snapshot.types import Snapshot

TIMEOUT_S = 10.0
PATH = "/v1/metrics"
PROTOBUF = "application/x-protobuf"
UNITS = {"seconds": "s", "bytes": "By", "ratio": "1"}


class OtlpError(Exception):
    """Why a collector has not taken the metrics, as a clause that says what to do."""


def load() -> Any:
    """Return the generated messages of metrics.

    Raises:
        ConfigError: They are not installed.
    """
    try:
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: PLC0415  an extra
    except ImportError:
        todo = "pip install 'mlwatch[otlp]'"
        raise ConfigError("metrics to OpenTelemetry need one more package", "OTLP", todo) from None
    return metrics_service_pb2


def request_of(messages: Any, snapshot: Snapshot) -> bytes:
    """Return every metric of a snapshot as the body of a request.

    Args:
        messages: What `load` returned.
        snapshot: The numbers, as of when it was made.
    """
    from mlwatch import __version__  # noqa: PLC0415  it is the front door

    request = messages.ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    _attribute(resource.resource.attributes, "service.name", "mlwatch")
    scope = resource.scope_metrics.add()
    scope.scope.name, scope.scope.version = "mlwatch", __version__
    moment = int(snapshot.generated_at.timestamp() * 1e9)
    known = (sample for sample in samples_of(snapshot) if math.isfinite(sample.value))
    for name, samples in groupby(known, key=lambda sample: sample.family):
        family = FAMILIES[name]
        metric = scope.metrics.add(name=name, description=family.help, unit=UNITS.get(family.unit, ""))
        if family.kind == "counter":
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = 2  # cumulative
        _points(metric.sum if family.kind == "counter" else metric.gauge, samples, moment)
    return bytes(request.SerializeToString())


def _points(data: Any, samples: Iterable[Sample], moment: int) -> None:
    for sample in samples:
        point = data.data_points.add(time_unix_nano=moment, as_double=sample.value)
        for name, value in sample.labels:
            _attribute(point.attributes, name, value)


def _attribute(attributes: Any, name: str, value: str) -> None:
    attributes.add(key=name).value.string_value = value


class Collector:
    """Where metrics are sent to.

    Args:
        settings: Of the configuration; the variables of OpenTelemetry where they say nothing.
        resolve: Makes a file name of the settings a path.

    Raises:
        OtlpError: No collector is named, or a secret is not there.
        InputError: The address is none.
    """

    def __init__(self, settings: OtlpSettings, resolve: Callable[[str], Path]) -> None:
        url = settings.url or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        if not url:
            raise OtlpError("no collector is named: give --collector, or [otlp] url")
        self._url = url.rstrip("/").removesuffix(PATH)
        self.name = parse(self._url).url
        """Its address, without credentials."""
        self._settings, self._resolve = settings, resolve

    async def send(self, messages: Any, body: bytes) -> None:
        """Send a request.

        Args:
            messages: What `load` returned.
            body: What `request_of` returned.

        Raises:
            OtlpError: The collector has not taken it.
        """
        own = {**_usual_headers(), **self._settings.headers}
        try:
            client = client_of(self._url, own, self._settings.verify, self._resolve, TIMEOUT_S)
        except Failure as failure:
            raise OtlpError(str(failure)) from None
        try:
            answer = await client.post(PATH, body, PROTOBUF)
        except Failure as failure:
            raise OtlpError(f"{failure}: start the collector, or correct its address") from None
        finally:
            await client.aclose()
        if answer.status in {401, 403}:
            raise OtlpError(f"it refuses us (status {answer.status}): set [otlp] headers")
        if not answer.ok:
            raise OtlpError(f"it does not take them ({answer.words}): is it OTLP over HTTP, port 4318?")
        _check_taken(messages, answer.body)


def _check_taken(messages: Any, body: bytes) -> None:
    """Raise what a collector says of points that it has not taken; an answer that is none says nothing."""
    try:
        partial = messages.ExportMetricsServiceResponse.FromString(body).partial_success
    except Exception:  # noqa: BLE001  some gateways answer with JSON or a page
        return
    if partial.rejected_data_points:
        said = one_line(partial.error_message)[:200]
        raise OtlpError(f"it took all but {partial.rejected_data_points:,} points: {said}")


def _usual_headers() -> dict[str, str]:
    """Return the headers that OpenTelemetry's variable names, as W3C baggage: `a=b,c=d%20e`."""
    given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (each.split("=", 1) for each in given.split(",") if "=" in each)
    return {name.strip(): unquote(value.strip()) for name, value in pairs}
