"""Feast's feature server: health; how old the features are, a configured request tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

ONLINE = "/get-online-features"


class Feast(Adapter):
    """Asks for health; this server serves features, and neither models nor versions."""

    kind: ClassVar[str] = "feast"
    title: ClassVar[str] = "Feast feature server"
    order: ClassVar[int] = 60
    asks: ClassVar[tuple[str, ...]] = ("/openapi.json",)

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise its path of online features."""
        found = answer.maybe_json() if path == "/openapi.json" and answer.ok else None
        paths = found.get("paths") if isinstance(found, dict) else None
        if isinstance(paths, dict) and ONLINE in paths:
            return Sign(0.95, f"openapi.json has {ONLINE}")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for health."""
        return judge(await client.get(self.settings.health or "/health"))

    def inference_path(self) -> str | None:
        """Return the path of online features."""
        return ONLINE


ADAPTER = Feast
