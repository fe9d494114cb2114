"""Addresses of endpoints: kind of server, place, credentials, each apart, so that only the place is ever shown."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from mlwatch.errors import InputError


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is."""

    url: str
    """Without credentials and kind, without a slash at its end."""
    kind: str | None = None
    """The server that `torchserve+http://…` names."""
    authorization: str | None = field(default=None, repr=False)
    """Header for the credentials that the URL held."""

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def join(self, path: str) -> str:
        """Return the URL of a path below the endpoint; a whole URL stays as it is.

        An address that ends in `/v1`, as one gives OpenAI's clients, is not doubled.
        """
        if path.startswith(("http://", "https://")):
            return path
        if path.startswith("/v1/"):
            return self.url.removesuffix("/v1") + path
        return self.url + ("/" + path.lstrip("/") if path else "")

    def at_port(self, port: int) -> str:
        """Return the endpoint's host at another port, where a server has a port of its own for something."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{port}"


def parse(text: str) -> Address:
    """Read an address such as `torchserve+http://user:secret@host:8080/base`.

    Raises:
        InputError: It is none.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        kind, _, scheme = parts.scheme.rpartition("+")
        host, port = parts.hostname, parts.port
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host:
        raise InputError(
            "not an address", "an endpoint", "give one such as http://localhost:8080"
        )  # not repeated: it may hold a password
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc += f":{port}"
    url = urlunsplit((scheme, netloc, parts.path.rstrip("/"), parts.query, ""))
    return Address(url, kind or None, _authorization(parts.username, parts.password))


def _authorization(user: str | None, password: str | None) -> str | None:
    if user is None and password is None:
        return None
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
