"""`mlwatch probe URL…`: what server is this, which models and versions does it serve, is it healthy?"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwatch.config.polled import REDIS, EndpointSettings, ProbeSettings, cache_of
from mlwatch.config.probefiles import ProbeFileError, read_probe
from mlwatch.endpoints.adapters import known
from mlwatch.endpoints.address import Address, parse
from mlwatch.endpoints.client import Client
from mlwatch.endpoints.detection import Detected, detect
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.golden import Baselines, GoldenProbe
from mlwatch.endpoints.resolving import Threads
from mlwatch.endpoints.server_metrics import since_start
from mlwatch.endpoints.target import Target
from mlwatch.errors import InputError, one_line
from mlwatch.words import percent

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mlwatch.config import CacheSettings
    from mlwatch.endpoints.types import Golden, Probe, ServedVersion

DOWN = 1
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Answer:
    """What one endpoint said."""

    url: str
    detected: Detected | None
    """None where nobody answered."""
    probe: Probe | None
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What the server says about itself since it started."""
    metrics_error: str = ""


def run(arguments: Namespace) -> int:
    """Print what each endpoint says; exit code 1 when one of them is not up, or its golden answer differs.

    Raises:
        InputError: when an address is none, names a kind of server that is not known, or a file is of no use.
    """
    settings = EndpointSettings(model=arguments.model, probe=_golden(arguments))
    answers = asyncio.run(_ask_all([_asking(url, settings) for url in arguments.urls]))
    document = json.dumps([_document(answer) for answer in answers], indent=2) + "\n"
    text = "\n".join(_text(answer) for answer in answers)
    sys.stdout.write(document if arguments.format == "json" else text)
    return 0 if all(map(_is_good, answers)) else DOWN


def _is_good(answer: Answer) -> bool:
    probe = answer.probe
    return probe is not None and probe.up and (probe.golden is None or probe.golden.matches)


def _golden(arguments: Namespace) -> ProbeSettings | None:
    """Return the golden probe that the options ask for, after a look at its files."""
    if arguments.golden is None:
        given = [
            name for name in ("expect", "path", "tolerance", "ignore") if getattr(arguments, name) is not None
        ]
        if given:
            raise InputError(f"--{given[0]} without --golden", "", "give the input with --golden FILE")
        return None
    tolerance = arguments.tolerance if arguments.tolerance is not None else TOLERANCE
    if not tolerance >= 0:
        raise InputError("not a tolerance", f"--tolerance {tolerance}", "give zero or more")
    settings = ProbeSettings(
        input=arguments.golden,
        expect=arguments.expect,
        tolerance=tolerance,
        path=arguments.path,
        ignore=tuple(arguments.ignore or ()),
    )
    try:
        read_probe(settings, Path)
    except ProbeFileError as error:
        option = "--golden" if error.key == "input" else "--expect"
        raise InputError("the golden probe cannot be used", option, str(error)) from None
    return settings


def _address(url: str) -> Address:
    address = parse(url)
    if address.kind is not None and address.kind not in known():
        raise InputError(
            f"unknown kind of server {address.kind}", "an endpoint", f"known are {', '.join(known())}"
        )
    return address


def _asking(url: str, settings: EndpointSettings) -> Callable[[], Awaitable[Answer]]:
    """Return what asks an endpoint or a cache."""
    if url.startswith(REDIS):
        return partial(_ask_cache, cache_of(url))
    return partial(_ask, _address(url), settings)


async def _ask_all(asking: Sequence[Callable[[], Awaitable[Answer]]]) -> list[Answer]:
    asyncio.get_running_loop().set_default_executor(Threads())  # a name server that hangs is not waited for
    return await asyncio.gather(*(ask() for ask in asking))


async def _ask_cache(settings: CacheSettings) -> Answer:
    from mlwatch.systems.redis_cache import Cache  # noqa: PLC0415  an extra

    cache = Cache(settings, Path)
    try:
        probe = await cache.probe(asyncio.get_running_loop().time())
        told = await cache.scrape(asyncio.Semaphore(1))
    finally:
        await cache.aclose()
    detected = Detected("redis", cache.server, 1.0, "the address says so", 0) if probe.live else None
    metrics = since_start(cache.last) if cache.last is not None else {}
    return Answer(cache.name, detected, probe, probe.error, metrics, told.error if told is not None else "")


