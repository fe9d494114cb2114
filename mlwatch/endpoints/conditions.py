"""Whether an endpoint's conditions hold, look by look: pending at first, firing when they go on being broken.

An alert fires after three looks in a row that break the condition and is over after three that keep it, so that a value
that dances around its limit is one alert. A look that cannot tell changes nothing, and says why it cannot.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwatch.config import conditions as syntax
from mlwatch.config.comparison import holds
from mlwatch.endpoints.measures import OF_REQUESTS
from mlwatch.endpoints.types import Judged, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mlwatch.config.conditions import Condition
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.types import ConditionState, Course, Probe

IN_A_ROW = 3
"""Looks until an alert fires, and until it is over."""
WINDOW_S = 900.0
"""Time over which latency and errors are looked at."""
MOST_LOOKS = 10_000
LONGEST = 80
"""Characters of a value that are kept."""


class Unknown(Exception):  # noqa: N818  it is an expected answer
    """A condition cannot be evaluated; `str()` says why."""


class Conditions:
    """The conditions of one replica.

    Args:
        texts: As in the configuration, which has checked them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._watches = [_Watch(syntax.parse(text)) for text in texts]
        self._looks: deque[Seen] = deque(maxlen=MOST_LOOKS)

    def resume(self, before: Course) -> None:
        """Go on from how an earlier run left the conditions, as far as they are still the same."""
        judged = {one.text: one for one in before.judged}
        for watch in self._watches:
            watch.resume(judged)
        self._looks.extend(before.looks)

    def judge(
        self, probe: Probe, answer: Answer | None, metrics: Mapping[str, float], metrics_s: float = 0.0
    ) -> tuple[Judged, ...]:
        """Judge one look.

        Args:
            probe: What it found.
            answer: Of the request for health; None without one.
            metrics: What the server says about itself.
            metrics_s: Over how many seconds its rates are taken.
        """
        if not self._watches:
            return ()
        now = probe.at.timestamp()
        self._looks.append(Seen(now, probe.latency_ms, probe.up))
        while now - self._looks[0].at >= WINDOW_S:
            self._looks.popleft()
        facts = _Facts(probe, answer, {**metrics, **probe.metrics}, self._looks, metrics_s)
        return tuple(watch.take(facts) for watch in self._watches)


