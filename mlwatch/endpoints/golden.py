"""Golden probes: a fixed input whose output must not change without a new version."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlwatch.config.probefiles import ProbeFileError, read_probe
from mlwatch.endpoints.comparing import compare
from mlwatch.endpoints.failures import Failure
from mlwatch.endpoints.types import Baseline, Golden
from mlwatch.errors import InputError
from mlwatch.foreign import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mlwatch.config.polled import ProbeSettings
    from mlwatch.config.probefiles import FixedInput
    from mlwatch.endpoints.adapter import Adapter, Look
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

AGAIN_S = 15.0
"""Seconds until the input is sent again where the version changed while it was answered, or nobody had time for it."""
BUSY, PAUSES_S = frozenset({429, 503}), (1.0, 3.0)
"""Statuses that tell nothing about a model's output, and seconds until the input is sent again after them."""
EXCUSE = 160
"""Most characters of a server's explanation."""
CHANGED = "output changed without a new version"
UNKNOWN = "output changed, and the server does not say its version"
NO_PATH = "not sent, because the path of predictions is not known: configure probe path"


class Baselines:
    """The first answers of each version, which later ones must be equal to. Used from one event loop only."""

    def __init__(self, known: Iterable[Baseline] = ()) -> None:
        self._answers = {(one.endpoint, one.version, one.fingerprint): one.answer for one in known}

    def answer(self, endpoint: str, version: str, fingerprint: str) -> str | None:
        """Return the first answer, as JSON text; None while there is none."""
        return self._answers.get((endpoint, version, fingerprint))

    def keep(self, first: Baseline) -> None:
        """Remember a first answer."""
        self._answers[first.endpoint, first.version, first.fingerprint] = first.answer


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of sending the input."""

    golden: Golden | None
    """None where there is nothing to compare with, or the version changed in between."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Metrics that the answer holds."""
    document: Any = None
    """The answer: of JSON its value, else text."""
    busy: bool = False
    """Whether the server had no time for it."""


class GoldenProbe:
    """Sends one endpoint's fixed input, only ever because the configuration says so.

    Raises:
        InputError: A file cannot be read or is no JSON.
    """

    def __init__(
        self, endpoint: str, settings: ProbeSettings, resolve: Callable[[str], Path], baselines: Baselines
    ) -> None:
        self.endpoint, self.settings = endpoint, settings
        try:
            self.fixed: FixedInput = read_probe(settings, resolve)
        except ProbeFileError as error:
            where = f"endpoint {endpoint}, probe.{error.key}"
            raise InputError("the golden probe cannot be used", where, str(error)) from None
        self._baselines = baselines

    async def ask(self, client: Client, adapter: Adapter, look: Look) -> Answered:
        """Send the input once, and once more where the version may have changed in between.

        Args:
            client: Of the replica.
            adapter: Of its server.
            look: What was seen of it just now.
        """
        answered = await self._once(client, adapter, look)
        if answered.golden is None or answered.golden.matches or self.fixed.expects:
            return answered
        try:
            again = await adapter.look(client)
        except Failure:
            return replace(answered, golden=None)
        if version_of(again) != version_of(look):  # the rollout went on between the two requests
            return replace(answered, golden=None)
        return answered

    def compares(self, adapter: Adapter) -> bool:
        """Tell whether answers of this server are compared, and not only measured."""
        return self.fixed.expects or adapter.output_is_fixed

    async def _once(self, client: Client, adapter: Adapter, look: Look) -> Answered:
        path = self.settings.path or adapter.inference_path(_model(adapter, look))
        if path is None:
            return Answered(Golden(matches=False, reason=NO_PATH))
        try:
            answer = await self._send(client, path)
        except Failure as failure:
            return Answered(Golden(matches=False, reason=f"no answer: {failure}"))
        if not answer.ok:
            refused = Golden(matches=False, reason=f"no answer: {answer.words}{_excuse(answer)}")
            return Answered(refused, busy=answer.status in BUSY)
        document = _value(answer)
        measured = adapter.measure(self.fixed.document, document, datetime.now(UTC))
        return Answered(self._judged(adapter, look, document), measured, document)

    async def _send(self, client: Client, path: str) -> Answer:
        """Send the input, and again where the server has no time for it just now.

        Raises:
            Failure: There is no answer.
        """
        for pause in PAUSES_S:
            answer = await client.post(path, self.fixed.body, self.fixed.content_type)
            if answer.status not in BUSY:
                return answer
            await asyncio.sleep(pause)
        return await client.post(path, self.fixed.body, self.fixed.content_type)

    def _judged(self, adapter: Adapter, look: Look, document: Any) -> Golden | None:
        actual = self._output(adapter, document)
        if self.fixed.expects:
            expected = self._output(adapter, self.fixed.expected)
            return compare(expected, actual, self.settings.tolerance)
        if not self.compares(adapter):
            return None
        version = answered_version(document) or version_of(look)
        known = self._baselines.answer(self.endpoint, version, self.fixed.fingerprint)
        if known is None:
            first = Baseline(self.endpoint, version, self.fixed.fingerprint, json.dumps(actual))
            self._baselines.keep(first)
            return Golden(matches=True, difference=0.0, first=first)
        found = compare(json.loads(known), actual, self.settings.tolerance)
        said = CHANGED if version else UNKNOWN
        return found if found.matches else replace(found, reason=f"{said}: {found.reason}")

    def _output(self, adapter: Adapter, document: Any) -> Any:
        return without(adapter.output(document), frozenset(self.settings.ignore))


