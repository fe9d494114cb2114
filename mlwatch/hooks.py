"""Run the user's command when the verdict of a rollout changes: once a change, also across restarts.

Commands are off unless `[rollout] on_rollback`, `on_promote` or `on_verdict` names them. They run without a shell, one
after the other in a thread of their own, with the verdict as JSON on their standard input. `[rollout] webhook` gets the
same JSON in a POST request, from another thread: it is asked again where it fails, and no command waits for that.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from mlwatch.asking import meta_value
from mlwatch.errors import one_line
from mlwatch.rights import usual_umask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from duckdb import DuckDBPyConnection

    from mlwatch.config.settings import RolloutSettings
    from mlwatch.snapshot.types import Rollout

LIMIT_S = 60.0
"""A command that takes longer is ended."""
OUTPUT_CHARACTERS = 200
"""Of a failed command's last line, that are told."""
WAITING = 20
"""Commands that may wait; of more verdicts than this the oldest is dropped, and that is said."""
VERDICT = "verdict "
"""What the keys begin with that verdicts are remembered under."""
WEBHOOK = "webhook"
POST_S = 15.0
"""Time that a webhook has for its answer."""
PAUSES_S = (2.0, 4.0, 8.0, 16.0, 32.0)
"""After so long a webhook that failed is asked again, for what may pass."""
LONGEST_PAUSE_S = 60.0
"""It may wish for a longer pause, up to this."""
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Call:
    """A command to run, and what it gets."""

    setting: str
    """Which setting names it."""
    command: tuple[str, ...]
    verdict: str
    document: str
    """JSON for its standard input."""


def changes(
    connection: DuckDBPyConnection, rollouts: Iterable[Rollout], settings: RolloutSettings
) -> list[Call]:
    """Remember the verdicts, and return what is to be run for those that are not what they were.

    A first verdict of "hold" is no change: there was none to hold anything.

    Args:
        connection: A cursor of this thread; no other thread may remember verdicts.
        rollouts: The verdicts of the newest data.
        settings: Of the configuration.
    """
    calls: list[Call] = []
    for rollout in rollouts:
        key = f"{VERDICT}{json.dumps([rollout.model, rollout.candidate])}"
        before = meta_value(connection, key) or "hold"
        if before != rollout.verdict:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, rollout.verdict])
            calls.extend(_calls(rollout, before, settings))
    return calls


def _calls(rollout: Rollout, before: str, settings: RolloutSettings) -> Iterable[Call]:
    from mlwatch.snapshot.document import rollout_document  # noqa: PLC0415  only when a verdict changes

    named = {
        "rollback": ("on_rollback", settings.on_rollback),
        "promote": ("on_promote", settings.on_promote),
    }
    wanted = [named[rollout.verdict]] if rollout.verdict in named else []
    document = json.dumps({**rollout_document(rollout), "before": before})
    for setting, command in [*wanted, ("on_verdict", settings.on_verdict)]:
        if command:
            yield Call(setting, command, rollout.verdict, document)
    if settings.webhook is not None:
        yield Call(WEBHOOK, (settings.webhook,), rollout.verdict, document)


