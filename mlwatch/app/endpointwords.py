"""Endpoints in words: what a cell of the table says, and the sentences about the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.app.drawing import clean
from mlwatch.app.serverwords import told
from mlwatch.app.units import show, show_count, show_duration, show_moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlwatch.app.units import Zone
    from mlwatch.snapshot.health_types import ConditionState, Endpoint, GoldenState, Replica, Square, Uptime

WORDS = {"ok": "up", "warn": "degraded", "bad": "down", "unknown": "unknown"}
STYLES = {"ok": "$good", "warn": "bold $unclear", "bad": "bold $bad", "unknown": "$quiet"}
MOST_METRICS = 8
AGE, ABSENT = "feature_age_s.", "feature_absent."
"""What the names of metrics of a feature store begin with."""
MOST_REPLICAS = 12


def state_of(endpoint: Endpoint) -> str:
    """Return how an endpoint stands, in a word or two."""
    if endpoint.unasked:
        return "not asked"
    if endpoint.stale:
        return "not polled"
    if endpoint.state == "bad" and endpoint.live:
        return "not ready"
    if endpoint.state == "ok" and endpoint.differs:
        return "differs"
    if endpoint.state == "ok" and endpoint.doubt:
        return "answers"
    return WORDS[endpoint.state]


def trouble_of(endpoint: Endpoint) -> Square:
    """Return how an endpoint stands as a sign: a wrong answer of one that is up is trouble too, and so is a refusal."""
    return "warn" if endpoint.state == "ok" and (endpoint.differs or endpoint.doubt) else endpoint.state


def versions_of(endpoint: Endpoint, *, brief: bool = False) -> str:
    """Return which versions are served; of several replicas, by how many ("3 of 10 replicas on v2")."""
    if not endpoint.served:
        return "n/a"
    count = len(endpoint.replicas)
    several = len({served.model for served in endpoint.served}) > 1
    parts = []
    for served in endpoint.served:
        name = clean(f"{served.model} {served.version}" if several else served.version, 24)
        waiting = " (not ready)" if served.ready is False else ""
        counted = (
            f"{name} {served.replicas}/{count}"
            if brief
            else f"{served.replicas} of {count} replicas on {name}"
        )
        parts.append((counted if count > 1 else name) + waiting)
    return ", ".join(parts)


def remark_of(endpoint: Endpoint) -> str:
    """Return what is wrong with an endpoint just now, in one line; empty where all is well."""
    if endpoint.unasked:
        return clean(endpoint.unasked, 160)
    if endpoint.stale:
        return ""
    error = next((replica.error for replica in endpoint.replicas if replica.error), "")
    if not error and endpoint.golden is not None and endpoint.differs:
        error = endpoint.golden.reason
    skew = endpoint.metrics.get("clock_skew_s")
    if not error and skew is not None:
        error = f"clock {_skew(skew)}"
    if not error and endpoint.metrics_error.startswith("damaged"):
        error = endpoint.metrics_error
    return clean(error, 160)


def _skew(seconds: float) -> str:
    return f"{show_duration(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'} this host's"


def certificate(days: float | None) -> str:
    """Return how long a certificate is still valid."""
    if days is None:
        return "n/a"
    return f"{days:.0f} days left" if days > 0 else f"ended {-days:.0f} days ago"


def _certificate(days: float | None) -> str:
    return (
        certificate(days)
        if days is not None
        else "n/a, because none was verified: plain HTTP, or verify = false"
    )


def uptime(found: Uptime) -> str:
    """Return the share of probes that found it up."""
    return "n/a" if found.share is None else show(found.share, "share")


def sentences(endpoint: Endpoint, now: datetime, zone: Zone) -> list[tuple[str, str]]:
    """Return everything known about an endpoint, what is wrong first: pairs of a heading and a text."""
    golden = [("Golden", _golden(endpoint.golden, now))] if endpoint.golden is not None else []
    broken, kept = _conditions(endpoint, now)
    rows = [
        ("State", _state_sentence(endpoint, now, zone)),
        ("Serves", _serves(endpoint)),
        *(golden if endpoint.differs else ()),
        *broken,
        ("Last error", _error(endpoint, now)),
        ("Probes", _probes(endpoint)),
        *(() if endpoint.differs else golden),
        *kept,
    ]
    metrics = dict(endpoint.metrics)
    skew = metrics.pop("clock_skew_s", None)
    if skew is not None:
        rows.append(("Clock", _skew(skew)))
    features, others = _told_apart(metrics)
    if features:
        rows.append(("Features", _features(features)))
    rows += _server_says(others, endpoint.metrics_error)
    late = endpoint.latency.late_p99
    if late is not None and late > 100:
        rows.append(("Lateness", f"probes begin {show(late, 'ms')} late (p99): this host is busy"))
    rows += [("Server", _server(endpoint)), ("Certificate", _certificate(endpoint.certificate_days))]
    if len(endpoint.replicas) > 1:
        rows += [("Replica" if at == 0 else "", text) for at, text in enumerate(_replicas(endpoint))]
    return rows


def _serves(endpoint: Endpoint) -> str:
    asked = bool(endpoint.replicas)
    why = "the server does not say a version" if asked else "it was not asked"
    return versions_of(endpoint) if endpoint.served else f"n/a, because {why}"


def _probes(endpoint: Endpoint) -> str:
    latency = endpoint.latency
    return (
        f"{endpoint.probes:,} in 15 min, {endpoint.failed:,} failed; p50 {show(latency.p50, 'ms')}, "
        f"p95 {show(latency.p95, 'ms')}, longest {show(latency.max, 'ms')}"
    )


def _conditions(endpoint: Endpoint, now: datetime) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the conditions that are broken, and all others."""
    found = [
        (one.state in {"pending", "firing"}, ("Condition", _condition(one, now)))
        for one in endpoint.conditions
    ]
    return [row for bad, row in found if bad], [row for bad, row in found if not bad]