async def _ask(address: Address, settings: EndpointSettings) -> Answer:
    client = Client(address, timeout=settings.timeout.total_seconds())
    try:
        detected = (
            Detected(address.kind, address.kind, 1.0, "the address says so", 0)
            if address.kind is not None
            else await detect(client, settings.model)
        )
    except Failure as failure:
        return Answer(address.url, None, None, str(failure))
    finally:
        await client.aclose()
    chosen = Address(address.url, detected.kind, address.authorization)
    golden = GoldenProbe(address.url, settings.probe, Path, Baselines()) if settings.probe else None
    target = Target(address.url, chosen, settings, Path, golden=golden)
    try:
        probe = await target.probe(asyncio.get_running_loop().time())
        told = await target.scrape(asyncio.Semaphore(1))
        last = target.last_scrape
    finally:
        await target.aclose()
    metrics = since_start(last) if last is not None else {}
    return Answer(address.url, detected, probe, probe.error, metrics, told.error if told is not None else "")


def _document(answer: Answer) -> dict[str, Any]:
    detected, probe = answer.detected, answer.probe
    return {
        "url": answer.url,
        "server": detected.server if detected else None,
        "sure": detected.sure if detected else None,
        "why": detected.why if detected else None,
        "live": bool(probe and probe.live),
        "ready": probe.ready if probe else None,
        "status": probe.status if probe else None,
        "latency_ms": probe.latency_ms if probe else None,
        "served": [{**asdict(one), "version": one.version or None} for one in _models(probe)],
        "metrics": dict(probe.metrics) if probe else {},
        "server_metrics": dict(answer.metrics),
        "server_metrics_error": answer.metrics_error or None,
        "golden": _golden_document(probe.golden) if probe and probe.golden else None,
        "certificate_days": probe.certificate_days if probe else None,
        "error": answer.error or None,
    }


def _golden_document(golden: Golden) -> dict[str, Any]:
    return {
        "matches": golden.matches if golden.first is None else None,
        "difference": golden.difference if golden.first is None else None,
        "reason": golden.reason or None,
        "answer": json.loads(golden.first.answer, parse_constant=str) if golden.first is not None else None,
    }


def _text(answer: Answer) -> str:
    """Write one endpoint for a reader; what came from a server is made fit for a terminal."""
    return (
        "\n".join([answer.url, *(f"  {head:<12}{one_line(value)}" for head, value in _lines(answer))]) + "\n"
    )


def _lines(answer: Answer) -> list[tuple[str, str]]:
    detected, probe = answer.detected, answer.probe
    if detected is None or probe is None:
        return [("live", f"no: {answer.error}")]
    lines = [
        ("server", f"{detected.server}, {percent(detected.sure, 0)} sure: {detected.why}"),
        ("live", _word(probe.live)),
        ("ready", _ready(probe)),
        ("serves", ", ".join(map(_served, _models(probe))) or "n/a, because this server does not say it"),
    ]
    if probe.latency_ms is not None:
        status = f", status {probe.status}" if probe.status is not None else ""
        lines.append(("latency", f"{probe.latency_ms:.1f} ms{status}"))
    if probe.certificate_days is not None:
        lines.append(("certificate", f"ends in {probe.certificate_days:.0f} days"))
    if probe.golden is not None:
        lines.append(("golden", _golden_words(probe.golden)))
    lines += [("", f"{name} {value:.4g}") for name, value in sorted(probe.metrics.items())]
    if answer.metrics_error:
        lines.append(("metrics", f"n/a, because {answer.metrics_error}"))
    if answer.metrics:
        said = ", ".join(f"{name} {value:.4g}" for name, value in sorted(answer.metrics.items()))
        lines.append(("metrics", f"since the server started: {said}"))
    return lines


def _golden_words(golden: Golden) -> str:
    if golden.first is not None:
        return f"n/a, because no --expect was given; the answer is {golden.first.answer}"
    if golden.matches:
        return f"the expected answer, at most {golden.difference or 0:.3g} apart"
    return f"not the expected answer: {golden.reason}"


def _ready(probe: Probe) -> str:
    if probe.ready is None and probe.error:
        return f"n/a, because {probe.error}"
    return _word(probe.ready) + (f": {probe.error}" if probe.error else "")


def _word(state: bool | None) -> str:
    return {True: "yes", False: "no", None: "n/a, because this server does not say it"}[state]


def _models(probe: Probe | None) -> tuple[ServedVersion, ...]:
    """Return what is served, also of what the server says no version."""
    return (*probe.served, *probe.unversioned) if probe is not None else ()


def _served(one: ServedVersion) -> str:
    return f"{one.model} {one.version}".rstrip() + f"{' (not ready)' if one.ready is False else ''}"
