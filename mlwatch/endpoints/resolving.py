"""Which addresses a name has: several are replicas, each looked at for itself."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading

from mlwatch.endpoints.failures import Failure, in_words, seconds


async def replicas(host: str, port: int, longest: float) -> tuple[str, ...]:
    """Return the IP addresses of a name that has several of one family, sorted; otherwise nothing.

    A name with one address of each family, such as localhost, is one server.

    Raises:
        Failure: The name cannot be resolved.
    """
    if _is_address(host):
        return ()
    try:
        async with asyncio.timeout(longest):
            found = await _resolve(host, port)
    except TimeoutError:
        raise Failure(f"DNS: no answer after {seconds(longest)}") from None
    except OSError as error:
        raise Failure(in_words(error)) from None
    except UnicodeError:
        raise Failure("DNS: not a name") from None
    for family in (socket.AF_INET, socket.AF_INET6):
        addresses = sorted({place for kind, place in found if kind == family})
        if len(addresses) > 1:
            return tuple(addresses)
    return ()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _resolve(host: str, port: int) -> list[tuple[int, str]]:
    """Ask the system in a thread of its own: a pool would let one dead name server hold up every endpoint."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[list[tuple[int, str]]] = loop.create_future()

    def deliver(found: list[tuple[int, str]], error: Exception | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(found)

    def ask() -> None:
        found: list[tuple[int, str]] = []
        failed: Exception | None = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [(int(row[0]), str(row[4][0])) for row in rows]
        except (OSError, UnicodeError) as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, found, failed)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await result
