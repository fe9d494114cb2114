"""Whether what both versions of a rollout brought is in one currency: of several, sums compare nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mlwatch.asking import number
from mlwatch.snapshot.reader import ALL_TIME
from mlwatch.store import currencies, rollups

if TYPE_CHECKING:
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.rollout_pairing import Pairing

_COARSE = 4
"""Binary digits of the number of events that count: what they are in is looked up anew after a sixteenth more."""


def currencies_of(reader: Reader, pairing: Pairing) -> tuple[str, ...]:
    """Return what the amounts of both versions are in, sorted; one at most where the configuration says it.

    Whose requests the events found is looked up only where the model's events, or those that name no model, say several
    currencies. Where no event finds any, as in a lake, it is what is known of the model.

    Args:
        reader: Of the snapshot.
        pairing: The versions and the time.
    """
    if pairing.judged.currency is not None:
        return (pairing.judged.currency,)
    connection = reader.connection
    said = reader.value("currencies", (rollups.BUSINESS,), ALL_TIME, partial(currencies.said, connection))
    of_lakes = currencies.of_lakes(connection).get(pairing.model, ())
    known = currencies.named(said.get(pairing.model, ()), said.get("", ()), of_lakes)
    if len(known) < 2:
        return known
    events = number(connection, "SELECT COUNT(*) FROM events")
    coarse = events >> max(events.bit_length() - _COARSE, 0), events.bit_length()
    who = (pairing.model, (pairing.baseline, pairing.candidate), (pairing.start, pairing.end))
    look = partial(currencies.of_versions, connection, *who)
    key = ("currencies", pairing.model, pairing.baseline, pairing.candidate, pairing.start)
    return currencies.named(reader.value(key, (), ALL_TIME, look, (known, coarse)), of_lakes) or known