class _Lane:
    """Make calls one after the other, in a thread of their own that begins with the first."""

    def __init__(self, make: Callable[[Call], None]) -> None:
        self._make = make
        self._waiting: queue.Queue[Call | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def put(self, call: Call) -> bool:
        """Make a call in its turn; tell whether there is room for it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mlwatch-hooks", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            return False
        return True

    def stop(self, timeout: float) -> None:
        """Let the calls that wait be made, up to a time in seconds."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):  # they could not all be made in time anyway
                self._waiting.put(None, timeout=timeout)
            self._thread.join(timeout)
            self._thread = None

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            self._make(call)


class Runner:
    """Run commands and ask the webhook, never keeping anybody waiting.

    Args:
        say: Takes severity, topic and sentence of what came of a call; called in the runner's threads.
        dry: Only say what would run.
    """

    def __init__(self, say: Callable[[str, str, str], None], *, dry: bool = False) -> None:
        self._say = say
        self._dry = dry
        self._ending = threading.Event()
        self._commands, self._posts = _Lane(self._make), _Lane(self._make)

    def run(self, calls: Sequence[Call]) -> None:
        """Make calls in their turn."""
        for call in calls:
            lane = self._posts if call.setting == WEBHOOK else self._commands
            if not lane.put(call):
                self._say(
                    "warning", call.setting, f"[rollout] {call.setting} was not run: {WAITING} others wait"
                )

    def stop(self, timeout: float = 5.0) -> None:
        """Let the calls that wait be made, up to a time in seconds; what fails now is not tried again."""
        self._ending.set()
        deadline = time.monotonic() + timeout
        for lane in (self._commands, self._posts):
            lane.stop(max(0.0, deadline - time.monotonic()))

    def _make(self, call: Call) -> None:
        if self._dry:
            severity, sentence = "info", _intention(call)
        elif call.setting == WEBHOOK:
            severity, sentence = _post(call, self._ending)
        else:
            severity, sentence = _run(call)
        self._say(severity, call.setting, f"[rollout] {call.setting}: {sentence}")


def _intention(call: Call) -> str:
    what = "post" if call.setting == WEBHOOK else f"run {call.command[0]}"
    return f"would {what}: {call.verdict}"


def _post(call: Call, ending: threading.Event) -> tuple[str, str]:
    """Post a verdict and return severity and sentence of what came of it; the address may be a secret.

    Args:
        call: Of the webhook.
        ending: Once this is set, what failed is not tried again.
    """
    (address,) = call.command
    if address.startswith("env:"):
        found = os.environ.get(address[4:])
        if not found:
            return "warning", f"the environment has no variable {one_line(address[4:])}"
        address = found
    for pause_s in PAUSES_S:
        said, wish_s = _post_once(address, call)
        if wish_s is None or ending.wait(max(pause_s, min(wish_s, LONGEST_PAUSE_S))):
            return said
    return _post_once(address, call)[0]


def _post_once(address: str, call: Call) -> tuple[tuple[str, str], float | None]:
    """Return what came of it, and after how many seconds it may be tried again, at least; None where it may not."""
    import httpx  # noqa: PLC0415  only when a verdict changes

    try:
        headers = {"content-type": "application/json"}
        # what the answer holds is not asked for, and may have no end
        with httpx.stream("POST", address, content=call.document, headers=headers, timeout=POST_S) as answer:
            pass
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        passing = isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError)
        said = f"the verdict {call.verdict} was not taken ({type(error).__name__})"
        return ("warning", said), 0.0 if passing else None
    if answer.is_success:
        return ("info", f"took the verdict {call.verdict}"), None
    said = f"the verdict {call.verdict} was refused with status {answer.status_code}"
    passing = answer.status_code == TOO_MANY_REQUESTS or answer.is_server_error
    wish = answer.headers.get("retry-after", "").strip()
    return ("warning", said), (float(wish) if wish.isdecimal() else 0.0) if passing else None


def _run(call: Call) -> tuple[str, str]:
    """Run one command and return severity and sentence of what came of it."""
    name = one_line(call.command[0])
    with tempfile.TemporaryFile() as errors:  # not a pipe: what a command writes is not kept in memory
        try:
            done = subprocess.run(
                call.command,
                input=call.document.encode(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=LIMIT_S,
                check=False,
                umask=usual_umask(),
            )
        except subprocess.TimeoutExpired:
            return "warning", f"{name} was ended after {LIMIT_S:.0f} s"
        except OSError as error:
            return "warning", f"{name} cannot be run ({error.strerror})"
        if done.returncode == 0:
            return "info", f"{name} ran for the verdict {call.verdict}"
        return "warning", f"{name} failed with exit code {done.returncode}{_last_line(errors)}"


def _last_line(file: IO[bytes]) -> str:
    size = file.seek(0, 2)
    file.seek(max(0, size - 4096))
    said = file.read().decode(errors="replace").strip().splitlines()[-1:]
    return f": {one_line(said[0])[:OUTPUT_CHARACTERS]}" if said else ""
