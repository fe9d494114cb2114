"""Data validation: what `[schema]` asks of the values, as rulings beside those of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlwatch.errors import one_line
from mlwatch.rules import Ruling
from mlwatch.words import whose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlwatch.snapshot.types import Constraint, Model, Snapshot, Version

NAME = "schema: "
"""What the names of these rulings begin with."""


def validations(snapshot: Snapshot) -> list[Ruling]:
    """Return what became of each constrained feature of each version over the range of a snapshot."""
    return [
        ruling
        for model in snapshot.models.values()
        for version in model.versions.values()
        for ruling in _of_version(model, version, whose(snapshot.models, model.name))
    ]


def _of_version(model: Model, version: Version, of_model: str) -> Iterator[Ruling]:
    features: dict[str, list[Constraint]] = {}
    for constraint in version.constraints:
        features.setdefault(constraint.feature, []).append(constraint)
    for name, constraints in features.items():
        yield _ruling(model, version, name, constraints, of_model)


def _ruling(
    model: Model, version: Version, name: str, constraints: Sequence[Constraint], of_model: str
) -> Ruling:
    where, who = (model.name, version.name), version.name + of_model
    broken = [constraint for constraint in constraints if constraint.bad]
    if broken:
        said = "; ".join(map(_sentence, broken))
        worst = max(constraint.bad / constraint.n for constraint in broken)
        return Ruling(NAME + name, *where, "breach", worst, f"{one_line(name)} of {who}: {said}", "warning")
    n = max(constraint.n for constraint in constraints)
    if not n:
        message = f"{one_line(name)} of {who} has no value, so there is nothing to validate"
        silent = version.last is None
        return Ruling(NAME + name, *where, "no_data", None, message, "warning", silent=silent)
    message = f"all {n:,} values of {one_line(name)} in {who} are as the schema asks"
    return Ruling(NAME + name, *where, "ok", 0.0, message, "warning")


def _sentence(constraint: Constraint) -> str:
    example = f", for example {one_line(constraint.example)!r}" if constraint.example else ""
    return f"{constraint.bad:,} of {constraint.n:,} values {constraint.demand}{example}"
