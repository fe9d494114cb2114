"""Keep the rules: bring alerts up to date, run hooks when verdicts change, and tell people."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING

from mlwatch import notify, silences
from mlwatch.asking import is_there
from mlwatch.errors import MlwatchError
from mlwatch.store import notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from mlwatch.config import Config
    from mlwatch.config.settings import RolloutSettings
    from mlwatch.hooks import Runner
    from mlwatch.meter import Meter
    from mlwatch.notify import Notifier, Undelivered
    from mlwatch.snapshot.types import Alert, Snapshot
    from mlwatch.verdictfile import VerdictFile

    Look = Callable[[timedelta | None], Snapshot]

NEVER = -1


class Keeper:
    """Keep the rules of one session; of its threads, one keeps them.

    Args:
        config: Rules, hooks, people.
        connect: Returns the calling thread's cursor.
        look: Returns a snapshot of the newest data over a range.
        meter: Says whether there is something new.
        verdicts: File that remembers the verdicts, where there is no store that outlives the session.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[], DuckDBPyConnection],
        look: Look,
        meter: Meter,
        verdicts: Path | None = None,
    ) -> None:
        self._config = config
        self._file = verdicts
        self._verdicts: VerdictFile | None = None
        self._connect, self._look, self._meter = connect, look, meter
        self._hooks: Runner | None = None
        self._notifier: Notifier | None = None
        self._undelivered: Undelivered = {}
        """What the store says that was not delivered."""
        self._said: SimpleQueue[tuple[str, str, str]] = SimpleQueue()
        """What came of hooks and messages."""
        self.ruled = NEVER
        """What was taken in when the rules were evaluated last; an earlier session may have had others."""

    def start(self) -> None:
        """Begin to run hooks and to tell people; only those who follow the logs do.

        Raises:
            ConfigError: when people cannot be told.
        """
        from mlwatch.hooks import Runner  # noqa: PLC0415
        from mlwatch.verdictfile import VerdictFile  # noqa: PLC0415

        if self._file is not None and _has_hooks(self._config.rollout):
            self._verdicts = VerdictFile(self._file)
            self._verdicts.load(self._connect())
        self._hooks = Runner(self._hear, dry=self._config.rollout.dry_run)
        if self._config.notify.urls:
            self._undelivered = notify.remembered(self._connect())
            self._notifier = notify.Notifier(self._config.notify, self._hear, self._undelivered)
        self._end_trouble()

    def _end_trouble(self) -> None:
        """End what an earlier run said of addresses, but of those for which something waits still."""
        waiting = {notify.topic_of(number) for number in self._undelivered}
        over = [each for each in notices.standing(self._connect(), notify.TROUBLE) if each not in waiting]
        if over:
            notices.resolve(self._connect(), *over)

    def stop(self) -> None:
        """End the threads, after what they have begun, and write down what came of it."""
        import duckdb  # noqa: PLC0415

        for one in (self._hooks, self._notifier):
            if one is not None:
                one.stop()
        with suppress(duckdb.Error):  # on a full disk, say: the end goes on
            self.note()
            self._remember()

    def _hear(self, severity: str, topic: str, sentence: str) -> None:
        self._said.put((severity, topic, sentence))

    def note(self) -> None:
        """Write down what came of hooks and messages."""
        while not self._said.empty():
            severity, topic, sentence = self._said.get()
            notices.post(self._connect(), severity, topic, sentence)
            if severity == "info":  # that it ran is nothing that lasts
                notices.resolve(self._connect(), topic)

    def keep(self) -> None:
        """Evaluate the rules and tell of what changed; a rule that cannot be understood is said, and stops nothing."""
        try:
            self.evaluate()
        except MlwatchError as error:
            notices.post(self._connect(), "warning", "rules", str(error))
        else:
            notices.resolve(self._connect(), "rules")  # what was said before the configuration was mended
        self._tell()

    def evaluate(self) -> None:
        """Bring the alerts up to date, once for the same data.

        Raises:
            ConfigError: when a rule cannot be understood.
        """
        from mlwatch import alerts, hooks  # noqa: PLC0415  pulls numpy

        if self._meter.taken_in == self.ruled:
            return
        self.ruled = self._meter.taken_in
        found = self._look(alerts.span_of(self._config.rules))
        if self._hooks is not None:
            calls = hooks.changes(self._connect(), found.rollouts, self._config.rollout)
            if self._verdicts is not None:
                self._verdicts.keep(self._connect())
            self._hooks.run(calls)
        if alerts.update(self._connect(), found, self._look, self._config.rules):
            self.ruled = self._meter.changed({})
        if not alerts.is_dated(found):
            self.ruled = NEVER  # the next look knows since when

    def _tell(self) -> None:
        """Tell of alerts that began or ended, and forget what was said about those that are over."""
        if self._notifier is None and not is_there(self._connect(), "silences"):
            return
        found = self._all()
        seen = found
        if silences.misses(self._connect(), found):  # they may have been said of what a longer range shows
            seen = [*found, *self._look(None).alerts]
        silences.tidy(self._connect(), seen, datetime.now(UTC))
        if self._notifier is not None:
            messages = notify.news(self._connect(), found, self._config.notify)
            self._notifier.send(messages, notify.silenced(found))
            self._remember()

    def _remember(self) -> None:
        """Keep in the store what was not delivered yet, where that is not what it keeps."""
        if self._notifier is not None and (found := self._notifier.undelivered()) != self._undelivered:
            notify.remember(self._connect(), found)
            self._undelivered = found

    def _all(self) -> list[Alert]:
        """Return every alert of the newest data: those of the store too that a snapshot has no room for."""
        from mlwatch import alerts  # noqa: PLC0415  pulls numpy
        from mlwatch.snapshot.state import alerts_of  # noqa: PLC0415  the same

        found = self._look(alerts.span_of(self._config.rules)).alerts
        stored = alerts_of(self._connect(), limit=None)
        return [*found, *silences.marked(self._connect(), stored, datetime.now(UTC))]


def _has_hooks(settings: RolloutSettings) -> bool:
    return any((settings.on_rollback, settings.on_promote, settings.on_verdict, settings.webhook))
