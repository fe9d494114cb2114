"""Ray Serve: health and routes of its proxy; "not populated yet" is loading."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge, maybe
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client


class RayServe(Adapter):
    """Asks the proxy; which version an application serves it does not say."""

    kind: ClassVar[str] = "ray"
    title: ClassVar[str] = "Ray Serve"
    order: ClassVar[int] = 30
    asks: ClassVar[tuple[str, ...]] = ("/-/routes",)
    _routes: Mapping[str, str] = MappingProxyType({})

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
        """Ask for health, then for the applications."""
        answer = await client.get("/-/healthz")
        look = judge(answer)
        error = f"{answer.status} while loading" if b"not populated yet" in answer.body else look.error
        routes = await maybe(client.get("/-/routes"))
        found = routes.maybe_json() if routes is not None and routes.ok else None
        self._routes = found if isinstance(found, dict) else {}
        names = sorted(map(str, self._routes.values()))
        return Look(answer, look.live, look.ready, tuple(ServedVersion(name, "") for name in names), error)

    def inference_path(self, model: str | None) -> str | None:
        """Return the route of the application; an application of several paths needs a configured one."""
        return next((route for route, name in self._routes.items() if name == model), None)


ADAPTER = RayServe
