"""CloudEvents of inference: KServe's logger, Seldon and MLServer, Azure ML's data collector.

Request and response are events of their own, maybe in different files; they are joined by id. Binary data is in
`data_base64` or, in batches that KServe writes to object stores, in `bytes`.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://kserve.github.io/website/docs/model-serving/predictive-inference/logger
https://docs.seldon.ai/seldon-core-2
https://learn.microsoft.com/azure/machine-learning/how-to-collect-production-data
"""

from __future__ import annotations

import re

from mlwatch.roles.paths import NO_VERSION, from_directories
from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql


def _side(kind: str) -> str:
    return f"CASE WHEN {kind} LIKE '%request' THEN 'request' WHEN {kind} LIKE '%response' THEN 'response' END"


def _time(text: str, place: Place) -> str:
    """Return the time of an event; that of the file where events have none."""
    changed = f"make_timestamp({place.mtime_ns // 1000})"
    return f"CASE WHEN {text} IS NULL THEN {changed} ELSE {tolerant_time_sql(text, 'UTC')} END"


def kserve(place: Place) -> str:
    """Return the SELECT over the events, or elements of a batch, of KServe's logger."""
    kind = "COALESCE(j ->> 'type', (j ->> 'reqType'))"
    model = "COALESCE(j ->> 'inferenceservicename', (j ->> 'inferenceService'), (j ->> 'modelid'))"
    known, _ = from_directories(place.relative, place.root_name)
    body = """COALESCE(unbased(COALESCE(j ->> 'data_base64', (j ->> 'bytes'))), (j ->> 'data'))"""
    stamp = "COALESCE(j ->> 'time', (j ->> 'occurrenceTime'))"
    return f"""
        SELECT n, {_side(kind)} AS side, id, model, concat_ws(' ', model, id) AS key, version, ts,
            CASE WHEN {stamp} IS NOT NULL THEN ts END AS clock,
            CASE WHEN side = 'request' THEN body END AS request,
            CASE WHEN side = 'response' THEN body END AS response,
            CASE WHEN side IS NULL THEN 'neither an inference request nor a response'
                WHEN id IS NULL THEN 'an event without id' END AS reason
        FROM (
            SELECT n, j, (j ->> 'id') AS id, COALESCE({model}, {literal(known["model"])}) AS model, {body} AS body,
                COALESCE(TRY(json_extract_string(body, 'model_version')), NULLIF(j ->> 'endpoint', ''),
                    '{NO_VERSION}') AS version,
                {_time(stamp, place)} AS ts, {_side(kind)} AS side
            FROM native)"""


def seldon(place: Place) -> str:
    """Return the SELECT over bodies of the Open Inference Protocol with the event's attributes as headers."""
    head = "j -> 'parameters' -> 'headers'"
    stamp = f"({head} ->> 'Ce-Time')"
    return f"""
        SELECT n, {_side(f"({head} ->> 'Ce-Type')")} AS side,
            COALESCE(({head} ->> 'Ce-Requestid'), ({head} ->> 'Ce-Id'), (j ->> 'id')) AS id,
            COALESCE(({head} ->> 'Ce-Modelid'), (j ->> 'model_name')) AS model, concat_ws(' ', model, id) AS key,
            (j ->> 'model_version') AS version, {_time(stamp, place)} AS ts,
            CASE WHEN {stamp} IS NOT NULL THEN ts END AS clock,
            CASE WHEN side = 'request' THEN CAST(j AS VARCHAR) END AS request,
            CASE WHEN side = 'response' THEN CAST(j AS VARCHAR) END AS response,
            CASE WHEN side IS NULL THEN 'neither an inference request nor a response'
                WHEN id IS NULL THEN 'an event without id' END AS reason
        FROM native"""


def azureml(place: Place) -> str:
    """Return the SELECT over the events of Azure ML's data collector: endpoint and deployment are in `source`.

    What it collects are the inputs and outputs of models, or whole requests and responses.
    """
    kind = "(j ->> 'type')"
    known, _ = from_directories(place.relative, place.root_name)
    deployment = "COALESCE(j ->> 'source', ''), '/onlineEndpoints/([^/]+)/deployments/([^/]+)'"
    return f"""
        SELECT n, CASE WHEN {kind} LIKE '%input%' THEN 'request' WHEN {kind} LIKE '%output%' THEN 'response'
                ELSE {_side(kind)} END AS side,
            COALESCE(j ->> 'correlationid', (j ->> 'xrequestid')) AS id,
            COALESCE(NULLIF(regexp_extract({deployment}, 1), ''), {literal(known["model"])}) AS model,
            COALESCE(NULLIF(regexp_extract({deployment}, 2), ''), (j ->> 'modelversion')) AS version,
            concat_ws(' ', model, version, id) AS key,
            {tolerant_time_sql("(j ->> 'time')", "UTC")} AS ts,
            CASE WHEN side = 'request' THEN (j ->> 'data') END AS request,
            CASE WHEN side = 'response' THEN (j ->> 'data') END AS response,
            CASE WHEN side IS NULL THEN 'neither model inputs nor outputs'
                WHEN id IS NULL THEN 'an event without correlationid'
                WHEN (j -> 'data') IS NULL THEN 'an event without data: it may lie elsewhere (dataref)' END AS reason
        FROM native"""


KSERVE = Importer(
    name="kserve",
    title="KServe inference logger (CloudEvents)",
    recognised="CloudEvents of type ….inference.request and .response, or batches of them with reqType",
    roles="id: id; model: inferenceservicename; version: model_version or endpoint (default, canary); "
    "latency: response less request; time: the file's, in batches without one",
    marks=(re.compile(rb'"(type|reqType)"\s*:\s*"(?!azureml\.)[\w.]+\.inference\.(request|response)"'),),
    columns=frozenset({"bytes", "reqType", "id", "inferenceService"}),
    envelopes=kserve,
)
SELDON = Importer(
    name="seldon",
    title="Seldon and MLServer payloads",
    recognised="Open Inference Protocol bodies with parameters.headers.Ce-Type",
    roles="id: Ce-Requestid; model: Ce-Modelid; version: model_version; time: Ce-Time, else the file's",
    marks=(re.compile(rb'"Ce-Type"\s*:\s*"[\w.]+\.inference\.(request|response)"'),),
    envelopes=seldon,
)
AZUREML = Importer(
    name="azureml",
    title="Azure Machine Learning data collector (CloudEvents)",
    recognised="CloudEvents of type azureml.inference.*",
    roles="id: correlationid and row; model and version: endpoint and deployment in source",
    marks=(re.compile(rb'"type"\s*:\s*"azureml\.inference\.\w+"'),),
    envelopes=azureml,
)
