"""The versions that share the traffic with baseline and candidate: other candidates, and what was not retired yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlwatch.snapshot.read import fetch
from mlwatch.snapshot.rollout_series import stratum_sql
from mlwatch.store import rollups
from mlwatch.store.rollup import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from mlwatch.snapshot.read import Table
    from mlwatch.snapshot.reader import Reader
    from mlwatch.snapshot.roles import Roles
    from mlwatch.snapshot.rollout_pairing import Pairing
    from mlwatch.snapshot.rollout_series import Arms


def beside(roles: Roles, pairing: Pairing) -> tuple[str, ...]:
    """Return the further versions that answered requests of their own in the time of a rollout.

    A shadow answers what another version is asked, so it takes no share of the traffic.

    Args:
        roles: Which version is which.
        pairing: The two that are compared, and the time.
    """
    return tuple(
        life.pair.version
        for life in roles.ordered
        if life.pair.version not in {pairing.baseline, pairing.candidate}
        and life.pair not in roles.shadows
        and life.first < pairing.end
        and life.last >= pairing.start
    )


def with_others(reader: Reader, pairing: Pairing, arms: Arms, versions: tuple[str, ...]) -> Arms:
    """Return arms that know how many requests went to other versions.

    Args:
        reader: Of the snapshot.
        pairing: The versions that are compared, and the time.
        arms: Their series.
        versions: The others, see `beside`.
    """
    if not versions:
        return arms
    table = _read(reader, pairing, versions)
    others = (table["minute"].astype(np.int64), table["n"].astype(np.int64))
    return replace(arms, baseline=replace(arms.baseline, others=others))


def _read(reader: Reader, pairing: Pairing, versions: tuple[str, ...]) -> Table:
    width = pairing.minutes

    def since(begin: datetime | None) -> Table:
        start = pairing.start if begin is None else max(begin, pairing.start)
        return fetch(
            reader.connection,
            f"""SELECT {stratum_sql("bucket", width)} AS minute, CAST(SUM(n) AS BIGINT) AS n
            FROM {rollups.TRAFFIC.table(MINUTE)}
            WHERE model = ? AND version IN ({", ".join("?" * len(versions))}) AND bucket >= ? AND bucket < ?
            GROUP BY ALL""",
            [pairing.model, *versions, start, pairing.end],
        )

    key = ("beside", pairing.model, versions, pairing.start, width)
    return reader.onward(key, rollups.TRAFFIC, "minute", width, since)
