"""TorchServe: "Healthy" with no worker too, so that the workers of the management port are what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge, maybe
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

_ERRORS = {
    "ResourceNotFoundException",
    "MethodNotAllowedException",
    "ModelNotFoundException",
    "InvalidKeyException",
}

REFUSED = "the management port refuses the token: give management_headers"
"""The keys of inference and management differ."""


class TorchServe(Adapter):
    """Asks `/ping`, then the models and their workers on the management port, which is the next one."""

    kind: ClassVar[str] = "torchserve"
    title: ClassVar[str] = "TorchServe"
    order: ClassVar[int] = 20
    asks: ClassVar[tuple[str, ...]] = ("/ping",)
    metrics_path: ClassVar[str | None] = "/metrics"
    metrics_port: ClassVar[int | None] = 2  # 8080 and 8082
    _refused: bool = False

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise its health and its errors, which name Java exceptions."""
        found = answer.maybe_json()
        if not isinstance(found, dict) or "server" in answer.headers:
            return None
        if path == "/ping" and found.get("status") in {"Healthy", "Partial Healthy", "Unhealthy"}:
            return Sign(0.95, f'/ping says "{found["status"]}"')
        if found.get("type") in _ERRORS and "code" in found:
            return Sign(0.9, f"its error is of type {found['type']}")
        return None

    async def look(self, client: Client) -> Look:
        """Judge by health and by workers: a refused token is 400 here."""
        answer = await client.get("/ping")
        found = answer.maybe_json()
        if isinstance(found, dict) and found.get("type") == "InvalidKeyException":
            return Look(answer, live=True, ready=None, error="400: token refused")
        look = judge(answer)
        served = await self._served(client)
        if look.ready and isinstance(found, dict) and found.get("status") == "Unhealthy":
            return Look(answer, live=True, ready=False, served=served, error="unhealthy")
        idle = [each for each in served if each.ready is False]
        if look.ready and idle and len(idle) == len(served):
            error = f"no worker for {idle[0].model} {idle[0].version}"
            return Look(answer, live=True, ready=False, served=served, error=error)
        error = look.error or (REFUSED if self._refused else "")
        return Look(answer, look.live, look.ready, served, error)

    def inference_path(self, model: str | None) -> str | None:
        """Return the model's path of predictions."""
        return f"/predictions/{quote(model, safe='')}" if model else None

    async def _served(self, client: Client) -> tuple[ServedVersion, ...]:
        port = urlsplit(client.address.url).port
        if port is None:
            return ()  # behind a proxy: the management port is not known
        management, self._refused = client.address.at_port(port + 1), False
        found: list[ServedVersion] = []
        for name in await self._models(client, management):
            answer = await maybe(
                client.get(f"{management}/models/{quote(name, safe='')}/all", management=True)
            )
            self._note_refusal(answer)
            rows = answer.maybe_json() if answer is not None and answer.ok else None
            found += [_row(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return tuple(found)

    def _note_refusal(self, answer: Answer | None) -> None:
        found = answer.maybe_json() if answer is not None and not answer.ok else None
        self._refused = self._refused or (
            isinstance(found, dict) and found.get("type") == "InvalidKeyException"
        )

    async def _models(self, client: Client, management: str) -> list[str]:
        if self.settings.model is not None:
            return [self.settings.model]
        answer = await maybe(client.get(f"{management}/models", management=True))
        self._note_refusal(answer)
        found = answer.maybe_json() if answer is not None and answer.ok else None
        rows = found.get("models") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            return []
        return [str(row["modelName"]) for row in rows[:20] if isinstance(row, dict) and "modelName" in row]


def _row(row: dict[str, Any]) -> ServedVersion:
    workers = row.get("workers")
    ready = isinstance(workers, list) and any(
        isinstance(worker, dict) and worker.get("status") == "READY" for worker in workers
    )
    return ServedVersion(str(row.get("modelName", "")), str(row.get("modelVersion", "")), ready)


ADAPTER = TorchServe
