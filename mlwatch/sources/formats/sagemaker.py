"""Amazon SageMaker Data Capture, and the ground truth that is joined to it.

Files lie at `ENDPOINT/VARIANT/yyyy/mm/dd/hh/`; the records themselves name neither endpoint nor variant, nor do they
have a latency or a status. Delimited inputs have no header: their columns are f0, f1, …

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlwatch.roles.paths import from_directories
from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql

if TYPE_CHECKING:
    from pathlib import PurePosixPath

_HOUR = re.compile(r"(?:(?:(?P<model>[^/]+)/)?(?P<version>[^/]+)/)?(?P<hour>\d{4}/\d\d/\d\d/\d\d)/[^/]+")


def envelopes(place: Place) -> str:
    """Return the SELECT over the captured requests and the labels of a file."""
    model, version = _names(place)
    truth = "json_exists(j, '$.groundTruthData')"
    time = tolerant_time_sql("(j ->> '$.eventMetadata.inferenceTime')", "UTC")
    answered = "json_exists(j, '$.captureData.endpointOutput.data')"
    return f"""
        SELECT n, COALESCE(j ->> '$.eventMetadata.inferenceId', j ->> '$.eventMetadata.eventId') AS id,
            COALESCE({time}, {_hour(place.relative)}) AS ts,
            CASE WHEN NOT {truth} THEN {literal(model)} END AS model,
            CASE WHEN NOT {truth} THEN {literal(version)} END AS version,
            {_body("$.captureData.endpointInput")} AS request,
            {_body("$.captureData.endpointOutput")} AS response,
            {_body("$.groundTruthData")} AS label,
            CASE WHEN {truth} AND (j ->> '$.eventMetadata.eventId') IS NULL THEN 'ground truth without an eventId'
                WHEN NOT {truth} AND NOT {answered} THEN 'no endpointOutput was captured' END AS reason
        FROM native"""


def _body(path: str) -> str:
    data, encoding = literal(f"{path}.data"), literal(f"{path}.encoding")
    return f"CASE WHEN (j ->> {encoding}) = 'BASE64' THEN unbased(j ->> {data}) ELSE j ->> {data} END"


def _names(place: Place) -> tuple[str, str]:
    """Return the names of endpoint and variant."""
    found = _HOUR.search(place.relative.as_posix())
    known, _ = from_directories(place.relative, place.root_name)
    model, version = (found["model"], found["version"]) if found else (None, None)
    return model or (place.root_name if version else known["model"]), version or known["version"]


def _hour(relative: PurePosixPath) -> str:
    """Return the hour in the path: ground truth has no other time."""
    found = _HOUR.search(relative.as_posix())
    hour = literal(found["hour"]) if found else "NULL"
    return f"CAST(TRY_STRPTIME({hour}, '%Y/%m/%d/%H') AS TIMESTAMP)"


IMPORTER = Importer(
    name="sagemaker",
    title="Amazon SageMaker Data Capture",
    recognised="JSON lines with captureData or groundTruthData, and eventMetadata",
    roles="id: inferenceId or eventId; model and version: endpoint and variant in the path",
    marks=(re.compile(rb'"(captureData|groundTruthData)"\s*:\s*\{'),),
    envelopes=envelopes,
)