class Schedule:
    """Decides for one replica when its golden probe is due: at intervals for each version, at once for a new one.

    Where a name stands for replicas with different versions, looks see them in turn: none is asked more often for that.
    """

    def __init__(self, golden: GoldenProbe) -> None:
        self._golden = golden
        self._every = golden.settings.every.total_seconds()
        self._due: dict[str, float] = {}
        self._asking = False
        self.measured: Mapping[str, float] = {}
        """Metrics of the last answer."""

    async def ask(self, client: Client, adapter: Adapter, look: Look) -> Golden | None:
        """Send the input if it is due and the server is ready; None where there is nothing to say."""
        now, version = asyncio.get_running_loop().time(), version_of(look)
        if self._asking or look.ready is False or now < self._due.get(version, now):
            return None
        self._asking = True
        self._due = {other: due for other, due in self._due.items() if due > now}  # versions come and go
        self._due[version] = now + self._every
        try:
            answered = await self._golden.ask(client, adapter, look)
        finally:
            self._asking = False
        rolling = answered.golden is None and self._golden.compares(adapter)
        if rolling or answered.busy:
            self._due[version] = now + min(self._every, AGAIN_S)
        self.measured = answered.measured or self.measured
        return answered.golden


def version_of(look: Look) -> str:
    """Return the versions that a look found ready, as one key; empty where the server does not say them."""
    return ", ".join(
        sorted(f"{one.model} {one.version}" for one in look.served if one.version and one.ready is not False)
    )


def _model(adapter: Adapter, look: Look) -> str | None:
    """Return the configured model, else the only one that is served."""
    served = {one.model for one in look.served}
    return adapter.settings.model or (served.pop() if len(served) == 1 else None)


def answered_version(document: Any) -> str:
    """Return the version that an answer itself names, as the Open Inference Protocol's do; else nothing."""
    version = document.get("model_version") if isinstance(document, dict) else None
    return str(version) if isinstance(version, str | int) and not isinstance(version, bool) else ""


def without(value: Any, names: frozenset[str]) -> Any:
    """Return a value of JSON without the members of these names, however deep."""
    if not names:
        return value
    if isinstance(value, dict):
        return {name: without(each, names) for name, each in value.items() if name not in names}
    return [without(each, names) for each in value] if isinstance(value, list) else value


def _excuse(answer: Answer) -> str:
    """Return how the server explains a refusal, in brief: a wrong input is told only there."""
    said = " ".join(answer.text[:EXCUSE].split())
    return f": {said}" if said and not said.startswith("<") else ""


def _value(answer: Answer) -> Any:
    """Return the answer's value; what is no JSON is text."""
    try:
        return loads(answer.body)
    except (ValueError, RecursionError):
        return answer.text
