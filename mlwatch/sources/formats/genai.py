"""OpenTelemetry spans of generative models, as the console exporter or the collector's file exporter writes them.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from __future__ import annotations

import re

from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql

_FEATURES = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "temperature": ("gen_ai.request.temperature",),
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
}


def envelopes(_place: Place) -> str:
    """Return the SELECT over the spans that ask a model."""
    features = ", ".join(f"{literal(name)}, {_attribute(*names)}" for name, names in _FEATURES.items())
    status = f"TRY_CAST({_text('http.response.status_code')} AS INTEGER)"
    wrong = (
        "CAST(span -> 'status' AS VARCHAR) LIKE '%ERROR%' OR CAST(span -> '$.status.code' AS VARCHAR) = '2'"
    )
    end, start = _time("end_time", "endTimeUnixNano"), _time("start_time", "startTimeUnixNano")
    finish = f"({_attribute('gen_ai.response.finish_reasons')} ->> '$[0]')"
    operation = "(gen_ai.operation.name)"
    return f"""
        SELECT n, COALESCE({_text("gen_ai.response.id")}, span ->> '$.context.span_id', span ->> 'spanId') AS id,
            {start} AS ts, {_text("gen_ai.request.model", "gen_ai.response.model")} AS model,
            {_text("gen_ai.response.model", "gen_ai.request.model")} AS version,
            (epoch_us({end}) - epoch_us(ts)) / 1000 AS latency_ms,
            {_text("error.type")} AS error,
            COALESCE({status}, CASE WHEN {wrong} OR error IS NOT NULL THEN 500 END) AS status,
            '[' || CAST(json_object({features}) AS VARCHAR) || ']' AS request,
            CAST(json_array(COALESCE({finish}, {_text("gen_ai.operation.name")}, {literal(operation)})) AS VARCHAR)
                AS response
        FROM ({_SPANS}) WHERE model IS NOT NULL"""


_SPANS = """
    SELECT n, j AS span, j -> 'attributes' AS attributes FROM native WHERE json_exists(j, '$.start_time')
    UNION ALL
    SELECT n, span, to_json(map(
            list_transform(CAST(span -> 'attributes' AS JSON[]), lambda a: COALESCE(a ->> 'key', '')),
            list_transform(CAST(span -> 'attributes' AS JSON[]), lambda a: plain_value(a -> 'value')))) AS attributes
    FROM (SELECT n, UNNEST(json_extract(j, '$.resourceSpans[*].scopeSpans[*].spans[*]')
            || json_extract(j, '$.scopeSpans[*].spans[*]')) AS span FROM native)"""


def _attribute(*names: str) -> str:
    values = [f"json_extract(attributes, {literal('/' + name)})" for name in names]
    return values[0] if len(values) == 1 else f"COALESCE({', '.join(values)})"


def _text(*names: str) -> str:
    return f"({_attribute(*names)} ->> '$')"


def _time(plain: str, nanos: str) -> str:
    by_nanos = f"make_timestamp(TRY_CAST(span ->> '{nanos}' AS BIGINT) // 1000)"
    return f"COALESCE({by_nanos}, {tolerant_time_sql(f'''(span ->> '{plain}')''', 'UTC')})"


IMPORTER = Importer(
    name="otel_genai",
    title="OpenTelemetry GenAI spans",
    recognised="spans with gen_ai.* attributes, or resourceSpans, as JSON",
    roles="id: gen_ai.response.id or the span's; model: gen_ai.request.model; version: gen_ai.response.model; "
    "prediction: finish reason; features: tokens and settings; latency: end less start",
    marks=(re.compile(rb'"gen_ai\.|"resourceSpans"\s*:'),),
    envelopes=envelopes,
)
