"""Talk to MLflow over REST, versions 2 and 3 alike: https://mlflow.org/docs/latest/rest-api.html.

Its Python client is not needed. Every request is bounded in size and time, from connecting to the last byte: a server
that drips its answers holds nobody up.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mlwatch.endpoints.calling import bearer, client_of
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.secret_headers import secret
from mlwatch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

    from mlwatch.config import RegistrySettings
    from mlwatch.endpoints.answer import Answer

TIMEOUT_S = 5.0
"""Of one request."""
LARGEST = 4 << 20
API = "/api/2.0/mlflow/"


class RegistryError(Exception):
    """Why the registry cannot be used just now, as a clause, without secrets."""

    def __init__(self, words: str, code: str = "") -> None:
        """Keep the words.

        Args:
            words: What is wrong, and what to do about it where that is known.
            code: MLflow's own name of the error.
        """
        super().__init__(words)
        self.code = code


class Mlflow:
    """One server, for as long as a block runs.

    Args:
        settings: Address, token.
        resolve: Makes a file name of the settings a path.

    Raises:
        RegistryError: when the token or the certificate authorities are not there.
    """

    def __init__(self, settings: RegistrySettings, resolve: Callable[[str], Path]) -> None:
        try:
            own = _headers(settings, resolve)
            self._client = client_of(str(settings.mlflow), own, settings.verify, resolve, TIMEOUT_S)
        except Failure as failure:
            raise RegistryError(str(failure)) from None
        self.url = self._client.address.url
        """Without credentials."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        """Ask for a document.

        Raises:
            RegistryError: when there is none.
        """
        try:
            answer = await self._client.get(f"{API}{path}?{urlencode(params)}", largest=LARGEST)
        except Failure as failure:
            raise _unreachable(failure) from None
        return _document(answer)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document.

        Raises:
            RegistryError: when it is not taken.
        """
        import json  # noqa: PLC0415

        try:
            answer = await self._client.post(API + path, json.dumps(body, allow_nan=False).encode())
        except Failure as failure:
            raise _unreachable(failure) from None
        return _document(answer)


def _headers(settings: RegistrySettings, resolve: Callable[[str], Path]) -> dict[str, str]:
    what = "[registry] token"
    if settings.token is None or settings.user is None:
        return bearer(what, settings.token, resolve)
    pair = f"{settings.user}:{secret(what, settings.token, resolve).strip()}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _unreachable(failure: Failure) -> RegistryError:
    return RegistryError(f"{failure}: start the server, or correct [registry] mlflow")


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status in {401, 403}:
        raise RegistryError(f"it refuses us (status {answer.status}): set [registry] token")
    found = answer.maybe_json()
    if not isinstance(found, dict):
        raise RegistryError(
            f"its answer is not what MLflow says (status {answer.status}): correct [registry] mlflow"
        )
    if not answer.ok:
        code = one_line(str(found.get("error_code") or ""))
        words = one_line(str(found.get("message") or code or answer.words))[:200]
        raise RegistryError(words, code)
    return found
