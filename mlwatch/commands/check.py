"""`mlwatch check PATH`: the gate of a deploy pipeline."""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mlwatch.commands.common import Range, chosen_range, taken_in
from mlwatch.commands.writing import write
from mlwatch.config import EndpointSettings
from mlwatch.errors import InputError, one_line
from mlwatch.faces.check import FORMATS, Check, Finding, Outcome, check_of, markdown
from mlwatch.lasting import lasting_rulings
from mlwatch.options import caches_of
from mlwatch.output import print_document
from mlwatch.records.rejects import rejects
from mlwatch.rights import public
from mlwatch.rules import DEFAULT_RULES, Ruling
from mlwatch.snapshot.health_alerts import ENDPOINT, GOLDEN
from mlwatch.snapshot.quality_alerts import REJECTED
from mlwatch.snapshot.unmatched import quoted
from mlwatch.store.telling import unread
from mlwatch.times import parse_duration
from mlwatch.validation import validations

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from mlwatch.session import Session
    from mlwatch.snapshot.health_types import Endpoint
    from mlwatch.snapshot.types import Snapshot

CONDITIONS: dict[str, Outcome] = {
    "ok": "pass",
    "resolved": "pass",
    "pending": "hold",
    "unknown": "hold",
    "firing": "fail",
}
OUTCOMES: dict[str, Outcome] = {"ok": "pass", "breach": "fail", "pending": "hold", "no_data": "hold"}
AROUND: dict[str, Outcome] = {
    "registry": "pass",
    "training": "pass",
    "feast": "hold",
    "ingest: roles": "hold",
    REJECTED: "hold",
}
"""What it means that a system around cannot be used: it is said; without a schema, nothing was validated.

A verdict on columns that the configuration calls otherwise is none, nor is one without the records in quarantine: they
may be just those that failed.
"""
GOALS = ("promote", "decided")
"""What `--until` waits for: either way a roll back ends the wait, for nothing but new data could undo it."""
PAUSE_S = 1.0
"""Time between two looks while waiting."""
NEWS_S, STILL_S = 10.0, 60.0
"""Time between two words of progress: with another answer, and with the same one, for pipelines end what is silent."""


def run(arguments: Namespace) -> int:
    """Print the answer; exit code 0 for pass or promote, 1 for a breach or roll back, 3 for hold or no data."""
    goal = arguments.until if arguments.until in GOALS else None
    past = arguments.at or _time(arguments)
    wanted = partial(chosen_range, argparse.Namespace(**{**vars(arguments), "until": past}))
    wanted()  # what is wrong with it is said before the logs are read
    patience = _patience(arguments, past, goal)
    if past is not None and arguments.endpoint:
        todo = "leave --at, --until TIME or --endpoint out"
        raise InputError("a server cannot be asked about a moment of the past", "--endpoint", todo)
    with taken_in(arguments) as session:
        if past is None:
            session.look_around(stay=patience is not None)
        check, snapshot = _checked(session, wanted(), past=past is not None)
        if patience is not None:
            check, snapshot = _waited(session, wanted, (check, snapshot), patience)
    text = FORMATS[arguments.format](check)
    if arguments.format == "text":
        sys.stdout.write(text)
    else:
        print_document(text)
    if arguments.summary is not None:
        _append(arguments.summary, markdown(check))
    if arguments.html is not None:
        from mlwatch.commands.report import page  # noqa: PLC0415  few ask for it

        write(page(snapshot), arguments.html, "--html")
    return check.exit_code


def _time(arguments: Namespace) -> str | None:
    """Return what `--until` says where it is a time."""
    until: str | None = arguments.until
    return None if until in GOALS else until


def _patience(arguments: Namespace, past: str | None, goal: str | None) -> timedelta | None:
    """Read `--wait`.

    Args:
        arguments: With it.
        past: The moment of the past that is judged; None for the present.
        goal: What is waited for.

    Raises:
        InputError: when it cannot be read, or does not go with the rest.
    """
    if arguments.wait is None:
        if goal is not None:
            raise InputError(f"--until {goal} needs --wait", "command line", "add --wait 30m")
        return None
    if past is not None:
        raise InputError(
            "a moment of the past never changes", "--wait", "leave --at, --until TIME or --wait out"
        )
    try:
        return parse_duration(arguments.wait)
    except ValueError as error:
        raise InputError(str(error), "--wait", "give a length such as 30m") from error


