"""Which addresses a name has: several are replicas, each looked at for itself."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mlwatch.endpoints.failures import Failure, in_words, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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
    loop = asyncio.get_running_loop()
    rows = await loop.run_in_executor(Threads(), partial(_ask, host, port))
    return [(int(row[0]), str(row[4][0])) for row in rows]


def _ask(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Threads(ThreadPoolExecutor):
    """Runs each call in a thread of its own, which nobody waits for in the end.

    A name server that hangs holds its caller's thread for half a minute, whatever the caller's patience. In a pool of
    threads, which is what an event loop has by itself, a few dead names would so hold up all others.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a call."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=run, name="mlwatch-resolve", daemon=True).start()
        return future
