"""Two tables side by side, as text and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.faces import tables
from mlwatch.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwatch.metrics.drift import Drift
    from mlwatch.snapshot.moves import Move
    from mlwatch.snapshot.table_drift import TableDrift

HEADS = ("Column", "Kind", "State", "Score", "Threshold", "PSI", "Missing", "How it moved")
STATES = {"ok": "ok", "drifted": "drifted", "too_few": "too few rows"}
FRACTION = 4
"""Digits of a score."""


def text(found: TableDrift) -> str:
    """Return a table for a terminal."""
    return f"{one_line(_head(found))}\n\n{tables.table(HEADS, list(_rows(found)))}"


def markdown(found: TableDrift) -> str:
    """Return a table for a pull request."""
    from mlwatch.faces import markdown as md  # noqa: PLC0415  with all that a report has

    rows = [[md.escaped(cell) for cell in row] for row in _rows(found)]
    return f"## Drift\n\n{md.escaped(_head(found))}\n\n{md.table(HEADS, rows)}\n"


def _head(found: TableDrift) -> str:
    features = found.quality.features.values()
    compared = [each.drift for each in features if each.drift is not None]
    drifted = sum(each.drifted for each in compared)
    said = [f"{drifted} of {len(compared)} features have drifted"]
    if found.quality.vanished:
        said.append(f"missing: {', '.join(found.quality.vanished)}")
    if found.quality.appeared:
        said.append(f"new: {', '.join(found.quality.appeared)}")
    if found.quality.repeats is not None and found.quality.repeats.repeated:
        repeated = found.quality.repeats.repeated
        said.append(f"repeated rows: {repeated:,} are equal to an earlier one in every column")
    return f"{found.current}, {found.rows:,} rows, against {found.reference}: {'; '.join(said)}"


def _rows(found: TableDrift) -> Iterator[list[str]]:
    """Yield a row a column, the farthest first."""
    quality = found.quality
    features = sorted(
        quality.features.items(), key=lambda item: -(item[1].drift.score or 0) if item[1].drift else 1
    )
    for name, each in features:
        missing = "n/a" if each.missing_rate is None else percent(each.missing_rate)
        yield [name, each.kind, *_drift(each.drift), missing, _how(each.drift, each.move)]
    for name, drift, move in (
        ("prediction", quality.prediction_drift, quality.prediction_move),
        ("score", quality.score_drift, quality.score_move),
        ("label", quality.label_drift.drift, None),
    ):
        if drift is not None:
            yield [name, "output", *_drift(drift), "", _how(drift, move)]


def _how(drift: Drift | None, move: Move | None) -> str:
    return move.sentence if move is not None and drift is not None and drift.drifted else ""


def _drift(drift: Drift | None) -> tuple[str, str, str, str]:
    if drift is None:
        return "n/a, because the reference lacks it", "n/a", "n/a", "n/a"
    numbers = (drift.score, drift.threshold, drift.psi)
    score, threshold, psi = ("n/a" if each is None else f"{each:.{FRACTION}f}" for each in numbers)
    return STATES[drift.state], f"{drift.method} {score}", threshold, psi