def checked(session: Session, patience: timedelta | None = None) -> Check:
    """Judge everything that a session has, and wait so long for a verdict where that is asked for."""
    everything = Range(None, None)
    look = _checked(session, everything)
    if patience is not None:
        look = _waited(session, lambda: everything, look, patience)
    return look[0]


def _checked(session: Session, wanted: Range, *, past: bool = False) -> tuple[Check, Snapshot]:
    """Judge a range, and return the numbers that it is judged by, too."""
    snapshot = wanted.asked(session)
    if not snapshot.models:
        return Check((_no_data(session, snapshot, wanted),), ()), snapshot
    rules = session.config.rules or DEFAULT_RULES
    found = [Finding("filter", "pass", f"only records with {wanted.filter}")] if wanted.filter else []
    found += [_finding(each) for each in lasting_rulings(snapshot, rules, partial(wanted.newest, session))]
    found += [_finding(ruling) for ruling in validations(snapshot)]
    found += _endpoints(session, snapshot, past=past)
    if past and (session.endpoints or caches_of(session.options, session.config)):
        found.append(Finding("endpoints", "pass", "they are not asked about a moment of the past"))
    found += [
        Finding(alert.rule, AROUND[alert.rule], alert.message)
        for alert in snapshot.alerts
        if alert.rule in AROUND and alert.state != "resolved"
    ]
    found += _damaged(session)
    check = check_of(snapshot, found, alone=bool(session.config.rules or session.config.schema))
    return check, snapshot


def _damaged(session: Session) -> list[Finding]:
    """Hold for files that are logs but cannot be read, or not to their end: nobody knows what that would say."""
    rows = session.connection.execute(
        "SELECT path, reason, offset_bytes > 0 FROM files WHERE state = 'damaged' ORDER BY path"
    )
    return [
        Finding("logs", "hold", unread(path, reason, partly=partly))
        for path, reason, partly in rows.fetchall()
    ]


def _no_data(session: Session, snapshot: Snapshot, wanted: Range) -> Finding:
    """Say why there is nothing to judge: that is a hold, never a pass."""
    if snapshot.ingest.predictions and wanted.filter:
        return Finding("data", "hold", f"no predictions with {wanted.filter}")
    if snapshot.ingest.predictions and wanted.at is not None:
        return Finding("data", "hold", f"no predictions before {wanted.at:%Y-%m-%d %H:%M} UTC")
    if snapshot.ingest.records:
        said = f"{snapshot.ingest.records:,} records read, but no predictions of the model"
        return Finding("data", "hold", said + _rejected(session, snapshot))
    standing = (alert for alert in snapshot.alerts if alert.state != "resolved")
    of_ingest = (alert.message for alert in standing if alert.rule.startswith("ingest"))
    why = next(of_ingest, "no file with records below it")
    return Finding("data", "hold", f"no prediction logs: {why}")


def _rejected(session: Session, snapshot: Snapshot) -> str:
    """Say how many records are rejected, and the most frequent reason."""
    n = snapshot.ingest.rejected
    reasons = rejects(session.connection).reasons if n else ()
    return f": {n:,} are rejected, most often with {quoted(reasons[0][0])}" if reasons else ""


def _finding(ruling: Ruling) -> Finding:
    outcome, message = OUTCOMES[ruling.state], ruling.message
    if ruling.severity == "info" and outcome == "fail":
        # an information is said, but stops no pipeline
        outcome, message = "pass", f"broken, which only informs: {message}"
    return Finding(f"{ruling.name} ({ruling.model} {ruling.version})", outcome, message)


def _endpoints(session: Session, snapshot: Snapshot, *, past: bool) -> Iterator[Finding]:
    """Say how endpoints and caches stand; of those that only an earlier run polled, that they do not count."""
    caches = caches_of(session.options, session.config)
    if not snapshot.endpoints and not session.endpoints and not caches:
        return
    from mlwatch.polling import settings_of  # noqa: PLC0415  pulls httpx

    polled = dict(settings_of(session.endpoints, caches))
    for endpoint in snapshot.endpoints:
        settings = polled.get(endpoint.name)
        if settings is None:
            text = f"{endpoint.name} was polled earlier, but is not configured any more: it is not checked"
            yield Finding(f"{ENDPOINT}{endpoint.name}", "pass", text)
            continue
        asked = isinstance(settings, EndpointSettings) and settings.probe is not None
        yield _endpoint_finding(endpoint, snapshot, golden=asked)
        yield from _conditions(endpoint)
    known = {endpoint.name for endpoint in snapshot.endpoints}
    for name in () if past else polled:
        if name not in known:
            yield Finding(f"{ENDPOINT}{name}", "hold", f"{name} was not asked")


