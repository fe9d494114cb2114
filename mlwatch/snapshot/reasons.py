"""Why numbers of the document are null, where they are no metrics that say so themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlwatch.snapshot.strangers import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.snapshot.health_types import System
    from mlwatch.snapshot.types import Quality

NO_REQUESTS = "no requests in this time"
NO_RECORDS = "no records of this time are kept here: look where the logs are"
NO_LATENCIES = "no latencies in the logs"
OF_THE_RANGE = "intervals of quantiles are told of the whole range alone"
NO_LAGS = "no labels came in records of their own"
NO_AMOUNTS = "no conversion carries an amount that can be read"
NO_TEACHER = "no labelled scores to learn from"
NO_LOOK = "nobody looked at the host at this time"
ONE_LOOK = "a rate takes two looks at the host, and there was one"
UNTOLD = "the operating system does not tell"
RATES = ("read_bytes_per_s", "written_bytes_per_s", "received_bytes_per_s", "sent_bytes_per_s")
SYSTEM = {
    "cpu": ONE_LOOK,
    **dict.fromkeys(("memory", "memory_used_bytes", "memory_total_bytes", "load", "load_1m"), UNTOLD),
    **dict.fromkeys(("open_files", "open_files_limit"), UNTOLD),
    "disk": "no file system of the logs could be asked",
    "swap": "there is no swap",
    "container": "no control group limits what runs here",
}
"""By their names: why numbers of a host that somebody looked at are null, but for rates."""
BUSINESS = {
    "approval": "no thumbs in the logs",
    "decisions_per_1000": "no labelled decisions, or no [business] payoff",
    "maturity": "no conversions yet",
}


def explained(block: dict[str, Any], why: Mapping[str, str]) -> dict[str, Any]:
    """Add `reasons`: why each of some numbers of a block is null; empty where none is."""
    return {**block, "reasons": {name: reason for name, reason in why.items() if block[name] is None}}


def of_system(system: System) -> dict[str, str]:
    """Return why numbers of the host may be null."""
    if system.sample is None:
        return dict.fromkeys((*SYSTEM, *RATES), NO_LOOK)
    return SYSTEM | dict.fromkeys(RATES, ONE_LOOK if system.sample.cpu is None else UNTOLD)


def of_quality(quality: Quality) -> dict[str, str]:
    """Return why the shares of a version's data quality may be null."""
    drifts = [one.drift for one in quality.features.values() if one.drift is not None]
    unknown = "there is no reference to compare with"
    if quality.strangers != NONE:
        unknown = "the reference has none of these features"
    no_share = "too few values to compare" if drifts else unknown
    return {
        "missing_rate": "no features in the logs",
        "drifted_share": no_share,
        "repeated_rows": "no records without an id; one with the id of another is among the duplicates",
    }
