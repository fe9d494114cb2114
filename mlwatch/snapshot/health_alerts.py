"""What endpoints and host give cause to say: pure functions of what was seen, so that the past tells the same story.

Burn rates follow the Site Reliability Workbook (Google, 2018), chapter 5, "Multiwindow, multi-burn-rate alerts".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlwatch.snapshot.endpoints import FAILURES
from mlwatch.snapshot.types import Alert
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlwatch.snapshot.health_types import Endpoint, GoldenState, Replica, System
    from mlwatch.snapshot.types import Model, Severity

ENDPOINT = "endpoint: "
"""What the names of rules about endpoints begin with."""
HOST = "host: "
"""And of those about this host."""
GOLDEN = "golden answer"
"""What such an alert is about, where it is the answer to the fixed input."""
UNASKED = "configuration"
"""The same, where it is what the configuration refers to."""
CHANGES = 6
"""Times up or down within a quarter of an hour from which on an endpoint flaps."""
BUDGET = 0.001
"""Share of probes that may fail: an objective of 99.9 %."""
BURNS: tuple[tuple[str, str, float, Severity], ...] = (
    ("1h", "5m", 14.4, "critical"),
    ("6h", "30m", 6.0, "warning"),
)
"""A long and a short window, how many times faster than allowed the budget burns in both, and how bad that is."""
ENOUGH = 60
"""Probes in the last hour from which on a share of failures means something."""
CERTIFICATE_DAYS = 14
RESOLVED = timedelta(minutes=15)
"""Time over which a condition that is kept again is told of."""
FRESH = timedelta(minutes=15)
"""Versions are compared with those in the logs while the newest record is no older."""
DISK: tuple[tuple[float, Severity], ...] = ((0.97, "critical"), (0.9, "warning"))
MEMORY = 0.95
"""Share of a container's limit near which the kernel ends processes."""


def health_alerts(
    endpoints: Iterable[Endpoint],
    system: System,
    models: Mapping[str, Model],
    newest: datetime | None,
    now: datetime,
) -> tuple[Alert, ...]:
    """Return what is wrong at a moment.

    Args:
        endpoints: All of them.
        system: The host.
        models: Versions that the logs speak of.
        newest: Time of the newest record.
        now: The moment.
    """
    polled = [endpoint for endpoint in endpoints if not endpoint.stale]
    found = [alert for endpoint in polled for alert in _of_endpoint(endpoint)]
    if newest is not None and abs(now - newest) < FRESH:
        found += _versions(polled, models, newest)
    return (*found, *_host(system, now))


def not_asked(endpoints: Iterable[Endpoint], now: datetime) -> tuple[Alert, ...]:
    """Say of each endpoint that cannot be asked why; that is no outage of the server."""
    return tuple(
        Alert(
            f"{ENDPOINT}{one.name}",
            "firing",
            "warning",
            f"{one.name} is not asked: {one.unasked}",
            now,
            about=UNASKED,
        )
        for one in endpoints
        if one.unasked
    )


def _of_endpoint(endpoint: Endpoint) -> Iterator[Alert]:
    name = f"{ENDPOINT}{endpoint.name}"
    down = [replica for replica in endpoint.replicas if replica.failures >= FAILURES]
    if down:
        yield _down(name, endpoint, down)
    else:
        yield from _burning(name, endpoint)
        yield from _was_down(name, endpoint)
    if endpoint.changes >= CHANGES:
        text = f"{endpoint.name} flaps: it went up or down {endpoint.changes} times in 15 minutes"
        yield Alert(name, "firing", "warning", text, endpoint.at, float(endpoint.changes), "flapping")
    golden = endpoint.golden
    if golden is not None and not golden.matches:
        which = f" (replica {golden.replica})" if golden.replica else ""
        reason = golden.reason or "it differs"
        text = f"{endpoint.name}{which} does not give the expected answer to its fixed input: {reason}"
        yield Alert(name, "firing", "critical", text, _wrong_since(golden), golden.difference, GOLDEN)
    yield from _conditions(name, endpoint)
    skew = endpoint.metrics.get("clock_skew_s")
    if skew is not None:
        text = f"the clock of {endpoint.name} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this host's"
        yield Alert(name, "firing", "warning", text, endpoint.at, skew, "clock")
    days = endpoint.certificate_days
    if days is not None and days < CERTIFICATE_DAYS:
        text = f"the certificate of {endpoint.name} " + (
            f"ends in {days:.0f} days" if days > 0 else "has ended"
        )
        severity: Severity = "warning" if days > 0 else "critical"
        yield Alert(name, "firing", severity, text, endpoint.at, days, "certificate")


def _wrong_since(golden: GoldenState) -> datetime:
    """Return since when no step of the last hour, and of the day before it, had right answers alone."""
    since = golden.at
    steps = [one for one in (*golden.day, *golden.hour) if one is not None]
    for step in sorted(steps, key=lambda one: one.start, reverse=True):
        if not step.bad:
            break
        if step.bad == step.n or step in golden.hour:
            since = min(since, step.start)
    return since


def _conditions(name: str, endpoint: Endpoint) -> Iterator[Alert]:
    """Tell of conditions that are broken, or were until a little while ago."""
    for one in endpoint.conditions:
        where = endpoint.name + (f" (replica {one.replica})" if one.replica else "")
        since, rule = one.since or endpoint.at, f"{name}: {one.text}"
        if one.state in {"firing", "pending"}:
            text = f"{where} does not keep its condition {one.text}: {one.said}"
            yield Alert(rule, "firing" if one.state == "firing" else "pending", "warning", text, since)
        elif one.state == "resolved" and endpoint.at - since < RESOLVED:
            yield Alert(
                rule,
                "resolved",
                "warning",
                f"{where} keeps its condition {one.text} again: {one.said}",
                since,
                resolved=since,
            )


