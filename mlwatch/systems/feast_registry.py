"""What Feast's registry says of features: their names, types and how long they are good for.

Either what `feast registry-dump` prints, or the registry's REST server (`feast serve_registry --rest-api`). Both write
FeatureView messages as JSON: https://github.com/feast-dev/feast/blob/master/protos/feast/core/FeatureView.proto.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mlwatch.endpoints.calling import bearer, client_of
from mlwatch.endpoints.failures import Failure
from mlwatch.errors import one_line
from mlwatch.foreign import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mlwatch.config import FeastSettings
    from mlwatch.config.settings import ConstraintType
    from mlwatch.endpoints.client import Client

TIMEOUT_S = 5.0
LARGEST = 32 << 20
PAGE, MOST_PAGES = 100, 50
_LISTS = ("featureViews", "onDemandFeatureViews", "streamFeatureViews")
_TYPES: dict[str, ConstraintType] = {
    "INT32": "integer", "INT64": "integer", "FLOAT": "number", "DOUBLE": "number", "STRING": "text",
    "BOOL": "boolean",
}  # fmt: skip
"""Of other types, such as lists, nothing is asked."""


class FeastError(Exception):
    """Why the registry says nothing, as a clause that says what to do."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of one view."""

    view: str
    name: str
    type: ConstraintType | None
    ttl: timedelta | None
    """How old its values may be; None without a limit."""


def features_of(document: Any, views: Sequence[str] = ()) -> tuple[Feature, ...]:
    """Return the features of a dump, or of an answer of the REST server.

    Args:
        document: JSON.
        views: Only these; all when empty.

    Raises:
        FeastError: It is no such document, or has no view of such a name.
    """
    if not isinstance(document, dict) or not isinstance(document.get(_LISTS[0]), list):
        raise FeastError("it is not what feast registry-dump prints: export it again")
    specs = [
        spec
        for name in _LISTS
        for each in _list(document, name)
        if isinstance(spec := each.get("spec"), dict) and isinstance(spec.get("name"), str)
    ]
    missing = sorted(set(views) - {spec["name"] for spec in specs})
    if missing:
        raise FeastError(f"it has no view {one_line(missing[0])}: correct [feast] views")
    return tuple(
        feature for spec in specs if not views or spec["name"] in views for feature in _of_view(spec)
    )


def _of_view(spec: dict[str, Any]) -> Iterator[Feature]:
    ttl = _duration(spec.get("ttl"))
    for each in _list(spec, "features"):
        if isinstance(name := each.get("name"), str) and name:
            yield Feature(spec["name"], name, _TYPES.get(str(each.get("valueType"))), ttl)


def _duration(text: Any) -> timedelta | None:
    """Read protobuf's Duration as JSON, such as "86400s"; zero is no limit."""
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)s", text) if isinstance(text, str) else None
    return timedelta(seconds=float(found[1])) if found is not None and float(found[1]) > 0 else None


def _list(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = found.get(name)
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def read_dump(path: Path, views: Sequence[str]) -> tuple[Feature, ...]:
    """Return the features of a file.

    Raises:
        FeastError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise FeastError(f"it cannot be read ({error.strerror}): correct [feast] registry") from None
    if len(text) > LARGEST:
        raise FeastError(f"it is larger than {LARGEST >> 20} MB: dump one project")
    try:
        document = loads(text)
    except (ValueError, RecursionError):
        raise FeastError("it is no JSON: save what feast registry-dump prints") from None
    return features_of(document, views)


async def read_server(settings: FeastSettings, resolve: Callable[[str], Path]) -> tuple[Feature, ...]:
    """Return the features that a registry's REST server tells.

    Raises:
        FeastError: It does not.
    """
    try:
        own = bearer("[feast] token", settings.token, resolve)
        client = client_of(str(settings.registry), own, settings.verify, resolve, TIMEOUT_S)
    except Failure as failure:
        raise FeastError(str(failure)) from None
    try:
        project = settings.project or await _only_project(client)
        listed = []
        for page in range(1, MOST_PAGES + 1):
            found = await _get(client, "feature_views", project=project, page=str(page), limit=str(PAGE))
            listed += _list(found, "featureViews")
            if page >= _pages(found):
                break
    finally:
        await client.aclose()
    if not listed:
        raise FeastError(f"project {one_line(project)} has no feature views: correct [feast] project")
    return features_of({"featureViews": listed}, settings.views)


def _pages(found: dict[str, Any]) -> int:
    about = found.get("pagination")
    pages = about.get("totalPages") if isinstance(about, dict) else None
    return pages if isinstance(pages, int) else 1


async def _only_project(client: Client) -> str:
    found = await _get(client, "projects")
    specs = [each.get("spec") for each in _list(found, "projects")]
    names = [str(spec["name"]) for spec in specs if isinstance(spec, dict) and "name" in spec]
    if len(names) != 1:
        known = one_line(", ".join(sorted(names)))[:200] or "none"
        raise FeastError(f"it has not one project ({known}): say which with [feast] project")
    return names[0]


async def _get(client: Client, path: str, **query: str) -> dict[str, Any]:
    try:
        answer = await client.get(f"/api/v1/{path}?{urlencode(query)}", largest=LARGEST)
    except Failure as failure:
        raise FeastError(f"{failure}: start feast serve_registry, or correct [feast] registry") from None
    if answer.status in {401, 403}:
        raise FeastError(f"it refuses us (status {answer.status}): set [feast] token")
    found = answer.maybe_json()
    if not answer.ok or not isinstance(found, dict):
        raise FeastError(
            f"its answer is not what Feast's registry says (status {answer.status}): correct [feast] registry"
        )
    return found
