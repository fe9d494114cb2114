"""The frozen values of what only some logs hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlwatch.metrics.outputs import Measure


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a version gave and took, besides predictions."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    """Such as `output_tokens`, `cost`, `words`; those that the logs hold."""
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    """Failed requests by kind, the most frequent first."""
    residuals: Mapping[str, float] = field(default_factory=dict)
    """Quantiles of prediction - label by their names, `p05` and so on; of a regression with labels."""
    currency: str | None = None
    """What costs are in."""
