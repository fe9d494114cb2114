"""Conditions of endpoints: `latency.p95 < 80ms`, `body.version == "v2"`, `certificate.days > 14`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from mlwatch.config.comparison import NUMBER, SCALES, SIGN

NUMBERS = (
    "status", "latency", "latency.p50", "latency.p95", "latency.max", "error_rate", "certificate.days",
)  # fmt: skip
"""Subjects that are numbers: of this look, and `latency.*` and `error_rate` of the last quarter of an hour."""
FLAGS = ("live", "ready")
TEXTS = ("version", "server")
BODY, METRICS = "body", "metrics."
"""`body.a.b` is a member of the JSON answer; `metrics.NAME` what the server says about itself."""
STATISTICS = ("mean", "p50", "p95", "p99")
TIMES = ("latency", "first_token")
"""What servers tell the mean and quantiles of: `latency_p95_ms`."""
SERVER_METRICS = (
    "requests_per_s", "errors_per_s", "error_share", "queue_length", "queue_mean_ms", "in_flight", "cpu_share",
    "cpu_cores", "memory_share", "memory_bytes", "gpu_share", "gpu_memory_bytes", "tokens_per_s", "kv_cache_share",
    "open_files", "utilization_share", "stream_age_max_s", "server_time_ms", "clock_skew_s", "hit_ratio", "keys",
    "clients", "fragmentation", "evicted_per_s", "expired_per_s", "refused_per_s",
)  # fmt: skip
"""All other common names: whatever a server calls its metrics, only these are read."""
OF_FEATURES = ("feature_age_s", "feature_absent")
OF_KEYS = ("keys_sampled", "no_ttl_share", "ttl_min_s", "ttl_p50_s")
"""What stands before the name of a feature, and of a group of keys: `ttl_min_s.user`."""
_CONDITION = re.compile(
    rf"\s*([a-z][\w.\-]*)\s*{SIGN}\s*(?:{NUMBER}|\"([^\"]*)\"|'([^']*)'|(true|false))\s*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was understood."""

    text: str
    """As it was written."""
    subject: str
    sign: str
    limit: float | str | bool


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        ValueError: It cannot be understood; the message says what is allowed.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"""{text!r} is no condition such as "status == 200" or "latency.p95 < 80ms\"""")
    subject, sign, number, unit, double, single, flag = match.groups()
    if number is not None:
        limit: float | str | bool = _number(text, number, unit or "", subject)
    else:
        limit = flag == "true" if flag is not None else double if double is not None else single
    _check(text, subject, sign, limit)
    return Condition(text.strip(), subject, sign, limit)


def _number(text: str, number: str, unit: str, subject: str) -> float:
    if unit in {"ms", "s"} and not subject.startswith("latency"):
        raise ValueError(f"{text!r}: only latency has a unit of time")
    try:
        return float(number) * SCALES.get(unit, 1.0)
    except ValueError:
        raise ValueError(f"{text!r}: {number} is no number") from None


def _check(text: str, subject: str, sign: str, limit: float | str | bool) -> None:
    """Check that a subject is known and that it can be compared so."""
    if not isinstance(limit, float) and sign not in {"==", "!="}:
        raise ValueError(f"{text!r}: text and true or false are compared by == and != only")
    if subject == BODY or subject.startswith(f"{BODY}."):
        return
    if subject.startswith(METRICS):
        _check_metric(text, subject.removeprefix(METRICS))
    wanted = (
        float if subject in NUMBERS or subject.startswith(METRICS)
        else bool if subject in FLAGS
        else str if subject in TEXTS
        else None
    )  # fmt: skip
    if wanted is None:
        known = ", ".join((*NUMBERS, *FLAGS, *TEXTS, "body.NAME", "metrics.NAME"))
        raise ValueError(f"{text!r}: {subject} is unknown. Allowed: {known}")
    if not isinstance(limit, wanted):
        word = {float: "a number", bool: "true or false", str: "text in quotes"}[wanted]
        raise ValueError(f"{text!r}: {subject} is compared with {word}")  # noqa: TRY004  it is of a text


def _check_metric(text: str, name: str) -> None:
    """Check that a server's metric has one of the names that there are."""
    times = [f"{time}_{statistic}_ms" for time in TIMES for statistic in STATISTICS]
    family, dot, member = name.partition(".")
    families = (*OF_FEATURES, *OF_KEYS)
    if name in {*SERVER_METRICS, *times} or (family in families and dot and member):
        return
    every = (*SERVER_METRICS, *times, *(f"{each}.NAME" for each in families))
    close = next(iter(get_close_matches(name, every)), None)
    if close is not None:
        raise ValueError(f"{text!r}: no metric of servers is called {name}: did you mean {METRICS}{close}?")
    most = ", ".join((*SERVER_METRICS[:12], "latency_p95_ms", "feature_age_s.NAME"))
    raise ValueError(
        f"{text!r}: whatever a server calls its metrics, they go by common names: {most}; README lists all"
    )