def _down(name: str, endpoint: Endpoint, down: list[Replica]) -> Alert:
    """Say that all or some replicas are down, and why."""
    since = min((replica.down_since or replica.at for replica in down), default=endpoint.at)
    why = next((replica.error for replica in down if replica.error), "") or (
        "not ready" if any(replica.live for replica in down) else "no answer"
    )
    total = len(endpoint.replicas)
    if len(down) == total:
        text = f"{endpoint.name} is down: {why}"
        return Alert(name, "firing", "critical", text, since, float(max(one.failures for one in down)))
    text = f"{len(down)} of {total} replicas of {endpoint.name} are down: {why}"
    return Alert(name, "firing", "warning", text, since, float(len(down)))


def _was_down(name: str, endpoint: Endpoint) -> Iterator[Alert]:
    """Say that all or some replicas were down until a little while ago."""
    over = [replica.outage for replica in endpoint.replicas if replica.outage is not None]
    if not over:
        return
    since, until = min(one.since for one in over), max(one.until for one in over)
    if endpoint.at - until >= RESOLVED:
        return
    why = next((one.error for one in over if one.error), "") or "not ready"
    total = len(endpoint.replicas)
    at_once = len(over) == total and max(one.since for one in over) < min(one.until for one in over)
    severity: Severity = "critical" if at_once else "warning"
    who = endpoint.name if at_once else f"{len(over)} of {total} replicas of {endpoint.name}"
    text = f"{who} {'was' if at_once or len(over) == 1 else 'were'} down: {why}"
    yield Alert(name, "resolved", severity, text, since, resolved=until)


def _burning(name: str, endpoint: Endpoint) -> Iterator[Alert]:
    """Say that so many probes fail that the error budget will not last; only the worst of it."""
    if endpoint.hour.n < ENOUGH:
        return
    for long, short, factor, severity in BURNS:
        rates = [endpoint.burn.get(window, 0.0) / BUDGET for window in (long, short)]
        if min(rates) >= factor * (1 - 1e-9):  # 1.44 % of a minute's probes are 14.4 times 0.1 %
            text = (
                f"{percent(endpoint.burn[long])} of the probes of {endpoint.name} failed in {long}, "
                f"{percent(endpoint.burn[short])} in {short}: its error budget burns {rates[0]:.0f} times too fast"
            )
            yield Alert(name, "firing", severity, text, endpoint.at, rates[0], "error budget")
            return


def _versions(endpoints: list[Endpoint], models: Mapping[str, Model], newest: datetime) -> Iterator[Alert]:
    """Compare what is served with what the logs speak of, model by model; what is not ready cannot be in them yet.

    Of who is down counts what it served when it was last up: an outage neither ends nor begins such a difference.
    """
    served: dict[str, dict[str, Endpoint]] = {}
    ready: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        for one in (*endpoint.served, *endpoint.silent):
            served.setdefault(one.model, {})[one.version] = endpoint
            if one.ready is not False:
                ready.setdefault(one.model, {})[one.version] = endpoint
    for model, versions in served.items():
        logged = _logged(model, models, alone=len(served) == 1)
        if logged is None:
            continue
        for version, endpoint in ready.get(model, {}).items():
            if version not in logged.versions:
                now = any((one.model, one.version) == (model, version) for one in endpoint.served)
                does = "serves" if now else "served, when it was last up,"
                text = f"{endpoint.name} {does} {version} of {logged.name}, but the logs have no such version"
                about = f"{endpoint.name} {version}"
                yield Alert(f"{ENDPOINT}versions", "firing", "warning", text, endpoint.at, about=about)
        for version, found in logged.versions.items():
            recent = found.last is not None and newest - found.last < FRESH
            if recent and version not in versions and version != "-":
                text = f"the logs have {version} of {logged.name}, but no endpoint says that it serves it"
                about = f"{logged.name} {version}"
                yield Alert(f"{ENDPOINT}versions", "firing", "warning", text, newest, about=about)


def _logged(model: str, models: Mapping[str, Model], *, alone: bool) -> Model | None:
    """Return the model of the logs that a served one is: of the same name, or the only one on both sides."""
    if model in models:
        return models[model]
    return next(iter(models.values())) if alone and len(models) == 1 else None


def _host(system: System, now: datetime) -> Iterator[Alert]:
    sample = system.sample
    at = sample.at if sample is not None else now
    for disk in sample.disks if sample is not None else ():
        severity = next((severity for limit, severity in DISK if disk.used >= limit), None)
        if severity is not None:
            text = f"the disk of {disk.path} is {percent(disk.used, 0)} full, {disk.free_bytes / 1e9:.1f} GB are free"
            yield Alert(f"{HOST}disk", "firing", severity, text, at, disk.used, disk.path)
    memory = sample.container.memory if sample is not None and sample.container is not None else None
    if memory is not None and memory >= MEMORY:
        text = f"mlwatch's container uses {percent(memory, 0)} of its memory: at the limit the kernel ends processes"
        yield Alert(f"{HOST}memory", "firing", "warning", text, at, memory)