class _Watch:
    """One condition, and how it went."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._state: ConditionState = "unknown"
        self._run = 0
        """Looks in a row that broke it (positive) or kept it (negative)."""
        self._since: datetime | None = None

    def resume(self, before: Mapping[str, Judged]) -> None:
        """Go on from the state that an earlier run ended in; of a run of looks only its sign is known."""
        last = before.get(self._condition.text)
        if last is None or last.state == "unknown":
            return
        self._state, self._since = last.state, last.since
        self._run = {"firing": IN_A_ROW, "pending": 1}.get(last.state, -1)

    def take(self, facts: _Facts) -> Judged:
        """Judge one look."""
        condition, at = self._condition, facts.probe.at
        try:
            value = facts.value(condition.subject)
            kept = _kept(condition, value)
        except Unknown as reason:
            if self._state == "firing":
                return Judged(condition.text, "firing", f"n/a, because {reason}", self._since)
            return Judged(condition.text, "unknown", f"n/a, because {reason}")
        self._step(at, kept=kept)
        return Judged(condition.text, self._state, _with_unit(condition.subject, value), self._since)

    def _step(self, at: datetime, *, kept: bool) -> None:
        same = (self._run < 0) == kept and self._run != 0
        self._run = (self._run if same else 0) + (-1 if kept else 1)
        if kept and self._state == "firing" and -self._run >= IN_A_ROW:
            self._state, self._since = "resolved", at
        elif kept and self._state in {"pending", "unknown"}:
            self._state, self._since = "ok", None
        elif not kept and self._state != "firing":
            if self._state != "pending":
                self._state, self._since = "pending", at
            if self._run >= IN_A_ROW:
                self._state = "firing"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What conditions can speak of at one look."""

    probe: Probe
    answer: Answer | None
    metrics: Mapping[str, float]
    looks: Iterable[Seen]
    metrics_s: float

    def value(self, subject: str) -> Any:
        """Return a subject's value.

        Raises:
            Unknown: It has none.
        """
        if subject.split(".", maxsplit=1)[0] == syntax.BODY:
            return self._member(subject.split(".")[1:])
        if subject.startswith(syntax.METRICS):
            return self._metric(subject.removeprefix(syntax.METRICS))
        if subject in {"version", "error_rate"}:
            return self._versions() if subject == "version" else self._error_rate()
        found = {
            "status": self.probe.status,
            "latency": self.probe.latency_ms,
            "certificate.days": self.probe.certificate_days,
            "live": self.probe.live,
            "ready": self.probe.ready,
            "server": self.probe.server or None,
        }.get(subject)
        if subject.startswith("latency."):
            found = self._latency(subject.removeprefix("latency."))
        if found is None:
            raise Unknown(self._why(subject))
        return found

    def _why(self, subject: str) -> str:
        if subject == "certificate.days":
            return "no certificate was verified"
        if subject == "ready":
            return "the server does not say it"
        return f"there is no answer: {self.probe.error}" if self.probe.error else "there is no answer"

    def _silence(self, alive: str) -> str:
        """Return why something was not said: what a server that lives leaves out, or that it does not answer."""
        return self._why("") if self.probe.live is False else alive

    def _latency(self, which: str) -> float | None:
        known = sorted(look.latency_ms for look in self.looks if look.latency_ms is not None)
        if not known:
            return None
        at = {"p50": 0.5, "p95": 0.95, "max": 1.0}[which] * (len(known) - 1)
        low = math.floor(at)  # between two of them as DuckDB's quantile_cont, which the screen shows
        return known[low] + (at - low) * (known[min(low + 1, len(known) - 1)] - known[low])

    def _error_rate(self) -> float:
        ups = [look.up for look in self.looks]
        return ups.count(False) / len(ups)

    def _versions(self) -> tuple[str, ...]:
        found = tuple(sorted({one.version for one in self.probe.served}))
        if not found:
            raise Unknown(self._silence("the server does not say a version"))
        return found

    def _metric(self, name: str) -> float:
        if name not in self.metrics:
            why = f"the server has not said {name} yet"
            if name in OF_REQUESTS and self.metrics.get("requests_per_s") == 0:
                why = f"no requests came in the last {self.metrics_s:.0f} s"
            raise Unknown(self._silence(why))
        return self.metrics[name]

    def _member(self, path: list[str]) -> Any:
        if self.answer is None:
            raise Unknown(self._why("body"))
        found = self.answer.maybe_json() if path else self.answer.text.strip()
        if path and found is None:
            raise Unknown("the answer is no JSON")
        for at, name in enumerate(path, start=1):
            found = _below(found, name)
            if found is None:
                raise Unknown(f"the answer has no {'.'.join(path[:at])}")
        return found


def _below(found: Any, name: str) -> Any:
    if isinstance(found, list) and name.isascii() and name.isdigit():
        return found[int(name)] if int(name) < len(found) else None
    return found.get(name) if isinstance(found, dict) else None


def _kept(condition: Condition, value: Any) -> bool:
    """Tell whether a condition holds; of several versions for all."""
    if isinstance(value, tuple):
        return all((each == condition.limit) == (condition.sign == "==") for each in value)
    limit = condition.limit
    if isinstance(limit, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unknown(f"{_said(value)} is no number")
        return holds(condition.sign, value, limit)
    same = type(value) is type(limit) and value == limit
    return same == (condition.sign == "==")


UNITS = (
    ("_ms", " ms"),
    ("_per_s", " /s"),
    ("_s", " s"),
    ("_bytes", " bytes"),
    ("_cores", " cores"),
    ("_c", " °C"),
)
"""Ends of the names of metrics, and the units that they stand for."""


def _with_unit(subject: str, value: Any) -> str:
    """Return a subject's value as it is said."""
    name = subject.removeprefix(syntax.METRICS).partition(".")[0]
    if isinstance(value, float) and (subject == "error_rate" or name.endswith(("_share", "_ratio"))):
        return f"{100 * value:.4g} %"
    if subject.startswith("latency"):
        return f"{_said(value)} ms"
    if subject == "certificate.days":
        return f"{_said(value)} days"
    if not subject.startswith(syntax.METRICS):
        return _said(value)
    return _said(value) + next((unit for end, unit in UNITS if name.endswith(end)), "")


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    if isinstance(value, dict | list):  # written out it may be as deep as its sender likes
        return "an object" if isinstance(value, dict) else "a list"
    text = (
        f"{value:.6g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
