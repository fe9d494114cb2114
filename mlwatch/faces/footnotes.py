"""The sentences that belong beside the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.faces.cells import plain
from mlwatch.faces.rows import SPELLED
from mlwatch.metrics.outputs import maturity_note

if TYPE_CHECKING:
    from mlwatch.snapshot.types import Model, Snapshot

MOST = 6
"""Metrics of the reference that are named."""


def only(snapshot: Snapshot) -> str:
    """Say which records alone the numbers are of; empty for all."""
    wanted = snapshot.provenance.get("filter")
    return f"The numbers are of the records with {wanted} alone." if wanted else ""


def footnotes(model: Model) -> list[str]:
    """Return what the numbers rest on, and what is still to come."""
    young = [
        f"{name}: {note}."
        for name, version in model.versions.items()
        if (note := maturity_note(version.maturity))
    ]
    return [*_against(model), *_estimates(model), *_unseen(model), *young]


def over(model: Model) -> str:
    """Say how to see the verdict on a rollout that is over; empty where one runs, or there was none."""
    former = [version.name for version in model.versions.values() if version.role == "other"]
    if not former or any(version.role in {"candidate", "shadow"} for version in model.versions.values()):
        return ""
    return f"No candidate gets traffic any more: --candidate {former[-1]} shows the verdict on the newest."


def _unseen(model: Model) -> list[str]:
    """Say of which versions users saw no answer, though what they did is counted for them too."""
    shadows = [
        each.name for each in model.versions.values() if each.role == "shadow" and each.business.of_users
    ]
    return [
        f"Nobody saw the answers of {name}, a shadow: conversions, revenue and other events are those of requests that "
        "another version answered too, and say nothing about it."
        for name in shadows
    ]


def _against(model: Model) -> list[str]:
    if not model.reference:
        return ["Nothing to measure drift against."]
    there = [
        f"{SPELLED.get(name) or name.replace('_', ' ')} {plain(estimate.value)}"
        for name, estimate in list(model.reference_performance.items())[:MOST]
        if estimate.value is not None
    ]
    on_it = [f"On it the model reached: {', '.join(there)}."] if there else []
    return [f"Drift is measured against {model.reference}.", *on_it]


def _estimates(model: Model) -> list[str]:
    if model.estimated_from is None:
        return []
    rests_on = (
        f"Estimates without labels rest on the labels of {model.estimated_from}: inputs that moved show in them, "
        "a changed relation between inputs and label does not."
    )
    return [rests_on]
