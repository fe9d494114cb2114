"""Servers with OpenAI's protocol, such as vLLM: models by `/v1/models`, health where that is known to be harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, WrongServer, instead, judge
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.types import ServedVersion

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

MODELS = "/v1/models"
OWNERS = {"vllm", "sglang", "llamacpp"}
"""Servers that name themselves as the owner of their models, and whose `/health` does nothing else."""


class OpenAI(Adapter):
    """Asks for health and for the models; of versions this protocol knows nothing."""

    kind: ClassVar[str] = "openai"
    title: ClassVar[str] = "OpenAI-compatible"
    order: ClassVar[int] = 41
    asks: ClassVar[tuple[str, ...]] = (MODELS,)
    metrics_path: ClassVar[str | None] = "/metrics"
    volatile: ClassVar[frozenset[str]] = frozenset({"id", "created", "system_fingerprint", "usage"})

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise the list of models."""
        rows = _rows(answer) if path == MODELS else None
        if rows is None:
            return None
        server = _owner(rows)
        return Sign(0.95, f"{MODELS} lists models" + (f" of {server}" if server else ""), server)

    async def look(self, client: Client) -> Look:
        """Ask for the models, and for health where that is known to cost nothing."""
        listed = await client.get(MODELS)
        rows, model = _rows(listed), self.settings.model
        self.server = _owner(rows or []) or self.server
        health = await self._health(client)
        look = judge(health or listed, pages=health is None)
        if not listed.ok or not look.ready:
            return Look(look.answer, look.live, look.ready, error=look.error or listed.words)
        if rows is None:
            raise WrongServer(_no_list(listed), answered=True)
        served = tuple(ServedVersion(str(row.get("id", "")), "") for row in rows)
        if not rows or model not in {None, *(one.model for one in served)}:
            names = [one.model for one in served]
            error = f"no model {model}{instead(names)}" if model else "no model is served"
            return Look(look.answer, live=True, ready=False, served=served, error=error)
        return Look(look.answer, look.live, look.ready, served, look.error)

    async def _health(self, client: Client) -> Answer | None:
        """Return the answer of health; None where there is no such path, or it is better not asked.

        This protocol has none. Some gateways have one that sends a prompt to every model behind them.
        """
        if self.settings.health is not None:
            return await client.get(self.settings.health)
        if self.server not in OWNERS:
            return None
        return await client.get(client.address.url.removesuffix("/v1") + "/health")


def _no_list(answer: Answer) -> str:
    try:
        answer.json()
    except Failure as failure:
        return str(failure)
    return f"{MODELS} lists no models"


def _owner(rows: list[dict[str, Any]]) -> str:
    """Return the server that owns all models; nothing where it is none of those known."""
    owners = {str(row.get("owned_by")) for row in rows} & OWNERS
    return owners.pop() if len(owners) == 1 else ""


def _rows(answer: Answer) -> list[dict[str, Any]] | None:
    found = answer.maybe_json() if answer.ok else None
    rows = found.get("data") if isinstance(found, dict) and found.get("object") == "list" else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


ADAPTER = OpenAI
