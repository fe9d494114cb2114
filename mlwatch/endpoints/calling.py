"""A client for a system that the configuration names: its certificates, its headers, its token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.endpoints.address import parse
from mlwatch.endpoints.client import Client
from mlwatch.endpoints.secret_headers import headers, secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Resolve = Callable[[str], Path]


def client_of(
    url: str, given: Mapping[str, str], verify: bool | str, resolve: Resolve, timeout: float
) -> Client:
    """Return a client; nothing is sent.

    Args:
        url: Where the system is.
        given: Request headers; secrets may be references.
        verify: Check TLS certificates: whether, or a file of authorities.
        resolve: Makes a file name of the settings a path.
        timeout: Of each whole request, seconds.

    Raises:
        InputError: The address is none.
        Failure: A secret or the file of authorities is not there.
    """
    authorities = str(resolve(verify)) if isinstance(verify, str) else verify
    client = Client(parse(url), timeout=timeout, verify=authorities)
    client.use(headers(given, resolve))
    return client


def bearer(what: str, token: str | None, resolve: Resolve) -> dict[str, str]:
    """Return the header for a token; none without one.

    Args:
        what: The setting, for messages.
        token: A reference.
        resolve: Makes a file name of the settings a path.

    Raises:
        Failure: What it refers to is not there.
    """
    return {"Authorization": f"Bearer {secret(what, token, resolve).strip()}"} if token is not None else {}
