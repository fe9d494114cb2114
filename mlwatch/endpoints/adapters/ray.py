"""Ray Serve: health and routes of its proxy; "not populated yet" is loading."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from mlwatch.endpoints.adapter import Adapter, Look, Sign, instead, judge, maybe
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client


DASHBOARD = 8265
"""Port of Ray's dashboard where nobody has chosen another."""
REREAD = 60.0
"""Seconds after which the dashboard is asked again where metrics are: each start of Ray chooses another port."""
UNKNOWN = f"Ray's dashboard (port {DASHBOARD}) does not say where they are: configure metrics"
REFUSED = "Ray's dashboard, which knows where they are, refuses the token: give management_headers"
STATES = ("RUNNING", "NOT_STARTED", "DEPLOYING", "DELETING", "UNHEALTHY", "DEPLOY_FAILED")
"""Of an application, the worse the later."""


class RayServe(Adapter):
    """Asks the proxy; which version an application serves it does not say."""

    kind: ClassVar[str] = "ray"
    title: ClassVar[str] = "Ray Serve"
    order: ClassVar[int] = 30
    asks: ClassVar[tuple[str, ...]] = ("/-/routes",)
    metrics_sign: ClassVar[str] = "ray_serve_"
    _routes: Mapping[str, str] = MappingProxyType({})
    _metrics: str | None = None
    _asked_at: float = float("-inf")

    def __init__(self, settings: EndpointSettings, server: str = "") -> None:
        """Keep the settings; see `Adapter`."""
        super().__init__(settings, server)
        self.unheard = UNKNOWN

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise its routes, and its answers to what it has no route for."""
        if b"/-/routes for available routes" in answer.body or b"Route table is not populated" in answer.body:
            return Sign(0.95, "its error names /-/routes")
        found = answer.maybe_json() if path == "/-/routes" and answer.ok else None
        if isinstance(found, dict) and all(str(route).startswith("/") for route in found):
            return Sign(0.95, "/-/routes lists applications")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for health, then for the applications; where they are not ready, the dashboard says why."""
        answer = await client.get("/-/healthz")
        look = judge(answer)
        error = f"{answer.status} while loading" if b"not populated yet" in answer.body else look.error
        routes = await maybe(client.get("/-/routes"))
        found = routes.maybe_json() if routes is not None and routes.ok else None
        self._routes = found if isinstance(found, dict) else {}
        names = sorted(map(str, self._routes.values()))
        served = tuple(ServedVersion(name, "") for name in names)
        missing = look.ready and self.settings.model is not None and self.settings.model not in names
        if not missing and look.ready is not False:
            return Look(answer, look.live, look.ready, served, error)
        error = error or f"no application {self.settings.model}{instead(names)}"
        return Look(answer, look.live, False, served, await self._why(client) or error)

    async def metrics_url(self, client: Client) -> str | None:
        """Return the configured metrics, else where the dashboard says that this node tells them.

        Only the port is taken from there: no answer makes anybody ask another host.
        """
        if self.settings.metrics is not None:
            return await super().metrics_url(client)
        now = asyncio.get_running_loop().time()
        if now - self._asked_at > REREAD:
            self._asked_at = now
            url = f"{client.address.at_port(DASHBOARD)}/api/prometheus/sd"
            answer = await maybe(client.get(url, management=True))
            port = _port(answer.maybe_json(), client) if answer is not None and answer.ok else None
            self.unheard = REFUSED if answer is not None and answer.status in {401, 403} else UNKNOWN
            self._metrics = f"{client.address.at_port(port)}/metrics" if port is not None else None
        return self._metrics

    async def _why(self, client: Client) -> str:
        """Return how an application that does not run stands; the dashboard may be elsewhere, and then says nothing."""
        url = f"{client.address.at_port(DASHBOARD)}/api/serve/applications/"
        answer = await maybe(client.get(url, management=True))
        found = answer.maybe_json() if answer is not None and answer.ok else None
        rows = found.get("applications") if isinstance(found, dict) else None
        if not isinstance(rows, dict):
            return ""
        wanted = {name: row for name, row in rows.items() if self.settings.model in {None, name}}
        said = [_state(name, row) for name, row in wanted.items() if isinstance(row, dict)]
        return max(said, default=(0, ""))[1]

    def inference_path(self, model: str | None) -> str | None:
        """Return the route of the application; an application of several paths needs a configured one."""
        return next((route for route, name in self._routes.items() if name == model), None)


def _port(found: Any, client: Client) -> int | None:
    """Return the port of metrics of the endpoint's own node, else of the first: the nodes are listed first."""
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    targets = [target for row in rows for target in row.get("targets") or () if isinstance(target, str)]
    host = urlsplit(client.address.url).hostname
    try:
        places = [urlsplit(f"//{target}") for target in targets]
        own = [place.port for place in places if place.hostname == host]
        return next((port for port in (*own, *(place.port for place in places)) if port), None)
    except ValueError:
        return None


def _state(name: str, row: dict[str, Any]) -> tuple[int, str]:
    """Return how bad the state of an application is, and that state in words with the last line of its message."""
    state = str(row.get("status", ""))
    lines = str(row.get("message") or "").strip().splitlines()
    words = f"{name} {state.lower().replace('_', ' ')}" + (f": {lines[-1]}" if lines else "")
    return (STATES.index(state), words) if state in STATES[1:] else (0, "")


ADAPTER = RayServe
