"""MLflow's scoring server: one model; `/version` is MLflow's own, never the model's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from mlwatch.endpoints.adapter import Adapter, Look, Sign, judge

if TYPE_CHECKING:
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client


class MLflow(Adapter):
    """Asks `/ping`, which answers well only with a model that could be loaded."""

    kind: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "MLflow scoring server"
    order: ClassVar[int] = 50
    asks: ClassVar[tuple[str, ...]] = ("/openapi.json", "/version")
    unheard: str = "MLflow's scoring server has none"

    @classmethod
    def recognise(cls, path: str, answer: Answer) -> Sign | None:
        """Recognise its paths, or its version, which is plain text without quotes."""
        if not answer.ok:
            return None
        if path == "/version" and re.fullmatch(rb"\d+\.\d+\.\d+[\w.]*", answer.body.strip()):
            return Sign(0.85, "/version is plain text, as MLflow's")
        found = answer.maybe_json() if path == "/openapi.json" else None
        paths = found.get("paths") if isinstance(found, dict) else None
        if isinstance(paths, dict) and {"/invocations", "/ping", "/version"} <= paths.keys():
            return Sign(0.95, "openapi.json has /invocations, /ping and /version")
        return None

    async def look(self, client: Client) -> Look:
        """Ask for health; which model it is, only the configuration knows."""
        return judge(await client.get("/ping"))

    def inference_path(self, model: str | None) -> str | None:  # noqa: ARG002  the path names none
        """Return the path of predictions."""
        return "/invocations"


ADAPTER = MLflow
