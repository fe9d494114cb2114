"""Open Inference Protocol V2 (Triton, MLServer, KServe): a model may be unready while its server is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from mlwatch.endpoints.adapter import Adapter, Look, Sign, maybe, readiness
from mlwatch.endpoints.exposition import Scrape
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client
    from mlwatch.endpoints.exposition import Labels

READY, LIVE = "/v2/health/ready", "/v2/health/live"
UNLOADED, PASSING = "unloaded", ("LOADING", "UNLOADING")
"""Reason in an index for what was unloaded on purpose, and the states before and after a version is ready."""
METRICS_PORT = 2
"""How far above the port of requests: 8000 and 8002 for Triton, 8080 and 8082 for MLServer."""


class OpenInference(Adapter):
    """Asks for readiness of the server, then for its models: by the repository index, or KServe's list."""

    kind: ClassVar[str] = "v2"
    title: ClassVar[str] = "Open Inference Protocol V2"
    order: ClassVar[int] = 10
    asks: ClassVar[tuple[str, ...]] = ("/v2",)
    volatile: ClassVar[frozenset[str]] = frozenset({"id"})

    def __init__(self, settings: EndpointSettings, server: str = "") -> None:
        """Keep the settings; see `Adapter`."""
        super().__init__(settings, server)
        self._silent: set[str] = set()
        """Paths of models whose metadata has no versions."""

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise the server's metadata."""
        found = answer.maybe_json() if path == "/v2" and answer.ok else None
        if not isinstance(found, dict) or not isinstance(found.get("name"), str) or "version" not in found:
            return None
        name = found["name"]
        server = name if name in {"triton", "mlserver", "kserve"} else ""
        return Sign(0.99 if server else 0.9, f"/v2 names {name}", server)

    async def prepare(self, client: Client) -> None:  # noqa: ARG002  nothing is asked
        """Forget which models had no versions: after an outage it may be others."""
        self._silent.clear()

    async def look(self, client: Client) -> Look:
        """Judge the configured model where there is one, else the server and all its models."""
        model = self.settings.model
        path = f"/v2/models/{quote(model, safe='')}/ready" if model else READY
        look = _loading(await readiness(client, path, LIVE), model)
        served = await self._served(client)
        broken = [each for each in served if each.ready is False and model in {None, each.model}]
        if look.ready and broken and model is None:
            error = f"not ready: {broken[0].model} {broken[0].version}".rstrip()
            return Look(look.answer, live=True, ready=False, served=served, error=error)
        return Look(look.answer, look.live, look.ready, served, look.error)

    async def metrics_url(self, client: Client) -> str | None:
        """Return the next port but one of Triton and MLServer, and KServe's own."""
        if self.settings.metrics is not None:
            return await super().metrics_url(client)
        port = urlsplit(client.address.url).port
        if self.server == "kserve" or port is None:
            return client.address.join("/metrics") if self.server == "kserve" else None
        return f"{client.address.at_port(port + METRICS_PORT)}/metrics"

    async def statistics(self, client: Client) -> Scrape | None:
        """Ask Triton for its statistics of models, by the protocol's extension of that name."""
        answer = await maybe(client.get("/v2/models/stats")) if self.server == "triton" else None
        found = answer.maybe_json() if answer is not None and answer.ok else None
        rows = found.get("model_stats") if isinstance(found, dict) else None
        if answer is None or not isinstance(rows, list):
            return None
        return Scrape(answer.ended, _series([row for row in rows if isinstance(row, dict)]))

    def inference_path(self, model: str | None) -> str | None:
        """Return the model's path of inference."""
        return f"/v2/models/{quote(model, safe='')}/infer" if model else None

    async def _served(self, client: Client) -> tuple[ServedVersion, ...]:
        if self.server != "kserve":  # the index is read by POST, and changes nothing
            index = await maybe(client.post("/v2/repository/index", b"{}"))
            rows = index.maybe_json() if index is not None and index.ok else None
            if isinstance(rows, list):
                return _meant([row for row in rows if isinstance(row, dict) and row.get("state")])
        listed = await maybe(client.get("/v2/models"))
        found = listed.maybe_json() if listed is not None and listed.ok else None
        names = found.get("models") if isinstance(found, dict) else None
        if not isinstance(names, list):  # the protocol itself knows no list
            names = [self.settings.model] if self.settings.model else []
        return tuple([one for name in names[:20] for one in await self._model(client, str(name))])

    async def _model(self, client: Client, name: str) -> list[ServedVersion]:
        """Ask for a model's readiness and, of a server that has ever said any, its versions."""
        path = f"/v2/models/{quote(name, safe='')}"
        ready = await maybe(client.get(f"{path}/ready"))
        versions = await self._versions(client, path) if path not in self._silent else []
        said = ready.ok if ready is not None else None
        return [ServedVersion(name, version, said) for version in versions or [""]]

    async def _versions(self, client: Client, path: str) -> list[str]:
        """Return the versions that a model's metadata lists: KServe's own models have none, its runtimes may."""
        answer = await maybe(client.get(path))
        found = answer.maybe_json() if answer is not None and answer.ok else None
        listed = found.get("versions") if isinstance(found, dict) else None
        versions = (
            [str(one) for one in listed if isinstance(one, str | int)] if isinstance(listed, list) else []
        )
        if isinstance(found, dict) and not versions:
            self._silent.add(path)  # not asked again before the kind of server is confirmed
        return versions


_STATISTICS = (
    ("nv_inference_request_success", "success", "count", 1.0),
    ("nv_inference_request_failure", "fail", "count", 1.0),
    ("nv_inference_request_duration_us", "success", "ns", 0.001),
    ("nv_inference_queue_duration_us", "queue", "ns", 0.001),
)
"""What Triton's Prometheus text calls a number of its statistics."""


def _series(rows: list[dict[str, Any]]) -> dict[str, dict[Labels, float]]:
    """Return statistics as the series of Triton's Prometheus text."""
    found: dict[str, dict[Labels, float]] = {}
    for row in rows:
        labels = frozenset({("model", str(row.get("name", ""))), ("version", str(row.get("version", "")))})
        told = row.get("inference_stats")
        for name, part, unit, scale in _STATISTICS:
            value = told.get(part) if isinstance(told, dict) else None
            number = value.get(unit) if isinstance(value, dict) else None
            if isinstance(number, int | float):
                found.setdefault(name, {})[labels] = scale * number
    return found


def _meant(rows: list[dict[str, Any]]) -> tuple[ServedVersion, ...]:
    """Return the versions of an index that are meant to serve.

    Those are not what was unloaded, which stays in Triton's, nor what comes or goes while another version serves.
    """
    versions = [(_row(row), row.get("state")) for row in rows if row.get("reason") != UNLOADED]
    serving = {one.model for one, _ in versions if one.ready}
    return tuple(one for one, state in versions if state not in PASSING or one.model not in serving)


def _row(row: dict[str, Any]) -> ServedVersion:
    return ServedVersion(str(row.get("name", "")), str(row.get("version") or ""), row.get("state") == "READY")


def _loading(look: Look, model: str | None) -> Look:
    """Say "loading" where MLServer and Triton answer 400 and KServe 503 for what is not ready."""
    if look.ready is not False or look.answer.status not in {400, 503}:
        return look
    what = f" while {model} is not ready" if model else ": not ready"
    return Look(look.answer, look.live, look.ready, look.served, f"{look.answer.status}{what}")


ADAPTER = OpenInference
