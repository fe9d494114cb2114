"""Tables of requests and responses: Databricks and MLflow inference tables, Vertex AI request-response logging.

A row is one request with its body as JSON text, exported as JSON lines, CSV or Parquet.

https://docs.databricks.com/aws/en/machine-learning/model-serving/inference-tables
https://docs.databricks.com/aws/en/ai-gateway/inference-tables
https://cloud.google.com/vertex-ai/docs/predictions/online-prediction-logging
"""

from __future__ import annotations

import re

from mlwatch.roles.paths import NO_VERSION, from_directories
from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql


def databricks(place: Place) -> str:
    """Return the SELECT over an inference table, of the older form or of the AI gateway's."""
    known, _ = from_directories(place.relative, place.root_name)
    meta = "TRY(CAST(j ->> 'request_metadata' AS JSON))"  # text, in a CSV file
    stamp = "COALESCE(j ->> 'timestamp_ms', j ->> 'request_time')"
    return f"""
        SELECT n, COALESCE(j ->> 'client_request_id', j ->> 'databricks_request_id') AS id,
            {tolerant_time_sql(stamp, "UTC")} AS ts,
            COALESCE({meta} ->> 'model_name', {meta} ->> 'endpoint_name', {literal(known["model"])}) AS model,
            COALESCE({meta} ->> 'model_version', j ->> 'served_entity_id', '{NO_VERSION}') AS version,
            TRY_CAST(COALESCE(j ->> 'execution_time_ms', j ->> 'execution_duration_ms') AS DOUBLE) AS latency_ms,
            TRY_CAST(j ->> 'status_code' AS INTEGER) AS status,
            TRY_CAST(j ->> 'sampling_fraction' AS DOUBLE) AS fraction,
            j ->> 'request' AS request, j ->> 'response' AS response
        FROM native"""


def vertex(place: Place) -> str:
    """Return the SELECT over a log of requests and responses, of Vertex AI or of the older AI Platform."""
    known, _ = from_directories(place.relative, place.root_name)
    stamp = "COALESCE(j ->> 'logging_time', j ->> 'time')"
    return f"""
        SELECT n, j ->> 'request_id' AS id, {tolerant_time_sql(stamp, "UTC")} AS ts,
            COALESCE(j ->> 'endpoint', j ->> 'model', {literal(known["model"])}) AS model,
            COALESCE(j ->> 'deployed_model_id', j ->> 'model_version', '{NO_VERSION}') AS version,
            COALESCE({_joined("request_payload")}, j ->> 'raw_data') AS request,
            COALESCE({_joined("response_payload")}, j ->> 'raw_prediction') AS response,
            j ->> 'groundtruth' AS label
        FROM native"""


def _joined(name: str) -> str:
    """Return one body of a list of texts, each of which is an instance; a single one is the body."""
    texts = f"CAST(j -> '{name}' AS VARCHAR[])"
    values = f"list_transform({texts}, lambda t: CASE WHEN json_valid(t) THEN t ELSE CAST(to_json(t) AS VARCHAR) END)"
    return f"""CASE WHEN json_type(j, '$.{name}') <> 'ARRAY' THEN j ->> '{name}'
        WHEN json_array_length(j, '$.{name}') = 1 THEN j ->> '$.{name}[0]'
        ELSE '[' || array_to_string({values}, ',') || ']' END"""


DATABRICKS = Importer(
    name="databricks",
    title="Databricks and MLflow inference tables",
    recognised="columns databricks_request_id, request and response (JSON lines, CSV or Parquet)",
    roles="id: client_request_id or databricks_request_id; model and version: request_metadata, "
    "served_entity_id or the directory; latency and status: their columns; throughput: by sampling_fraction",
    marks=(re.compile(rb'"databricks_request_id"\s*:'),),
    columns=frozenset({"databricks_request_id", "request", "response"}),
    envelopes=databricks,
)
VERTEX = Importer(
    name="vertex",
    title="Vertex AI request-response logging",
    recognised="columns request_payload and response_payload, or raw_data and raw_prediction",
    roles="id: request_id; model: endpoint; version: deployed_model_id; label: groundtruth, where there is one",
    marks=(re.compile(rb'"(request_payload|raw_data)"\s*:'),),
    columns=frozenset({"deployed_model_id", "request_payload", "response_payload"}),
    envelopes=vertex,
)
