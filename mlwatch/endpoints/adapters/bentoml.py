"""BentoML: live and ready apart; the service names itself in `/schema.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, maybe, readiness
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client


class BentoML(Adapter):
    """Asks for readiness, then for the name of the service; it does not say a version."""

    kind: ClassVar[str] = "bentoml"
    title: ClassVar[str] = "BentoML"
    order: ClassVar[int] = 40
    asks: ClassVar[tuple[str, ...]] = ("/schema.json",)
    metrics_path: ClassVar[str | None] = "/metrics"
    _routes: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise the schema of a service, or the header of its answers."""
        if answer.headers.get("server", "").startswith("BentoML Service/"):
            return Sign(0.95, "its Server header names BentoML")
        found = _schema(answer) if path == "/schema.json" else {}
        if found.get("type") == "service" and "routes" in found:
            return Sign(0.9, "/schema.json describes a service")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for readiness, then for the name of the service."""
        look = await readiness(client, "/readyz", "/livez")
        schema = await maybe(client.get("/schema.json"))
        found = _schema(schema) if schema is not None else {}
        name, routes = found.get("name"), found.get("routes")
        if isinstance(routes, list):
            self._routes = tuple(str(each["route"]) for each in routes if _takes_input(each))
        served = (ServedVersion(name, ""),) if isinstance(name, str) else ()
        return Look(look.answer, look.live, look.ready, served, look.error)

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  the path names none
        """Return the service's route where it has a single one."""
        return self._routes[0] if len(self._routes) == 1 else None


def _takes_input(route: Any) -> bool:
    return isinstance(route, dict) and isinstance(route.get("route"), str) and not route.get("is_task")


def _schema(answer: Answer) -> dict[str, Any]:
    found = answer.maybe_json() if answer.ok else None
    return found if isinstance(found, dict) else {}


ADAPTER = BentoML
