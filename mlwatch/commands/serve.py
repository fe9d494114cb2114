"""`mlwatch serve PATH`: the live app in a browser."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
from typing import TYPE_CHECKING, Any

from mlwatch.commands.common import options
from mlwatch.commands.watch import limit_repaints
from mlwatch.errors import InputError
from mlwatch.session import Session

if TYPE_CHECKING:
    from argparse import Namespace

    from mlwatch.config.settings import AppSettings
    from mlwatch.serve.server import Site


def run(arguments: Namespace) -> int:
    """Serve until interrupted; return the exit code."""
    try:
        from mlwatch.serve.server import Site  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise InputError(
            "textual-serve is not installed",
            "mlwatch serve",
            "install mlwatch with its extra: mlwatch[serve]",
        ) from error
    if not 0 <= arguments.port < 65_536:
        raise InputError("--port is out of range", str(arguments.port), "give 0 to 65535")
    with Session(options(arguments)) as session:
        limit_repaints(arguments, session.config)
        looks = looks_of(arguments, session.config.app)
        site = Site(session, looks, read_only=arguments.read_only, hosts=arguments.name)
        session.start()
        asyncio.run(_serve(site, arguments))
    return 0


def looks_of(arguments: Namespace, settings: AppSettings) -> dict[str, Any]:
    """Return how the app looks in every tab, as options of the app and in plain values."""
    return {
        "refresh_s": settings.refresh.total_seconds(),
        "ascii": settings.ascii if arguments.ascii is None else arguments.ascii,
        "mouse": settings.mouse and not arguments.no_mouse,
        "theme": arguments.theme or settings.theme,
        "keys": dict(settings.keys),
        "timezone": settings.timezone,
        "toasts": settings.toasts,
    }


async def _serve(site: Site, arguments: Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    port = await site.start(arguments.host, arguments.port)
    if not _is_loopback(arguments.host):
        sys.stderr.write(
            f"mlwatch: note: {arguments.host} can be reached by others, without encryption: use a tunnel or a proxy\n"
        )
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    sys.stdout.write(f"mlwatch: open http://{host}:{port}/?token={site.token}\n")
    sys.stdout.flush()
    try:
        await ended.wait()
    finally:
        await site.stop()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
