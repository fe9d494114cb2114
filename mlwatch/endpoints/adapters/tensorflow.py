"""TensorFlow Serving: the state of each version of a model, after its REST documentation.

https://www.tensorflow.org/tfx/serving/api_rest: model status (`GetModelStatusResponse`) and model metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge, maybe
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

AVAILABLE, GONE = "AVAILABLE", "END"
_WORDS = {"START": "loading", "LOADING": "loading", "UNLOADING": "unloading", GONE: "unloaded"}
UNNAMED = "this server does not list its models: configure model"


class TensorFlowServing(Adapter):
    """Asks for the versions of the configured model; which models there are, this server does not say."""

    kind: ClassVar[str] = "tensorflow"
    title: ClassVar[str] = "TensorFlow Serving"
    order: ClassVar[int] = 42
    asks: ClassVar[tuple[str, ...]] = ("/v1/models",)
    metrics_path: ClassVar[str | None] = "/monitoring/prometheus/metrics"

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise the status of a model, or the error that names what it cannot parse."""
        found = answer.maybe_json()
        if not isinstance(found, dict):
            return None
        if path.startswith("/v1/models/") and isinstance(found.get("model_version_status"), list):
            return Sign(0.99, f"{path} lists the state of versions")
        if str(found.get("error", "")).startswith("Malformed request: GET /"):
            return Sign(0.9, "its error names a malformed request")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for the state of the model's versions, and where that is not to be had for its metadata."""
        if self.settings.model is None:
            look = judge(await client.get("/v1/models"), path_is_known=False)
            return Look(look.answer, look.live, None, error=look.error or UNNAMED)
        path = f"/v1/models/{quote(self.settings.model, safe='')}"
        answer = await client.get(path)
        rows = _rows(answer)
        if rows is None:
            return await self._by_metadata(client, path, judge(answer))
        served = tuple(_row(self.settings.model, row) for row in rows if row.get("state") != GONE)
        if any(one.ready for one in served):
            return Look(answer, live=True, ready=True, served=served)
        return Look(answer, live=True, ready=False, served=served, error=_trouble(self.settings.model, rows))

    def inference_path(self, model: str | None) -> str | None:
        """Return the model's path of predictions."""
        return f"/v1/models/{quote(model, safe='')}:predict" if model else None

    async def _by_metadata(self, client: Client, path: str, look: Look) -> Look:
        """Read the version from the metadata, which older servers have and some gateways pass on alone."""
        answer = await maybe(client.get(f"{path}/metadata")) if look.live else None
        found = answer.maybe_json() if answer is not None and answer.ok else None
        spec = found.get("model_spec") if isinstance(found, dict) else None
        if answer is None or not isinstance(spec, dict) or not spec.get("version"):
            return look
        served = (ServedVersion(str(self.settings.model), str(spec["version"]), ready=True),)
        return Look(answer, live=True, ready=True, served=served)


def _rows(answer: Answer) -> list[dict[str, Any]] | None:
    found = answer.maybe_json() if answer.ok else None
    rows = found.get("model_version_status") if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _row(model: str, row: dict[str, Any]) -> ServedVersion:
    return ServedVersion(model, str(row.get("version", "")), row.get("state") == AVAILABLE)


def _trouble(model: str, rows: list[dict[str, Any]]) -> str:
    """Say how the newest version stands, and why where the server says that."""
    if not rows:
        return f"no version of {model}"
    row = max(rows, key=lambda row: (str(row.get("version", "")).zfill(20), str(row.get("state"))))
    state = str(row.get("state", ""))
    status = row.get("status")
    why = status.get("error_message") if isinstance(status, dict) else ""
    return f"{model} {row.get('version', '')} {_WORDS.get(state, state)}" + (f": {why}" if why else "")


ADAPTER = TensorFlowServing
