"""Which adapter a replica is looked at with, and when that is asked anew: another server may take its place."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mlwatch.endpoints.adapters import known
from mlwatch.endpoints.detection import ENOUGH, Detected, detect
from mlwatch.endpoints.failures import Failure

if TYPE_CHECKING:
    from mlwatch.config import EndpointSettings
    from mlwatch.endpoints.adapter import Adapter
    from mlwatch.endpoints.address import Address
    from mlwatch.endpoints.answer import Answer
    from mlwatch.endpoints.client import Client

DOUBTFUL = frozenset({3, 30, 300, 3000})
"""Odd looks in a row after which the kind is asked for anew, ever more seldom."""
UNSURE = frozenset({10, 100, 1000})
"""Looks after which it is, where no server was recognised."""
CONFIRM_S = 60.0
"""Seconds after which a kind that was recognised is confirmed: another server may have the same paths."""
SUSPICIOUS_S = 5.0
"""Seconds between two doubts because of another `Server` header: behind a name there may be a mixture."""


class Recognition:
    """Find the adapter of one replica, and doubt it when there is reason.

    Args:
        settings: Of the endpoint; a kind that they or the address name is never doubted.
        address: Where it is.
    """

    def __init__(self, settings: EndpointSettings, address: Address) -> None:
        self._settings = settings
        self._forced = settings.kind or address.kind
        self._found: Detected | None = None
        self._preparing = asyncio.Lock()
        self._doubts = self._away = False
        self._odd = self._looks = 0
        self._software: str | None = None
        """What the `Server` header said last; servers of the same paths differ in it."""
        self._settled_at = float("-inf")
        self.adapter: Adapter | None = None
        self.prepared = False

    @property
    def why(self) -> str:
        """How sure the kind is, and why; empty where it was given."""
        found = self._found
        return "" if found is None else f"{100 * found.sure:.0f} % sure: {found.why}"

    @property
    def pending(self) -> bool:
        """Whether something must be asked before the next look."""
        return not self.prepared or self._doubts

    async def settle(self, client: Client) -> str:
        """Ask what must be asked before a look.

        Returns:
            What has changed, in words; mostly nothing.

        Raises:
            Failure: Nothing can be learnt now, and nothing was known before.
        """
        async with self._preparing:
            if not self.prepared:
                await self._learn(client)
                self._settled_at = time.monotonic()
                return ""
            if not self._doubts:
                return ""
            self._doubts, self._settled_at = False, time.monotonic()
            try:
                return await self._learn_anew(client)
            except Failure:
                return ""  # what was known goes on

    def noted(self, answer: Answer | None, *, answered: bool, odd: bool) -> None:
        """Note how a look went.

        Args:
            answer: The answer, where it was understood.
            answered: Somebody answered.
            odd: In a way that this server would not while all is well, such as 404 where its health is.
        """
        self._looks += 1
        self._odd = self._odd + 1 if odd else 0
        back = answered and self._away
        self._away = not answered
        other = answer is not None and self._is_other(answer)
        if self._forced is None and (back or other or self._odd in DOUBTFUL or self._is_due()):
            self._doubts = True

    def _is_other(self, answer: Answer) -> bool:
        """Tell whether the answer names another software than the last one did."""
        before, self._software = self._software, answer.headers.get("server", "")
        return before not in {None, self._software} and time.monotonic() - self._settled_at > SUSPICIOUS_S

    def _is_due(self) -> bool:
        if self._found is not None and self._found.sure < ENOUGH:
            return self._looks in UNSURE
        return time.monotonic() - self._settled_at > CONFIRM_S

    def reject(self) -> None:
        """Forget the adapter: what answers is another server."""
        if self._forced is None:
            self.adapter, self.prepared = None, False

    async def _learn(self, client: Client) -> None:
        if self.adapter is None:
            kind, server = self._forced, ""
            if kind is None:
                self._found = await detect(client, self._settings.model)
                kind, server = self._found.kind, self._found.server
            self.adapter = known()[kind](self._settings, server)
        await self.adapter.prepare(client)
        self.prepared = True

    async def _learn_anew(self, client: Client) -> str:
        """Ask whether it is still the same server, which takes one request as a rule, and else which one it is."""
        before = self.adapter
        if before is None or await _still(client, before):
            if before is not None:
                await before.prepare(client)
            return ""
        found = await detect(client, self._settings.model)
        if found.sure < ENOUGH or (found.kind, found.server) == (before.kind, before.server):
            return ""
        adapter = known()[found.kind](self._settings, found.server)
        try:
            await adapter.prepare(client)
        except Failure:
            self._doubts = True  # it is another one: that is asked again before the next look
            raise
        self._found, self._odd, self.adapter = found, 0, adapter
        return f"another kind of server: was {before.server}, is {found.server}"


async def _still(client: Client, adapter: Adapter) -> bool:
    """Tell whether a server answers like the one that the adapter is for, and like no other one more."""
    for path in adapter.asks:
        answer = await client.get(path)
        sign = adapter.recognise(path, answer)
        if sign is not None:
            others = (other.recognise(path, answer) for other in known().values())
            surest = max(found.sure for found in others if found is not None)
            return sign.sure >= surest and sign.server in {"", adapter.server}
    return False
