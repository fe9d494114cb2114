"""Who may speak to the server: the right host, the right origin, the right token; and what a page may load."""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "mlwatch"
DAY_S = 86_400


class Guard:
    """Middleware that refuses everybody but the holder of the token.

    Args:
        token: From `secrets.token_urlsafe`.
        hosts: Names by which the server may be called besides this machine's own addresses: a page of a foreign
            name that resolves to this machine (DNS rebinding) is refused by it. A proxy that speaks TLS may stand
            before these.
    """

    def __init__(self, token: str, hosts: Collection[str] = ()) -> None:
        self._token = token
        self._named = {host.casefold() for host in hosts}
        self._hosts = {"localhost", *self._named}

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse, or answer with the headers that keep the page to itself."""
        if not self._knows(_host(request)):
            return _refused("this host name is not served: use the address that mlwatch printed")
        if not self._same_origin(request):
            return _refused("a page of another site may not come in")
        given = request.query.get("token")
        if given is not None and request.path == "/":
            return self._welcome(request) if self._is_token(given) else _refused(_WRONG)
        if not self._is_token(request.cookies.get(self._cookie(request), "")):
            return _refused(_WRONG)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(headers(request.host))
        return response

    def _knows(self, host: str) -> bool:
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return host.casefold() in self._hosts
        return True  # a name cannot be rebound to an address that was typed

    def _same_origin(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return request.path != "/ws"  # a browser always says where a web socket comes from
        encrypted = origin == f"https://{request.host}" and _host(request).casefold() in self._named
        return encrypted or origin == f"{request.scheme}://{request.host}"

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    def _cookie(self, request: web.Request) -> str:
        return f"{COOKIE}-{request.url.port}"  # cookies do not tell ports apart

    def _welcome(self, request: web.Request) -> web.StreamResponse:
        """Keep the token in a cookie and take it out of the address."""
        response = web.Response(status=303, headers={"Location": "/", **headers(request.host)})
        response.set_cookie(
            self._cookie(request), self._token, httponly=True, samesite="Strict", path="/", max_age=DAY_S
        )
        return response


def _host(request: web.Request) -> str:
    """Return by which name the server was called; nothing where that is none."""
    try:
        return (request.url.host or "") if request.host else ""
    except ValueError:
        return ""


_WRONG = "the token is missing or wrong: open the address that mlwatch printed"


def _refused(reason: str) -> web.Response:
    return web.Response(status=403, text=f"mlwatch: {reason}\n", headers={"Cache-Control": "no-store"})


def headers(host: str) -> dict[str, str]:
    """Return the headers that keep a page from loading, or being loaded by, anything foreign."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self' ws://{host} wss://{host}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
