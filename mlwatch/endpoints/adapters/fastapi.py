"""FastAPI, served by uvicorn as a rule: health, readiness and version under their usual paths, found by OpenAPI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, readiness, version_at
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

READY = ("/readyz", "/ready", "/health/ready", "/healthz", "/health", "/livez", "/ping")
LIVE = ("/livez", "/live", "/health/live", "/healthz", "/health", "/ping")
VERSION = ("/version", "/model", "/info")
UNSAID = "0.1.0"
"""Version of each application that says none."""
ENGINE = frozenset({"/v1/chat/completions", "/v1/completions"})
"""Paths of servers such as vLLM, whose `/version` is that of their software, here where `/v1` wants a key."""
REREAD = 30.0
"""Seconds after which the document is read again where it alone tells the version."""
PREDICT = ("/predict", "/v1/predict", "/invocations", "/score")


class FastApi(Adapter):
    """Reads `openapi.json` once to learn the paths that there are."""

    kind: ClassVar[str] = "fastapi"
    title: ClassVar[str] = "FastAPI"
    order: ClassVar[int] = 90
    asks: ClassVar[tuple[str, ...]] = ("/openapi.json",)
    _paths: frozenset[str] | None = None
    _title: str = ""
    _release: str = ""
    _read_at: float = 0.0

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise a document of OpenAPI; servers that have one and are more than that are surer of it."""
        document = answer.maybe_json() if path == "/openapi.json" and answer.ok else None
        if not isinstance(document, dict) or "openapi" not in document:
            return None
        return Sign(0.9, f"openapi.json describes {_info(document)[0] or 'an application'}")

    async def prepare(self, client: Client) -> None:
        """Read the paths that the application has, and its version."""
        self._read_at = asyncio.get_running_loop().time()
        answer = await client.get("/openapi.json")
        if not answer.ok and self.settings.health is not None:
            self._paths = frozenset()  # switched off, as many do in production
            return
        if not answer.ok:
            raise Failure(f"openapi.json: {answer.words}: configure the path of health", answered=True)
        document = answer.json()
        self._title, self._release = _info(document)
        paths = document.get("paths") if isinstance(document, dict) else None
        self._paths = frozenset(paths) if isinstance(paths, dict) else frozenset()

    async def look(self, client: Client) -> Look:
        """Ask for readiness, then for the version where there is a path for it."""
        paths = self._paths or frozenset()
        health = self.settings.health or next((path for path in READY if path in paths), None)
        live = self.settings.live or next((path for path in LIVE if path in paths), None)
        alive = live if live != health else None
        look = await readiness(client, health or "/openapi.json", alive, pages=None)
        served = await self._served(client, paths) if look.ready is not None else ()
        return Look(look.answer, look.live, look.ready, served, look.error)

    async def metrics_url(self, client: Client) -> str | None:
        """Return the configured metrics, else `/metrics/`: the path without a slash is redirected."""
        if self.settings.metrics is not None:
            return await super().metrics_url(client)
        return client.address.join("/metrics/")

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  the path names none
        """Return the usual path of predictions that the application has."""
        return next((path for path in PREDICT if path in (self._paths or ())), None)

    async def _served(self, client: Client, paths: frozenset[str]) -> tuple[ServedVersion, ...]:
        usual = VERSION if ENGINE.isdisjoint(paths) else ()
        path = self.settings.version or next((path for path in usual if path in paths), None)
        name = self.settings.model or self._title
        if path is not None:
            named = await version_at(client, path, name)
            return (named,) if named is not None else ()
        if self._release:
            if asyncio.get_running_loop().time() - self._read_at > REREAD:
                await self.prepare(client)  # another version may have taken its place between two looks
            return (ServedVersion(name, self._release),)
        return ()


def _info(document: Any) -> tuple[str, str]:
    """Return title and version of an application; no version where it says none."""
    info = document.get("info") if isinstance(document, dict) else None
    if not isinstance(info, dict):
        return "", ""
    version = str(info.get("version", ""))
    return str(info.get("title", "")), "" if version == UNSAID else version


ADAPTER = FastApi