def _server(endpoint: Endpoint) -> str:
    """Return the kind of server, how sure that is and why."""
    why = f", {clean(endpoint.recognised, 120)}" if endpoint.recognised else ""
    return f"{clean(endpoint.server, 60)}{why}" if endpoint.server else "not recognised yet"


def brief(endpoint: Endpoint, told: Mapping[str, str]) -> str:
    """Return the state and the last error in one line, of what `sentences` told."""
    state = told["State"].partition("; live")[0]
    return f"{state}; last error: {told['Last error']}" if endpoint.error else state


def _state_sentence(endpoint: Endpoint, now: datetime, zone: Zone) -> str:
    said = state_of(endpoint)
    if endpoint.unasked:
        return f"{said}: {clean(endpoint.unasked, 160)}"
    if endpoint.stale:
        return f"{said} for {show_duration((now - endpoint.at).total_seconds())}: what is shown is of then"
    if len(endpoint.replicas) > 1:
        said += f", {endpoint.up} of {len(endpoint.replicas)} replicas up"
    since = [replica.down_since for replica in endpoint.replicas if replica.down_since is not None]
    if since:
        said += f"; down since {show_moment(min(since), zone)}, {show_count(_failures(endpoint))} probes"
    live, ready = (_yes(value) for value in (endpoint.live, endpoint.ready))
    why = f", because {clean(endpoint.doubt, 160)}" if endpoint.doubt and endpoint.ready is None else ""
    return f"{said}; live {live}, ready {ready}{why}"


def _failures(endpoint: Endpoint) -> int:
    return max((replica.failures for replica in endpoint.replicas), default=0)


def _yes(value: bool | None) -> str:
    return "n/a" if value is None else "yes" if value else "no"


def _error(endpoint: Endpoint, now: datetime) -> str:
    if not endpoint.error or endpoint.error_at is None:
        return "none in the last hour"
    ago = show_duration(max(0.0, (now - endpoint.error_at).total_seconds()))
    return f"{clean(endpoint.error, 160)} ({ago} ago)"


_STANDS = {
    "ok": "kept",
    "pending": "broken",
    "firing": "broken",
    "resolved": "kept again",
    "unknown": "not known",
}


def _condition(one: ConditionState, now: datetime) -> str:
    since = one.since
    ago = f" for {show_duration(max(0.0, (now - since).total_seconds()))}" if since is not None else ""
    which = f" (replica {clean(one.replica, 45)})" if one.replica and one.state != "ok" else ""
    return f"{clean(one.text, 80)}: {_STANDS[one.state]}{ago}, {clean(one.said, 160)}{which}"


def _golden(golden: GoldenState, now: datetime) -> str:
    ago = show_duration(max(0.0, (now - golden.at).total_seconds()))
    if golden.matches:
        size = f", at most {golden.difference:.3g} apart" if golden.difference else ""
        return f"the fixed input gives the expected answer{size} ({ago} ago)"
    which = f"replica {clean(golden.replica, 45)}: " if golden.replica else ""
    return f"{which}{clean(golden.reason, 160) or 'the answer differs'} ({ago} ago)"


def _told_apart(metrics: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return what a feature store says of its features, and all other metrics."""
    of_features = {name: value for name, value in metrics.items() if name.startswith((AGE, ABSENT))}
    return of_features, {name: value for name, value in metrics.items() if name not in of_features}


def _features(metrics: Mapping[str, float]) -> str:
    """Return how old each feature is and how many entities have none, the oldest first."""
    names = {name.partition(".")[2] for name in metrics}
    ages = {name: metrics.get(f"{AGE}{name}") for name in names}
    ordered = sorted(names, key=lambda name: (-(ages[name] or 0.0), name))
    text = ", ".join(
        _feature(name, ages[name], metrics.get(f"{ABSENT}{name}")) for name in ordered[:MOST_METRICS]
    )
    left = len(ordered) - MOST_METRICS
    return text + (f", {left} more" if left > 0 else "")


def _feature(name: str, age: float | None, absent: float | None) -> str:
    said = "absent" if age is None else f"{show_duration(age)} old"
    some = age is not None and absent
    return f"{clean(name, 40)} {said}" + (f" ({show(absent, 'share')} absent)" if some else "")


def _server_says(metrics: Mapping[str, float], error: str) -> list[tuple[str, str]]:
    """Return what the server says about itself: load, latency and host in a row each, then what has no row."""
    rows, left = told(metrics)
    if left:
        shown = ", ".join(f"{clean(name, 40)} {value:.4g}" for name, value in left[:MOST_METRICS])
        more = len(left) - MOST_METRICS
        rows.append(("Metrics", shown + (f", {more} more" if more > 0 else "")))
    if error:
        rows.append(("Metrics", f"n/a, because {clean(error, 160)}"))
    return rows


def _replicas(endpoint: Endpoint) -> list[str]:
    shown = sorted(endpoint.replicas, key=lambda replica: (replica.up, replica.address))[:MOST_REPLICAS]
    left = len(endpoint.replicas) - len(shown)
    return [*map(_replica, shown), *([f"{left} more"] if left else [])]


def _replica(replica: Replica) -> str:
    names = ", ".join(clean(version, 20) for _, version in replica.versions)
    serves = f" serves {names}" if names else ""
    trouble = f": {clean(replica.error, 80)}" if replica.error else ""
    return f"{clean(replica.address, 45)} {'up' if replica.up else 'down'}{serves}{trouble}"
