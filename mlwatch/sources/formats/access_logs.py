"""Access logs of Ray Serve and TorchServe: status and latency of each request, but not what was answered.

https://docs.ray.io/en/latest/serve/monitoring.html
https://pytorch.org/serve/logging.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mlwatch.roles.names import certain
from mlwatch.roles.paths import NO_VERSION
from mlwatch.sources.formats.types import Importer, Place
from mlwatch.sources.sql import literal
from mlwatch.sources.time_sql import tolerant_time_sql

if TYPE_CHECKING:
    from pathlib import Path

_RAY = r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+ (\d{3}) ([\d.]+)ms$"
_ACCESS = r'^(\S+) (?:\[\w+ *\] (\S+) ACCESS_LOG )?- (/?\S+) "\w+ (\S+) [^"]*" (\d{3}) (\d+)$'
_PATH = r"^/(?:predictions|explanations|v1/models|v2/models)/([^/:?]+)(?:/versions)?(?:/([\w.-]+))?"
_ANSWERS = ", ".join(map(literal, sorted(certain("prediction", "score"))))
_ANSWERED = "a prediction in a message of an access log: log predictions to a file of their own"
_METRIC = r"^(\S+) .*?PredictionTime\.(?:Milliseconds|ms):([\d.]+)\|#ModelName:([^,|]+).*#hostname:[^,]*,[^,]*,([\w-]+)"
_TORCHSERVE = re.compile(
    rb"(?m)^\d{4}-\d\d-\d\dT[\d:]+,\d+ "
    rb'.*(- /?\S+ "\w+ /\S* [^"]*" \d{3} \d+$|org\.pytorch\.serve|\|#(Level|ModelName):)'
)


def ray(_place: Place) -> str:
    """Return the SELECT over the access lines of proxies and replicas: both tell of the same request.

    Access records say what a request came to, but not what was answered, so an application's own record of that cannot
    be one of them; it is refused, not passed over as the process's chatter is.
    """
    keys = "[regexp_replace(LOWER(name), '[^a-z0-9]', '', 'g') FOR name IN json_keys(said)]"
    return f"""
        SELECT n, CASE WHEN (j ->> 'component_name') = 'proxy' THEN 'request' ELSE 'response' END AS side,
            j ->> 'request_id' AS id, id AS key, COALESCE(NULLIF(TRIM(j ->> 'route', '/'), ''), 'default') AS model,
            '{NO_VERSION}' AS version, COALESCE(make_timestamp(TRY_CAST(j ->> 'timestamp_ns' AS BIGINT) // 1000),
                {tolerant_time_sql("REPLACE(j ->> 'asctime', ',', '.')", "UTC")}) AS ts,
            CAST(message[1] AS INTEGER) AS status, TRY_CAST(message[2] AS DOUBLE) AS latency_ms, NULL AS reason
        FROM (SELECT n, j, regexp_extract_all(j ->> 'message', '{_RAY}', 1)
                || regexp_extract_all(j ->> 'message', '{_RAY}', 2) AS message FROM native)
        WHERE LEN(message) = 2 AND (j ->> 'component_name') IN ('proxy', 'replica')
            AND (j ->> 'request_id') IS NOT NULL
        UNION ALL BY NAME SELECT n, {literal(_ANSWERED)} AS reason
        FROM (SELECT n, j ->> 'message' AS said FROM native)
        WHERE CASE WHEN said LIKE '{{%' AND json_valid(said) THEN list_has_any({keys}, [{_ANSWERS}]) END"""


def torchserve(place: Place) -> str:
    """Return the SELECT over access lines, or over metric lines of predictions where there is no access log."""
    if "access_log" not in place.path.name and _has_access_log(place.path.parent):
        return "SELECT n FROM native WHERE FALSE"  # the access log tells of the same requests
    named = "['at', 'worker', 'client', 'path', 'status', 'ms']"
    by_worker = "NULLIF(regexp_extract(line.worker, '_([^_]+)$', 1), '')"
    access = f"""
        SELECT n, line.at || ' ' || line.client AS id, {_torch_time("line.at", place)} AS ts,
            target.model AS model, COALESCE(NULLIF(target.version, ''), {by_worker}, '{NO_VERSION}') AS version,
            TRY_CAST(line.ms AS DOUBLE) AS latency_ms, TRY_CAST(line.status AS INTEGER) AS status,
            CASE WHEN line.at = '' THEN 'not a whole access line' END AS reason
        FROM (SELECT n, raw, line, regexp_extract(line.path, {literal(_PATH)}, ['model', 'version']) AS target
            FROM (SELECT n, raw, regexp_extract(raw, {literal(_ACCESS)}, {named}) AS line FROM native))
        WHERE target.model <> '' OR (line.at = '' AND CONTAINS(raw, '"POST /predictions/'))"""
    if "metrics" not in place.path.name:
        return access
    return f"""
        SELECT n, line.id AS id, {_torch_time("line.at", place)} AS ts, line.model AS model,
            '{NO_VERSION}' AS version, CAST(line.ms AS DOUBLE) AS latency_ms
        FROM (SELECT n, regexp_extract(raw, {literal(_METRIC)}, ['at', 'ms', 'model', 'id']) AS line FROM native)
        WHERE line.ms <> ''"""


def _has_access_log(directory: Path) -> bool:
    try:
        return _listed(directory, directory.stat().st_mtime_ns)
    except OSError:
        return False


@lru_cache(maxsize=64)
def _listed(directory: Path, _changed: int) -> bool:
    """Look for an access log, once until the directory changes: it may hold thousands of files."""
    return next(directory.glob("access_log*"), None) is not None


def _torch_time(text: str, place: Place) -> str:
    return tolerant_time_sql(f"REPLACE({text}, ',', '.')", place.timezone)


RAY = Importer(
    name="ray_serve",
    title="Ray Serve access logs",
    recognised="JSON lines with component_name proxy or replica, and a message",
    roles="id: request_id; model: route; status and latency: the message; "
    "the lines of a proxy and of a replica are one request",
    marks=(re.compile(rb'"component_name"\s*:\s*"(proxy|replica)"'), re.compile(rb'"message"\s*:')),
    envelopes=ray,
    text=True,
    answers=False,
    alone=frozenset({"request", "response"}),
)
TORCHSERVE = Importer(
    name="torchserve",
    title="TorchServe access and metric logs",
    recognised='lines like … "POST /predictions/MODEL HTTP/1.1" 200 118, or PredictionTime.Milliseconds:…',
    roles="model and version: the path; status and latency: the line; metrics only where there is no access log",
    marks=(_TORCHSERVE,),
    envelopes=torchserve,
    text=True,
    answers=False,
)
