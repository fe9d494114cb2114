"""What a rollout is judged by, and why not by the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlwatch.errors import one_line
from mlwatch.metrics.rollout_types import default_metric
from mlwatch.snapshot.rollout_past import CLASS_TASKS, OF_CLASSES
from mlwatch.snapshot.rollout_positives import RARE
from mlwatch.snapshot.types import MIXED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlwatch.config import RolloutSettings as Configured
    from mlwatch.snapshot.rollout_series import Arms

CLASS_GUARDRAILS = ("error_rate", "latency_p99", "accuracy", "recall", "conversion", "revenue")
"""What is judged by default, where the logs have it; recall where positives are rare."""
REGRESSION_GUARDRAILS = ("error_rate", "latency_p99", "mae", "conversion", "revenue")
NOT_LOGGED = {
    "latency_p99": "the logs hold no latency",
    "accuracy": "there are no labels yet",
    "recall": "no label is positive yet",
    "mae": "there are no labels yet",
    "conversion": "the logs hold no conversions",
    "revenue": "the logs hold no revenue",
}
BY_ARM = frozenset({"error_rate", "recall", "precision", "mae", "mse"})
"""What is judged by arm in a shadow too, besides latencies; recall only as long as no pairs tell of it."""
NOUGHT = {"revenue": "no request brought any"}
"""Why what the logs have is not judged where it is 0 all the time."""


class Guardrails(NamedTuple):
    """What is judged."""

    judged: tuple[str, ...]
    """Names of metrics."""
    remarks: tuple[str, ...] = ()
    """A sentence for each default guardrail that cannot be: the others decide."""
    unjudged: tuple[str, ...] = ()
    """A sentence for each that was asked for and cannot be: no promotion."""


def guardrails_of(config: Configured, arms: Arms, task: str, *, shadow: bool) -> Guardrails:
    """Return what is judged, and why the rest is not.

    Args:
        config: The `[rollout]` of the configuration.
        arms: What is known of both versions.
        task: Of the model.
        shadow: Both versions answer the same requests.
    """
    wanted: Sequence[str] = config.metrics or _default(task, arms)
    if shadow:  # one request has one user and one truth: pairs say who is right, and one answer is acted on
        wanted = [name for name in wanted if name in BY_ARM or name.startswith("latency")]
    whys = {name: why for name in wanted if name == "revenue" and (why := mixed_money(arms)) is not None}
    if config.metrics:
        judged = tuple(name for name in wanted if name not in whys)
        return Guardrails(judged, unjudged=_sentences(whys))
    whys |= {name: NOUGHT[name] for name in wanted if name in arms.nought}
    unknown = NOT_LOGGED | (dict.fromkeys(OF_CLASSES, arms.undecided) if arms.undecided else {})
    whys |= {name: unknown[name] for name in wanted if name not in arms.has}
    return Guardrails(tuple(name for name in wanted if name not in whys), _sentences(whys))


def mixed_money(arms: Arms) -> str | None:
    """Say why revenue is not judged where its amounts are in several currencies; None where they are not."""
    if len(arms.currencies) < 2:
        return None
    return f"its amounts are in {one_line(MIXED.join(arms.currencies))[:60]}"


def _sentences(whys: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{default_metric(name).label} is not judged, because {why}" for name, why in whys.items())


def _default(task: str, arms: Arms) -> tuple[str, ...]:
    """Return what is judged where nothing is configured: recall only where accuracy hardly tells of positives."""
    if task not in CLASS_TASKS | {"unknown"}:
        return REGRESSION_GUARDRAILS
    rare = task == "binary" and arms.positives is not None and arms.positives < RARE
    return tuple(name for name in CLASS_GUARDRAILS if rare or name != "recall")