def _endpoint_finding(endpoint: Endpoint, snapshot: Snapshot, *, golden: bool) -> Finding:
    """Say how an endpoint stands: what is critical fails, what nobody knows holds, everything else is only said.

    A server that has no place of health, such as one whose address nobody said more of, passes where it answers.

    Args:
        endpoint: Which.
        snapshot: With its alerts.
        golden: Whether it still has a fixed input; what an earlier one gave does not count.
    """
    name = f"{ENDPOINT}{endpoint.name}"
    standing = (alert for alert in snapshot.alerts if alert.rule == name and alert.state != "resolved")
    said = [alert for alert in standing if golden or alert.about != GOLDEN]
    worst = next((alert for alert in said if alert.severity == "critical"), None)
    if worst is not None:
        return Finding(name, "fail", worst.message)
    if endpoint.unasked:
        return Finding(name, "hold", f"{endpoint.name} is not asked: {endpoint.unasked}")
    if endpoint.stale:
        return Finding(name, "hold", f"{endpoint.name} was not polled in the last minute")
    if endpoint.state == "bad":
        why = endpoint.error or "not ready"
        return Finding(name, "hold", f"{endpoint.name} was not up at the last look: {why}")
    if endpoint.doubt:
        text = f"{endpoint.name} answers, but nobody knows whether it is ready: {endpoint.doubt}"
        return Finding(name, "hold", text)
    return Finding(name, "pass", said[0].message if said else _stands(endpoint))


def _stands(endpoint: Endpoint) -> str:
    """Say how an endpoint stands that is up, and what it serves."""
    served = ", ".join(f"{one.model} {one.version}" for one in endpoint.served)
    if endpoint.state != "ok":
        state = "is up in part"
    elif endpoint.ready is None:
        state = "answers, and has no place known to say whether it is ready: configure health"
    else:
        state = "is up"
    return f"{endpoint.name} {state}" + (f", serves {served}" if served else "")


def _conditions(endpoint: Endpoint) -> list[Finding]:
    """Say which conditions an endpoint keeps: whoever wrote one wants a pipeline to stop without it."""
    if endpoint.stale:
        return []
    return [
        Finding(
            f"{ENDPOINT}{endpoint.name}: {one.text}",
            CONDITIONS[one.state],
            one.said + (f" (replica {one.replica})" if one.replica else ""),
        )
        for one in endpoint.conditions
    ]


def pause(seconds: float) -> None:
    """Let time pass between two looks."""
    time.sleep(seconds)


def _waited(
    session: Session, wanted: Callable[[], Range], look: tuple[Check, Snapshot], patience: timedelta
) -> tuple[Check, Snapshot]:
    """Look again with all that is new, until the verdict is promote or roll back, or the time is over.

    Args:
        session: With what was read so far.
        wanted: Returns the range as it is by now, which `2h ago` goes on with.
        look: The first, as `_checked` returns it.
        patience: How long.
    """
    end = time.monotonic() + patience.total_seconds()
    progress = _Progress(end)
    while look[0].outcome == "hold" and time.monotonic() < end:
        progress.tell(look[0])
        pause(min(PAUSE_S, max(end - time.monotonic(), 0)))
        before = session.generation
        session.ingest_all()
        if session.generation != before:
            look = _checked(session, wanted())
    return look


@dataclass
class _Progress:
    """Tell on standard error what it waits for."""

    end: float
    """When the waiting is over, as `time.monotonic` counts."""
    said: str = ""
    at: float = -math.inf

    def tell(self, check: Check) -> None:
        """Say the first thing that holds, now and then."""
        now = time.monotonic()
        holds = (item for item in check.findings if item.outcome == "hold")
        first = next((f"{item.name}: {item.message}" for item in holds), "nothing to check yet")
        if now - self.at < (NEWS_S if first != self.said else STILL_S):
            return
        self.said, self.at = first, now
        left = max(self.end - now, 0) / 60
        sys.stderr.write(f"mlwatch: waiting, up to {left:.1f} more minutes: {one_line(first)}\n")
        sys.stderr.flush()


def _append(path: Path, text: str) -> None:
    """Add the summary to a file, such as the one that `$GITHUB_STEP_SUMMARY` names.

    Raises:
        InputError: when it cannot be written.
    """
    try:
        with public(), path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError("cannot write the summary", str(path), error.strerror or "") from error
